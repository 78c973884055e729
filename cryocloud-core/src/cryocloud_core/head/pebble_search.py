"""Pebbles as the journal lists them: what is in flight, what is done, what failed.

Laws: read-only; the oldest open pebble is never left out for a newer one.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from cryocloud_core.errors import StateError
from cryocloud_core.head.database import unusable
from cryocloud_core.head.journal import JOURNAL_FILE
from cryocloud_core.head.reading import open_journal
from cryocloud_core.head.repeating import repeated_by
from cryocloud_core.head.results import GIVEN_UP

_COLUMNS: Final = "pebble, workflow, input, run, state, result, error, arrived_at, finished_at"
#: `owing` pebbles are closed: their result is told, only a machine is still to be cleaned
_OPEN: Final = "state = 'open'"
_CLOSED: Final = "state <> 'open'"
_GIVEN_UP: Final = f"state <> 'open' AND result IN ({', '.join(map(repr, GIVEN_UP))})"
_FAILED: Final = f"state = 'quarantined' OR (state <> 'open' AND result <> 'success' AND NOT ({_GIVEN_UP}))"


@frozen
class PebbleRow:
    """One pebble. `state` is `open owing closed quarantined`; times are seconds UTC; `retry_of` 0 for none."""

    pebble: int
    workflow: str
    input: str
    state: str
    result: str
    error: str
    arrived_at: float
    finished_at: float | None = None
    retry_of: int = 0


@frozen
class Listed:
    """The pebbles that were asked for, by number, and how many there are in all."""

    rows: tuple[PebbleRow, ...]
    open: int
    done: int
    failed: int
    cancelled: int


def names_in(directory: Path) -> tuple[str, ...]:
    """Return the workflows that a state directory has pebbles of. Raises StateError."""
    with closing(open_journal(directory)) as connection:
        return tuple(row[0] for row in connection.execute("SELECT name FROM names ORDER BY name"))


def list_pebbles(directory: Path, *, which: str, workflow: str | None, most: int | None) -> Listed:
    """Return pebbles: `which` is `open`, `failed`, `all`, or empty for all open ones and the last others.

    At most `most`, the newest; of open ones the oldest. Raises StateError.
    """
    limit = -1 if most is None else most
    with closing(open_journal(directory)) as connection:
        try:
            found: list[PebbleRow] = []
            if which in ("", "open"):
                found = _select(connection, _OPEN, workflow, "ASC", limit)
            if which != "open":
                rest = {"failed": _FAILED, "all": "1", "": _CLOSED}[which]
                left = limit if limit < 0 else limit - len(found)
                found += _select(connection, rest, workflow, "DESC", left)
            counts = [_count(connection, condition, workflow) for condition in (_OPEN, _CLOSED, _FAILED, _GIVEN_UP)]
        except sqlite3.Error as error:
            raise unusable(directory / JOURNAL_FILE, error) from error
    return Listed(tuple(sorted(found, key=lambda row: row.pebble)), *counts)


def _select(
    connection: sqlite3.Connection, condition: str, workflow: str | None, order: str, limit: int
) -> list[PebbleRow]:
    # Condition and order are texts of this file.
    query = (
        f"SELECT {_COLUMNS} FROM pebbles WHERE ({condition}) AND (? IS NULL OR workflow = ?) "  # noqa: S608
        f"ORDER BY pebble {order} LIMIT ?"
    )
    return [_row(connection, row) for row in connection.execute(query, (workflow, workflow, limit)).fetchall()]


def _row(connection: sqlite3.Connection, found: tuple[Any, ...]) -> PebbleRow:
    pebble, workflow, source, run, state, result, error, *times = found
    again = repeated_by(connection, (pebble, workflow, source, run))
    return PebbleRow(pebble, workflow, source, state, result, error, times[0], times[1], again)


def _count(connection: sqlite3.Connection, condition: str, workflow: str | None) -> int:
    query = f"SELECT count(*) FROM pebbles WHERE ({condition}) AND (? IS NULL OR workflow = ?)"  # noqa: S608
    return int(connection.execute(query, (workflow, workflow)).fetchone()[0])


def state_of(directory: Path, pebble: int) -> str:
    """Return the state of a pebble in the journal, empty for one that is not there. Raises StateError."""
    with closing(open_journal(directory)) as connection:
        row = connection.execute("SELECT state FROM pebbles WHERE pebble = ?", (pebble,)).fetchone()
    if row is None:
        return ""
    if not isinstance(row[0], str):
        raise StateError(f"the journal is damaged at pebble {pebble}")
    return row[0]
