"""A folded region in a replay: its checkpoint comes to the state that walking comes to, or there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.engine.checkpoints import Checkpoint, Numbers, walked
from cryocloud_core.engine.commands import KeepCheckpoint
from cryocloud_core.engine.events import Lent, Met, WorkflowReplaced
from cryocloud_core.errors import CryoCloudError
from cryocloud_core.graph.refs import Argument, Literal
from cryocloud_core.graph.workflow import Node, NodeKind, Placement, Retry, Workflow
from cryocloud_core.task import Cancelled, Failed, Lost, Succeeded
from cryocloud_core.testing.depicting import depict
from cryocloud_core.testing.flow import ALWAYS, Flow, node, ref, split, tempdir


def kept(flow: Flow) -> list[Checkpoint]:
    """Return the checkpoints that the engine gave so far."""
    return [command.checkpoint for command in flow.commands if isinstance(command, KeepCheckpoint)]


def regions_flow(*more: Node, files: int = 3, **merge: Any) -> Flow:
    """Return In -> W (split) -> X -> M (merge) -> Z with a side branch S in the region; the pebble has arrived."""
    flow = Flow(
        node("In"),
        split("W", "In", args={"d": tempdir("w")}),
        node("X", "W", run_on=ALWAYS, retry=Retry(1)),
        node("S", "W"),
        node("M", "X", merge=True, **merge),
        node("Z", "M", run_on=ALWAYS, args={"w": ref("W.x"), "m": ref("M.x")}),
        *more,
    )
    flow.arrive(values={"files": list(range(files))})
    return flow


def end_all(flow: Flow, *names: str, but: str = "") -> None:
    """End the open tasks of these nodes, one node after the other."""
    for name in names:
        for task in [each for each in flow.open_tasks() if flow.tasks[each].node == name and each != but]:
            flow.end(task, Succeeded({"x": task}))


# --- when there is one --------------------------------------------------------------------------------


def test_a_folded_region_gives_a_checkpoint_that_spares_all_its_events_but_the_last() -> None:
    """The tasks behind the merge start as before, with the same lists."""
    flow = regions_flow()
    end_all(flow, "W", "S", "X", "M")
    (checkpoint,) = kept(flow)

    assert (checkpoint.opened_at, checkpoint.folds_at, checkpoint.closes_at) == (0, 12, 12)
    assert checkpoint.spared == 11
    assert [list(numbers) for numbers in walked([checkpoint], 13)] == [[0], [12]]
    recalled = flow.recalled()
    assert recalled.pebbles[1].tasks.keys() == {"1/Z/1"}
    task = recalled.pebbles[1].tasks["1/Z/1"].task
    assert task is not None
    assert task.args == flow.args("Z")
    flow.replayed()


def test_events_from_outside_in_between_are_walked() -> None:
    """A branch beside the region goes its own way, whatever the region does at that time."""
    flow = regions_flow(node("Beside", "In"), node("After", "Beside"))
    end_all(flow, "W", "S", "X")
    flow.end("Beside")
    end_all(flow, "M")
    (checkpoint,) = kept(flow)

    assert checkpoint.own == (1, 10, 11, 14)
    assert [list(numbers) for numbers in walked([checkpoint], 15)] == [[0], [10], [13, 14]]
    assert list(flow.replayed().pebbles[1].tasks) == ["1/After/1", "1/Z/1"]


def test_a_side_branch_that_outlives_the_fold_closes_the_region_later() -> None:
    """The fold is applied where it was, the phase stays open until the last part is gone."""
    flow = regions_flow(node("Late", "In", deferred=True))
    end_all(flow, "W", "X", "M")
    assert kept(flow) == []
    end_all(flow, "Z")
    flow.fail("1.1/S/1", "too bad")
    flow.end("1.0/S/1")
    flow.end("1.2/S/1")
    (checkpoint,) = kept(flow)

    assert (checkpoint.folds_at, checkpoint.closes_at) == (9, 13)
    assert (checkpoint.pebble_result, checkpoint.pebble_error, checkpoint.error) == ("error", "too bad", "")
    assert [list(numbers) for numbers in walked([checkpoint], 15)] == [[0], [9, 10], [13, 14]]
    assert list(flow.replayed().pebbles[1].tasks) == ["1/Late/1"]


def test_repeats_and_losses_inside_are_the_regions_own() -> None:
    """Timers and second attempts are not walked again."""
    flow = regions_flow(files=1)
    end_all(flow, "W", "S")
    flow.end("X", Lost("m9", "killed"))
    flow.fail("X")
    flow.fire("retry/1.0/X/2")
    end_all(flow, "X", "M")

    assert [list(numbers) for numbers in walked(kept(flow), 8)] == [[0], [7]]
    flow.replayed()


def test_a_failed_fold_leaves_its_text_and_partial_lists() -> None:
    """Siblings that were cancelled are null, what is behind the merge sees the failure."""
    flow = regions_flow(run_on={"success"})
    end_all(flow, "W", "S")
    flow.end("1.0/X/1", Succeeded({"x": "good"}))
    flow.end("1.0/M/1", Failed("bad data", {"x": "half"}))
    for task in ("1.1/X/1", "1.2/X/1"):
        flow.end(task, Cancelled("another part failed"))
    (checkpoint,) = kept(flow)

    assert (checkpoint.result, checkpoint.error, checkpoint.stopping) == ("error", "bad data", True)
    assert flow.args("Z")["m"] == ["half", None, None]
    flow.replayed()


def test_a_newer_graph_after_the_fold_goes_on_from_the_checkpoint() -> None:
    """The region is what it was; the new node behind it reads its lists."""
    flow = regions_flow()
    end_all(flow, "W", "S", "X", "M")
    newer = Workflow("test", "", {**flow.workflow.nodes, "New": node("New", "M", args={"w": ref("W.x")})})
    flow.know("newer", newer)
    flow.when(WorkflowReplaced(1, flow.at, "newer"))

    assert flow.args("New") == {"w": [f"1.{part}/W/1" for part in range(3)]}
    assert list(flow.replayed().pebbles[1].tasks) == ["1/Z/2", "1/New/1"]


def test_two_regions_that_run_side_by_side_spare_each_other() -> None:
    """What one does is not walked because the other was open."""
    flow = Flow(node("In"), split("A", "In", merge=True), split("B", "In", merge=True), node("Z", "A", "B"))
    flow.arrive(values={"files": [0, 1]})
    for task in ("1.0/A/1", "1.0/B/1", "1.1/A/1", "1.1/B/1"):
        flow.end(task)

    assert [list(numbers) for numbers in walked(kept(flow), 5)] == [[0], [3, 4]]
    flow.replayed()


def test_regions_of_all_machines_and_of_handlers_have_checkpoints_too() -> None:
    """A node on every machine is split over them; the split of a firing is named with it."""
    every = node("Every", "In", placement=Placement(machine=Argument(Literal("all"))))
    mail = node("Mail", kind=NodeKind.GLOBAL, run_on={"error"})
    flow = Flow(node("In"), every, node("Bad", "In"), mail, split("W", "Mail", "In.files", merge=True))
    flow.arrive(values={"files": [0, 1]})
    flow.answer("1/Every/1", "m1", "m2")
    flow.fail("Bad")
    flow.end("Mail")
    for task in flow.open_tasks():
        flow.end(task)

    assert [(each.split, each.firing, each.spared) for each in kept(flow)] == [("Every", None, 1), ("W", 1, 1)]
    flow.replayed()


# --- when there is none -------------------------------------------------------------------------------


def test_a_region_whose_part_fired_a_handler_is_walked() -> None:
    """The firing is the pebble's, and its task was started by a part's event."""
    flow = regions_flow(node("Mail", kind=NodeKind.GLOBAL, run_on={"error"}), run_on=ALWAYS)
    flow.fail("1.0/W/1")
    end_all(flow, "W", "S", "X", "M")

    assert "Z" in {flow.tasks[task].node for task in flow.open_tasks()}
    assert kept(flow) == []


def test_a_region_with_deferred_nodes_is_walked() -> None:
    """They live until the pebble's last phase, among the deferred nodes of the pebble."""
    flow = regions_flow(node("D", "W", deferred=True))
    end_all(flow, "W", "S", "X", "M", "Z", "D")

    assert flow.result() is None
    assert kept(flow) == []


