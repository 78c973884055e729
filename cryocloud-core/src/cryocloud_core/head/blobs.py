"""Big values: kept once beside the events, named in them by their SHA-256, read only when a task needs them.

Laws: a value over `LIMIT_BYTES` becomes `{"$blob": sha256, "size": bytes}` before the engine sees it, so
that a replay sees the same; a value that has such a map in it is always kept as a blob, so that nobody's
data is taken for a reference; what conditions read stays in the event.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import OrderedDict
from collections.abc import Container
from typing import Any

from attrs import evolve

from cryocloud_core.engine.events import Event, Met, PebbleArrived, TaskEnded
from cryocloud_core.errors import ResolutionError
from cryocloud_core.head.batch import Batch
from cryocloud_core.task import Failed, Succeeded, Task

LIMIT_BYTES = 64 * 1024
#: resolved arguments of one task
TASK_LIMIT_BYTES = 64 * 1024 * 1024
_CACHE_BYTES = 32 * 1024 * 1024
_MARK = '"$blob"'
_KEYS = {"$blob", "size"}


def may_hold_blobs(body: str) -> bool:
    """Return True when an event of this text must be looked through."""
    return len(body) > LIMIT_BYTES or _MARK in body


def take_out(event: Event, keep: Container[str], batch: Batch) -> Event:
    """Return the event with its big values replaced by references; the values are added to the batch."""

    def outputs(values: dict[str, Any]) -> dict[str, Any]:
        return {key: value if key in keep else _taken(event.pebble, value, batch) for key, value in values.items()}

    match event:
        case PebbleArrived():
            return evolve(event, values=outputs(event.values))
        case TaskEnded(outcome=(Succeeded() | Failed()) as outcome):
            return evolve(event, outcome=evolve(outcome, outputs=outputs(outcome.outputs)))
        case Met(values=lent):
            for value in (value for each in lent.values() for value in each.outputs.values()):
                _used(event.pebble, value, batch)
    return event


def _taken(pebble: int, value: Any, batch: Batch) -> Any:
    """Return a value, or the reference that stands for it."""
    body = json.dumps(value, separators=(",", ":"))
    if len(body) <= LIMIT_BYTES and _MARK not in body:
        return value
    sha256 = hashlib.sha256(body.encode()).hexdigest()
    batch.also("INSERT OR IGNORE INTO blobs VALUES (?, ?)", sha256, body)
    batch.also("INSERT OR IGNORE INTO blob_uses VALUES (?, ?)", pebble, sha256)
    return {"$blob": sha256, "size": len(body)}


def _used(pebble: int, value: Any, batch: Batch) -> None:
    """Note that a pebble refers to blobs that another one brought; after a merge they are in lists."""
    if isinstance(value, list):
        for part in value:
            _used(pebble, part, batch)
    elif _is_reference(value):
        batch.also("INSERT OR IGNORE INTO blob_uses VALUES (?, ?)", pebble, value["$blob"])


class Blobs:
    """Reads committed blobs; keeps the last few decoded."""

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._reader = reader
        self._cache: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._cached_bytes = 0

    def put_back(self, task: Task) -> Task:
        """Return the task with the values its arguments refer to. Raises ResolutionError when they are too big."""
        if not any(map(_has_reference, task.args.values())):
            return task
        size = sum(map(_size, task.args.values()))
        if size > TASK_LIMIT_BYTES:
            raise ResolutionError(
                f"the arguments are too large ({size / 1e6:.0f} MB, at most 64 MiB)",
                subject=f"node {task.node!r}",
                remedy="write a file and hand on its path",
            )
        return evolve(task, args={name: self.whole(value) for name, value in task.args.items()})

    def whole(self, value: Any) -> Any:
        """Return a value with what its references stand for."""
        if isinstance(value, list):
            return [self.whole(part) for part in value] if _has_reference(value) else value
        return self._read(value["$blob"], value) if _is_reference(value) else value

    def _read(self, sha256: str, reference: Any) -> Any:
        """Return the value of a blob; a map that only looks like a reference is a literal and stays."""
        cached = self._cache.get(sha256)
        if cached is not None:
            self._cache.move_to_end(sha256)
            return cached[0]
        row = self._reader.execute("SELECT body FROM blobs WHERE sha256 = ?", (sha256,)).fetchone()
        if row is None:
            return reference
        value, size = json.loads(row[0]), len(row[0])
        self._cache[sha256] = (value, size)
        self._cached_bytes += size
        while self._cached_bytes > _CACHE_BYTES and len(self._cache) > 1:
            self._cached_bytes -= self._cache.popitem(last=False)[1][1]
        return value


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == _KEYS
        and isinstance(value["$blob"], str)
        and isinstance(value["size"], int)
    )


def _has_reference(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_has_reference, value))
    return _is_reference(value)


def _size(value: Any) -> int:
    """Return the bytes that the references in a value stand for."""
    if isinstance(value, list):
        return sum(map(_size, value))
    return int(value["size"]) if _is_reference(value) else 0
