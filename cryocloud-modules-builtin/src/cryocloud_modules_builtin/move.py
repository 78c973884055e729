"""Module `move`: moves files and directories, across disks too."""

from __future__ import annotations

import os
import threading
from typing import Any

from cryocloud_core.sdk.processor import Worker, as_list, flag
from cryocloud_modules_builtin.copying import move, refuse_clashes, target_of
from cryocloud_modules_builtin.onebyone import work_through

ccmodule = {
    "description": "Move files and directories",
    "depends": [],
    "provides": [],
    "inputs": {
        "src": "File or directory, or a list of them",
        "dst": "An existing directory, or a path that ends in /: moved into it; else the new name of the one src",
        "dontstop": "Go on with the others when one cannot be moved (default false)",
    },
    "outputs": {
        "moved": "Where they are now, in the order of src; null where there is none",
        "errors": "What could not be moved and why, with dontstop",
    },
    "defaults": {"priority": 10, "runOn": "always"},
    "status": {"progress": "How many of the files are moved, 0 to 100"},
}


def process_task(
    worker: Worker, task: dict[str, Any], cancel_event: threading.Event | None = None
) -> tuple[int, dict[str, Any]]:
    """Move; missing parents of dst are made. Raises OSError or ValueError naming source and target."""
    args = task["args"]
    sources, dst = as_list(args.get("src")), args.get("dst")
    if not sources:
        raise ValueError("move: src is missing: nothing to move")
    if not isinstance(dst, str) or not dst:
        raise ValueError(f"move: dst must be a path, got {dst!r}")
    if len(sources) > 1 and not (dst.endswith("/") or os.path.isdir(dst)):
        raise ValueError(f"move: {len(sources)} sources need a directory, and dst {dst!r} is none; end it with /")
    refuse_clashes(None if source is None else target_of(source, dst) for source in sources)

    def act(source: str) -> str:
        return _move_one(source, target_of(source, dst), was_tried=task.get("attempt", 1) > 1)

    goes_on = flag(args.get("dontstop"), name="dontstop")
    done = work_through(worker, sources, act, goes_on=goes_on, cancel_event=cancel_event)
    return done.progress, {"moved": done.results, "errors": done.errors}


def _move_one(source: str, target: str, *, was_tried: bool) -> str:
    """Move and return the target. An earlier attempt of this task may already have done it."""
    if not os.path.lexists(source):
        if was_tried and os.path.lexists(target):
            return target
        raise FileNotFoundError(f"move: {source!r} does not exist")
    os.makedirs(os.path.dirname(target.rstrip("/")) or ".", exist_ok=True)
    move(source, target)
    return target