def test_a_deferred_region_has_a_checkpoint() -> None:
    """All of it is of one phase."""
    flow = Flow(node("In"), split("W", "In", deferred=True, merge=True), node("Z", "W"))
    flow.arrive(values={"files": [0, 1]})
    end_all(flow, "W")

    assert [each.split for each in kept(flow)] == ["W"]
    flow.replayed()


def test_a_region_in_which_pebbles_met_is_walked() -> None:
    """What a partner brought is the pebble's."""
    args = {"msgid": Argument(Literal("m"))}
    meeting = evolve(node("C", "W", args=args), module="communicate")
    flow = Flow(node("In"), split("W", "In"), meeting, node("M", "C", merge=True), node("Z", "M"))
    flow.arrive(values={"files": [0]})
    flow.end("W")
    flow.when(Met(1, flow.at, "1.0/C/1", goes_on=True, values={"W": Lent("success", {"x": "theirs"})}))
    flow.end("M")

    assert flow.open_tasks() == ["1/Z/1"]
    assert kept(flow) == []
    flow.replayed()


@pytest.mark.parametrize("why", ["cancelled", "dropped"])
def test_a_region_that_was_open_when_its_pebble_was_given_up_is_walked(why: str) -> None:
    """Its parts ended by an event that is not theirs."""
    flow = regions_flow(node("Late", "In", deferred=True))
    end_all(flow, "W")
    flow.cancel(why=why)
    for task in flow.open_tasks():
        flow.end(task, Cancelled(why))

    assert kept(flow) == []


