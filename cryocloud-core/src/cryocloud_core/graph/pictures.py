"""Pictures of a workflow: the graph as indented text, as Mermaid and as DOT.

Laws: a picture is a function of the linked workflow alone; whatever a name holds, what is written is one line of
printable characters and cannot leave the place that its format gives to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from cryocloud_core.graph.refs import Literal
from cryocloud_core.graph.settings import RESULTS
from cryocloud_core.graph.spelling import printable, shown
from cryocloud_core.graph.workflow import Node, NodeKind, Workflow

#: A fact longer than this widens its box more than it tells.
_LONGEST: Final = 60


@frozen
class Region:
    """What runs once for each item of a list: the split node, its merge if there is one, every node inside."""

    split: Node
    merge: Node | None
    inside: tuple[str, ...]


def regions_of(workflow: Workflow) -> tuple[Region, ...]:
    """Return the split regions in document order; no node is in two of them."""
    return tuple(_region(node, workflow) for node in workflow.nodes.values() if node.split_on is not None)


def _region(split: Node, workflow: Workflow) -> Region:
    inside, merge = {split.name}, split if split.merge else None
    for node in _in_order(workflow):
        parents = (workflow.nodes[name] for name in node.parents if name in inside)
        if any(not parent.merge for parent in parents):
            inside.add(node.name)
            merge = node if node.merge else merge
    return Region(split, merge, tuple(name for name in workflow.nodes if name in inside))


def _in_order(workflow: Workflow) -> Iterator[Node]:
    """Yield the nodes so that each comes after its parents; a node may name parents that are written below it."""
    done: set[str] = set()
    for start in workflow.nodes.values():
        waiting = [start]
        while waiting:
            node = waiting[-1]
            missing = [workflow.nodes[name] for name in node.parents if name not in done]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if node.name not in done:
                done.add(node.name)
                yield node


# --- words ------------------------------------------------------------------------------------------------


def when(node: Node) -> str:
    """Return the results a node runs on in words; empty for the usual one, success, and for inputs."""
    if node.kind is NodeKind.INPUT or node.run_on == {"success"}:
        return ""
    accepted = [result for result in RESULTS if result in node.run_on]
    if len(accepted) == len(RESULTS):
        return "always"
    return f"on {', '.join(accepted)}" if accepted else "never"


def title(node: Node) -> str:
    """Return a node's name, and its module where that is called otherwise."""
    return node.name if node.module == node.name else f"{node.name} ({node.module})"


def marks(node: Node) -> Iterator[str]:
    """Yield what is special about when, how often and where a node runs, beside its parents and their results."""
    if node.run_if is not None:
        yield f"if {node.run_if.text}"
    if node.deferred:
        yield "deferred"
    for word, value in (("split on", node.split_on), ("loop over", node.loop), ("at most", node.max_parallel)):
        if value is not None:
            yield f"{word} {value}"
    if node.merge:
        yield "merge"
    for each in node.restrictions:
        yield f"while {each.channel}:{each.parameter} {each.operator} {each.value}"
    yield from _where(node)


def _where(node: Node) -> Iterator[str]:
    place = node.placement
    if place.on_head:
        yield "on the head"
    elif place.kind.value != "normal":
        yield f"{place.kind.value} worker"
    machine = None if place.machine is None else place.machine.source
    if isinstance(machine, Literal):
        if machine.value == "all":
            yield "on every machine"
        elif machine.value:
            yield f"machine {machine.value if isinstance(machine.value, str) else shown(machine.value)}"
    elif machine is not None:
        yield "machine by reference"


def kind(node: Node) -> str:
    """Return what makes the node start, empty for an ordinary one."""
    if node.kind is NodeKind.INPUT:
        return "input, permanent" if node.permanent else "input"
    return "global" if node.kind is NodeKind.GLOBAL else ""


def facts(node: Node) -> Iterator[str]:
    """Yield everything special about a node, its join and the results it runs on too."""
    if kind(node):
        yield kind(node)
    if len(node.parents) > 1:
        yield f"{'any' if node.resolve_on_any else 'all'} of {', '.join(node.parents)}"
    if when(node):
        yield when(node)
    yield from marks(node)


# --- text -------------------------------------------------------------------------------------------------


def text(workflow: Workflow) -> Iterator[str]:
    """Yield the graph as indented lines: each node below its first parent, further parents named behind it."""
    children: dict[str, list[Node]] = {}
    for node in workflow.nodes.values():
        children.setdefault(node.parents[0] if node.parents else "", []).append(node)
    yield printable(f"{workflow.name}: {workflow.description}")
    waiting = [(node, 1) for node in reversed(children.get("", []))]
    while waiting:
        node, depth = waiting.pop()
        told = "; ".join(facts(node))
        yield printable(f"{'  ' * depth}{title(node)}{f'  [{told}]' if told else ''}")
        waiting += [(child, depth + 1) for child in reversed(children.get(node.name, []))]


# --- boxes and arrows, for formats that draw ----------------------------------------------------------------


