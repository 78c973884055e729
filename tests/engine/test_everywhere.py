"""A node on every machine: who is there is asked and answered by events, so that a replay meets the same machines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.engine.commands import Ask, CancelTask, FinishPebble, NodeSettled, StartTask
from cryocloud_core.engine.debts import owed_by
from cryocloud_core.engine.events import Answered, TaskEnded, WorkflowReplaced
from cryocloud_core.graph.refs import Argument, Literal
from cryocloud_core.graph.workflow import Placement, Workflow
from cryocloud_core.task import Failed, Succeeded, TaskId
from cryocloud_core.testing.flow import Flow, node
from cryocloud_core.wire import from_json, to_json

EVERY = Placement(machine=Argument(Literal("all")))


def flow() -> Flow:
    """Return a workflow whose second node runs everywhere and is followed by another."""
    return Flow(node("In"), node("A", "In", placement=EVERY, outputs={"n": ""}), node("B", "A", run_on={"success"}))


def started(commands: list[object]) -> list[str]:
    """Return the ids of the tasks that commands start."""
    return [command.task.id for command in commands if isinstance(command, StartTask)]


def test_it_is_asked_before_anything_starts_and_asked_again_after_a_restart() -> None:
    """The question is owed until it is answered, and answered once."""
    play = flow()
    asked = [command for command in play.arrive() if isinstance(command, Ask)]

    assert asked == [Ask(1, "1/A/1", "normal", "noop")]
    assert owed_by(play.engine.pebbles[1]) == asked
    assert started(play.answer("1/A/1", "m1", "m2")) == ["1.0/A/1", "1.1/A/1"]
    assert [type(command) for command in owed_by(play.engine.pebbles[1])] == [StartTask, StartTask]
    assert play.answer("1/A/1", "m1", "m3") == []
    assert play.answer("1/B/1", "m1") == []


def test_an_answer_reads_back_from_the_journal() -> None:
    """Event and command are plain data."""
    event = Answered(1, 2.0, "1/A/1", ("m1", "m2"))

    assert from_json(to_json(event), Answered) == event


@given(st.integers(0, 5), st.integers(0, 9), st.booleans())
def test_whatever_the_machines_the_pebble_ends_and_a_replay_starts_the_same(
    count: int, failing: int, backwards: bool
) -> None:
    """None, one, many; one of them failing; in any order."""
    play = flow()
    play.arrive()
    tasks = started(play.answer("1/A/1", *(f"m{n}" for n in range(count))))
    assert [play.tasks[task].machines for task in tasks] == [(f"m{n}",) for n in range(count)]
    for task in reversed(tasks) if backwards else tasks:
        part = TaskId.parse(task).part
        play.end(task, Failed("broken") if part == failing else Succeeded({"n": part}), machine=f"m{part}")
    good = 0 < count <= failing
    assert ("B" in {TaskId.parse(task).node for task in play.tasks}) is good
    if good:
        play.end("B")

    finished = [command for command in play.commands if isinstance(command, FinishPebble)]
    assert [command.result for command in finished] == ["success" if good else "error"]
    play.replayed()


def test_no_machine_is_the_nodes_error() -> None:
    """Its text names the class of worker and the module."""
    play = flow()
    play.arrive()
    play.answer("1/A/1")

    assert play.states()["A"] == "error"
    finished = play.commands[-1]
    assert isinstance(finished, FinishPebble)
    assert "no machine has a normal worker that offers module 'noop'" in finished.error


@pytest.mark.parametrize("why", ["cancelled", "abandoned"])
def test_a_pebble_given_up_while_it_is_asked_closes_at_once(why: str) -> None:
    """Nothing runs, the answer is stale."""
    play = flow()
    play.arrive()
    commands = play.cancel(why=why)

    assert isinstance(commands[-1], FinishPebble)
    assert not any(isinstance(command, CancelTask) for command in commands)
    settled = {each.node: each.state for each in commands if isinstance(each, NodeSettled)}
    assert settled["A"] == "cancelled"
    assert play.answer("1/A/1", "m1") == []
    play.replayed()


def test_a_replaced_workflow_asks_anew() -> None:
    """A question belongs to the graph it was asked in; an old answer is none to the new one."""
    play = flow()
    play.arrive()
    newer = Workflow("test", "newer", {**play.workflow.nodes, "C": node("C", "A")})
    play.engine.add_workflow("newer", newer)
    commands = play.engine.apply(WorkflowReplaced(1, play.at, "newer"), play.context)

    assert [command.task for command in commands if isinstance(command, Ask)] == ["1/A/2"]
    assert play.engine.apply(Answered(1, play.at, "1/A/1", ("m1",)), play.context) == []
    again = play.engine.apply(Answered(1, play.at, "1/A/2", ("m1",)), play.context)
    assert started(again) == ["1.0/A/1"]
    ended = play.engine.apply(TaskEnded(1, play.at, "1.0/A/1", Succeeded()), play.context)
    assert sorted(started(ended)) == ["1/B/1", "1/C/1"]


def test_a_workflow_is_not_replaced_while_tasks_are_on_every_machine() -> None:
    """The reason names them, not a split that nobody wrote; when they have ended it can be."""
    play = flow()
    play.arrive()
    play.answer("1/A/1", "m1", "m2")
    newer = Workflow("test", "newer", {**play.workflow.nodes, "C": node("C", "A")})
    play.engine.add_workflow("newer", newer)

    said = 'node \'A\' is under way on every machine ("ccnode": "all"); let it end first, with the old file'
    assert play.engine.why_not(1, "newer") == said
    for part in range(2):
        play.end(f"1.{part}/A/1")
    assert play.engine.why_not(1, "newer") == ""


def test_every_machine_and_a_name_cannot_both_be_meant() -> None:
    """The node says so instead of choosing."""
    flow = Flow(node("In"), node("A", "In", placement=Placement(machine=Argument(Literal(["all", "seer3"])))))
    flow.arrive()

    assert flow.states()["A"] == "error"
    assert '"all" stands alone' in next(c.error for c in flow.commands if isinstance(c, NodeSettled) and c.node == "A")
