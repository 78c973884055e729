"""The story of a pebble, told from what the engine did: every state, every reason, where every argument came from."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from cryocloud_core.engine.chronicle import PARTS_TOLD, Chronicle
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.explain import PebbleTold, RunTold, WaitTold, explain, tasks_of
from cryocloud_core.engine.pebble import State
from cryocloud_core.engine.rendezvous import MODULE
from cryocloud_core.graph.condition import Compare, Condition, Text, Value
from cryocloud_core.graph.refs import PARENT, Argument, ConfigRef, Literal, OptionRef, OutputRef, StatRef
from cryocloud_core.graph.workflow import Node, NodeKind, Retry
from cryocloud_core.task import Failed, Lost, Succeeded, TimedOut
from cryocloud_core.testing.flow import ALWAYS, Flow, node, tempdir


class Keeping(Engine):
    """An engine that keeps closed pebbles."""

    def forget(self, pebble: int) -> None:
        """Keep it."""


def story(flow: Flow, pebble: int = 1) -> PebbleTold:
    """Return the story of a flow's pebble, from its events alone."""
    engine, chronicle = Keeping(), Chronicle()
    engine.add_workflow("digest", flow.workflow)
    for event in flow.events:
        commands = engine.apply(event, flow.context)
        if event.pebble == pebble:
            chronicle.note(engine.pebbles[pebble], event, flow.context, commands)
    return explain(engine.pebbles[pebble], chronicle)


def told(flow: Flow, name: str, scope: str = "") -> RunTold:
    """Return the story of one node."""
    return next(run for run in story(flow).nodes if run.node == name and run.scope == scope)


def ref(source: Any, **more: Any) -> Argument:
    """Return an argument."""
    return Argument(source, **more)


def equals(text: str, key: str = "kind") -> Condition:
    """Return the condition that a value of the input is a text."""
    return Condition(f"output:In.{key} == '{text}'", Compare(Value(OutputRef("In", key)), "==", Text(text)))


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


# --- why a node is where it is ------------------------------------------------------------------------


def test_input_nodes_tell_how_the_pebble_came() -> None:
    """The one it came through, and the others that it did not."""
    flow = Flow(node("In"), node("Other"), node("A", "Other"))
    flow.arrive()

    assert told(flow, "In").why == "the pebble arrived here"
    assert (told(flow, "Other").state, told(flow, "Other").why) == ("skipped", "the pebble came in through In")
    assert told(flow, "A").why == "none of its parents ran: Other was skipped"


def test_a_node_that_ran_tells_its_parents_and_its_attempts() -> None:
    """Two attempts with worker, runtime and error; the result of the last is the node's."""
    flow = Flow(node("In"), node("A", "In", retry=Retry(1, delay_s=5)))
    flow.arrive()
    flow.fail("A", "broken")
    flow.fire("retry/1/A/1")
    flow.end("A")

    run = told(flow, "A")
    assert (run.state, run.why, run.error) == ("success", "In was success; runOn success", "")
    assert [(each.number, each.result, each.error, each.worker) for each in run.attempts] == [
        (1, "error", "broken", "Worker-m1_1"),
        (2, "success", "", "Worker-m1_1"),
    ]
    assert run.attempts[1].runtime_s == 1.5


@pytest.mark.parametrize(
    ("outcome", "word", "text"),
    [
        (Lost("m1", "signal 9"), "lost", "worker lost on m1: signal 9"),
        (TimedOut("time limit of 3 s passed"), "timeout", "time limit of 3 s passed"),
        (Failed("no\x1b[31m"), "error", "no\x1b[31m"),
    ],
)
def test_every_way_an_attempt_ends_has_its_word(outcome: Any, word: str, text: str) -> None:
    """Lost and placed again, timed out, failed."""
    flow = Flow(node("In"), node("A", "In"))
    flow.arrive()
    flow.end("A", outcome)

    assert (told(flow, "A").attempts[0].result, told(flow, "A").attempts[0].error) == (word, text)


