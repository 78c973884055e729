"""Module `archive`: keeps copies in a directory, and that directory within a size and an age."""

from __future__ import annotations

import math
import os
import threading
import time
from typing import Any

from attrs import frozen

from cryocloud_core.sdk.processor import Worker, as_list, flag
from cryocloud_modules_builtin.copying import copy, refuse_clashes, remove_tree, target_of
from cryocloud_modules_builtin.onebyone import work_through
from cryocloud_modules_builtin.refusals import refuse_precious
from cryocloud_modules_builtin.scanning import measure

ccmodule = {
    "description": "Copy into an archive directory and delete what is too old or too much there, oldest first",
    "depends": [],
    "provides": [],
    "inputs": {
        "src": "File or directory, or a list of them; without it only the limits are kept",
        "dst": "The archive directory; made when it is missing. Files whose names begin with a dot are never deleted",
        "dontstop": "Go on with the others when one cannot be copied or deleted (default false)",
        "maxsize": "Most that the archive may hold, in MB (10^6 bytes); default: no limit",
        "maxage": "How long an entry is kept after it was archived, in seconds; default: no limit",
    },
    "outputs": {
        "deleted": "What was deleted from the archive, oldest first",
        "errors": "What could not be copied or deleted and why, with dontstop",
    },
    "defaults": {"priority": 10, "runOn": "success", "type": "admin"},
    "status": {"progress": "How much is done, 0 to 100"},
}


@frozen
class Kept:
    """An entry of the archive: its size in bytes, and when it was archived, seconds UTC."""

    path: str
    size: int
    at: float


def process_task(
    worker: Worker, task: dict[str, Any], cancel_event: threading.Event | None = None
) -> tuple[int, dict[str, Any]]:
    """Copy `src` into `dst`, then delete. What this task archived is never deleted by it.

    Raises ValueError for wrong arguments and refusals, OSError for what cannot be copied or deleted.
    """
    args = task["args"]
    dst, sources = args.get("dst"), as_list(args.get("src"))
    max_bytes, max_age_s = 1e6 * _limit(args, "maxsize"), _limit(args, "maxage")
    if not dst or not isinstance(dst, str):
        raise ValueError(f"archive: dst must be a directory, got {dst!r}")
    refuse_precious(dst, "archive")
    goes_on = flag(args.get("dontstop"), name="dontstop")
    refuse_clashes(None if source is None else target_of(source, dst + "/") for source in sources)
    os.makedirs(dst, exist_ok=True)
    added = work_through(worker, sources, lambda each: _add(each, dst), goes_on=goes_on, cancel_event=cancel_event)
    fresh = frozenset(path for path in added.results if path is not None)
    doomed = excess(_entries(dst), fresh, max_bytes, time.time() - max_age_s)
    gone = work_through(worker, doomed, _delete, goes_on=goes_on, cancel_event=cancel_event)
    deleted = [path for path in gone.results if path is not None]
    return min(added.progress, gone.progress), {"deleted": deleted, "errors": added.errors + gone.errors}


def excess(entries: list[Kept], fresh: frozenset[str], max_bytes: float, oldest_at: float) -> list[str]:
    """Return what must go, oldest first: all from before `oldest_at`, then what is too much. Never `fresh` ones."""
    doomed, total = [], sum(entry.size for entry in entries)
    for entry in sorted(entries, key=lambda each: (each.at, each.path)):
        if entry.path not in fresh and (entry.at < oldest_at or total > max_bytes):
            doomed.append(entry.path)
            total -= entry.size
    return doomed


def _add(source: str, dst: str) -> str:
    if not os.path.exists(source):
        raise FileNotFoundError(f"archive: {source!r} does not exist")
    target = target_of(source, dst.rstrip("/") + "/")
    copy(source, target)
    os.utime(target)  # age counts from now, not from when the data was made
    return target


def _entries(dst: str) -> list[Kept]:
    paths = [os.path.join(dst.rstrip("/") + "/", name) for name in os.listdir(dst) if not name.startswith(".")]
    return [Kept(path, _size(path), os.lstat(path).st_mtime) for path in paths]


def _size(path: str) -> int:
    return os.lstat(path).st_size if os.path.islink(path) else measure(path).size


def _delete(path: str) -> str:
    remove_tree(path)
    return path


def _limit(args: dict[str, Any], name: str) -> float:
    try:
        limit = math.inf if args.get(name) is None else float(args[name])
    except (TypeError, ValueError):
        limit = math.nan
    if not limit >= 0:
        raise ValueError(f"archive: {name} must be 0 or more, got {args[name]!r}")
    return limit
