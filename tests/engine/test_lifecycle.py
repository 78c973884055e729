"""What a pebble goes through: repeats, losses, deferred nodes, global handlers, giving up, cleaning up."""

from __future__ import annotations

import gc
import weakref

import pytest

from cryocloud_core.engine.commands import CancelTask, CleanUp, FinishPebble, SetTimer, StartTask
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import Context, PebbleArrived, TaskEnded
from cryocloud_core.engine.states import FINAL_STATES, TRANSITIONS, State
from cryocloud_core.errors import EngineError
from cryocloud_core.graph.refs import Argument, Literal, OptionRef, OutputRef
from cryocloud_core.graph.workflow import NodeKind, Retry
from cryocloud_core.task import Cancelled, Declined, Failed, Lost, Succeeded, TimedOut
from cryocloud_core.testing.flow import ALWAYS, Flow, node, tempdir


def test_a_failed_attempt_is_repeated_after_its_delay_with_backoff() -> None:
    """Three attempts, 10 and 20 seconds apart, then the error settles the node."""
    flow = Flow(node("In"), node("A", "In", retry=Retry(2, delay_s=10, backoff=2)))
    flow.arrive()
    flow.fail("1/A/1")
    assert flow.timers()[-1] == SetTimer(1, "retry/1/A/1", flow.at + 10)
    flow.fire("retry/1/A/1")
    flow.fail("1/A/2")
    assert flow.timers()[-1].due_at == flow.at + 20
    flow.fire("retry/1/A/2")
    flow.fail("1/A/3", "still broken")

    assert flow.states()["A"] == "error"
    assert flow.result() == "error"
    assert len(flow.notes()) == 2


def test_only_listed_results_are_repeated() -> None:
    """`on: [timeout]` does not repeat an error, nor does anything repeat a permanent one."""
    flow = Flow(node("In"), node("T", "In", retry=Retry(1, on=("timeout",))), node("E", "In", retry=Retry(1)))
    flow.arrive()
    flow.fail("T")
    flow.end("E", Failed("argument 'x': need absolute path", permanent=True))

    assert flow.states() == {"In": "success", "T": "error", "E": "error"}


def test_a_lost_task_is_placed_once_more_then_is_an_error() -> None:
    """A lost worker costs one more attempt, not a repeat."""
    flow = Flow(node("In"), node("A", "In"))
    flow.arrive()
    flow.end("A", Lost("m1", "signal 11"))
    assert flow.open_tasks() == ["1/A/2"]
    flow.end("A", Lost("m1", "signal 11"))

    assert flow.states()["A"] == "error"
    finish = next(c for c in flow.commands if isinstance(c, FinishPebble))
    assert finish.error == "worker lost on m1: signal 11"


def test_a_declined_task_goes_elsewhere_once() -> None:
    """An import error on one worker gives the task a second place."""
    flow = Flow(node("In"), node("A", "In"))
    flow.arrive()
    flow.end("A", Declined("No module named 'numpy'", "m1"))
    flow.end("A", Succeeded({"x": 1}))

    assert flow.result() == "success"


def test_repeated_and_stale_events_change_nothing() -> None:
    """Delivery may be at least once."""
    flow = Flow(node("In"), node("A", "In"), node("B", "A"))
    flow.arrive()
    assert flow.arrive() == []
    flow.end("1/A/1")
    assert flow.end("1/A/1") == []
    assert flow.fail("1/A/1") == []
    assert flow.fire("retry/1/A/1") == []
    assert flow.clean() == []
    flow.end("B")

    assert flow.arrive() == flow.end("1/B/1") == flow.cancel() == []


def test_deferred_nodes_wait_for_the_main_phase_also_after_a_failure() -> None:
    """D is judged early, runs last, and its failure does not change the result."""
    flow = Flow(node("In"), node("A", "In"), node("D", "In", deferred=True), node("DC", "D"), node("Slow", "In"))
    flow.arrive()
    flow.end("A")
    assert flow.open_tasks() == ["1/Slow/1"]
    flow.fail("Slow")
    assert flow.open_tasks() == ["1/D/1"]
    flow.fail("D", "cannot tidy")

    assert flow.states()["DC"] == "blocked"
    assert flow.result() == "error"
    assert flow.notes("ERROR") == ["a deferred node failed: cannot tidy"]


