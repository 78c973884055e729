"""Log records on disk: `records.db` in the state directory, rotated by size, beside the journal and never in its way.

Laws: writing never holds the run up: the queue is bounded, and what does not fit or cannot be written is
counted and said; records are committed in groups and may lose the last moments in a power cut.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from attrs import astuple, fields

from cryocloud_core.errors import StateError
from cryocloud_core.head.batch import readable
from cryocloud_core.head.database import open_reader
from cryocloud_core.head.rotating import Rotating, old_name
from cryocloud_core.sdk.observed import LogRecord

RECORDS_FILE = "records.db"
OLD_RECORDS_FILE = old_name(RECORDS_FILE)
#: size at which a file is put aside; two files are kept
ROTATE_BYTES = 64 * 1024 * 1024
QUEUE = 20_000
_GROUP = 500

_NAMES = tuple(field.name for field in fields(LogRecord))
_TABLES = """
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY, at REAL, level TEXT, text TEXT, logger TEXT, module TEXT, function TEXT, line INTEGER,
    workflow TEXT, pebble INTEGER, node TEXT, task TEXT, worker TEXT
);
CREATE INDEX IF NOT EXISTS records_of_pebble ON records (pebble) WHERE pebble > 0;
"""
_INSERT = f"INSERT INTO records ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(_NAMES))})"  # noqa: S608 - our names


class Records:
    """The one writer of a state directory's log records."""

    def __init__(self, directory: Path, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._file = Rotating(directory / RECORDS_FILE, _TABLES, rotate_bytes)
        self._queue: queue.Queue[LogRecord | None] = queue.Queue(QUEUE)
        self._thread = threading.Thread(target=self._write_forever, name="records", daemon=True)
        #: records that were left out
        self.lost = 0

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    def put(self, record: LogRecord) -> None:
        """Hand a record over, from any thread; left out when too many wait."""
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.lost += 1

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
            group, going_on = self._take()
            try:
                self._write(group)
                self._file.rotate()
            except (sqlite3.Error, OSError, StateError):
                # Most likely the disk is full. Log lines are not worth stopping a run for; the journal says so itself.
                self.lost += len(group)
                self._file.roll_back()

    def _take(self) -> tuple[list[LogRecord], bool]:
        """Wait for a record and return it with what else is there; False after the last one."""
        group: list[LogRecord] = []
        item = self._queue.get()
        while item is not None:
            group.append(item)
            if len(group) >= _GROUP or self._queue.empty():
                return group, True
            item = self._queue.get_nowait()
        return group, False

    def _write(self, group: list[LogRecord]) -> None:
        rows = [
            tuple(readable(value) if isinstance(value, str) else value for value in astuple(record)) for record in group
        ]
        connection = self._file.connection
        connection.execute("BEGIN")
        connection.executemany(_INSERT, rows)
        connection.execute("COMMIT")


def read_records(directory: Path, last: int = 200) -> Iterator[LogRecord]:
    """Yield the last records of a state directory, oldest first. Raises StateError."""
    rows: list[tuple[object, ...]] = []
    for name in (RECORDS_FILE, OLD_RECORDS_FILE):
        path = directory / name
        if path.exists() and len(rows) < last:
            with contextlib.closing(open_reader(path)) as connection:
                columns = ", ".join(_NAMES)
                query = f"SELECT {columns} FROM records ORDER BY id DESC LIMIT ?"  # noqa: S608 - our names
                rows += connection.execute(query, (last - len(rows),)).fetchall()
    for row in reversed(rows):
        yield LogRecord(*row)  # type: ignore[arg-type]
