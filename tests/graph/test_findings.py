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


def test_a_finding_stands_at_its_key_or_where_the_module_is_named(bench: Any) -> None:
    """What the author wrote is pointed at; what only the module says is told at the module's name."""
    document = """{"workflow": {"name": "W", "description": "d", "nodes": [{"module": "cmdline"},
  {"downstreamOf": ["cmdline"], "module": "unzip"},
  {"downstreamOf": ["cmdline"], "module": "work", "depends": ["Thing"]}]}}"""

    assert [line.partition(" E25 ")[0] for line in bench.lines(document)] == [
        'f.json:2:43: nodes[1] "unzip":',
        'f.json:3:62: nodes[2] "work":',
    ]


def test_a_reference_without_a_key_says_so_and_a_strange_name_is_guessed(bench: Any, work: Any) -> None:
    """The two slips read alike and are put right differently."""
    written = ["In", "In.", "Inn.fullpath", "fullpath"]
    lines = [bench.lines(bench.document(work("A", args={"src": {"output": text}})))[0] for text in written]

    assert [line.partition(": node ")[2] for line in lines] == [
        '"In" needs a key: write "In.key"',
        '"In" needs a key: write "In.key"',
        '"Inn" not found (did you mean "In"?)',
        '"fullpath" not found',
    ]


def test_a_module_may_prefer_only_what_a_node_can_do_without(bench: Any) -> None:
    """A split, an edge or an argument is the workflow's to say; from a module it is ignored, with a warning."""
    (line,) = bench.lines(bench.document({"module": "pushy", "downstreamOf": "In"}))

    assert line.endswith('W05 key "splitOn" in the defaults of module "pushy" is ignored')


def test_kubernetes_changes_what_has_an_effect(bench: Any, work: Any) -> None:
    """There an image is used and a docker image beside it is not; a docker image alone keeps its meaning."""
    both, alone = bench.document(work("A", image="i", docker="d")), bench.document(work("A", docker="d"))

    assert bench.codes(both) == []
    assert bench.link(both).workflow.nodes["A"].placement.docker == "d"
    assert bench.codes(both, kubernetes=True) == ["W07"]
    assert bench.link(both, kubernetes=True).workflow.nodes["A"].placement.docker is None
    assert bench.codes(alone, kubernetes=True) == []
    assert bench.link(alone, kubernetes=True).workflow.nodes["A"].placement.docker == "d"
