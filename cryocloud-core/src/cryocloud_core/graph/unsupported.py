"""Keys that are checked in full and then refused with E38, because nothing executes them yet.

Laws: a key leaves this table when it works and not before; a key in it is never ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cryocloud_core.graph.refs import Argument, Literal
from cryocloud_core.graph.workflow import Node
from cryocloud_core.task import StagingKind

_REMOTE: Final = ("ssh://", "s3://", "http://", "https://")


def _is_remote(value: Any) -> bool:
    if isinstance(value, list):
        return any(_is_remote(item) for item in value)
    return isinstance(value, str) and value.strip().casefold().startswith(_REMOTE)


def names_remote_file(argument: Argument) -> bool:
    """Tell whether an argument of `type: file` has a remote path written in the document."""
    if argument.preparation is None or argument.preparation.kind is not StagingKind.FILE:
        return False
    literal = argument.source.value if isinstance(argument.source, Literal) else None
    return _is_remote(literal) or (argument.has_default and _is_remote(argument.default))


#: What a message calls it -> (the key where it stands, whether a node asks for it).
REFUSED: Final[dict[str, tuple[str, Callable[[Node], bool]]]] = {
    "docker": ("docker", lambda node: node.placement.docker is not None),
    "image": ("image", lambda node: node.placement.image is not None),
    "replicas": ("replicas", lambda node: node.placement.replicas != 1),
    "volumes": ("volumes", lambda node: bool(node.placement.volumes)),
    "serviceURL": ("serviceURL", lambda node: node.placement.service_url is not None),
    "post": ("post", lambda node: bool(node.post)),
    "remote files": ("args", lambda node: any(map(names_remote_file, node.args.values()))),
}
