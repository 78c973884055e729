"""What an open node waits for, the single thing, and how the parts of a split are told."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from cryocloud_core.engine.chronicle import PARTS_TOLD
from cryocloud_core.engine.explain import WaitTold, tasks_of
from cryocloud_core.engine.rendezvous import MODULE
from cryocloud_core.graph.refs import Argument, Literal, OutputRef
from cryocloud_core.graph.workflow import Node, Placement, Retry
from cryocloud_core.task import Succeeded
from cryocloud_core.testing.flow import Flow, node, tempdir


def ref(source: Any, **more: Any) -> Argument:
    """Return an argument."""
    return Argument(source, **more)


def split_flow(length: int, *more: Node) -> Flow:
    """Return a flow whose pebble was split into parts at S; M merges them."""
    flow = Flow(
        node("In"),
        node("S", "In", split_on="f", args={"f": ref(OutputRef("In", "list")), "k": ref(Literal(1))}),
        node("M", "S", merge=True, args={"f": ref(OutputRef("S", "v"))}),
        *more,
    )
    flow.arrive(values={"list": list(range(length))})
    return flow


# --- what is waited for -------------------------------------------------------------------------------


def test_a_node_waits_for_the_open_task_behind_its_parents() -> None:
    """B is behind A; C is behind B and so behind A: the task of A is the one to ask about."""
    flow = Flow(node("In"), node("A", "In"), node("B", "A"), node("C", "B"))
    flow.arrive()

    wait = flow.told("C").wait
    assert wait is not None
    assert (wait.through, wait.task) == (("B", "A"), "1/A/1")
    assert tasks_of(flow.story()) == ("1/A/1",)
    assert flow.story().wait == WaitTold("its task", ("A",), "1/A/1")


def test_a_join_waits_for_the_parent_that_can_be_asked_about() -> None:
    """B waits itself, A runs: the join waits for A; once A has settled it waits for B, behind it C."""
    flow = Flow(node("In"), node("C", "In"), node("B", "C"), node("A", "In"), node("J", "B", "A"))
    flow.arrive()
    first = flow.told("J").wait
    flow.end("A")
    then = flow.told("J").wait

    assert first is not None
    assert (first.through, first.task) == (("A",), "1/A/1")
    assert then is not None
    assert (then.through, then.task) == (("B", "C"), "1/C/1")


def test_a_repeat_waits_for_its_time() -> None:
    """The time is told in seconds UTC, for the node and for what is behind it."""
    flow = Flow(node("In"), node("A", "In", retry=Retry(1, delay_s=10)), node("B", "A"))
    flow.arrive()
    flow.fail("A")

    for name in ("A", "B"):
        wait = flow.told(name).wait
        assert wait is not None
        assert (wait.what, wait.due_at) == ("attempt 2", flow.at + 10)


def test_a_deferred_node_waits_for_the_main_phase() -> None:
    """And for the task that keeps it open."""
    flow = Flow(node("In"), node("A", "In"), node("D", "In", deferred=True))
    flow.arrive()

    wait = flow.told("D").wait
    assert wait is not None
    assert (flow.told("D").state, wait.through, wait.task) == ("postponed", ("the main phase", "A"), "1/A/1")


def test_a_pebble_that_is_being_cleaned_waits_for_its_tempdirs() -> None:
    """The machine is named, and the time at which it closes without."""
    flow = Flow(node("In"), node("A", "In", args={"t": tempdir()}))
    flow.arrive()
    flow.end("A")

    wait = flow.story().wait
    assert wait is not None
    assert (flow.story().phase, wait.what, wait.due_at) == (
        "cleaning",
        "its tempdirs on m1 to be removed",
        flow.at + 60,
    )


def test_a_rendezvous_waits_for_the_parent_that_has_not_come() -> None:
    """It came by A; a pebble that comes by B under the same message id is missing."""
    sync = evolve(node("Sync", "A", "B", args={"msgid": ref(Literal("p1"))}), module=MODULE)
    flow = Flow(node("In"), node("Other"), node("A", "In"), node("B", "Other"), sync)
    flow.arrive()
    flow.end("A")

    wait = flow.told("Sync").wait
    assert wait is not None
    assert (wait.what, wait.task) == (
        'a rendezvous of A, B under msgid "p1", to which it came by A',
        "1/Sync/1",
    )


def test_a_node_on_every_machine_waits_for_the_answer_which_there_are() -> None:
    """Then each machine is a part of its own."""
    every = Placement(machine=ref(Literal("all")))
    flow = Flow(node("In"), node("A", "In", placement=every))
    flow.arrive()
    asked = flow.told("A").wait
    flow.answer("1/A/1", "m1", "m2")
    parts = flow.told("A").parts

    assert asked == WaitTold("the answer which machines there are")
    assert parts is not None
    assert [each.why for each in parts.open] == ["on machine m1", "on machine m2"]


# --- splits -------------------------------------------------------------------------------------------


def test_a_split_is_counts_and_at_most_ten_open_parts() -> None:
    """A thousand parts: those in the window are counted, ten told, the others not begun."""
    flow = split_flow(1000)
    flow.end("1.0/S/1")
    flow.fail("1.1/S/1", "odd")

    parts = flow.told("S").parts
    assert parts is not None
    assert (parts.total, parts.counts["success"], parts.counts["error"]) == (1000, 1, 1)
    assert len(parts.open) <= PARTS_TOLD
    assert sum(parts.counts.values()) == parts.opened < 1000
    assert [(run.scope, run.error) for run in parts.failed] == [(".1", "odd")]


def test_open_parts_tell_their_item_and_their_task() -> None:
    """Each part's argument is its item, with its place in the list."""
    flow = split_flow(3)
    flow.end("1.0/S/1")
    parts = flow.told("S").parts
    assert parts is not None

    assert [(run.scope, run.args[0].value, run.args[0].source, run.why) for run in parts.open] == [
        (".1", 1, "In.list[1]", "item 1 of the list"),
        (".2", 2, "In.list[2]", "item 2 of the list"),
    ]
    merging = flow.told("M").parts
    assert merging is not None
    assert merging.open[0].scope == ".0"
    assert merging.open[0].wait is not None
    assert merging.open[0].wait.task == "1.0/M/1"
    assert flow.told("S").wait == WaitTold("its parts, 1 of 3 have ended", (), "1.0/M/1")


def test_a_folded_split_tells_how_its_parts_ended() -> None:
    """After the merge only counts are left, and the node tells of its parts."""
    flow = split_flow(2)
    for part in range(2):
        flow.end(f"1.{part}/S/1", Succeeded({"v": part}))
    for part in range(2):
        flow.end(f"1.{part}/M/1")

    assert flow.story().phase == "closed"
    for name in ("S", "M"):
        parts = flow.told(name).parts
        assert parts is not None
        assert (flow.told(name).state, parts.counts, parts.open) == ("success", {"success": 2}, ())
    assert flow.told("M").why == "runs in each part of S"