def test_a_region_that_went_on_in_a_newer_graph_is_walked() -> None:
    """Its open parts were started by that event."""
    flow = regions_flow()
    end_all(flow, "W", "S")
    flow.know("newer", Workflow("test", "", {**flow.workflow.nodes, "New": node("New", "In")}))
    flow.when(WorkflowReplaced(1, flow.at, "newer"))
    end_all(flow, "X", "M")

    assert "1/Z/1" in flow.open_tasks()
    assert kept(flow) == []


def test_a_region_folded_by_an_event_from_outside_is_walked() -> None:
    """The order in which it starts what is behind and beside is that of the whole graph."""
    flow = Flow(
        node("In"),
        node("O", "In"),
        split("W", "In"),
        node("M", "W", "O", merge=True, run_on={"error"}),
        node("Z", "M", run_on=ALWAYS),
    )
    flow.arrive(values={"files": [0, 1]})
    end_all(flow, "W", "O")

    assert flow.states()["M.1"] == "skipped"
    assert kept(flow) == []
    flow.replayed()


# --- a wrong one is seen ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil",
    [
        lambda each: evolve(each, result="error"),
        lambda each: evolve(each, pebble_error="said before"),
        lambda each: evolve(each, pebble_result="timeout"),
        lambda each: evolve(each, opened=2),
        lambda each: evolve(each, tempdirs={}),
        lambda each: evolve(each, folds_at=each.folds_at - 1),
        lambda each: evolve(each, opened_at=each.opened_at + 1),
        lambda each: evolve(each, columns={**each.columns, "W": each.columns["M"]}),
    ],
)
def test_a_checkpoint_that_says_something_else_does_not_come_to_the_same_state(
    spoil: Callable[[Checkpoint], Checkpoint],
) -> None:
    """What the property below compares tells every field of a checkpoint from another."""
    flow = regions_flow(node("Beside", "In"))
    end_all(flow, "W", "S", "X", "M")
    flow.replayed()
    spoiled = KeepCheckpoint(1, spoil(kept(flow)[0]))
    flow.commands = [spoiled if isinstance(each, KeepCheckpoint) else each for each in flow.commands]
    walking = flow._new_engine()
    for each in flow.events:
        walking.apply(each, flow.context)

    try:
        taken = depict(flow.recalled())
    except (AssertionError, CryoCloudError):
        return
    assert taken != depict(walking)


@given(st.sets(st.integers(0, 40), min_size=1), st.data())
def test_what_is_not_walked_is_all_that_is_the_regions_own_but_two_events(own: set[int], data: st.DataObject) -> None:
    """That which folded it, and that after which nothing of it was left, which may be the same one."""
    folds_at = data.draw(st.sampled_from(sorted(own)))
    closes_at = data.draw(st.sampled_from([number for number in sorted(own) if number >= folds_at]))
    numbers = Numbers()
    for number in sorted(own):
        numbers.add(number)
    checkpoint = Checkpoint(
        "S", None, ("S",), 0, folds_at, closes_at, tuple(numbers.ranges), 1, False, "", "", "", "", {}, {}
    )
    spared = [number for start, stop in checkpoint.gaps() for number in range(start, stop)]
    assert spared == sorted(own - {folds_at, closes_at})
    assert checkpoint.spared == len(spared)
