"""Node keys that a module prefers: read by the same rows as the keys of a node.

Laws: a module's default never names a node, an option or configuration; a key that no row knows is kept,
so that it can be told as ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from cryocloud_core.graph.document import Tree, planted
from cryocloud_core.graph.keys import Place
from cryocloud_core.graph.problems import Findings
from cryocloud_core.graph.reading import Reading
from cryocloud_core.graph.settings import SETTINGS
from cryocloud_core.graph.spelling import folded
from cryocloud_core.graph.values import Wrong, expected

#: Folded spelling -> key, for what a module may give; `run` is an old spelling of `runOn`.
_KEYS: Final = {folded(key): key for key, row in SETTINGS.items() if row.in_defaults} | {"run": "runOn"}


@frozen
class Defaults:
    """What a module's defaults say: read values, what is wrong with them, keys that nobody knows."""

    values: dict[str, Any] = field(factory=dict)
    wrong: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def read_defaults(defaults: Mapping[str, Any]) -> Defaults:
    """Return a spec's `defaults` as the values that a node without these keys has."""
    values: dict[str, Any] = {}
    wrong: list[str] = []
    unknown: list[str] = []
    findings = Findings(lambda _at: (1, 1), strict=True)
    for written, data in defaults.items():
        key = _KEYS.get(folded(str(written)))
        if key is None:
            unknown.append(str(written))
            continue
        try:
            values[key] = SETTINGS[key].read(planted(data, 0), Reading(Place(findings, ""), (), ()))
        except Wrong as error:
            wrong.append(_why(str(written), error))
    wrong.extend(found.message for found in findings.found)
    return Defaults(values, tuple(wrong), tuple(unknown))


def module_defaults(tree: Tree) -> dict[str, Any]:
    """Return the defaults of a `ccmodule` under the keys' own spelling.

    Raises:
        Wrong: they are no map, or a value does not fit its key.
    """
    if not isinstance(tree.data, Mapping):
        raise expected(tree, "a map of node keys")
    read = read_defaults(tree.data)
    if read.wrong:
        raise Wrong(tree.at, why="; ".join(read.wrong))
    return {_KEYS.get(folded(str(written)), str(written)): data for written, data in tree.data.items()}


def _why(key: str, error: Wrong) -> str:
    parts = error.parts
    inner = f".{parts['inner']}" if "inner" in parts else ""
    return str(parts.get("why", f'"{key}{inner}" must be {parts.get("expected")}, got {parts.get("got")}'))
