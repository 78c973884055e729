"""Whatever a document holds, checking it ends in findings and never in a crash."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.graph.load import link, parse
from cryocloud_core.graph.meaning import workflow_text
from cryocloud_core.graph.settings import NODE_KEYS

WORDS = st.sampled_from(
    ["", "A", "B", "In", "In.dst", "A.dst", "parent.dst", "A.", ".", "entry", "o", "f", "dst", "all", "always", "error",
     "file", "tempdir", "true", "3", "work", "dirwatcher", "communicate", "a:b", "<3", "option:o", "output:A.dst == 3"]
)  # fmt: skip
KEYS = st.sampled_from(
    [*NODE_KEYS.names, *NODE_KEYS.aliases, "output", "option", "options", "config", "stat", "value", "default", "id",
     "unzip", "help", "target", "times", "on", "src", "f", "expires", "max_parallel", "resolve_on_any"]
)  # fmt: skip
SCALARS = WORDS | st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([0.5, 1e308, -0.0]) | st.text()
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(), inner, max_size=4)
)
NAMES = st.sampled_from(["In", "A", "B", "C", "A.b"])
ARGUMENT = st.fixed_dictionaries(
    {},
    optional={
        "output": st.sampled_from(["In.fullpath", "A.dst", "B.x", "parent.dst", "C.error"]),
        "option": st.just("o"),
        "default": SCALARS,
        "type": st.sampled_from(["file", "tempdir", "dir"]),
        "id": st.just("w"),
    },
)


def _nodes(children: st.SearchStrategy[Any] | None = None) -> st.SearchStrategy[Any]:
    likely = {
        "name": NAMES,
        "downstreamOf": st.lists(NAMES | st.just("entry"), max_size=2),
        "args": st.dictionaries(st.sampled_from(["src", "f", "level"]), ARGUMENT | SCALARS, max_size=2),
        "splitOn": st.just("f"),
        "merge": st.just(True),
        "global": st.just(True),
        "deferred": st.booleans(),
        "children": st.just([]) if children is None else st.lists(children, max_size=2),
        "ccnode": st.sampled_from(["all", {"stat": "A.node"}, ""]),
        "runIf": st.sampled_from(["output:A.dst == 3", "stat:parent.node", "option:o and not option:p"]),
    }
    module = st.sampled_from(["work", "dirwatcher", "cmdline", "unzip", "mute", "silent", "nowhere", "spoiled"])
    return st.fixed_dictionaries({"module": module}, optional=likely)


NODES = st.recursive(_nodes(), _nodes, max_leaves=4)
ODD_NODES = st.dictionaries(KEYS, ANYTHING, max_size=6).map(lambda node: {"module": "work", **node})


def check(bench: Any, document: Any) -> None:
    """Check a document and hold what must hold of any: places, and a workflow exactly without errors."""
    text = json.dumps(document)
    linked = bench.link(text)

    has_errors = any(problem.is_error for problem in linked.problems)
    assert (linked.workflow is None) is has_errors
    lines = text.count("\n") + 1
    for problem in linked.problems:
        assert 1 <= problem.line <= lines
        assert problem.column >= 1
        assert problem.text("f").isprintable()
    if linked.workflow is not None:
        assert workflow_text(linked.workflow)


@given(ANYTHING)
def test_any_json_is_judged(bench: Any, document: Any) -> None:
    """A document of any shape."""
    check(bench, document)
    check(bench, {"workflow": document})


@given(st.lists(NODES | ODD_NODES, max_size=4), st.dictionaries(st.text(), ANYTHING, max_size=2))
@settings(max_examples=200)
def test_any_nodes_are_judged(bench: Any, nodes: list[Any], options: dict[str, Any]) -> None:
    """Nodes that are nearly right: cycles, splits, strangers, doubles."""
    check(bench, {"workflow": {"name": "W", "description": "", "nodes": nodes, "options": options}})


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return nodes that mostly link: each below earlier ones, now and then below any."""
    names = [f"N{number}" for number in range(draw(st.integers(1, 7)))]
    nodes: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        choice = names if draw(st.integers(0, 19)) == 0 else names[:number]
        node: dict[str, Any] = {"module": "work", "name": name}
        node["downstreamOf"] = draw(st.lists(st.sampled_from(["In", *choice]), min_size=1, max_size=3))
        if draw(st.integers(0, 9)) == 0:
            node = {"module": "work", "name": name, "global": True}
        around = draw(st.sampled_from([None, None, *nodes]))
        (nodes if around is None else around.setdefault("children", [])).append(node)
    return nodes


@given(graphs())
def test_a_linked_workflow_keeps_its_laws(bench: Any, nodes: list[Any]) -> None:
    """Parents exist and come from no cycle, inputs and handlers have none, every other node has one."""
    workflow = bench.link(bench.document(*nodes)).workflow
    if workflow is None:
        return
    done: set[str] = set()
    waiting = dict(workflow.nodes)
    while ready := [name for name, node in waiting.items() if set(node.parents) <= done]:
        done.update(ready)
        for name in ready:
            assert bool(waiting.pop(name).parents) is (workflow.nodes[name].kind.value == "ordinary")
    assert not waiting


def test_modules_nobody_looked_for_are_told(bench: Any) -> None:
    """An empty lookup gives a finding for each node."""
    linked = link(parse(bench.document()), {})

    assert [problem.code for problem in linked.problems] == ["E15"]