def _lines(node: Node) -> Iterator[str]:
    """Yield the lines in a node's box."""
    yield title(node)
    told = [f"{kind(node)}, {when(node)}".strip(", ") if node.kind is NodeKind.GLOBAL else kind(node)]
    if node.resolve_on_any and len(node.parents) > 1:
        told.append("first parent that fits")
    for each in filter(None, [*told, *marks(node)]):
        yield each if len(each) <= _LONGEST else f"{each[: _LONGEST - 1]}…"


def _style(node: Node) -> str:
    """Return the style of the arrows to a node: dotted where it is switched off, dashed where failures lead on."""
    if when(node) == "never":
        return "dotted"
    return "dashed" if when(node) else "solid"


def _region_title(region: Region) -> str:
    end = f"merged by {region.merge.name}" if region.merge is not None else "never merged"
    return f"once for each item of {region.split.split_on}, {end}"


def _ids(workflow: Workflow) -> dict[str, str]:
    return {name: f"n{number}" for number, name in enumerate(workflow.nodes)}


#: Letters, digits and blanks; and what stands between two of them in names. Mermaid reads meaning into most else.
_TAME = re.compile(r"[^\W_]|[ ]|(?<=[^\W_])[._-](?=[^\W_])")


def mermaid_text(text: str) -> str:
    """Return a text for a quoted Mermaid label: every character that could mean something is a numeric entity."""
    safe, at = [], 0
    text = printable(text)
    while at < len(text):
        is_tame = _TAME.match(text, at) is not None
        safe.append(text[at] if is_tame else f"#{ord(text[at])};")
        at += 1
    return "".join(safe)


def mermaid(workflow: Workflow) -> Iterator[str]:
    """Yield the lines of a Mermaid flowchart."""
    ids = _ids(workflow)
    yield "flowchart TD"
    inside = {name for region in regions_of(workflow) for name in region.inside}
    yield from (_mermaid_box(node, ids[name], "  ") for name, node in workflow.nodes.items() if name not in inside)
    for number, region in enumerate(regions_of(workflow)):
        yield f'  subgraph r{number}["{mermaid_text(_region_title(region))}"]'
        yield from (_mermaid_box(workflow.nodes[name], ids[name], "    ") for name in region.inside)
        yield "  end"
    for name, node in workflow.nodes.items():
        label = f'|"{mermaid_text(when(node))}"|' if when(node) else ""
        arrow = "-->" if _style(node) == "solid" else "-.->"
        yield from (f"  {ids[parent]} {arrow}{label} {ids[name]}" for parent in node.parents)
    deferred = [ids[name] for name, node in workflow.nodes.items() if node.deferred]
    if deferred:
        yield "  classDef deferred stroke-dasharray: 5 5"
        yield f"  class {','.join(deferred)} deferred"


_MERMAID_SHAPES: Final = {NodeKind.INPUT: ("([", "])"), NodeKind.GLOBAL: ("{{", "}}"), NodeKind.ORDINARY: ("[", "]")}


def _mermaid_box(node: Node, id_: str, indent: str) -> str:
    left, right = _MERMAID_SHAPES[node.kind]
    return f'{indent}{id_}{left}"{"<br/>".join(map(mermaid_text, _lines(node)))}"{right}'


def dot_text(text: str) -> str:
    """Return a text for a quoted DOT label; DOT knows escapes and HTML entities in it."""
    return printable(text).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


_DOT_SHAPES: Final = {NodeKind.INPUT: "oval", NodeKind.GLOBAL: "hexagon", NodeKind.ORDINARY: "box"}


def dot(workflow: Workflow) -> Iterator[str]:
    """Yield the lines of a graph in Graphviz's language, DOT."""
    ids = _ids(workflow)
    yield "digraph workflow {"
    yield f'  graph [label="{dot_text(workflow.name)}", labelloc=t, {_FONT}];'
    yield f"  node [{_FONT}];"
    yield f"  edge [{_FONT}, fontsize=10];"
    inside = {name for region in regions_of(workflow) for name in region.inside}
    yield from (_dot_box(node, ids[name], "  ") for name, node in workflow.nodes.items() if name not in inside)
    for number, region in enumerate(regions_of(workflow)):
        yield f"  subgraph cluster_{number} {{"
        yield f'    graph [label="{dot_text(_region_title(region))}", labeljust=l, style=rounded, fontsize=10];'
        yield from (_dot_box(workflow.nodes[name], ids[name], "    ") for name in region.inside)
        yield "  }"
    for name, node in workflow.nodes.items():
        label = f'label="{dot_text(when(node))}", ' if when(node) else ""
        yield from (f"  {ids[parent]} -> {ids[name]} [{label}style={_style(node)}];" for parent in node.parents)
    yield "}"


_FONT: Final = 'fontname="Helvetica,Arial,sans-serif"'


def _dot_box(node: Node, id_: str, indent: str) -> str:
    label = "\\n".join(map(dot_text, _lines(node)))
    style = ", style=dashed" if node.deferred else ""
    return f'{indent}{id_} [label="{label}", shape={_DOT_SHAPES[node.kind]}{style}];'
