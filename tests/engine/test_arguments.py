"""Where values come from: every source, defaults, warnings, and which parent `parent` means."""

from __future__ import annotations

from typing import Any

import pytest

from cryocloud_core.engine.commands import FinishPebble
from cryocloud_core.graph.refs import Argument, ConfigRef, Literal, OptionRef, OutputRef, Source, StatRef
from cryocloud_core.task import Failed, Preparation, Staging, StagingKind, Succeeded
from cryocloud_core.testing.flow import ALWAYS, Flow, node

NO_DEFAULT = object()


def _flow(source: Source, default: Any = NO_DEFAULT) -> Flow:
    argument = Argument(source) if default is NO_DEFAULT else Argument(source, True, default)
    flow = Flow(
        node("In"),
        node("P", "In"),
        node("K", "P", run_on=()),
        node("A", "P", "K", args={"x": argument}),
        config={"Root.zero": 0},
    )
    flow.arrive()
    flow.end("P", Succeeded({"n": 0, "e": None}))
    return flow


@pytest.mark.parametrize(
    ("source", "default", "delivered", "warned"),
    [
        (Literal("7"), NO_DEFAULT, "7", False),
        (Literal([1, {"option": "o"}]), NO_DEFAULT, [1, {"option": "o"}], False),
        (Literal(None), NO_DEFAULT, None, False),
        (OutputRef("P", "n"), NO_DEFAULT, 0, False),
        (OutputRef("P", "n"), 5, 0, False),
        (OutputRef("P", "e"), 5, 5, False),
        (OutputRef("P", "e"), NO_DEFAULT, None, True),
        (OutputRef("P", "zz"), NO_DEFAULT, None, True),
        (OutputRef("K", "x"), "d", "d", False),
        (OutputRef("P", "error"), NO_DEFAULT, None, True),
        (OptionRef("o"), NO_DEFAULT, None, True),
        (OptionRef("o"), 1, 1, False),
        (ConfigRef("Root.zero"), 9, 0, False),
        (ConfigRef("Root.nope"), 9, 9, False),
        (StatRef("", "runtime"), NO_DEFAULT, 1.5, False),
        (StatRef("P", "node"), NO_DEFAULT, "m1", False),
        (StatRef("K", "node"), NO_DEFAULT, None, True),
        (StatRef("In", "node"), NO_DEFAULT, "head", False),
        (StatRef("In", "runtime"), NO_DEFAULT, None, True),
    ],
)
def test_every_source_delivers_its_value_its_default_or_null_with_a_warning(
    source: Source, default: Any, delivered: Any, warned: bool
) -> None:
    """Zero is a value; null, missing and skipped are not."""
    flow = _flow(source, default)

    assert flow.args("A") == {"x": delivered}
    assert bool(flow.notes()) is warned


def test_a_warning_names_the_argument_and_the_reason() -> None:
    """One line that a user can act on."""
    flow = _flow(OutputRef("K", "x"))

    assert flow.notes() == ["argument 'x' is null: node 'K' did not run"]


@pytest.mark.parametrize("order", [("L", "R"), ("R", "L")])
def test_parent_is_the_first_listed_that_has_the_key(order: tuple[str, str]) -> None:
    """Timing must not choose data."""
    args = {"dst": Argument(OutputRef("", "dst")), "only": Argument(OutputRef("", "only"))}
    flow = Flow(node("In"), node("L", "In"), node("R", "In"), node("J", "L", "R", args=args))
    flow.arrive()
    returned: dict[str, dict[str, Any]] = {"L": {"dst": "left"}, "R": {"dst": "right", "only": 1}}
    for name in order:
        flow.end(name, Succeeded(returned[name]))

    assert flow.args("J") == {"dst": "left", "only": 1}


def test_parent_error_asks_failed_parents_first() -> None:
    """A good first parent does not hide the error of the second."""
    args = {"text": Argument(OutputRef("", "error"))}
    flow = Flow(node("In"), node("L", "In"), node("R", "In"), node("J", "L", "R", run_on=ALWAYS, args=args))
    flow.arrive()
    flow.end("L", Succeeded({"error": "harmless"}))
    flow.fail("R", "the real one")

    assert flow.args("J") == {"text": "the real one"}


