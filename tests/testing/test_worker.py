"""LocalWorker: a module under test meets what it meets in a run."""

from __future__ import annotations

import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.testing.worker import LocalWorker


def _module(process_task: Callable[..., Any]) -> Any:
    return types.SimpleNamespace(process_task=process_task, __name__="wind")


def test_log_status_and_progress_stay_readable() -> None:
    """What a module tells is kept, in order."""

    def process_task(worker: Any, task: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        worker.log.info("reading %s", task["args"]["src"])
        worker.progress(40)
        worker.status["files"].inc()
        worker.status["files"].inc(2)
        worker.status["files"].dec()
        worker.status.new("state", "done").set_value("gone")
        return 100, {"n": 1}

    with LocalWorker() as worker:
        assert worker.run(_module(process_task), {"src": "a"}) == {"n": 1}
        assert worker.records.texts("INFO") == ["reading a"]
        assert worker.status.history("progress") == [40]
        assert worker.status.history("files") == [1, 3, 2]
        assert worker.status.history("state") == ["done", "gone"]


def test_scratch_is_private_and_removed() -> None:
    """The scratch directory exists on first use and is gone after the block."""
    with LocalWorker() as worker:
        scratch = worker.scratch
        (scratch / "file").write_text("x")
        assert worker.scratch == scratch

    assert not scratch.exists()


def test_configuration_has_the_documented_defaults() -> None:
    """`cfg` answers None for what nobody set."""
    worker = LocalWorker({"tempdir": "/data/tmp", "retries": 3})

    assert [worker.cfg[name] for name in ("tempdir", "datadir", "retries", "nothing")] == ["/data/tmp", "/", 3, None]


def test_arguments_are_copied_and_asked_for_by_name() -> None:
    """A module may change its task; a missing argument is named."""
    given = {"a": [1], "none": None}

    def process_task(worker: Any, task: dict[str, Any]) -> dict[str, Any]:
        task["args"]["a"].append(2)
        return {"none": worker.get_arg(task, "none", 5), "b": worker.get_arg(task, "b", 7)}

    assert LocalWorker().run(_module(process_task), given) == {"none": None, "b": 7}
    assert given == {"a": [1], "none": None}
    with pytest.raises(KeyError, match="argument 'c' is missing"):
        LocalWorker().get_arg({"args": {}}, "c")


@pytest.mark.parametrize("returned", [None, (50, {}), (100,), (100, "text"), (True, {}), ("100", {}), 100])
def test_what_a_run_would_not_accept_is_refused(returned: object) -> None:
    """A forgotten return, another progress or no map of outputs fails the test."""
    with pytest.raises(AssertionError, match="process_task"):
        LocalWorker().run(_module(lambda worker, task: returned), {})


@pytest.mark.parametrize(
    ("returned", "outputs"),
    [((100, None), {}), ({"a": Path("/x"), "b": (1,)}, {"a": "/x", "b": [1]}), ([100.0, {}], {})],
)
def test_every_accepted_form_gives_a_map(returned: object, outputs: dict[str, Any]) -> None:
    """`(100, map)`, `(100, None)` and a bare map are results, as the nodes below get them."""
    assert LocalWorker().run(_module(lambda worker, task: returned), {}) == outputs


def test_the_cancel_event_is_passed_by_position() -> None:
    """A module sees the test's own event."""
    event = threading.Event()
    event.set()

    assert LocalWorker().run(_module(lambda w, t, stop: {"set": stop.is_set()}), {}, cancel_event=event) == {
        "set": True
    }