def test_a_deferred_node_may_use_what_ran_beside_it() -> None:
    """Its arguments are resolved when it is queued."""
    use = Argument(OutputRef("Slow", "dst"))
    flow = Flow(node("In"), node("D", "In", deferred=True, args={"src": use}), node("Slow", "In"))
    flow.arrive()
    flow.end("Slow", Succeeded({"dst": "/r"}))

    assert flow.args("D") == {"src": "/r"}


def test_a_deferred_failure_alone_leaves_the_pebble_successful() -> None:
    """The result is fixed when the main phase ends."""
    flow = Flow(node("In"), node("D", "In", deferred=True))
    flow.arrive()
    flow.fail("D")

    assert flow.result() == "success"


def test_a_deferred_node_below_a_skipped_one_is_skipped() -> None:
    """The same gate as for any node."""
    flow = Flow(node("In"), node("S", "In", run_on=()), node("D", "S", deferred=True, run_on=ALWAYS))
    flow.arrive()

    assert flow.states()["D"] == "skipped"
    assert flow.result() == "success"


def test_a_global_handler_fires_once_for_every_failed_node() -> None:
    """Each firing has its own parent; children of a handler follow it; the main result stays error."""
    text = Argument(OutputRef("", "error"))
    mail = node("Mail", kind=NodeKind.GLOBAL, run_on={"error", "timeout"}, args={"text": text})
    flow = Flow(node("In"), node("A", "In"), node("B", "In"), mail, node("After", "Mail"))
    flow.arrive()
    flow.fail("A", "a broke")
    flow.end("B", TimedOut("b is late"))
    assert {flow.tasks[task].args["text"] for task in flow.open_tasks()} == {"a broke", "b is late"}
    assert flow.open_tasks() == ["1/Mail#1/1", "1/Mail#2/1"]
    flow.end("1/Mail#1/1")
    flow.fail("1/Mail#2/1")
    flow.end("1/After#1/1")

    assert flow.states()["After#2"] == "blocked"
    assert flow.result() == "error"


def test_a_global_handler_is_silent_without_failures() -> None:
    """Neither handler nor its children exist for a pebble that goes well."""
    flow = Flow(node("In"), node("A", "In"), node("Mail", kind=NodeKind.GLOBAL, run_on={"error"}), node("C", "Mail"))
    flow.arrive()
    flow.end("A", Cancelled("Worker killed"))

    assert flow.states() == {"In": "success", "A": "cancelled"}
    assert flow.result() == "cancelled"


def test_a_handlers_child_may_join_on_the_pebbles_own_nodes() -> None:
    """It waits for them as any join does, whether they settle before or after the handler."""
    mail = node("Mail", kind=NodeKind.GLOBAL, run_on={"error"})
    flow = Flow(
        node("In"), node("A", "In"), node("B", "In"), node("B2", "B"), mail, node("J", "Mail", "B2", "A", run_on=ALWAYS)
    )
    flow.arrive()
    flow.fail("A")
    flow.end("1/Mail#1/1")
    assert "1/J#1/1" not in flow.open_tasks()
    flow.end("B")
    flow.end("B2")

    assert flow.open_tasks() == ["1/J#1/1"]


def test_tempdirs_are_removed_on_every_machine_that_used_them_before_the_pebble_closes() -> None:
    """Each machine answers for itself; deferred nodes still find them."""
    flow = Flow(
        node("In"),
        node("A", "In", args={"d": tempdir()}),
        node("B", "A", args={"d": tempdir("w", "/big")}),
        node("D", "A", deferred=True, args={"d": tempdir()}),
    )
    flow.arrive()
    flow.end("A", machine="m1")
    flow.end("B", machine="m2")
    assert flow.clean_ups() == []
    flow.end("D", machine="m1")
    assert flow.clean_ups() == [CleanUp(1, "n1", "m1", (None,)), CleanUp(1, "n1", "m2", ("/big",))]
    flow.clean("m2")
    assert flow.result() is None
    flow.clean("m1")

    assert flow.result() == "success"


