"""How findings are told: all at once, in order, with their place, and without repeating one another."""

from __future__ import annotations

from typing import Any


def test_late_nodes_may_refer_to_any_node(bench: Any, work: Any) -> None:
    """Deferred nodes, handlers, and what lies below them."""
    anywhere = {"args": {"src": {"output": "B.dst"}}}
    handler = {"module": "work", "name": "G", "global": True, "args": {"src": {"output": "parent.whatever"}}}
    bench.workflow(
        work("B"),
        work("D", deferred=True, **anywhere),
        work("E", "D", **anywhere),
        {**handler, "children": [{"module": "work", "name": "H", **anywhere}]},
    )


def test_an_edge_that_cannot_be_followed_silences_what_would_only_repeat_it(bench: Any, work: Any) -> None:
    """A misspelt parent is one finding, not one for every reference through it."""
    text = bench.document(
        work("A"), work("B", "AA", args={"src": {"output": "A.dst"}}), {"module": "unzip", "downstreamOf": "B"}
    )

    assert bench.codes(text) == ["E11"]


def test_all_findings_come_at_once_in_document_order_with_their_place(bench: Any) -> None:
    """Each is one line: file, line, column, node, code, message."""
    text = """{"workflow": {
  "name": "W", "descripton": "d",
  "options": {"lang": {"type": "text"}},
  "nodes": [
    {"module": "dirwatcher", "name": "In", "children": [
      {"module": "work", "name": "Wind", "args": {"srcc": 1}, "runIf": "output:In.fullpat == 'x'"},
      {"module": "work", "name": "[red]\\u001b[31m\\n", "downstreamOf": ["Wint"]}]}]}}
"""
    told = """
1:14: E04 workflow has no description
2:16: W05 key "descripton" is ignored (did you mean "description"?)
3:32: options.lang: E13 "type" must be bool, list or json (left out for text), got "text"
6:51: nodes[0].children[0] "Wind": E17 unknown argument "srcc" for module "work" (knows: src, f, level, time) \
(did you mean "src"?)
6:72: nodes[0].children[0] "Wind": E19 runIf "output:In.fullpat == 'x'": module "dirwatcher" has no output \
"fullpat" (has: fullpath, relpath) (did you mean "fullpath"?); add it to "outputs" or give "default"
7:72: nodes[0].children[1] "[red]\\x1b[31m\\n": E11 unknown parent "Wint" (did you mean "Wind"?)
"""
    assert bench.lines(text) == [f"f.json:{line}" for line in told.strip().splitlines()]


def test_one_nodes_outputs_are_not_anothers(bench: Any, work: Any) -> None:
    """What a node adds or replaces stays its own, the module's definition is never changed."""
    nodes = [work("A", outputs={"own": ""}, provides=["Mine"]), work("B")]

    assert bench.codes(bench.document(*nodes, work("C", "B", args={"src": {"output": "B.own"}}))) == ["E19"]
    assert bench.codes(bench.document(*nodes, work("C", "B", depends=["Mine"]))) == ["E25"]
    assert bench.codes(bench.document(*nodes, work("C", "A", depends=["Mine"]))) == []


def test_a_reference_to_an_error_does_not_hide_the_next_one(bench: Any, work: Any) -> None:
    """Every argument is judged by itself."""
    args = {"src": {"output": "parent.error"}, "f": {"output": "parent.nix"}, "level": {"output": "Nix.x"}}

    assert bench.codes(bench.document(work("A", args=args))) == ["E19", "E18"]


def test_a_case_mismatch_in_depends_is_hinted_at(bench: Any, work: Any) -> None:
    """Folding it silently would hide a real error."""
    (line,) = bench.lines(bench.document(work("A", depends=["product"])))

    assert line.endswith('(they provide: Product) ("Product" is written with other capitals)')


def test_a_cycle_is_told_in_the_direction_of_flow(bench: Any, work: Any) -> None:
    """It begins with the node that stands first."""
    lines = bench.lines(bench.document(work("A", "In", "C"), work("B", "A"), work("C", "B")))

    assert [line.rpartition(": ")[2] for line in lines] == ["A -> B -> C -> A"]