def test_parent_of_resolve_on_any_is_the_one_that_fired() -> None:
    """Also when another one listed earlier has the key."""
    args = {"dst": Argument(OutputRef("", "dst"))}
    flow = Flow(node("In"), node("L", "In"), node("R", "In"), node("J", "L", "R", resolve_on_any=True, args=args))
    flow.arrive()
    flow.end("R", Succeeded({"dst": "right"}))

    assert flow.args("J") == {"dst": "right"}


def test_outputs_beside_an_error_are_kept() -> None:
    """What a module returned with its failure can be used by error branches."""
    args = {"n": Argument(OutputRef("A", "n")), "why": Argument(OutputRef("A", "error"))}
    flow = Flow(node("In"), node("A", "In"), node("E", "A", run_on={"error"}, args=args))
    flow.arrive()
    flow.end("A", Failed("returned progress 50, expected 100", {"n": 3}))

    assert flow.args("E") == {"n": 3, "why": "returned progress 50, expected 100"}


def test_a_file_comes_from_the_machine_that_ran_the_referenced_node() -> None:
    """Literals and options come from the head's machine."""
    file = Preparation(StagingKind.FILE)
    args = {
        "made": Argument(OutputRef("A", "dst"), preparation=file),
        "given": Argument(OptionRef("o"), preparation=file),
    }
    flow = Flow(node("In"), node("A", "In"), node("B", "A", args=args), options={"o": "/x"})
    flow.arrive()
    flow.end("A", Succeeded({"dst": "/r"}), machine="m7")

    staging = flow.tasks[flow.open_task("B")].staging
    assert staging == (Staging("made", file, ("m7",)), Staging("given", file, ("head",)))


def test_a_relative_workdir_is_read_from_where_the_head_was_started() -> None:
    """Very often it is "." from an option's default."""
    flow = Flow(node("In"), node("A", "In", workdir=Argument(OptionRef("dir"))), options={"dir": "code"})
    object.__setattr__(flow.context, "directory", "/home/me")
    flow.arrive()

    assert flow.tasks["1/A/1"].workdir == "/home/me/code"


@pytest.mark.parametrize(("told", "workdir"), [(None, None), ("", None), ("/a/../b", "/b")])
def test_no_workdir_is_none(told: str | None, workdir: str | None) -> None:
    """Null and an empty text are none; what is one is written plainly."""
    flow = Flow(node("In"), node("A", "In", workdir=Argument(OptionRef("dir"))), options={"dir": told})
    flow.arrive()

    assert flow.tasks["1/A/1"].workdir == workdir


def test_a_workdir_that_is_no_text_fails_its_node() -> None:
    """The error says what it got."""
    flow = Flow(node("In"), node("A", "In", workdir=Argument(OptionRef("dir"))), options={"dir": 3})
    flow.arrive()

    assert flow.result() == "error"
    finish = next(command for command in flow.commands if isinstance(command, FinishPebble))
    assert "workdir: must be a path, got int" in finish.error


def test_the_keys_caller_and_order_of_an_arrival_are_ignored() -> None:
    """They belong to the protocol between input and head."""
    flow = Flow(node("In"), node("A", "In", args={"c": Argument(OutputRef("In", "caller"), True, "none")}))
    flow.arrive(values={"caller": "In", "_order": "x"})

    assert flow.args("A") == {"c": "none"}


def test_a_loop_and_the_declared_outputs_go_with_the_task() -> None:
    """The worker calls the module once for each item and must know what an empty list returns."""
    flow = Flow(
        node("In"), node("A", "In", args={"b": Argument(Literal([1, 2]))}, loop="b", outputs={"x": "", "y": ""})
    )
    flow.arrive()

    assert flow.tasks["1/A/1"].loop == "b"
    assert flow.tasks["1/A/1"].outputs == ("x", "y")
