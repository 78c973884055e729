"""Split regions among the other features: deferred nodes, handlers, repeats, giving up, a newer graph, replay."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from cryocloud_core.engine.commands import CancelTask
from cryocloud_core.engine.events import WorkflowReplaced
from cryocloud_core.engine.splits import WINDOW
from cryocloud_core.graph.refs import Argument, OutputRef
from cryocloud_core.graph.workflow import Node, NodeKind, Retry, Workflow
from cryocloud_core.task import Cancelled, Failed, Succeeded
from cryocloud_core.testing.flow import ALWAYS, Flow, node, ref, split, tempdir


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


def test_deferred_nodes_in_a_region_run_once_for_every_part_after_the_main_phase() -> None:
    """With the part's own values; the merge does not wait for them."""
    flow = _flow(node("D", "W", deferred=True, args={"x": ref("W.x")}))
    for part in range(3):
        flow.end(f"1.{part}/W/1", Succeeded({"x": part}))
        flow.end(f"1.{part}/M/1")
    flow.end("Z")
    assert [flow.tasks[task].args for task in flow.open_tasks()] == [{"x": 0}, {"x": 1}, {"x": 2}]
    for part in range(3):
        flow.end(f"1.{part}/D/1")

    assert flow.result() == "success"


def test_a_deferred_ancestor_of_the_merge_does_not_hold_it_up() -> None:
    """It counts as skipped for the fold, its place in the lists is null."""
    flow = Flow(
        node("In"),
        split("W", "In"),
        node("D", "W", deferred=True),
        node("M", "W", "D", merge=True),
        node("Z", "M", args={"d": Argument(OutputRef("D", "x"), True, "none")}),
    )
    flow.arrive(values={"files": ["a"]})
    flow.end("1.0/W/1")
    flow.end("1.0/M/1")
    assert flow.args("Z") == {"d": "none"}
    flow.end("Z")
    flow.end("1.0/D/1")

    assert flow.result() == "success"


@pytest.mark.parametrize("files", [[], ["a"], ["a", "b"]])
@pytest.mark.parametrize("keys", [{}, {"resolve_on_any": True}])
def test_a_merge_whose_parents_in_the_region_are_all_deferred_waits_for_the_split(
    files: list[str], keys: dict[str, bool]
) -> None:
    """Its other parent settles first, before it is known what there is to merge."""
    merge = node("M", "D", "In", merge=True, **keys)
    flow = Flow(node("In"), node("A", "In"), split("W", "A", "In.files"), node("D", "W", deferred=True), merge)
    flow.arrive(values={"files": files})
    assert flow.open_tasks() == ["1/A/1"]
    flow.end("A")
    while flow.open_tasks():
        flow.end(flow.open_tasks()[0])

    assert flow.result() == "success"
    assert flow.states()["M.0" if files else "M"] == "success"


def test_a_global_handler_fires_once_for_a_node_of_a_region() -> None:
    """For its first failing part; parts that are cancelled with it do not count."""
    mail = node("Mail", kind=NodeKind.GLOBAL, run_on={"error"}, args={"t": ref(".error"), "in": ref("In.files")})
    flow = Flow(node("In"), split("W", "In"), mail)
    flow.arrive(values={"files": ["a", "b"]})
    flow.fail("1.1/W/1", "first")
    flow.fail("1.0/W/1", "second")

    assert flow.open_tasks() == ["1/Mail#1/1"]
    assert flow.args("Mail") == {"t": "first", "in": ["a", "b"]}


def test_retries_and_losses_inside_a_part() -> None:
    """The part's own attempts count."""
    flow = Flow(node("In"), split("W", "In", merge=True, retry=Retry(1)))
    flow.arrive(values={"files": ["a", "b"]})
    flow.fail("1.1/W/1")
    flow.fire("retry/1.1/W/1")
    assert flow.tasks["1.1/W/2"].args == {"f": "b"}
    flow.end("1.1/W/2")
    flow.end("1.0/W/1")

    assert flow.result() == "success"


def test_cancel_ends_all_parts_and_opens_no_more() -> None:
    """The region folds as cancelled."""
    flow = Flow(node("In"), split("W", "In"), node("M", "W", merge=True), node("Z", "M"))
    flow.arrive(values={"files": list(range(WINDOW + 5))})
    flow.cancel()
    assert len(flow.open_tasks()) == WINDOW
    while flow.open_tasks():
        flow.end(flow.open_tasks()[0])

    assert flow.result() == "cancelled"
    assert flow.states()["Z"] == "blocked"


