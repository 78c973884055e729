"""A database that is put aside when it is full: the one before it is kept, older ones go.

Laws: a file is put aside only when nothing of it is left in its write-ahead log, because a reader may hold it
open meanwhile and the next file of that name must not inherit that log; while a reader is in the way the file
simply grows on.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from attrs import define, field

from cryocloud_core.head.database import open_database

#: what SQLite keeps beside a database
_COMPANIONS: Final = ("", "-wal", "-shm")
#: how long a reader is waited for before a file is put aside, and how long another writer
_READER_MS: Final = 100
_WRITER_MS: Final = 10_000


def old_name(name: str) -> str:
    """Return the name of the file before: `records.db` becomes `records.1.db`."""
    stem, _, suffix = name.rpartition(".")
    return f"{stem}.1.{suffix}"


@define(eq=False)
class Rotating:
    """The one writer's connection to a file of at most about `most_bytes`."""

    path: Path
    tables: str
    most_bytes: int
    _open_one: sqlite3.Connection | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._open_one = self._open()

    @property
    def connection(self) -> sqlite3.Connection:
        """The file that is written now; opened again if an earlier try failed. Raises StateError."""
        if self._open_one is None:
            self._open_one = self._open()
        return self._open_one

    def rotate(self) -> bool:
        """Put a full file aside and begin a new one; True when it did. Raises sqlite3.Error, OSError, StateError."""
        # Emptied of its log the file may turn out to be small.
        if self._size() < self.most_bytes or self._is_read() or self._size() < self.most_bytes:
            return False
        self.close()
        old = self.path.with_name(old_name(self.path.name))
        for companion in _COMPANIONS:
            beside, target = (path.with_name(path.name + companion) for path in (self.path, old))
            target.unlink(missing_ok=True)
            if beside.exists():
                beside.rename(target)
        self._open_one = self._open()
        return True

    def roll_back(self) -> None:
        """Leave a transaction that failed."""
        if self._open_one is not None and self._open_one.in_transaction:
            self._open_one.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file."""
        connection, self._open_one = self._open_one, None
        if connection is not None:
            connection.close()

    def _size(self) -> int:
        wal = self.path.with_name(f"{self.path.name}-wal")
        return self.path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)

    def _is_read(self) -> bool:
        """Empty the write-ahead log; True when a reader's snapshot does not let us."""
        self.connection.execute(f"PRAGMA busy_timeout={_READER_MS}").fetchone()
        busy, _, _ = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self.connection.execute(f"PRAGMA busy_timeout={_WRITER_MS}").fetchone()
        return bool(busy)

    def _open(self) -> sqlite3.Connection:
        connection = open_database(self.path, durable=False)
        self.path.chmod(0o600)
        connection.executescript(self.tables)
        return connection