def test_an_unreachable_machine_does_not_hold_a_pebble_open_but_stays_owed() -> None:
    """After the limit the pebble closes owing; the debt is paid when the machine is back."""
    flow = Flow(node("In"), node("A", "In", args={"d": tempdir()}))
    flow.arrive()
    flow.end("A")
    flow.fire("clean-up")
    finish = next(c for c in flow.commands if isinstance(c, FinishPebble))
    assert finish.owing
    assert [type(c) for c in flow.engine.owed()] == [CleanUp]
    flow.clean("m1")

    assert not flow.engine.pebbles


def test_cancel_ends_running_tasks_blocks_the_rest_and_still_tidies() -> None:
    """Deferred nodes whose parents ran still run; a normal return after cancel is cancelled."""
    flow = Flow(
        node("In"), node("A", "In"), node("B", "A"), node("D", "In", deferred=True), node("W", "A", run_on=ALWAYS)
    )
    flow.arrive()
    assert flow.cancel() == [CancelTask(1, "1/A/1", "cancelled"), *flow.commands[-2:]]
    assert flow.cancel() == []
    flow.end("A", Succeeded({"x": 1}))
    assert flow.states() == {"In": "success", "A": "cancelled", "B": "blocked", "W": "blocked"}
    assert flow.open_tasks() == ["1/D/1"]
    flow.end("D")

    assert flow.result() == "cancelled"


def test_cancel_takes_a_waiting_repeat_away() -> None:
    """Nothing starts any more when its timer comes due."""
    flow = Flow(node("In"), node("A", "In", retry=Retry(3)))
    flow.arrive()
    flow.fail("A")
    flow.cancel()

    assert flow.result() == "cancelled"
    assert flow.fire("retry/1/A/1") == []


@pytest.mark.parametrize("why", ["dropped", "abandoned"])
def test_a_dropped_pebble_runs_nothing_more_and_cleans_up(why: str) -> None:
    """Open tasks settle at once, deferred nodes do not run, the tempdirs of the task that was open go too."""
    flow = Flow(node("In"), node("A", "In", args={"d": tempdir()}), node("D", "In", deferred=True))
    flow.arrive()
    flow.cancel(why=why)
    assert flow.open_tasks() == []
    assert flow.clean_ups() == [CleanUp(1, "n1", "head", (None,))]
    flow.clean("head")

    assert flow.result() == why


def test_a_task_that_cannot_be_built_is_the_nodes_error() -> None:
    """The head goes on, handlers run."""
    bad = Argument(OptionRef("dir"), preparation=tempdir().preparation)
    flow = Flow(node("In"), node("A", "In", args={"d": bad}), node("E", "A", run_on={"error"}), options={"dir": [1]})
    flow.arrive()

    assert flow.states()["A"] == "error"
    assert flow.open_tasks() == ["1/E/1"]


def test_what_is_owed_after_a_restart_is_what_was_outstanding() -> None:
    """Open tasks, timers with their due time, and cancels."""
    flow = Flow(node("In"), node("A", "In"), node("R", "In", retry=Retry(1, delay_s=30)))
    flow.arrive()
    flow.fail("R")
    due = flow.at + 30

    owed = flow.replayed().owed()
    assert [c.task.id for c in owed if isinstance(c, StartTask)] == ["1/A/1"]
    assert SetTimer(1, "retry/1/R/1", due) in owed


def test_pebbles_never_mix() -> None:
    """Two pebbles at the same node have their own values."""
    use = Argument(OutputRef("", "x"))
    flow = Flow(node("In"), node("A", "In", args={"x": use}), node("B", "A"))
    flow.arrive(1, {"x": "one"})
    flow.arrive(2, {"x": "two"})
    flow.fail("1/A/1")
    flow.end("2/A/1")

    assert flow.tasks["1/A/1"].args["x"] == "one"
    assert flow.tasks["2/A/1"].args["x"] == "two"
    assert flow.result(1) == "error"
    assert flow.open_tasks(2) == ["2/B/1"]