def test_dropped_parts_settle_at_once_and_their_tempdirs_are_owed() -> None:
    """Nothing of them is alive."""
    flow = Flow(node("In"), split("W", "In", args={"d": tempdir()}), node("D", "W", deferred=True))
    flow.arrive(values={"files": ["a", "b"]})
    flow.end("1.0/W/1")
    flow.cancel(why="dropped")
    assert [c.machine for c in flow.clean_ups()] == ["head", "m1"]
    flow.clean("head")
    flow.clean("m1")

    assert flow.result() == "dropped"


def test_a_split_below_a_skipped_node_does_not_open() -> None:
    """Its region is judged like plain nodes."""
    flow = Flow(node("In"), node("S", "In", run_on=()), split("W", "S"), node("M", "W", merge=True), node("Z", "M"))
    flow.arrive(values={"files": ["a"]})

    assert flow.result() == "success"
    assert set(flow.states().values()) == {"success", "skipped"}


def test_a_split_in_a_handler_has_ids_of_its_own() -> None:
    """Part and firing both stand in the id."""
    mail = node("Mail", kind=NodeKind.GLOBAL, run_on={"error"})
    flow = Flow(node("In"), node("A", "In"), mail, split("W", "Mail", "In.files", merge=True), node("Z", "W"))
    flow.arrive(values={"files": ["a", "b"]})
    flow.fail("A")
    flow.end("1/Mail#1/1")
    assert flow.open_tasks() == ["1.0/W#1/1", "1.1/W#1/1"]
    for task in flow.open_tasks():
        flow.end(task)
    flow.end("1/Z#1/1")

    assert flow.result() == "error"


def test_a_replaced_workflow_keeps_the_parts_that_settled() -> None:
    """Open tasks start again under new ids, nothing that settled runs twice, new nodes join in."""
    nodes = (node("In"), split("W", "In"), node("X", "W"), node("M", "X", merge=True))
    flow = Flow(*nodes)
    flow.arrive(values={"files": ["a", "b"]})
    flow.end("1.0/W/1")
    flow.engine.add_workflow("newer", Workflow("test", "", {n.name: n for n in (*nodes, node("Z", "M"))}))
    flow.when(WorkflowReplaced(1, flow.at, "newer"))
    assert sorted(flow.open_tasks()) == ["1.0/X/2", "1.1/W/2"]
    for task in ("1.0/X/2", "1.1/W/2", "1.1/X/1", "1.0/M/1", "1.1/M/1", "1/Z/1"):
        flow.end(task)

    assert flow.result() == "success"


def test_a_region_under_way_cannot_change_its_shape() -> None:
    """Repeating what settled, or half of two graphs, would be wrong data."""
    flow = Flow(node("In"), split("W", "In"), node("M", "W", merge=True))
    flow.arrive(values={"files": ["a", "b"]})
    newer = (node("In"), split("W", "In"), node("X", "W"), node("M", "X", merge=True))
    flow.engine.add_workflow("newer", Workflow("test", "", {n.name: n for n in newer}))

    assert flow.engine.why_not(1, "newer").startswith("the split at 'W' is under way")


@pytest.mark.parametrize(
    ("newer", "why"),
    [
        (lambda nodes: {**nodes, "W": evolve(nodes["W"], module="other")}, "ran module 'noop' and now is 'other'"),
        (lambda nodes: {name: each for name, each in nodes.items() if name != "W"}, "is not in the new workflow"),
    ],
)
def test_parts_that_ran_do_not_run_again_as_another_module(newer: Any, why: str) -> None:
    """Without a merge the split node settled as skipped, but its parts ran."""
    flow = Flow(node("In"), split("W", "In"), node("B", "In"))
    flow.arrive(values={"files": [1, 2]})
    flow.end("1.0/W/1")
    flow.end("1.1/W/1")
    flow.know("newer", Workflow("test", "", newer(flow.workflow.nodes)))

    assert flow.engine.why_not(1, "newer") == f"the split at 'W' has run, and its node 'W' {why}"
    assert flow.when(WorkflowReplaced(1, flow.at, "newer")) == []


