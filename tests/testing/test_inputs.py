"""RecordingHandler: keys, commits, restarts and crashes mean what they mean in a run."""

from __future__ import annotations

import asyncio
import threading
import types
from typing import Any

import pytest

from cryocloud_core.errors import StateError
from cryocloud_core.testing.inputs import Arrival, RecordingHandler, running


def test_a_key_makes_one_pebble() -> None:
    """A second arrival under a key returns the first one's id and is dropped."""
    handler = RecordingHandler()

    first = handler.onAdd({"n": 1}, key="a")
    second = handler.onAdd({"n": 2}, key="a")
    third = handler.onAdd({"n": 3})
    fourth = handler.onAdd({"n": 3})

    assert (first, second, third, fourth) == (1, 1, 2, 3)
    assert handler.repeats == ["a"]
    assert [each.info for each in handler.arrivals] == [{"n": 1}, {"n": 3}, {"n": 3}]


def test_callers_private_keys_are_not_taken_over() -> None:
    """`caller` and `_order` never become outputs."""
    handler = RecordingHandler()

    handler.onAdd({"caller": 1, "_order": 2, "n": 3})

    assert handler.arrivals == [Arrival(1, {"n": 3})]


@pytest.mark.parametrize("info", [{"path": b"x"}, {"n": float("nan")}, {"s": {1, 2}}])
def test_what_is_no_json_data_is_refused(info: dict[str, Any]) -> None:
    """An arrival is stored, so it must be JSON data."""
    with pytest.raises((TypeError, ValueError), match="info must be JSON data"):
        RecordingHandler().onAdd(info)


def test_a_key_is_known_only_once_committed() -> None:
    """What is not on disk is not known, and a crash forgets it."""
    handler = RecordingHandler()
    handler.onAdd({}, key="before", memo={"size": 3})
    handler.hold()
    handler.onAdd({}, key="held")

    assert handler.known() == {"before": {"size": 3}}
    assert handler.restarted().onAdd({}, key="held") == 3
    assert handler.restarted().onAdd({}, key="before") == 1


def test_accepted_waits_for_the_commit() -> None:
    """`accepted` returns when the arrival is on disk, not earlier."""
    handler = RecordingHandler()
    handler.hold()
    pebble = handler.onAdd({}, key="a")
    returned = threading.Event()
    waiting = threading.Thread(target=lambda: (handler.accepted(pebble), returned.set()))
    waiting.start()

    assert not returned.wait(0.05)
    handler.release()
    assert returned.wait(5)
    waiting.join()
    assert handler.known() == {"a": None}


def test_a_commit_that_fails_is_told() -> None:
    """`accepted` raises when the arrival cannot be stored."""
    handler = RecordingHandler()
    handler.fail("the disk is full")

    with pytest.raises(StateError, match="the disk is full"):
        handler.accepted(handler.onAdd({}))


def test_add_is_both_at_once() -> None:
    """The async way makes the pebble and waits for its commit."""
    handler = RecordingHandler()

    assert asyncio.run(handler.add({"n": 1}, "k")) == 1
    assert handler.waited_for == [1]


def test_a_forgotten_key_arrives_again() -> None:
    """After `forget` the same key makes a new pebble."""
    handler = RecordingHandler()
    handler.onAdd({}, key="a")
    handler.forget(["a", "never heard of"])

    assert handler.known() == {}
    assert handler.onAdd({}, key="a") == 2


def test_what_an_input_raises_reaches_the_test() -> None:
    """An input runs in a thread; its error is raised where the test waits for it."""

    def start(handler: RecordingHandler, args: dict[str, Any], stop_event: threading.Event) -> None:
        raise ValueError(f"{args['__name__']}: no src")

    with pytest.raises(ValueError, match="In: no src"), running(types.SimpleNamespace(start=start), RecordingHandler()):
        pass


def test_stopping_an_input_tells_how_long_it_took() -> None:
    """`stop` sets the event and returns the seconds until `start` returned."""

    def start(handler: RecordingHandler, args: dict[str, Any], stop_event: threading.Event) -> None:
        handler.onAdd(args)
        stop_event.wait()

    with running(types.SimpleNamespace(start=start), RecordingHandler(), {"n": 1}) as started:
        assert started.handler.wait_for(1)[0].info == {"n": 1, "__name__": "In"}
        assert not started.has_returned
        assert started.stop() < 1


def test_waiting_for_arrivals_that_do_not_come_fails() -> None:
    """A missing arrival is an assertion, with what did arrive."""
    handler = RecordingHandler()
    handler.onAdd({"n": 1})

    with pytest.raises(AssertionError, match="1 of 2 arrivals"):
        handler.wait_for(2, timeout_s=0.01)
