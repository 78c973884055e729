"""What `cryocloud check` does: problems to stderr, the graph as indented text to stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from cryocloud_core.api.reading import ReadFile, read_all
from cryocloud_core.cli.running import reading_of
from cryocloud_core.cli.text import plain
from cryocloud_core.cli.workflow_options import TYPED
from cryocloud_core.graph.workflow import Node, NodeKind, Workflow
from cryocloud_core.sdk.registry import Registry

#: What a parent may come to, in the order in which a person thinks of it.
RESULTS = ("success", "error", "timeout", "cancelled")


def check_files(flags: Mapping[str, Any]) -> int:
    """Print what there is to say about each file and return the exit code."""
    read = read_all(flags["files"], flags["ctx"].meta[TYPED], reading_of(flags), Registry.installed())
    for file in read:
        for line in (*file.lines(errors=True), *file.lines(errors=False)):
            print(plain(line), file=sys.stderr)
    for file in read:
        if file.linked.workflow is not None:
            print("\n".join(graph_lines(file.linked.workflow)))
            print(verdict(file))
    return 2 if any(file.lines(errors=True) for file in read) else 0


def verdict(file: ReadFile) -> str:
    """Return the line that ends a sound workflow."""
    warnings = len(file.lines(errors=False))
    told = f", {warnings} warning{'s' if warnings != 1 else ''}" if warnings else ""
    return f"{plain(str(file.named))}: no errors{told}"


def graph_lines(workflow: Workflow) -> Iterator[str]:
    """Yield the graph as indented text: each node below its first parent, further parents named behind it."""
    children: dict[str, list[Node]] = {}
    for node in workflow.nodes.values():
        children.setdefault(node.parents[0] if node.parents else "", []).append(node)
    yield f"{plain(workflow.name)}: {plain(workflow.description)}"
    waiting = [(node, 1) for node in reversed(children.get("", []))]
    while waiting:
        node, depth = waiting.pop()
        yield f"{'  ' * depth}{node_text(node)}"
        waiting += [(child, depth + 1) for child in reversed(children.get(node.name, []))]


def node_text(node: Node) -> str:
    """Return one node: name, module, and what is special about when and where it runs."""
    module = "" if node.module == node.name else f" ({plain(node.module)})"
    facts = "; ".join(_facts(node))
    return f"{plain(node.name)}{module}{f'  [{facts}]' if facts else ''}"


def _when(run_on: frozenset[str]) -> str:
    accepted = [result for result in RESULTS if result in run_on]
    if len(accepted) == len(RESULTS):
        return "always"
    return f"on {', '.join(accepted)}" if accepted else "never"


def _facts(node: Node) -> Iterator[str]:
    if node.kind is NodeKind.INPUT:
        yield "input, permanent" if node.permanent else "input"
    if node.kind is NodeKind.GLOBAL:
        yield "global"
    if len(node.parents) > 1:
        yield f"{'any' if node.resolve_on_any else 'all'} of {', '.join(map(plain, node.parents))}"
    if node.kind is not NodeKind.INPUT and node.run_on != {"success"}:
        yield _when(node.run_on)
    if node.run_if is not None:
        yield f"if {plain(node.run_if.text)}"
    if node.deferred:
        yield "deferred"
    for word, value in (("split on", node.split_on), ("loop over", node.loop), ("at most", node.max_parallel)):
        if value is not None:
            yield f"{word} {plain(str(value))}"
    if node.merge:
        yield "merge"
