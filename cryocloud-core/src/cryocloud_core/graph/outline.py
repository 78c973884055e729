"""Lists the nodes of a document depth first, and gives each its name.

Laws: document order is depth first; automatic names are numbered in that order and pass over names that
are taken; a node whose name cannot be used is known by its place, so that the rest can be checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import define

from cryocloud_core.graph.document import Tree
from cryocloud_core.graph.keys import Place
from cryocloud_core.graph.problems import Findings
from cryocloud_core.graph.spelling import folded, printable, shown

_RESERVED: Final = frozenset({"parent", "entry"})


@define(eq=False)
class Stub:
    """One node object: where it stands, the node around it, and (once known) its module and its name."""

    path: str
    tree: Tree
    around: Stub | None = None
    module: str = ""
    written: str | None = None
    #: unique among the nodes
    name: str = ""

    @property
    def place(self) -> str:
        """How findings name this node."""
        called = self.written or (self.name if self.name != self.path else "")
        return f'{self.path} "{printable(called)}"' if called else self.path


def outline(nodes: Tree, findings: Findings) -> tuple[Stub, ...]:
    """Return every node of the list and of the children in it, named."""
    stubs = tuple(_walk(nodes, findings))
    first: dict[str, Stub] = {}
    for stub in stubs:
        _read_names(stub)
        if stub.written is not None and stub.written not in first and _fault(stub.written) is None:
            first[stub.written] = stub
    taken = set(first)
    for stub in stubs:
        stub.name = _name(stub, first, taken)
    for stub in stubs:
        _check(stub, first, findings)
    return stubs


def value_of(tree: Tree, key: str) -> Tree | None:
    """Return the value of a key in its own or in a folded spelling."""
    keys = tree.keys or {}
    if key in keys:
        return keys[key]
    return next((part for written, part in keys.items() if folded(written) == key), None)


def _walk(nodes: Tree, findings: Findings) -> Iterator[Stub]:
    waiting = _stubs(nodes, "nodes", None)
    while waiting:
        stub = waiting.pop()
        if stub.tree.keys is None:
            findings.add("E13", stub.tree.at, "", key=stub.path, expected="an object", got=shown(stub.tree.data))
            continue
        yield stub
        children = value_of(stub.tree, "children")
        if children is None:
            continue
        if children.items is None:
            expected = "a list of nodes"
            findings.add("E13", children.at, stub.path, key="children", expected=expected, got=shown(children.data))
            continue
        waiting.extend(_stubs(children, f"{stub.path}.children", stub))


def _stubs(nodes: Tree, path: str, around: Stub | None) -> list[Stub]:
    """Return the items of a list, last first: the next one to look at is the last of the stack."""
    numbered = list(enumerate(nodes.items or ()))
    return [Stub(f"{path}[{number}]", tree, around) for number, tree in reversed(numbered)]


def _read_names(stub: Stub) -> None:
    module, name = value_of(stub.tree, "module"), value_of(stub.tree, "name")
    if module is not None and isinstance(module.data, str) and module.data.strip():
        stub.module = module.data
    if name is not None and isinstance(name.data, str):
        stub.written = name.data


def _name(stub: Stub, first: dict[str, Stub], taken: set[str]) -> str:
    if stub.written is not None:
        return stub.written if first.get(stub.written) is stub else stub.path
    if value_of(stub.tree, "name") is not None or not stub.module or _fault(stub.module):
        return stub.path
    name, number = stub.module, 1
    while name in taken:
        number += 1
        name = f"{stub.module}-{number}"
    taken.add(name)
    return name


def _fault(name: str) -> str | None:
    """Return what a name must be, when this one cannot be used."""
    if not name.strip() or name.startswith("_"):
        return 'a text that is not empty and does not begin with "_"'
    if name.casefold() in _RESERVED:
        return 'another name than "parent" and "entry", which mean something in references'
    return 'a text without ":", which separates channel and parameter' if ":" in name else None


def _check(stub: Stub, first: dict[str, Stub], findings: Findings) -> None:
    place = Place(findings, stub.place)
    module, name = value_of(stub.tree, "module"), value_of(stub.tree, "name")
    if module is None:
        place.add("E06", stub.tree.at)
    elif not stub.module:
        place.add("E13", module.at, key="module", expected="the name of a module", got=shown(module.data))
    if name is None:
        if stub.module and _fault(stub.module):
            place.add("E13", stub.tree.at, key="name", expected=_fault(stub.module), got=shown(stub.module))
        return
    fault = "a text" if stub.written is None else _fault(stub.written)
    if fault is not None:
        place.add("E13", name.at, key="name", expected=fault, got=shown(name.data))
    elif stub.written is not None and first[stub.written] is not stub:
        place.add("E07", name.at, name=stub.written, first=first[stub.written].path, second=stub.path)
