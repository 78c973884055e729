"""Status values on disk: `status.db` in the state directory, the present and the past of every parameter.

Laws: writing never holds the run up: what does not fit is counted; the past is in two files at most, the
present is carried into each new one; others ask for a value by leaving an order, which the head takes up.
"""

from __future__ import annotations

import contextlib
import json
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from cryocloud_core.errors import StateError
from cryocloud_core.head.batch import readable
from cryocloud_core.head.board import StatusValue
from cryocloud_core.head.database import open_reader
from cryocloud_core.head.rotating import Rotating, old_name

STATUS_FILE: Final = "status.db"
OLD_STATUS_FILE: Final = old_name(STATUS_FILE)
#: size at which a file is put aside; two files are kept
ROTATE_BYTES: Final = 64 * 1024 * 1024
#: groups of changes that may wait
QUEUE: Final = 1_000
#: seconds between two looks for orders
ORDERS_S: Final = 0.5

TABLES: Final = """
CREATE TABLE IF NOT EXISTS status (
    id INTEGER PRIMARY KEY, channel TEXT NOT NULL, parameter TEXT NOT NULL, at REAL NOT NULL, value TEXT NOT NULL,
    expires REAL, UNIQUE (channel, parameter)
);
CREATE TABLE IF NOT EXISTS history (id INTEGER PRIMARY KEY, status INTEGER, at REAL, value TEXT);
CREATE INDEX IF NOT EXISTS history_of_status ON history (status);
CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, channel TEXT, parameter TEXT, at REAL, value TEXT);
"""
_SET = """
INSERT INTO status (channel, parameter, at, value, expires) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (channel, parameter) DO UPDATE SET at = excluded.at, value = excluded.value, expires = excluded.expires
RETURNING id
"""
_PAST = """
INSERT INTO history (status, at, value) SELECT ?1, ?2, ?3 WHERE ?2 IS NOT
    (SELECT at FROM history WHERE status = ?1 ORDER BY id DESC LIMIT 1)
"""


def write_values(connection: sqlite3.Connection, values: Iterable[StatusValue], *, past: bool = True) -> None:
    """Set values in an open transaction and add them to the past. Raises sqlite3.Error."""
    for each in values:
        row = (*columns(each), each.expires_at)
        [(number,)] = connection.execute(_SET, row).fetchall()
        if past:
            # A value that only lives longer is no news.
            connection.execute(_PAST, (number, row[2], row[3]))


def columns(each: StatusValue) -> tuple[str, str, float, str]:
    """Return a value as it is stored: its channel, parameter, time and JSON."""
    return readable(each.channel), readable(each.parameter), each.at, json.dumps(each.value)


class StatusStore:
    """The one writer of a state directory's status values."""

    def __init__(self, directory: Path, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._file = Rotating(directory / STATUS_FILE, TABLES, rotate_bytes)
        self._queue: queue.Queue[list[StatusValue] | None] = queue.Queue(QUEUE)
        #: values that could not be written, for the next try
        self._owed: list[StatusValue] = []
        self._thread = threading.Thread(target=self._write_forever, name="status", daemon=True)
        #: told, on this store's thread, what others asked for
        self.on_orders: Callable[[list[StatusValue]], None] = lambda _values: None
        #: values that were left out
        self.lost = 0

    def load(self) -> list[StatusValue]:
        """Return what is stored now; to be called before `start`."""
        return _values(self._file.connection)

    def start(self) -> None:
        """Start writing, and looking for orders."""
        self._thread.start()

    def put(self, values: list[StatusValue]) -> None:
        """Hand changed values over, from any thread; left out when too many wait."""
        try:
            self._queue.put_nowait(values)
        except queue.Full:
            self.lost += len(values)

    def stop(self, wait_s: float = 5.0) -> None:
        """Write what waits and close."""
        if self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=wait_s)
            self._thread.join(wait_s)
        self._file.close()

    def _write_forever(self) -> None:
        going_on = True
        while going_on:
            values, going_on = self._take()
            owed, self._owed = [*self._owed, *values], []
            try:
                self._turn(owed)
            except (sqlite3.Error, OSError, StateError):
                # Most likely the disk is full: the journal says so itself. The last value of each is tried again.
                self._owed = list({(each.channel, each.parameter): each for each in owed}.values())
                self._file.roll_back()

    def _take(self) -> tuple[list[StatusValue], bool]:
        """Wait for changes, but not for long, and return them with what else is there; False after the last ones."""
        values: list[StatusValue] = []
        try:
            group = self._queue.get(timeout=ORDERS_S)
            while group is not None:
                values += group
                group = self._queue.get_nowait()
        except queue.Empty:
            return values, True
        return values, False

    def _turn(self, values: list[StatusValue]) -> None:
        """Write one group; take up orders."""
        connection = self._file.connection
        if values:
            connection.execute("BEGIN IMMEDIATE")
            write_values(connection, values)
            connection.execute("COMMIT")
        self._take_orders(connection)
        if values:
            self._rotate()

    def _take_orders(self, connection: sqlite3.Connection) -> None:
        if connection.execute("SELECT 1 FROM orders LIMIT 1").fetchone() is None:
            return
        found = connection.execute("SELECT id, channel, parameter, value, at FROM orders ORDER BY id").fetchall()
        connection.execute("DELETE FROM orders WHERE id <= ?", (found[-1][0],))
        self.on_orders(
            [StatusValue(channel, parameter, json.loads(value), at) for _, channel, parameter, value, at in found]
        )

    def _rotate(self) -> None:
        """Begin a new file when this one is full, with the present values and without the past."""
        if self._file.rotate():
            connection = self._file.connection
            connection.execute("BEGIN IMMEDIATE")
            write_values(connection, read_values(self._file.path.with_name(OLD_STATUS_FILE)), past=False)
            connection.execute("COMMIT")


def read_values(path: Path) -> list[StatusValue]:
    """Return the present values in a file. Raises StateError, sqlite3.Error."""
    with contextlib.closing(open_reader(path)) as connection:
        return _values(connection)


def _values(connection: sqlite3.Connection) -> list[StatusValue]:
    rows: list[Any] = connection.execute("SELECT channel, parameter, value, at, expires FROM status").fetchall()
    return [StatusValue(channel, parameter, json.loads(value), *rest) for channel, parameter, value, *rest in rows]
