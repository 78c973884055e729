"""When a node runs: the combined result of its parents, whatever the order in which they settled."""

from __future__ import annotations

import pytest

from cryocloud_core.task import Cancelled, Failed, TimedOut
from cryocloud_core.testing.flow import ALWAYS, Flow, node


def test_a_chain_runs_node_by_node_and_finishes_with_success() -> None:
    """One task at a time, each started by the end of the one before."""
    flow = Flow(node("In"), node("A", "In"), node("B", "A"))

    flow.arrive()
    assert flow.open_tasks() == ["1/A/1"]
    flow.end("A")
    assert flow.open_tasks() == ["1/B/1"]
    flow.end("B")

    assert flow.result() == "success"
    assert flow.states() == {"In": "success", "A": "success", "B": "success"}
    assert not flow.engine.pebbles


@pytest.mark.parametrize("order", [("L", "R"), ("R", "L")])
def test_a_join_takes_the_worst_result_in_any_order(order: tuple[str, str]) -> None:
    """A failed parent decides, whether it settles first or last."""
    flow = Flow(
        node("In"),
        node("L", "In"),
        node("R", "In"),
        node("OnSuccess", "L", "R"),
        node("OnError", "L", "R", run_on={"error"}),
        node("Always", "L", "R", run_on=ALWAYS),
    )
    flow.arrive()
    for name in order:
        flow.end(name, Failed("no") if name == "L" else None)

    assert flow.states()["OnSuccess"] == "blocked"
    assert flow.open_tasks() == ["1/OnError/1", "1/Always/1"]


def test_a_skipped_branch_does_not_hold_a_join_up() -> None:
    """A diamond with one side switched off runs the join on the other side's result."""
    flow = Flow(
        node("In"), node("A", "In"), node("L", "A"), node("R", "A", run_on=()), node("J", "L", "R"), node("Below", "R")
    )
    flow.arrive()
    flow.end("A")
    flow.end("L")

    assert flow.states()["R"] == flow.states()["Below"] == "skipped"
    assert flow.open_tasks() == ["1/J/1"]


def test_nothing_runs_below_a_blocked_node_not_even_always() -> None:
    """A fails, B is blocked, C(always) has no parent that ran."""
    flow = Flow(node("In"), node("A", "In"), node("B", "A"), node("C", "B", run_on=ALWAYS))
    flow.arrive()
    flow.fail("A")

    assert flow.states() == {"In": "success", "A": "error", "B": "blocked", "C": "blocked"}
    assert flow.result() == "error"


def test_a_handled_error_still_makes_the_pebble_an_error() -> None:
    """The error branch follows its own result; the pebble tells what happened."""
    flow = Flow(node("In"), node("A", "In"), node("E", "A", run_on={"error"}), node("EC", "E"))
    flow.arrive()
    flow.fail("A", "disk full")
    assert flow.open_tasks() == ["1/E/1"]
    flow.end("E")
    flow.end("EC")

    assert flow.result() == "error"


def test_a_timeout_is_no_error() -> None:
    """Nodes that wait for errors are skipped, nodes that wait for time-outs run."""
    flow = Flow(node("In"), node("A", "In"), node("E", "A", run_on={"error"}), node("T", "A", run_on={"timeout"}))
    flow.arrive()
    flow.end("A", TimedOut("2 s are over"))

    assert flow.states()["E"] == "skipped"
    assert flow.open_tasks() == ["1/T/1"]


def test_a_cancelled_parent_runs_always_but_not_error() -> None:
    """A worker that was told to stop cancels its task: a result of its own."""
    flow = Flow(node("In"), node("A", "In"), node("E", "A", run_on={"error"}), node("W", "A", run_on=ALWAYS))
    flow.arrive()
    flow.end("A", Cancelled("Worker killed"))

    assert flow.states() == {"In": "success", "A": "cancelled", "E": "skipped"}
    assert flow.open_tasks() == ["1/W/1"]


def test_a_run_on_list_with_success_is_blocked_by_any_other_result() -> None:
    """`["success", "error"]` under a time-out is blocked, `["error"]` is skipped."""
    flow = Flow(node("In"), node("A", "In"), node("L", "A", run_on={"success", "error"}), node("B", "L"))
    flow.arrive()
    flow.end("A", TimedOut("over"))

    assert flow.states()["L"] == flow.states()["B"] == "blocked"


def test_a_fallback_join_runs_on_any_with_success() -> None:
    """J under A and its error handler E fires with E's success."""
    flow = Flow(node("In"), node("A", "In"), node("E", "A", run_on={"error"}), node("J", "A", "E", resolve_on_any=True))
    flow.arrive()
    flow.fail("A")
    flow.end("E")

    assert flow.open_tasks() == ["1/J/1"]


def test_resolve_on_any_runs_once() -> None:
    """The first parent fires it; the second is ignored."""
    flow = Flow(node("In"), node("L", "In"), node("R", "In"), node("J", "L", "R", resolve_on_any=True))
    flow.arrive()
    flow.end("R")
    assert flow.open_tasks() == ["1/L/1", "1/J/1"]
    flow.end("L")
    flow.end("J")

    assert flow.result() == "success"


def test_resolve_on_any_waits_for_a_parent_that_matches() -> None:
    """A failing first parent does not fire a node that wants success; nobody matching blocks it."""
    flow = Flow(node("In"), node("L", "In"), node("R", "In"), node("J", "L", "R", resolve_on_any=True))
    flow.arrive()
    flow.fail("L")
    assert flow.open_tasks() == ["1/R/1"]
    flow.fail("R")

    assert flow.states()["J"] == "blocked"


def test_a_node_under_two_inputs_runs_for_pebbles_of_either() -> None:
    """Inputs that did not make the pebble count as skipped."""
    flow = Flow(node("In"), node("Other"), node("A", "In", "Other"))
    flow.arrive(1, source="Other")
    flow.arrive(2, source="In")

    assert flow.open_tasks(1) == ["1/A/1"]
    assert flow.open_tasks(2) == ["2/A/1"]
    assert flow.states(1) == {"In": "skipped", "Other": "success"}


def test_an_input_with_nothing_below_it_finishes_at_once() -> None:
    """No node, no task, result success."""
    flow = Flow(node("In"))
    flow.arrive()

    assert flow.result() == "success"


def test_a_blocked_parent_counts_as_the_failure_that_blocked_it() -> None:
    """J under a blocked and a good parent is no success."""
    flow = Flow(
        node("In"),
        node("A", "In"),
        node("B", "A"),
        node("C", "In"),
        node("J", "B", "C"),
        node("E", "B", "C", run_on={"error"}),
    )
    flow.arrive()
    flow.fail("A")
    flow.end("C")

    assert flow.states()["J"] == "blocked"
    assert flow.open_tasks() == ["1/E/1"]
