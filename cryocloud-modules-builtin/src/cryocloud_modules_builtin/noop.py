"""Module `noop`: does nothing for a while; for trying out workflows."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from cryocloud_core.sdk.processor import Worker, flag

ccmodule = {
    "description": "Do nothing but wait",
    "depends": [],
    "provides": [],
    "inputs": {
        "time": "Seconds to wait (default 0)",
        "randomize": "Wait a random share of the time instead of all of it (default false)",
        "ignored": "Anything; returned as it came",
    },
    "outputs": {"ignored": "What was given as ignored"},
    "defaults": {"priority": 10, "runOn": "always"},
    "status": {"progress": "How much of the time is over, 0 to 100"},
}

#: how often progress is told: often enough for a live view, rare enough to cost nothing
TELL_EVERY_S = 0.5


def process_task(
    worker: Worker, task: dict[str, Any], cancel_event: threading.Event | None = None
) -> tuple[int, dict[str, Any]]:
    """Wait `time` seconds; return early, with less than 100, when cancelled. Raises ValueError for a bad time."""
    args = task["args"]
    wait_s = _seconds(args.get("time"))
    if flag(args.get("randomize"), name="randomize"):
        wait_s *= random.random()  # noqa: S311 - not a secret
    progress = _wait(worker, wait_s, cancel_event or threading.Event())
    return progress, {"ignored": args.get("ignored")}


def _wait(worker: Worker, wait_s: float, cancelled: threading.Event) -> int:
    begin = time.monotonic()
    while (left := begin + wait_s - time.monotonic()) > 0:
        if cancelled.wait(min(left, TELL_EVERY_S)):
            return int(100 * (1 - left / wait_s))
        worker.progress(min(100.0, 100 * (time.monotonic() - begin) / wait_s))
    return 100


def _seconds(value: Any) -> float:
    try:
        seconds = float(value or 0)
    except (TypeError, ValueError):
        raise ValueError(f"noop: time must be a number of seconds, got {value!r}") from None
    if not 0 <= seconds < threading.TIMEOUT_MAX:
        raise ValueError(f"noop: time must be 0 or more seconds, got {value!r}")
    return seconds
