"""Keys that are checked in full and then refused with E38, because nothing executes them yet.

Laws: a key leaves this table when it works and not before; a key in it is never ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryocloud_core.graph.workflow import Node

#: What a message calls it -> (the key where it stands, whether a node asks for it).
REFUSED: Final[dict[str, tuple[str, Callable[[Node], bool]]]] = {
    "docker": ("docker", lambda node: node.placement.docker is not None),
    "image": ("image", lambda node: node.placement.image is not None),
    "replicas": ("replicas", lambda node: node.placement.replicas != 1),
    "volumes": ("volumes", lambda node: bool(node.placement.volumes)),
    "serviceURL": ("serviceURL", lambda node: node.placement.service_url is not None),
}