def test_skipped_by_run_on_run_if_and_never() -> None:
    """Each says which of them, and runIf with the value it saw."""
    flow = Flow(
        node("In"),
        node("E", "In", run_on={"error", "timeout"}),
        node("If", "In", run_if=equals("zip")),
        node("Yes", "In", run_if=equals("tar")),
        node("Off", "In", run_on=set()),
        node("Below", "Off", "E"),
    )
    flow.arrive(values={"kind": "tar"})

    assert told(flow, "E").why == "In was success; runOn error or timeout does not accept success"
    assert told(flow, "If").why == ("In was success; runIf output:In.kind == 'zip' does not hold: In.kind = tar")
    assert told(flow, "Yes").why.endswith("; runIf output:In.kind == 'tar' holds: In.kind = tar")
    assert told(flow, "Off").why == "runOn never"
    assert told(flow, "Below").why == "none of its parents ran: Off was skipped, E was skipped"


def test_blocked_tells_what_failed_before_it() -> None:
    """Directly, further down, and beside parents that did well."""
    flow = Flow(node("In"), node("A", "In"), node("B", "A"), node("C", "B"), node("J", "In", "A", run_on={"success"}))
    flow.arrive()
    flow.fail("A")

    assert told(flow, "B").why == "A was error; runOn success"
    assert told(flow, "C").why == "none of its parents ran: B was blocked by error"
    assert told(flow, "J").why == "In was success, A was error; runOn success"


def test_what_was_given_up_says_so() -> None:
    """A cancelled pebble: what ran was cancelled, what waited is blocked by the cancel."""
    flow = Flow(node("In"), node("A", "In"), node("B", "A"))
    flow.arrive()
    flow.cancel()
    assert told(flow, "A").state == "cancelling"
    assert told(flow, "A").wait is not None
    flow.end("A")

    assert story(flow).result == story(flow).given_up == "cancelled"
    assert told(flow, "A").state == "cancelled"
    assert told(flow, "B").why == "the pebble was cancelled"


def test_a_node_that_any_parent_fires_names_the_one_that_did() -> None:
    """A node with resolveOnAny went by B, whatever A came to."""
    flow = Flow(node("In"), node("A", "In"), node("B", "In"), node("J", "A", "B", resolve_on_any=True))
    flow.arrive()
    flow.end("B")

    assert told(flow, "J").why == "B was success, the first that runOn success accepts"


def test_a_global_handler_tells_whose_failure_fired_it() -> None:
    """One firing for each failed node, told below the pebble's own nodes."""
    handler = node("H", kind=NodeKind.GLOBAL, run_on={"error"}, args={"e": ref(OutputRef(PARENT, "error"))})
    flow = Flow(node("In"), node("A", "In"), handler)
    flow.arrive()
    flow.fail("A", "bad")

    assert told(flow, "H", "#1").why == "A came to error"
    assert [(each.value, each.source) for each in told(flow, "H", "#1").args] == [("bad", "A.error")]


def test_a_task_that_cannot_be_built_tells_its_error() -> None:
    """No attempt was made; the error is the resolution's."""
    flow = Flow(node("In"), node("S", "In", split_on="f", args={"f": ref(OutputRef("In", "list"))}))
    flow.arrive(values={"list": "text"})

    assert (told(flow, "S").state, told(flow, "S").attempts) == ("error", ())
    assert "is not a list, got str" in told(flow, "S").error


# --- arguments ----------------------------------------------------------------------------------------


