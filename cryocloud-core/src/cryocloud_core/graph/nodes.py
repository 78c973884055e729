"""Reads the node objects of a document: every key checked as far as that goes without the modules.

Laws: each key is read by its row in the table of settings; a key that is wrong counts as not given in the
checks that follow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from cryocloud_core.graph.document import Tree
from cryocloud_core.graph.draft import DraftNode
from cryocloud_core.graph.keys import Entry, Place, entries
from cryocloud_core.graph.outline import Stub, outline
from cryocloud_core.graph.problems import Findings
from cryocloud_core.graph.reading import Reading
from cryocloud_core.graph.settings import NODE_KEYS, OUTDATED, SETTINGS
from cryocloud_core.graph.values import Wrong, expected

_MODERN: Final = '{"args": {"src": {"output": "Node.key"}}}'


def read_nodes(
    tree: Tree | None, options: Collection[str], config: str | None, findings: Findings
) -> tuple[DraftNode, ...]:
    """Return the nodes of a list, depth first; `config` is the root for nodes without one of their own."""
    stubs = () if tree is None else outline(tree, findings)
    names = {stub.name: None for stub in stubs}
    return tuple(_node(stub, Reading(Place(findings, stub.place), names, options, config)) for stub in stubs)


def _node(stub: Stub, reading: Reading) -> DraftNode:
    found = entries(stub.tree, NODE_KEYS, reading.place)
    if OUTDATED in found:
        reading.place.add("E20", found[OUTDATED].at, modern=_MODERN)
    parents = reading.attempt("downstreamOf", lambda: _parents(found))
    return DraftNode(
        stub.name,
        stub.module,
        stub.place,
        stub.tree.at,
        found,
        None if stub.around is None else stub.around.name,
        parents or {},
        _settings(found, reading),
        tuple(reading.uses),
    )


def _settings(found: Mapping[str, Entry], reading: Reading) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, row in SETTINGS.items():
        if key not in found:
            continue
        try:
            values[key] = row.read(found[key].tree, reading)
        except Wrong as error:
            reading.refuse(key, error)
        if key == "config":
            # A root that cannot be read is told once, not again for each use.
            reading.config = values.get(key, "?")
    return values


def _parents(found: Mapping[str, Entry]) -> dict[str, int]:
    """Return the parents a node names, each once, and where."""
    if "downstreamOf" not in found:
        return {}
    tree = found["downstreamOf"].tree
    items = [tree] if isinstance(tree.data, str) else tree.items
    if items is None or not all(isinstance(item.data, str) and item.data for item in items):
        raise expected(tree, "a node name or a list of node names")
    parents: dict[str, int] = {}
    for item in items:
        parents.setdefault(item.data, item.at)
    return parents
