"""Checkpoints of folded regions in the journal: kept with their event, taken by the next start, gone with their pebble.

Laws: a checkpoint spares time and nothing else: one that cannot be read, or that this engine does not know, is passed
over and the events are walked; a region that is walked in no time gets none.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from cryocloud_core.engine.checkpoints import FORMAT, Checkpoint, packed, unpacked, walked
from cryocloud_core.engine.commands import KeepCheckpoint
from cryocloud_core.errors import WireError
from cryocloud_core.head.batch import Batch
from cryocloud_core.head.ledger import Held

#: events a checkpoint must spare: fewer are walked in the time it takes to keep one
WORTH: Final = 100

_KEEP: Final = "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)"
_FORGET: Final = "DELETE FROM checkpoints WHERE pebble = ?"
_READ: Final = "SELECT body FROM checkpoints WHERE pebble = ? AND format = ? ORDER BY closes_at"
_NUMBERED: Final = "SELECT seq FROM events WHERE pebble = ? ORDER BY seq"
_ALL: Final = "SELECT start, context, body, started FROM events WHERE pebble = ? ORDER BY seq"
_SOME: Final = "SELECT start, context, body, started FROM events WHERE pebble = ? AND seq BETWEEN ? AND ? ORDER BY seq"
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode
#: items of a list that are encoded in one go: about a millisecond in which no other thread gets on
_GO: Final = 2_000

#: number within the pebble, then start, context, body and started tasks
Row = tuple[int, int, int, str, str | None]


def keep(batch: Batch, command: KeepCheckpoint, held: Held) -> None:
    """Add a checkpoint to the commit of its event, if it is worth it; the writer makes its text, to spare the loop."""
    checkpoint = command.checkpoint
    if checkpoint.spared >= WORTH:
        held.has_checkpoints = True
        batch.also(_KEEP, command.pebble, checkpoint.closes_at, FORMAT, partial(_text, checkpoint))


def forget(batch: Batch, held: Held) -> None:
    """Let a pebble that leaves take its checkpoints with it."""
    if held.has_checkpoints:
        held.has_checkpoints = False
        batch.also(_FORGET, held.pebble)


def _text(checkpoint: Checkpoint) -> str:
    return _encoded(packed(checkpoint))


def _encoded(value: Any) -> str:
    """Return JSON text, made in many small steps: a column may have a hundred thousand values."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_encode(key)}:{_encoded(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list) and len(value) > _GO:
        return "[" + ",".join(_encode(value[at : at + _GO])[1:-1] for at in range(0, len(value), _GO)) + "]"
    return _encode(value)


def pebbles_with(connection: sqlite3.Connection) -> set[int]:
    """Return the pebbles that have checkpoints."""
    return {row[0] for row in connection.execute("SELECT DISTINCT pebble FROM checkpoints")}


def read(connection: sqlite3.Connection, pebble: int) -> list[Checkpoint]:
    """Return the checkpoints of a pebble that can be taken."""
    found = []
    for (body,) in connection.execute(_READ, (pebble, FORMAT)):
        try:
            found.append(unpacked(json.loads(body)))
        except (ValueError, WireError):
            # Its region is walked.
            continue
    return found


def rows(connection: sqlite3.Connection, pebble: int, checkpoints: Sequence[Checkpoint]) -> Iterator[Row]:
    """Yield a pebble's events in order, without those that checkpoints stand for."""
    if not checkpoints:
        for number, row in enumerate(connection.execute(_ALL, (pebble,))):
            yield number, *row
        return
    seqs = [row[0] for row in connection.execute(_NUMBERED, (pebble,))]
    for numbers in walked(checkpoints, len(seqs)):
        found: Iterator[Any] = connection.execute(_SOME, (pebble, seqs[numbers.start], seqs[numbers.stop - 1]))
        yield from ((number, *row) for number, row in zip(numbers, found, strict=True))