def test_each_argument_tells_its_value_and_where_it_came_from() -> None:
    """Written, option, config, output, the parent by its name, a statistic, a default."""
    args = {
        "written": ref(Literal([1, None])),
        "option": ref(OptionRef("lang")),
        "config": ref(ConfigRef("Ocean.Wind.File")),
        "output": ref(OutputRef("In", "path")),
        "parent": ref(OutputRef(PARENT, "path")),
        "stat": ref(StatRef("In", "node")),
        "default": ref(OutputRef("In", "none"), has_default=True, default="d"),
        "null": ref(OptionRef("unset")),
    }
    flow = Flow(node("In"), node("A", "In", args=args), options={"lang": "no"}, config={"Ocean.Wind.File": "f"})
    flow.arrive(values={"path": "/p"})

    assert [(each.name, each.value, each.source) for each in told(flow, "A").args] == [
        ("written", [1, None], "written in the workflow"),
        ("option", "no", "option lang"),
        ("config", "f", "config Ocean.Wind.File"),
        ("output", "/p", "In.path"),
        ("parent", "/p", "In.path"),
        ("stat", "head", "node of In"),
        ("default", "d", "default, In.none gave nothing"),
        ("null", None, "option unset"),
    ]


def test_arguments_of_a_node_that_waits_are_not_known_yet() -> None:
    """Only what is written is; the others tell where they are to come from."""
    args = {"a": ref(Literal(3)), "b": ref(OutputRef(PARENT, "v")), "c": ref(OutputRef("A", "v"))}
    flow = Flow(node("In"), node("A", "In"), node("B", "A", args=args))
    flow.arrive()

    assert [(each.known, each.value, each.source) for each in told(flow, "B").args] == [
        (True, 3, "written in the workflow"),
        (False, None, "parent.v"),
        (False, None, "A.v"),
    ]


# --- what is waited for -------------------------------------------------------------------------------


def test_a_node_waits_for_the_open_task_behind_its_parents() -> None:
    """B is behind A; C is behind B and so behind A: the task of A is the one to ask about."""
    flow = Flow(node("In"), node("A", "In"), node("B", "A"), node("C", "B"))
    flow.arrive()

    wait = told(flow, "C").wait
    assert wait is not None
    assert (wait.through, wait.task) == (("B", "A"), "1/A/1")
    assert tasks_of(story(flow)) == ("1/A/1",)
    assert story(flow).wait == WaitTold("its task", ("A",), "1/A/1")


def test_a_join_waits_for_the_parent_that_can_be_asked_about() -> None:
    """A has settled, B waits for C: the join waits for B, behind it C."""
    flow = Flow(node("In"), node("A", "In"), node("C", "In"), node("B", "C"), node("J", "A", "B"))
    flow.arrive()
    flow.end("A")

    wait = told(flow, "J").wait
    assert wait is not None
    assert (wait.through, wait.task) == (("B", "C"), "1/C/1")


def test_a_repeat_waits_for_its_time() -> None:
    """The time is told in seconds UTC, for the node and for what is behind it."""
    flow = Flow(node("In"), node("A", "In", retry=Retry(1, delay_s=10)), node("B", "A"))
    flow.arrive()
    flow.fail("A")

    for name in ("A", "B"):
        wait = told(flow, name).wait
        assert wait is not None
        assert (wait.what, wait.due_at) == ("attempt 2", flow.at + 10)


def test_a_deferred_node_waits_for_the_main_phase() -> None:
    """And for the task that keeps it open."""
    flow = Flow(node("In"), node("A", "In"), node("D", "In", deferred=True))
    flow.arrive()

    wait = told(flow, "D").wait
    assert wait is not None
    assert (told(flow, "D").state, wait.through, wait.task) == ("postponed", ("the main phase", "A"), "1/A/1")