def test_a_failed_part_with_resolve_on_any_merge_folds_when_the_merge_settled_everywhere() -> None:
    """Values of ancestors that are still on their way stay null; what comes later changes no list."""
    flow = Flow(
        node("In"),
        split("W", "In"),
        node("Fast", "W"),
        node("Slow", "W"),
        node("M", "Fast", "Slow", merge=True, resolve_on_any=True),
        node("Z", "M", args={"s": ref("Slow.x"), "f": ref("Fast.x")}),
    )
    flow.arrive(values={"files": ["a"]})
    flow.end("1.0/W/1")
    flow.end("1.0/Fast/1", Succeeded({"x": 1}))
    flow.end("1.0/M/1")
    assert flow.args("Z") == {"s": None, "f": [1]}
    flow.end("Z")
    assert flow.result() is None
    flow.end("1.0/Slow/1", Failed("late trouble"))

    assert flow.result() == "error"


def test_replay_and_debts_of_an_open_region() -> None:
    """The same commands, the same open tasks."""
    flow = _flow()
    flow.end("1.1/W/1", Succeeded({"x": 1}))

    assert len(flow.replayed().owed()) == 3


def test_a_merge_below_a_split_that_did_not_run_does_not_wait_for_deferred_nodes_either() -> None:
    """Judged like plain nodes, and the main phase ends."""
    flow = Flow(
        node("In"),
        split("W", "In", run_on={"error"}),
        node("D", "W", "In", deferred=True),
        node("M", "D", merge=True),
    )
    flow.arrive(values={"files": ["a"]})

    assert flow.states()["M"] == "skipped"
    assert flow.open_tasks() == ["1/D/1"]


def test_a_deferred_split_folds_its_values_too() -> None:
    """The whole region runs in the deferred phase; what follows its merge gets the lists."""
    flow = Flow(
        node("In"),
        split("W", "In", deferred=True, merge=True),
        node("Z", "W", args={"x": ref("W.x")}),
    )
    flow.arrive(values={"files": ["a", "b"]})
    for part in (1, 0):
        flow.end(f"1.{part}/W/1", Succeeded({"x": part}))

    assert flow.args("Z") == {"x": [0, 1]}


@pytest.mark.parametrize("merged", [True, False])
def test_a_deferred_split_opens_its_parts_a_window_at_a_time(merged: bool) -> None:
    """All of its nodes run late; each part that has settled starts the next."""
    more = (node("M", "W", merge=True),) if merged else (node("N", "W"),)
    flow = Flow(node("In"), split("W", "In", deferred=True), *more)
    flow.arrive(values={"files": list(range(WINDOW + 2))})
    assert len(flow.open_tasks()) == WINDOW
    flow.end("1.0/W/1")
    assert len(flow.open_tasks()) == WINDOW
    flow.end(f"1.0/{more[0].name}/1")
    assert flow.open_tasks()[-1] == f"1.{WINDOW}/W/1"
    while flow.open_tasks():
        flow.end(flow.open_tasks()[0])

    assert flow.result() == "success"
    assert flow.states()[f"{more[0].name}.{WINDOW + 1}"] == "success"


def test_a_failed_part_of_a_deferred_split_calls_the_others_off() -> None:
    """As in the main phase; what is not opened yet stays so."""
    flow = Flow(node("In"), split("W", "In", deferred=True), node("M", "W", merge=True), node("Z", "M", run_on=ALWAYS))
    flow.arrive(values={"files": ["a", "b", "c"]})
    told = [command.task for command in flow.fail("1.1/W/1", "disk full") if isinstance(command, CancelTask)]
    assert told == ["1.0/W/1", "1.2/W/1"]
    for part in (0, 2):
        flow.end(f"1.{part}/W/1", Cancelled())
    flow.end("Z")

    assert {flow.states()[f"W.{part}"] for part in (0, 2)} == {"cancelled"}
    assert flow.result() == "success"


def test_a_pebble_that_is_given_up_still_runs_all_parts_of_its_deferred_split() -> None:
    """They are what tidies up; a failure among them calls the others off as ever."""
    flow = Flow(node("In"), split("W", "In", deferred=True, merge=True))
    flow.arrive(values={"files": list(range(WINDOW + 2))})
    flow.cancel()
    flow.end("1.0/W/1")
    assert flow.open_tasks()[-1] == f"1.{WINDOW}/W/1"
    told = [command for command in flow.fail("1.1/W/1") if isinstance(command, CancelTask)]

    assert len(told) == WINDOW - 1
    assert flow.states()["W.0"] == "success"
