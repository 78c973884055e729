"""Splits: one part for every item, folded in order, with holes; failures, side branches, empty lists."""

from __future__ import annotations

from typing import Any

import pytest

from cryocloud_core.engine.commands import CancelTask
from cryocloud_core.engine.splits import WINDOW
from cryocloud_core.graph.refs import Argument, StatRef
from cryocloud_core.graph.workflow import Node
from cryocloud_core.task import Succeeded
from cryocloud_core.testing.flow import ALWAYS, Flow, node, ref, split


def _flow(*more: Node, files: Any = ("a", "b", "c")) -> Flow:
    """In -> W (split) -> M (merge) -> Z, and what else is given; the pebble has arrived."""
    flow = Flow(
        node("In"),
        split("W", "In"),
        node("M", "W", merge=True, args={"x": ref("W.x")}),
        node("Z", "M", run_on=ALWAYS, args={"w": ref("W.x"), "m": ref("M.y")}),
        *more,
    )
    flow.arrive(values={"files": list(files) if isinstance(files, tuple) else files})
    return flow


def test_every_item_is_a_part_that_sees_its_own_results_and_the_fold_keeps_the_order() -> None:
    """After the merge both W.x and M.y are lists in split order, whatever finished first."""
    flow = _flow()
    assert flow.open_tasks() == ["1.0/W/1", "1.1/W/1", "1.2/W/1"]
    assert [flow.tasks[task].args["f"] for task in flow.open_tasks()] == ["a", "b", "c"]
    for part in (2, 0, 1):
        flow.end(f"1.{part}/W/1", Succeeded({"x": part * 10}))
        assert flow.tasks[f"1.{part}/M/1"].args == {"x": part * 10}
    for part in (1, 2, 0):
        assert flow.open_tasks()[0].split("/")[1] == "M"
        flow.end(f"1.{part}/M/1", Succeeded({"y": part}))

    assert flow.args("Z") == {"w": [0, 10, 20], "m": [0, 1, 2]}
    flow.end("Z")
    assert flow.result() == "success"


def test_missing_values_are_holes() -> None:
    """Lists stay aligned with the split."""
    flow = _flow()
    for part in range(3):
        flow.end(f"1.{part}/W/1", Succeeded({"x": part} if part != 1 else {}))
        flow.end(f"1.{part}/M/1", Succeeded({"y": part}))

    assert flow.args("Z") == {"w": [0, None, 2], "m": [0, 1, 2]}


def test_split_and_merge_may_be_one_node() -> None:
    """Three tasks, then lists; the child runs once."""
    flow = Flow(node("In"), split("W", "In", merge=True), node("Z", "W", args={"x": ref(".x")}))
    flow.arrive(values={"files": ["a", "b"]})
    flow.end("1.1/W/1", Succeeded({"x": "b!"}))
    flow.end("1.0/W/1", Succeeded({"x": "a!"}))

    assert flow.args("Z") == {"x": ["a!", "b!"]}


def test_an_empty_list_folds_to_empty_lists_and_goes_on() -> None:
    """A quiet day is not a hang; side branches are skipped."""
    flow = Flow(
        node("In"),
        split("W", "In", outputs={"x": ""}),
        node("Side", "W"),
        node("M", "W", merge=True, outputs={"y": ""}),
        node("Z", "M", args={"w": ref("W.x"), "m": ref("M.y"), "s": Argument(StatRef("W", "node"))}),
    )
    flow.arrive(values={"files": []})

    assert flow.args("Z") == {"w": [], "m": [], "s": None}
    assert flow.states() == {"In": "success", "W": "success", "M": "success", "Side": "skipped"}


def test_an_empty_list_without_a_merge_skips_the_region() -> None:
    """Nothing to do is a success."""
    flow = Flow(node("In"), split("W", "In"), node("Z", "W"))
    flow.arrive(values={"files": []})

    assert flow.result() == "success"
    assert flow.states() == {"In": "success", "W": "skipped", "Z": "skipped"}


@pytest.mark.parametrize(("value", "kind"), [("abc", "str"), ({"a": 1}, "dict"), (None, "null"), (3, "int")])
def test_only_lists_aresplit(value: Any, kind: str) -> None:
    """Never text into characters; the node fails, what follows sees it."""
    flow = _flow(files=value)

    assert flow.states() == {"In": "success", "W": "error", "M": "blocked"} | {"Z": "blocked"}
    error = flow.commands[-1].error  # type: ignore[union-attr]
    assert error == f"splitOn: argument 'f' is not a list, got {kind}"


def test_a_failure_ends_the_siblings_and_folds_as_an_error_with_partial_lists() -> None:
    """Pending and running ones are given up, the merge's children follow the join rules."""
    flow = _flow()
    flow.end("1.0/W/1", Succeeded({"x": 0}))
    flow.end("1.0/M/1", Succeeded({"y": 0}))
    commands = flow.fail("1.1/W/1", "b is broken")
    assert CancelTask(1, "1.2/W/1", "another part failed") in commands
    assert flow.open_tasks() == ["1.2/W/1"]
    flow.end("1.2/W/1", Succeeded({"x": 2}))

    assert flow.args("Z") == {"w": [0, None, None], "m": [0, None, None]}
    assert flow.states()["W.2"] == "cancelled"
    flow.end("Z")
    assert flow.result() == "error"


