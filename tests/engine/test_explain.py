"""The story of a pebble, told from what the engine did: every state, every reason, where every argument came from."""

from __future__ import annotations

from typing import Any

import pytest

from cryocloud_core.engine.chronicle import Chronicle, Keeping
from cryocloud_core.engine.events import Context, TaskEnded
from cryocloud_core.engine.explain import explain
from cryocloud_core.engine.states import State
from cryocloud_core.graph.condition import Compare, Condition, Text, Value
from cryocloud_core.graph.refs import PARENT, Argument, ConfigRef, Literal, OptionRef, OutputRef, StatRef
from cryocloud_core.graph.workflow import Node, NodeKind, PostItem, Retry
from cryocloud_core.task import Failed, Lost, Preparation, StagingKind, Succeeded, TimedOut
from cryocloud_core.testing.flow import ALWAYS, Flow, node


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

    assert flow.told("In").why == "the pebble arrived here"
    assert (flow.told("Other").state, flow.told("Other").why) == ("skipped", "the pebble came in through In")
    assert flow.told("A").why == "none of its parents ran: Other was skipped"


def test_a_node_that_ran_tells_its_parents_and_its_attempts() -> None:
    """Two attempts with worker, runtime and error; the result of the last is the node's."""
    flow = Flow(node("In"), node("A", "In", retry=Retry(1, delay_s=5)))
    flow.arrive()
    flow.fail("A", "broken")
    flow.fire("retry/1/A/1")
    flow.end("A")

    run = flow.told("A")
    assert (run.state, run.why, run.error) == ("success", "In was success; runOn success", "")
    assert [(each.number, each.result, each.error, each.worker) for each in run.attempts] == [
        (1, "error", "broken", "Worker-m1_1"),
        (2, "success", "", "Worker-m1_1"),
    ]
    assert run.attempts[1].runtime_s == 1.5


def test_a_result_that_was_used_again_tells_whose_it_was() -> None:
    """The attempt did not run; where the earlier task is not known, none is named."""
    flow = Flow(node("In"), node("A", "In"), node("B", "A"), node("C", "B"))
    flow.arrive()
    flow.end("A", Succeeded({}, cached=True, maker="7.3/X/2"))
    flow.end("B", Succeeded({}, cached=True))
    flow.end("C")

    told = [flow.told(name).attempts[0] for name in "ABC"]
    assert [(each.result, each.cached, each.maker) for each in told] == [
        ("success", True, "7.3/X/2"),
        ("success", True, ""),
        ("success", False, ""),
    ]


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

    assert (flow.told("A").attempts[0].result, flow.told("A").attempts[0].error) == (word, text)


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

    assert flow.told("E").why == "In was success; runOn error or timeout does not accept success"
    assert flow.told("If").why == ("In was success; runIf output:In.kind == 'zip' does not hold: In.kind = tar")
    assert flow.told("Yes").why.endswith("; runIf output:In.kind == 'tar' holds: In.kind = tar")
    assert flow.told("Off").why == "runOn never"
    assert flow.told("Below").why == "none of its parents ran: Off was skipped, E was skipped"


def test_a_split_node_tells_the_condition_as_it_was_when_its_parts_began() -> None:
    """Settings that changed since have no say in why it ran."""
    condition = Condition("config:C.k == 'yes'", Compare(Value(ConfigRef("C.k")), "==", Text("yes")))
    split = node("S", "In", split_on="f", run_if=condition, args={"f": ref(OutputRef("In", "list"))})
    flow = Flow(node("In"), split, node("M", "S", merge=True), config={"C.k": "yes"})
    flow.arrive(values={"list": [1, 2]})
    engine, chronicle = Keeping(), Chronicle()
    engine.add_workflow("digest", flow.workflow)
    changed = Context(2, {}, {"C.k": "no"})
    for event, context in ((flow.events[0], flow.context), (TaskEnded(1, 9.0, "1.0/S/1", Succeeded()), changed)):
        commands = engine.apply(event, context)
        chronicle.note(engine.pebbles[1], event, context, commands)

    told = next(run for run in explain(engine.pebbles[1], chronicle).nodes if run.node == "S")
    assert told.why.endswith("runIf config:C.k == 'yes' holds: config C.k = yes")
    assert told.attempts == ()


def test_blocked_tells_what_failed_before_it() -> None:
    """Directly, further down, and beside parents that did well."""
    flow = Flow(node("In"), node("A", "In"), node("B", "A"), node("C", "B"), node("J", "In", "A", run_on={"success"}))
    flow.arrive()
    flow.fail("A")

    assert flow.told("B").why == "A was error; runOn success"
    assert flow.told("C").why == "none of its parents ran: B was blocked by error"
    assert flow.told("J").why == "In was success, A was error; runOn success"


def test_what_was_given_up_says_so() -> None:
    """A cancelled pebble: what ran was cancelled, what waited is blocked by the cancel."""
    flow = Flow(node("In"), node("A", "In"), node("B", "A"))
    flow.arrive()
    flow.cancel()
    assert flow.told("A").state == "cancelling"
    assert flow.told("A").wait is not None
    flow.end("A")

    assert flow.story().result == flow.story().given_up == "cancelled"
    assert flow.told("A").state == "cancelled"
    assert flow.told("B").why == "the pebble was cancelled"


def test_a_node_that_any_parent_fires_names_the_one_that_did() -> None:
    """A node with resolveOnAny went by B, whatever A came to."""
    flow = Flow(node("In"), node("A", "In"), node("B", "In"), node("J", "A", "B", resolve_on_any=True))
    flow.arrive()
    flow.end("B")

    assert flow.told("J").why == "B was success, the first that runOn success accepts"


