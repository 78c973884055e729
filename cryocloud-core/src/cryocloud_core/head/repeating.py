"""What a pebble arrived with, read from the journal whole, so that another one can arrive with the same.

Laws: read-only; big values are put back, for the new pebble keeps its own; a pebble that was forgotten cannot be
repeated.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from cryocloud_core.engine.events import Event, PebbleArrived
from cryocloud_core.errors import PebbleNotFound, StateError
from cryocloud_core.head.batch import Arrival
from cryocloud_core.head.blobs import Blobs
from cryocloud_core.head.database import unusable
from cryocloud_core.head.reading import open_journal
from cryocloud_core.wire import from_data

#: how the keys of repeated arrivals begin: `retry/42/1`, counted like keys the head gives
RETRY_PREFIX: Final = "retry/"
_FIND: Final = """
    SELECT p.workflow, p.run, e.body FROM pebbles AS p JOIN events AS e ON e.pebble = p.pebble
    WHERE p.pebble = ? ORDER BY e.seq LIMIT 1
"""


def arrival_of(directory: Path, pebble: int) -> Arrival:
    """Return a pebble as it arrived. Raises PebbleNotFound, StateError."""
    with closing(open_journal(directory)) as connection:
        try:
            row = connection.execute(_FIND, (pebble,)).fetchone()
            if row is None:
                raise PebbleNotFound(not_here(connection), subject=f"pebble {pebble}")
            workflow, run, body = row
            event: Event = from_data(json.loads(body), Event)  # type: ignore[arg-type]
            if not isinstance(event, PebbleArrived):
                raise StateError(f"the journal has no arrival of pebble {pebble}: it is damaged")
            values = _whole(Blobs(connection), event.values)
        except sqlite3.Error as error:
            raise unusable(directory, error) from error
    return Arrival(pebble, workflow, event.input, run, event.key, values=values)


def _whole(blobs: Blobs, values: dict[str, Any]) -> dict[str, Any]:
    return {key: blobs.whole(value) for key, value in values.items()}


def not_here(connection: sqlite3.Connection) -> str:
    """Return why a pebble cannot be found."""
    first, last = connection.execute("SELECT min(pebble), max(pebble) FROM pebbles").fetchone()
    if last is None:
        return "no pebble has arrived yet"
    return f"is not in the journal, which has pebbles {first} to {last}; finished ones are forgotten in time"


def repeated_by(connection: sqlite3.Connection, arrival: tuple[int, str, str, int]) -> int:
    """Return the pebble that an arrival (pebble, workflow, input, run) repeats, 0 for none."""
    pebble, *where = arrival
    query = (
        "SELECT key FROM arrivals WHERE workflow = ? AND input = ? AND run = ? AND key >= ? AND key < ? AND pebble = ?"
    )
    row = connection.execute(query, (*where, RETRY_PREFIX, f"{RETRY_PREFIX[:-1]}0", pebble)).fetchone()
    return 0 if row is None else int(row[0].split("/")[1])