def test_a_workflow_nobody_added_is_an_error() -> None:
    """The journal's workflows come before its events."""
    with pytest.raises(EngineError, match="no workflow with digest"):
        Engine().apply(PebbleArrived(1, 0.0, "missing", "In", "n"), Context(1))


def test_a_broken_law_tells_the_pebbles_story() -> None:
    """The last events stand in the message."""
    flow = Flow(node("In"), node("A", "In"))
    flow.arrive()
    flow.engine.pebbles[1].main.runs["A"].state = State.SKIPPED

    with pytest.raises(EngineError, match=r"PebbleArrived \| TaskEnded 1/A/1"):
        flow.engine.apply(TaskEnded(1, 1.0, "1/A/1", Succeeded()), Context(1))


def test_a_literal_argument_is_delivered_untouched() -> None:
    """Maps and lists in the document pass as they are."""
    flow = Flow(node("In"), node("A", "In", args={"geo": Argument(Literal({"type": "Point"}))}))
    flow.arrive()

    assert flow.args("A") == {"geo": {"type": "Point"}}


def test_every_state_can_be_reached_and_no_final_state_is_left() -> None:
    """The table has no dead state and no way out of an end."""
    reached = set(TRANSITIONS.values()) | {State.WAITING}

    assert reached == set(State)
    assert not {state for state, _ in TRANSITIONS} & FINAL_STATES


def test_a_lost_task_leaves_its_tempdirs_where_it_was_lost() -> None:
    """Without statistics the outcome tells the machine."""
    flow = Flow(node("In"), node("A", "In", args={"d": tempdir()}))
    flow.arrive()
    flow.when(TaskEnded(1, flow.at, "1/A/1", Lost("m9", "unplugged")))
    flow.end("A", machine="m1")

    assert [c.machine for c in flow.clean_ups()] == ["m1", "m9"]


@pytest.mark.parametrize(
    ("outcome", "machines"), [(Failed("no word of where"), ["head"]), (Declined("not here"), []), (Cancelled(), [])]
)
def test_a_task_without_statistics_owes_its_tempdirs_where_the_pebble_was_made_if_it_may_have_begun(
    outcome: Failed | Declined | Cancelled, machines: list[str]
) -> None:
    """Of one that was declined or cancelled nothing ran."""
    flow = Flow(node("In"), node("A", "In", args={"d": tempdir()}))
    flow.arrive()
    flow.when(TaskEnded(1, flow.at, "1/A/1", outcome))
    for task in flow.open_tasks():
        flow.when(TaskEnded(1, flow.at, task, Cancelled()))
    flow.cancel()

    assert [c.machine for c in flow.clean_ups()] == machines


def test_a_closed_pebble_is_freed_without_the_garbage_collector() -> None:
    """Thousands of them would otherwise cost seconds."""
    flow = Flow(
        node("In"),
        node("A", "In", args={"f": Argument(OutputRef("In", "f"))}, split_on="f", merge=True),
        node("B", "A"),
    )
    flow.arrive(values={"f": [1, 2]})
    pebble = weakref.ref(flow.engine.pebbles[1])
    run = weakref.ref(flow.engine.pebbles[1].main.runs["A"])
    gc.disable()
    try:
        for task in ("1.0/A/1", "1.1/A/1", "1/B/1"):
            flow.end(task)
        assert pebble() is None
        assert run() is None
    finally:
        gc.enable()


def test_a_cancel_and_the_limit_of_a_clean_up_are_owed_over_a_restart() -> None:
    """The task is told again, and the pebble closes when it would have."""
    flow = Flow(node("In"), node("A", "In", args={"d": tempdir()}))
    flow.arrive()
    flow.cancel()
    assert flow.replayed().owed() == [CancelTask(1, "1/A/1", "cancelled")]
    flow.end("A")
    limit = flow.timers()[-1]

    assert flow.replayed().owed() == [CleanUp(1, "n1", "m1", (None,)), limit]