def test_a_global_handler_tells_whose_failure_fired_it() -> None:
    """One firing for each failed node, told below the pebble's own nodes."""
    handler = node("H", kind=NodeKind.GLOBAL, run_on={"error"}, args={"e": ref(OutputRef(PARENT, "error"))})
    flow = Flow(node("In"), node("A", "In"), handler)
    flow.arrive()
    flow.fail("A", "bad")

    assert flow.told("H", "#1").why == "A came to error"
    assert [(each.value, each.source) for each in flow.told("H", "#1").args] == [("bad", "A.error")]


def test_a_task_that_cannot_be_built_tells_its_error() -> None:
    """No attempt was made; the error is the resolution's."""
    flow = Flow(node("In"), node("S", "In", split_on="f", args={"f": ref(OutputRef("In", "list"))}))
    flow.arrive(values={"list": "text"})

    assert (flow.told("S").state, flow.told("S").attempts) == ("error", ())
    assert "is not a list, got str" in flow.told("S").error


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
        "folder": ref(Literal(None), preparation=Preparation(StagingKind.TEMPDIR)),
        "null": ref(OptionRef("unset")),
    }
    flow = Flow(node("In"), node("A", "In", args=args), options={"lang": "no"}, config={"Ocean.Wind.File": "f"})
    flow.arrive(values={"path": "/p"})

    assert [(each.name, each.value, each.source) for each in flow.told("A").args] == [
        ("written", [1, None], "written in the workflow"),
        ("option", "no", "option lang"),
        ("config", "f", "config Ocean.Wind.File"),
        ("output", "/p", "In.path"),
        ("parent", "/p", "In.path"),
        ("stat", "head", "node of In"),
        ("default", "d", "default, In.none gave nothing"),
        ("folder", None, "a tempdir, made by the worker"),
        ("null", None, "option unset"),
    ]


def test_arguments_of_a_node_that_waits_are_not_known_yet() -> None:
    """Only what is written is; the others tell where they are to come from."""
    args = {"a": ref(Literal(3)), "b": ref(OutputRef(PARENT, "v")), "c": ref(OutputRef("A", "v"))}
    flow = Flow(node("In"), node("A", "In"), node("B", "A", args=args))
    flow.arrive()

    assert [(each.known, each.value, each.source) for each in flow.told("B").args] == [
        (True, 3, "written in the workflow"),
        (False, None, "parent.v"),
        (False, None, "A.v"),
    ]


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
        seen.update(run.state for run in flow.story().nodes)

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

    wait = flow.told("Z").wait
    assert wait is not None
    assert wait.through == (name,)
    assert [(each.name, each.value) for each in flow.told(name).args] == [(name, "\x00\u202e")]
    assert flow.told(name).attempts[0].result == ""


# --- what came of it ----------------------------------------------------------------------------------


def test_a_node_tells_what_it_returned_and_what_post_sent() -> None:
    """Its outputs as they are now; where the error is one of them it is told as the error alone."""
    post = (PostItem("dst", ref(Literal("s3://h/b/"))), PostItem("none", ref(Literal("s3://h/b/"))))
    flow = Flow(node("In"), node("A", "In", post=post), node("B", "A", post=post), node("C", "In"))
    flow.arrive(values={"path": "/p"})
    assert (flow.told("A").outputs, flow.told("A").posted) == ({}, ())
    flow.end("A", Succeeded({"dst": "s3://h/b/r.nc", "n": 1}))
    flow.end("B", Failed("broken", outputs={"dst": "/tmp/r.nc"}))

    assert (flow.told("In").outputs, flow.told("In").posted) == ({"path": "/p"}, ())
    assert (flow.told("A").outputs, flow.told("A").posted) == ({"dst": "s3://h/b/r.nc", "n": 1}, ("dst",))
    assert (flow.told("B").outputs, flow.told("B").posted) == ({"dst": "/tmp/r.nc"}, ())


def test_only_the_part_that_is_asked_for_tells_what_it_returned() -> None:
    """While it lives and after it has ended, at each of its nodes; one that has not begun is not there."""
    flow = split_flow(3)
    assert flow.told("S").parts is not None
    flow.end("1.1/S/1", Succeeded({"v": "one"}))

    def asked(name: str, part: int | None) -> tuple[str, dict[str, Any]] | None:
        told = next(run for run in flow.story(part=part).nodes if run.node == name)
        assert told.outputs == {}
        assert told.parts is not None
        return None if told.parts.asked is None else (told.parts.asked.state, told.parts.asked.outputs)

    assert asked("S", None) is None
    assert asked("S", 1) == ("success", {"v": "one"})
    assert asked("S", 2) == ("running", {})
    assert asked("S", 7) is None


def test_a_part_that_never_had_a_task_is_told_when_it_is_asked_for() -> None:
    """It was skipped; its neighbour's error is told with its attempt."""
    flow = Flow(
        node("In"),
        node("S", "In", split_on="f", args={"f": ref(OutputRef("In", "list"))}),
        node("X", "S", run_on={"error"}),
        node("M", "X", merge=True, run_on=ALWAYS),
    )
    flow.arrive(values={"list": [0, 1]})
    flow.end("1.0/S/1", Succeeded({"v": 0}))
    flow.fail("1.1/S/1")

    def asked(name: str, part: int) -> Any:
        parts = next(run for run in flow.story(part=part).nodes if run.node == name).parts
        assert parts is not None
        return parts.asked

    assert (asked("X", 0).state, asked("X", 0).scope, asked("X", 0).attempts) == ("skipped", ".0", ())
    assert (asked("S", 1).state, asked("S", 1).error, len(asked("S", 1).attempts)) == ("error", "broken", 1)