def test_a_pebble_that_is_being_cleaned_waits_for_its_tempdirs() -> None:
    """The machine is named, and the time at which it closes without."""
    flow = Flow(node("In"), node("A", "In", args={"t": tempdir()}))
    flow.arrive()
    flow.end("A")

    wait = story(flow).wait
    assert wait is not None
    assert (story(flow).phase, wait.what, wait.due_at) == (
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

    wait = told(flow, "Sync").wait
    assert wait is not None
    assert (wait.what, wait.task) == ('a pebble with msgid "p1" that comes by B', "")


# --- splits -------------------------------------------------------------------------------------------


def test_a_split_is_counts_and_at_most_ten_open_parts() -> None:
    """A thousand parts: those in the window are counted, ten told, the others not begun."""
    flow = split_flow(1000)
    flow.end("1.0/S/1")
    flow.fail("1.1/S/1", "odd")

    parts = told(flow, "S").parts
    assert parts is not None
    assert (parts.total, parts.counts["success"], parts.counts["error"]) == (1000, 1, 1)
    assert len(parts.open) <= PARTS_TOLD
    assert sum(parts.counts.values()) == parts.opened < 1000
    assert [(run.scope, run.error) for run in parts.failed] == [(".1", "odd")]


def test_open_parts_tell_their_item_and_their_task() -> None:
    """Each part's argument is its item, with its place in the list."""
    flow = split_flow(3)
    flow.end("1.0/S/1")
    parts = told(flow, "S").parts
    assert parts is not None

    assert [(run.scope, run.args[0].value, run.args[0].source, run.why) for run in parts.open] == [
        (".1", 1, "In.list[1]", "item 1 of the list"),
        (".2", 2, "In.list[2]", "item 2 of the list"),
    ]
    merging = told(flow, "M").parts
    assert merging is not None
    assert merging.open[0].scope == ".0"
    assert merging.open[0].wait is not None
    assert merging.open[0].wait.task == "1.0/M/1"
    assert told(flow, "S").wait == WaitTold("its parts, 1 of 3 have ended", (), "1.0/M/1")


def test_a_folded_split_tells_how_its_parts_ended() -> None:
    """After the merge only counts are left, and the node tells of its parts."""
    flow = split_flow(2)
    for part in range(2):
        flow.end(f"1.{part}/S/1", Succeeded({"v": part}))
    for part in range(2):
        flow.end(f"1.{part}/M/1")

    assert story(flow).phase == "closed"
    for name in ("S", "M"):
        parts = told(flow, name).parts
        assert parts is not None
        assert (told(flow, name).state, parts.counts, parts.open) == ("success", {"success": 2}, ())
    assert told(flow, "M").why == "runs in each part of S"


# --- all of it ----------------------------------------------------------------------------------------


def test_every_state_can_be_told() -> None:
    """One workflow is driven until each state was seen, and its story is told after every event."""
    retried = node("R", "In", retry=Retry(1, delay_s=5))
    flow = split_flow(
        2,
        retried,
        node("B", "R"),
        node("D", "In", deferred=True),
        node("X", "In", run_on={"error"}),
        node("T", "In", timeout_s=1),
        node("C", "In"),
        node("After", "T", run_on=ALWAYS),
    )
    seen: set[str] = set()

    def look() -> None:
        seen.update(run.state for run in story(flow).nodes)

    look()
    flow.fail("R")
    look()
    flow.fire("retry/1/R/1")
    flow.fail("R")
    flow.end("T", TimedOut("late"))
    flow.end("After")
    look()
    flow.cancel()
    look()
    for task in flow.open_tasks():
        flow.end(task)
    look()

    assert seen == {state.value for state in State}


def test_hostile_names_and_values_are_told_as_they_are() -> None:
    """Nothing is cut or escaped here: whoever prints does that; ids read back whatever the name."""
    name = "a/b#1 \x1b[31m\n.3"
    flow = Flow(node("In"), node(name, "In", args={name: ref(OutputRef("In", "\udc80"))}), node("Z", name))
    flow.arrive(values={"\udc80": "\x00\u202e"})

    wait = told(flow, "Z").wait
    assert wait is not None
    assert wait.through == (name,)
    assert [(each.name, each.value) for each in told(flow, name).args] == [(name, "\x00\u202e")]
    assert told(flow, name).attempts[0].result == ""
