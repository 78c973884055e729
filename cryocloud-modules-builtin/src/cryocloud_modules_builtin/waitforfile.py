"""Module `waitforfile`: waits until files exist and are no longer written to."""

from __future__ import annotations

import math
import os
import threading
import time
from typing import Any

from cryocloud_core.sdk.processor import Worker, as_list
from cryocloud_modules_builtin.scanning import measure
from cryocloud_modules_builtin.watching import Entry

ccmodule = {
    "description": "Wait until files or directories exist and rest",
    "depends": [],
    "provides": [],
    "inputs": {
        "dir": "Where the names are; without it they must be absolute",
        "fileList": "Name, or list of names, relative to dir",
        "stabilize": "Seconds for which size and time must stay the same (default 1)",
        "timeout": "Give up after this many seconds (default: never)",
    },
    "outputs": {"fileList": "The whole paths, in the order of the names"},
    "defaults": {"priority": 0, "runOn": "success"},
    "status": {"progress": "How many of the files rest, 0 to 100", "missing": "How many do not exist yet"},
}

#: between two looks: a fraction of the quiet time, within limits that suit a disk and a person
LOOK_S = (0.05, 1.0)


def process_task(
    worker: Worker, task: dict[str, Any], cancel_event: threading.Event | None = None
) -> tuple[int, dict[str, Any]]:
    """Return when all files were seen unchanged for `stabilize` seconds; existing ones count too.

    Raises ValueError for wrong arguments, TimeoutError naming what is missing or still growing.
    """
    args = task["args"]
    paths = _paths(args)
    quiet_s = _seconds(args, "stabilize", 1.0)
    deadline = time.monotonic() + _seconds(args, "timeout", math.inf)
    since: dict[str, tuple[Entry | None, float]] = {}
    pause_s = min(max(quiet_s / 4, LOOK_S[0]), LOOK_S[1])
    cancelled = cancel_event or threading.Event()
    while True:
        waiting = _look(paths, since, quiet_s)
        progress = 100 * (len(paths) - len(waiting)) // len(paths)
        worker.progress(progress)
        worker.status["missing"] = sum(since[path][0] is None for path in waiting)
        if not waiting:
            return 100, {"fileList": paths}
        if time.monotonic() >= deadline:
            raise TimeoutError(f"waitforfile: after {args['timeout']} s {_complaint(waiting, since)}")
        if cancelled.wait(min(pause_s, max(0.0, deadline - time.monotonic()))):
            return min(progress, 99), {}


def _look(paths: list[str], since: dict[str, tuple[Entry | None, float]], quiet_s: float) -> list[str]:
    """Look at every path, note since when it is as it is, return those that do not rest yet."""
    now = time.monotonic()
    for path in paths:
        try:
            entry = measure(path)
        except (FileNotFoundError, NotADirectoryError):
            entry = None
        if path not in since or since[path][0] != entry:
            since[path] = entry, now
    return [path for path in paths if since[path][0] is None or since[path][1] + quiet_s > now]


def _complaint(waiting: list[str], since: dict[str, tuple[Entry | None, float]]) -> str:
    missing = [path for path in waiting if since[path][0] is None]
    growing = [path for path in waiting if since[path][0] is not None]
    parts = [f"{word}: {', '.join(map(repr, found))}" for word, found in (("missing", missing), ("growing", growing))]
    return "; ".join(part for part, found in zip(parts, (missing, growing), strict=True) if found)


def _paths(args: dict[str, Any]) -> list[str]:
    folder = args.get("dir") or ""
    paths = [os.path.join(folder, str(name)) for name in as_list(args.get("fileList")) if name]
    if not paths:
        raise ValueError("waitforfile: fileList is missing: nothing to wait for")
    for path in paths:
        if not os.path.isabs(path):
            raise ValueError(f"waitforfile: {path!r} is not absolute; give dir, or absolute names")
    return paths


def _seconds(args: dict[str, Any], name: str, default: float) -> float:
    try:
        seconds = default if args.get(name) is None else float(args[name])
    except (TypeError, ValueError):
        seconds = math.nan
    if not seconds >= 0:
        raise ValueError(f"waitforfile: {name} must be 0 or more seconds, got {args[name]!r}")
    return seconds