def test_a_tolerant_merge_lets_the_siblings_carry_on() -> None:
    """M(always) runs for the failed part too; its item is null where W returned nothing."""
    flow = Flow(
        node("In"),
        split("W", "In"),
        node("M", "W", merge=True, run_on=ALWAYS),
        node("Z", "M", args={"w": ref("W.x"), "e": ref("W.error")}),
    )
    flow.arrive(values={"files": ["a", "b"]})
    flow.fail("1.0/W/1", "no a")
    flow.end("1.0/M/1")
    flow.end("1.1/W/1", Succeeded({"x": 1}))
    flow.end("1.1/M/1")

    assert flow.args("Z") == {"w": [None, 1], "e": ["no a", None]}
    flow.end("Z")
    assert flow.result() == "error"


def test_the_failing_parts_own_error_branch_still_runs() -> None:
    """The pebble waits for it."""
    flow = _flow(node("E", "W", run_on={"error"}))
    flow.fail("1.1/W/1")
    for part in (0, 2):
        flow.end(f"1.{part}/W/1")
    assert set(flow.open_tasks()) == {"1.1/E/1", "1/Z/1"}
    flow.end("Z")
    assert flow.result() is None
    flow.end("1.1/E/1")

    assert flow.result() == "error"


def test_a_region_node_may_join_on_a_branch_outside() -> None:
    """The outside branch runs once and is shared by all parts, whenever it settles."""
    flow = Flow(
        node("In"),
        node("Out", "In"),
        split("W", "In"),
        node("J", "W", "Out", args={"o": ref("Out.v")}),
        node("M", "J", merge=True),
    )
    flow.arrive(values={"files": ["a", "b"]})
    flow.end("1.0/W/1")
    assert "1.0/J/1" not in flow.open_tasks()
    flow.end("Out", Succeeded({"v": 5}))
    flow.end("1.1/W/1")
    assert [flow.tasks[f"1.{part}/J/1"].args for part in (0, 1)] == [{"o": 5}, {"o": 5}]
    for name in ("J", "M"):
        for part in (0, 1):
            flow.end(f"1.{part}/{name}/1")

    assert flow.result() == "success"


def test_without_a_merge_every_part_runs_to_its_leaves() -> None:
    """The pebble's result is the worst of all, nobody is given up."""
    flow = Flow(node("In"), split("W", "In"), node("L", "W"))
    flow.arrive(values={"files": ["a", "b", "c"]})
    flow.fail("1.0/W/1")
    flow.end("1.1/W/1")
    flow.end("1.2/W/1")
    flow.end("1.1/L/1")
    flow.end("1.2/L/1")

    assert flow.result() == "error"
    assert flow.states()["L.0"] == "blocked"


def test_a_split_after_a_merge_and_parallel_splits() -> None:
    """Two regions beside each other, a third behind them."""
    flow = Flow(
        node("In"),
        split("A", "In", "In.a", merge=True),
        split("B", "In", "In.b", merge=True),
        split("C", "A", "A.x", merge=True),
        node("Z", "C", "B", args={"a": ref("A.x"), "b": ref("B.x"), "c": ref("C.x")}),
    )
    flow.arrive(values={"a": [1, 2], "b": [3]})
    flow.end("1.0/A/1", Succeeded({"x": "a0"}))
    flow.end("1.1/A/1", Succeeded({"x": "a1"}))
    assert [flow.tasks[t].args["f"] for t in flow.open_tasks() if "/C/" in t] == ["a0", "a1"]
    flow.end("1.0/B/1", Succeeded({"x": "b0"}))
    flow.end("1.1/C/1", Succeeded({"x": "c1"}))
    flow.end("1.0/C/1", Succeeded({"x": "c0"}))

    assert flow.args("Z") == {"a": ["a0", "a1"], "b": ["b0"], "c": ["c0", "c1"]}


def test_statistics_are_folded() -> None:
    """Machines in order, times summed; a file list lies where each item was made."""
    made = node("Z", "W", args={"n": Argument(StatRef("W", "node")), "t": Argument(StatRef("W", "runtime"))})
    flow = Flow(node("In"), split("W", "In", merge=True), made)
    flow.arrive(values={"files": ["a", "b"]})
    flow.end("1.1/W/1", machine="m2")
    flow.end("1.0/W/1", machine="m1")

    assert flow.args("Z") == {"n": ["m1", "m2"], "t": 3.0}


def test_parts_start_in_a_window_and_each_settled_one_starts_the_next() -> None:
    """Ten thousand items do not become ten thousand tasks at once."""
    flow = Flow(node("In"), split("W", "In", merge=True))
    flow.arrive(values={"files": list(range(WINDOW + 2))})
    assert len(flow.open_tasks()) == WINDOW
    flow.end("1.7/W/1")
    assert flow.open_tasks()[-1] == f"1.{WINDOW}/W/1"
    while flow.open_tasks():
        flow.end(flow.open_tasks()[0])

    assert flow.result() == "success"


def test_what_follows_a_failed_merge_is_blocked_and_sees_the_first_failures_text() -> None:
    """The folded merge is an error like any other."""
    flow = Flow(
        node("In"),
        split("W", "In"),
        node("M", "W", merge=True),
        node("Z", "M"),
        node("E", "M", run_on={"error"}, args={"why": ref(".error")}),
    )
    flow.arrive(values={"files": ["a"]})
    flow.fail("1.0/W/1", "a is broken")

    assert flow.states()["Z"] == "blocked"
    assert flow.args("E") == {"why": "a is broken"}
