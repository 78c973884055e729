"""The conformance kit of inputs: subclass it, say how things arrive, inherit the tests.

Laws: each test checks one promise of the contract; starts, stops, restarts and crashes are those of a head, only
faster; a promise that does not apply is switched off by a class attribute with a name.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Protocol

import pytest

from cryocloud_core.errors import StateError
from cryocloud_core.graph.spec import PERMANENT
from cryocloud_core.modules.read import read_source
from cryocloud_core.testing.inputs import Arrival, RecordingHandler, RunningInput, running
from cryocloud_core.testing.processors import SLACK_S, spec_in
from cryocloud_core.testing.surroundings import Surroundings

#: An input looks at its stop event at least once a second.
STOP_S = 1.0
PATIENCE_S = 20.0


class Feed(Protocol):
    """How a test makes things arrive at an input. `args` are the input's arguments."""

    args: dict[str, Any]

    def arrive(self, name: str) -> None:
        """Let one thing arrive, complete; equal names are the same thing."""
        ...

    def vanish(self, name: str) -> None:
        """Take the thing away again, so that it can only arrive as a new one."""
        ...


class InputConformance:
    """What every input keeps. Give `module` and `feed`, and where they exist `bad_args`.

    ::

        class TestWatcher(InputConformance):
            @pytest.fixture
            def module(self):
                return watcher

            @pytest.fixture
            def feed(self, tmp_path):
                return FilesIn(tmp_path)
    """

    #: wrong arguments, each with the name that the error must tell
    bad_args: ClassVar[tuple[tuple[dict[str, Any], str], ...]] = ()
    #: what arrives is the same thing after a restart; False for inputs whose every arrival is a new one
    has_keys: ClassVar[bool] = True
    #: things can go away (files do, HTTP posts do not)
    things_vanish: ClassVar[bool] = True
    #: how long nothing more must be reported before a test believes it
    settle_s: ClassVar[float] = 0.5
    is_read_from_source: ClassVar[bool] = True
    has_undeclared_outputs: ClassVar[bool] = False

    @pytest.fixture
    def module(self) -> ModuleType:
        """Return the module under test."""
        raise NotImplementedError("give a fixture `module` that returns the module under test")

    @pytest.fixture
    def feed(self, tmp_path: Path) -> Feed:
        """Return how things arrive, made anew for each test."""
        raise NotImplementedError("give a fixture `feed` that returns a Feed")

    def test_its_definition_is_read_without_importing_it(self, module: ModuleType) -> None:
        """A head lists and checks the module from its source alone, and sees that it is an input."""
        spec = spec_in(module)
        assert spec.input_type, "declare `input_type`: permanent or singlerun"
        assert spec.description, "write a description"
        if self.is_read_from_source:
            path = str(module.__file__)
            read = read_source(Path(path).read_bytes(), path)
            assert read.has_start, "define `start` at the top level"
            assert read.definition == module.ccmodule, "the source must show what the running module declares"

    def test_it_can_be_called_as_the_head_calls_it(self, module: ModuleType) -> None:
        """`start(handler, args, stop_event)`, by position."""
        inspect.signature(module.start).bind(object(), {}, object())

    def test_arrivals_carry_declared_outputs(self, module: ModuleType, feed: Feed) -> None:
        """Each pebble's values are JSON data under declared names."""
        arrival = _first_arrival(module, feed)
        undeclared = set(arrival.info) - set(spec_in(module).outputs or {})
        assert self.has_undeclared_outputs or not undeclared, f"declare in `outputs`: {sorted(undeclared)}"

    def test_it_waits_until_arrivals_are_on_disk(self, module: ModuleType, feed: Feed) -> None:
        """`accepted` (or the async `add`) is called for each pebble; before that it may be lost."""
        handler = RecordingHandler()
        feed.arrive("a")
        with running(module, handler, feed.args):
            handler.wait_for(1, PATIENCE_S)
            _wait_until(lambda: handler.waited_for == [1], "call handler.accepted(pebble) for each arrival")

    def test_it_stops_within_a_second(self, module: ModuleType, feed: Feed) -> None:
        """`start` returns soon after `stop_event` is set, also with arrivals under way."""
        handler = RecordingHandler()
        feed.arrive("a")
        started = RunningInput(module, handler, feed.args)
        handler.wait_for(1, PATIENCE_S)
        feed.arrive("b")
        assert started.stop(PATIENCE_S) < STOP_S + SLACK_S, "look at stop_event at least once a second"

    def test_one_thing_arrives_once(self, module: ModuleType, feed: Feed) -> None:
        """Nothing is reported twice while it stays what it was."""
        handler = RecordingHandler()
        feed.arrive("a")
        with running(module, handler, feed.args):
            handler.wait_for(1, PATIENCE_S)
            time.sleep(self.settle_s)
        assert len(handler.arrivals) == 1, f"one thing arrived, reported were {handler.arrivals}"

    def test_a_restart_reports_only_what_is_new(self, module: ModuleType, feed: Feed) -> None:
        """What was accepted before has the same key again, or is not reported again."""
        self._needs_keys()
        handler = _ran_until_first(module, feed)
        again = handler.restarted()
        feed.arrive("b")
        with running(module, again, feed.args):
            [new] = again.wait_for(1, PATIENCE_S)
            time.sleep(self.settle_s)
        assert len(again.arrivals) == 1, "the key of a thing must be the same after a restart"
        assert new.info != handler.arrivals[0].info, "what was accepted before the restart was reported as new"

    def test_what_a_crash_lost_is_reported_again(self, module: ModuleType, feed: Feed) -> None:
        """An arrival that never reached the disk comes again with the next start."""
        self._needs_keys()
        handler = RecordingHandler()
        handler.hold()
        feed.arrive("a")
        started = RunningInput(module, handler, feed.args)
        handler.wait_for(1, PATIENCE_S)
        handler.fail("the head was killed")
        _end_after_failure(started)
        again = handler.restarted()
        with running(module, again, feed.args):
            again.wait_for(1, PATIENCE_S)
        assert again.arrivals[0].info == handler.arrivals[0].info, f"it was {handler.arrivals}, now {again.arrivals}"

    def test_with_once_it_reports_what_is_there_and_ends(self, module: ModuleType, feed: Feed) -> None:
        """`--once`: `start` returns by itself, after everything that is there was accepted."""
        handler = RecordingHandler(once=True)
        feed.arrive("a")
        RunningInput(module, handler, feed.args).join(PATIENCE_S)
        made = [arrival.pebble for arrival in handler.arrivals]
        assert made == handler.waited_for == [1], f"made {made}, waited for the commit of {handler.waited_for}"

    def test_an_input_that_ends_by_itself_says_so(self, module: ModuleType, feed: Feed) -> None:
        """`singlerun`: `start` returns once everything is reported; `permanent`: it goes on until it is stopped."""
        handler = RecordingHandler()
        feed.arrive("a")
        started = RunningInput(module, handler, feed.args)
        if spec_in(module).input_type != PERMANENT:
            started.join(PATIENCE_S)
        else:
            handler.wait_for(1, PATIENCE_S)
            time.sleep(self.settle_s)
            assert not started.has_returned, "declare input_type `singlerun`, or go on until stop_event is set"
        started.stop(PATIENCE_S)

    def test_keys_of_what_is_gone_are_forgotten(self, module: ModuleType, feed: Feed) -> None:
        """A key that can never arrive again is dropped, so that memory does not grow; the same name is then new."""
        self._needs_keys()
        if not self.things_vanish:
            pytest.skip("things_vanish is False")
        handler = RecordingHandler()
        feed.arrive("a")
        with running(module, handler, feed.args):
            handler.wait_for(1, PATIENCE_S)
            feed.vanish("a")
            _wait_until(lambda: not handler.known(), "call handler.forget for keys of what is gone")
            feed.arrive("a")
            handler.wait_for(2, PATIENCE_S)

    def test_it_leaves_the_process_as_it_was(self, module: ModuleType, feed: Feed) -> None:
        """Directory, environment, umask, signal handlers and sys.path; no child or thread goes on after a stop."""
        before = Surroundings.now()
        _first_arrival(module, feed)
        left = before.left_changed()
        assert not left, "; ".join(left)

    def test_wrong_arguments_are_named(self, module: ModuleType) -> None:
        """The error that `start` raises says which argument is wrong."""
        for args, name in self.bad_args:
            started = RunningInput(module, RecordingHandler(), args)
            with pytest.raises(Exception, match=name):
                started.join(PATIENCE_S)

    def _needs_keys(self) -> None:
        if not self.has_keys:
            pytest.skip("has_keys is False: every arrival is a new one")


def _first_arrival(module: ModuleType, feed: Feed) -> Arrival:
    return _ran_until_first(module, feed).arrivals[0]


def _ran_until_first(module: ModuleType, feed: Feed) -> RecordingHandler:
    """Run the input until one thing has arrived and is accepted, then stop it."""
    handler = RecordingHandler()
    feed.arrive("a")
    with running(module, handler, feed.args):
        handler.wait_for(1, PATIENCE_S)
        _wait_until(lambda: bool(handler.waited_for), "call handler.accepted(pebble) for each arrival")
    return handler


def _end_after_failure(started: RunningInput) -> None:
    """Wait for an input whose commit failed: it may pass the error on or be stopped."""
    started.stop_event.set()
    try:
        started.join(PATIENCE_S)
    except StateError as error:
        started.handler.log.info("the input passed on: %s", error)


def _wait_until(holds: Callable[[], bool], remedy: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, remedy
        time.sleep(0.01)
