"""noop waits as long as it is told and stops when it is told; cmdline makes one pebble."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from cryocloud_core.testing.inputs import RecordingHandler, RunningInput
from cryocloud_core.testing.worker import LocalWorker, task_of
from cryocloud_modules_builtin import cmdline, noop


def test_noop_waits_the_time_in_all_and_tells_progress() -> None:
    """One second is one second, told twice or so, and what was ignored comes back."""
    with LocalWorker() as worker:
        began = time.monotonic()
        outputs = worker.run(noop, {"time": "1.0", "ignored": {"a": [1]}})
        took = time.monotonic() - began

    assert 1.0 <= took < 1.9
    assert outputs == {"ignored": {"a": [1]}}
    told = worker.status.history("progress")
    assert told == sorted(told)
    assert 1 <= len(told) <= 4
    assert told[-1] == 100


def test_noop_without_a_time_is_over_at_once() -> None:
    """The default is not to wait."""
    with LocalWorker() as worker:
        began = time.monotonic()
        worker.run(noop, {"time": None})

    assert time.monotonic() - began < 0.5


def test_noop_waits_a_random_share() -> None:
    """With randomize it is somewhere between nothing and all of it."""
    with LocalWorker() as worker:
        began = time.monotonic()
        for _ in range(5):
            worker.run(noop, {"time": 0.1, "randomize": "true"})

    assert time.monotonic() - began < 0.5


def test_noop_ends_early_when_cancelled() -> None:
    """A minute's wait is over a moment after the cancel event is set, unfinished."""
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    began = time.monotonic()
    progress, _ = noop.process_task(LocalWorker(), task_of(noop, {"time": 60}), cancel)

    assert time.monotonic() - began < 5
    assert progress < 100


@pytest.mark.parametrize("time_s", ["soon", -1, float(10**18), [1]])
def test_noop_refuses_what_is_no_time(time_s: Any) -> None:
    """The error names the argument and what it got."""
    with pytest.raises(ValueError, match="noop: time must be"):
        LocalWorker().run(noop, {"time": time_s})


def test_cmdline_makes_one_pebble_and_waits_for_its_commit() -> None:
    """One arrival without values; `start` returns when it is on disk."""
    handler = RecordingHandler()
    handler.hold()
    started = RunningInput(cmdline, handler, {})
    handler.wait_for(1)

    assert not started.has_returned
    handler.release()
    started.join()
    assert [arrival.info for arrival in handler.arrivals] == [{}]
    assert handler.waited_for == [1]
