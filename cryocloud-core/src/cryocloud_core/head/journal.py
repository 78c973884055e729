"""The journal: every event on disk before anything is done about it, by one writer thread.

Laws: what was handed in together is committed together or not at all, in the order it was handed in; a
full disk stops the writer, which says so and tries again, and nothing is dropped; two heads never write
one journal.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cryocloud_core.errors import StateError
from cryocloud_core.head.batch import Batch
from cryocloud_core.head.database import is_network_disk, is_waitable, open_database, open_reader, unusable
from cryocloud_core.head.schema import prepare

JOURNAL_FILE = "journal.db"
#: SQLite before 3.35 lacks parts of the statements used here
MIN_SQLITE = (3, 35)
#: seconds between two tries to write on a full disk
RETRY_S = 0.5

#: what a write may raise: SQLite's own errors, and what Python makes of values that SQLite cannot hold
_UNWRITABLE = (sqlite3.Error, ValueError, TypeError, OverflowError)

T = TypeVar("T")
_Item = tuple[Batch, Callable[[], None]] | Callable[[], None] | None
_COMMIT = "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?)"


class Journal:
    """The one writer of a state directory's journal; `start` numbers this start of a head.

    `reader` is a second connection for the thread that opened the journal; it sees what was committed.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, start: int) -> None:
        self.path = path
        self.start = start
        self.reader = open_reader(path)
        self.on_pause: Callable[[str], None] = lambda _why: None
        self.on_broken: Callable[[StateError], None] = lambda _error: None
        self._connection = connection
        self._items: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._giving_up = threading.Event()

    @classmethod
    def open(cls, directory: Path, *, network: bool | None = None) -> Journal:
        """Open the journal of a state directory that the caller has locked. Raises StateError."""
        if sqlite3.sqlite_version_info < MIN_SQLITE:
            raise StateError(f"SQLite {sqlite3.sqlite_version} is too old, 3.35 is needed", place=str(directory))
        path = directory / JOURNAL_FILE
        connection = open_database(path, network=network)
        try:
            path.chmod(0o600)
            prepare(connection, path)
            last = connection.execute("SELECT max(start) FROM heads").fetchone()[0]
        except (sqlite3.Error, StateError, OSError) as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise unusable(path, error) from error
            raise
        return cls(path, connection, 1 + (last or 0))

    @property
    def slow_disk(self) -> bool:
        """True when the journal lies on a network disk and so uses the slower rollback journal."""
        return is_network_disk(self.path.parent)

    def begin(self, batch: Batch, machine: str, version: str = "") -> None:
        """Write this start and its first batch at once. Raises StateError, also on a full disk."""
        row = (self.start, time.time(), os.getpid(), machine, version)
        batch.also("INSERT INTO heads (start, at, pid, machine, version) VALUES (?, ?, ?, ?, ?)", *row)
        try:
            self._write(batch)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the writer; from now on commits report to this loop."""
        self._loop = loop
        self._thread = threading.Thread(target=self._write_forever, name="journal", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch, done: Callable[[], None]) -> None:
        """Hand in a batch; `done` is called on the loop once it is durable, in the order of submission."""
        self._items.put((batch, done))

    async def commit(self, batch: Batch) -> None:
        """Return when the batch is durable."""
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.submit(batch, lambda: None if durable.done() else durable.set_result(None))
        await durable

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` returns; it is run on the writer thread in a transaction of its own."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._items.put(lambda: self._work(work, answer))
        return await answer

    def close(self, wait_s: float = 10.0) -> None:
        """Write what was handed in, then close the file; a full disk is not waited for longer than `wait_s`."""
        if self._thread is not None:
            self._items.put(None)
            self._thread.join(wait_s)
            self._giving_up.set()
            self._thread.join()
        self.reader.close()
        self._connection.close()

    # --- on the writer thread -------------------------------------------------------------------------

    def _write_forever(self) -> None:
        while (taken := self._take()) is not None:
            batches, work = taken
            if batches and not self._write_group(batches):
                return
            if work is not None:
                work()
            elif not batches:
                return

    def _take(self) -> tuple[list[tuple[Batch, Callable[[], None]]], Callable[[], None] | None] | None:
        """Wait for work; return all batches that are there, and what came after them."""
        batches: list[tuple[Batch, Callable[[], None]]] = []
        item = self._items.get()
        while isinstance(item, tuple):
            batches.append(item)
            try:
                item = self._items.get_nowait()
            except queue.Empty:
                return batches, None
        if item is None and batches:
            self._items.put(None)
        return (batches, item) if batches or item is not None else None

    def _write_group(self, group: list[tuple[Batch, Callable[[], None]]]) -> bool:
        """Commit batches as one, waiting for room if there is none; False when the journal is broken."""
        merged = group[0][0]
        for batch, _ in group[1:]:
            merged.take(batch)
        try:
            if not self._write_waiting(merged):
                return False
        except _UNWRITABLE as error:
            self._tell(self.on_broken, unusable(self.path, error))
            return False
        self._tell(_call_all, [done for _, done in group])
        return True

    def _write_waiting(self, batch: Batch) -> bool:
        """Commit a batch, as often as it takes; False when told to give up."""
        paused = False
        while True:
            try:
                if not (paused and self._is_written(batch)):
                    self._write(batch)
                break
            except sqlite3.Error as error:
                if not is_waitable(error):
                    raise
                if not paused:
                    paused = True
                    self._tell(self.on_pause, unusable(self.path, error).message)
                if self._giving_up.wait(RETRY_S):
                    return False
        if paused:
            self._tell(self.on_pause, "")
        return True

    def _write(self, batch: Batch) -> None:
        connection = self._connection
        if not batch.others:
            connection.execute(_COMMIT, (self.start, *batch.columns()))
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement, values in batch.others:
                connection.execute(statement, [value() if callable(value) else value for value in values])
            connection.execute(_COMMIT, (self.start, *batch.columns()))
            connection.execute("COMMIT")
        except _UNWRITABLE:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _is_written(self, batch: Batch) -> bool:
        """Return True when a commit that reported an error had reached the disk after all."""
        found = self._connection.execute("SELECT 1 FROM events WHERE seq = ?", (batch.first_seq,)).fetchone()
        return bool(batch.events) and found is not None

    def _work(self, work: Callable[[sqlite3.Connection], T], answer: asyncio.Future[T]) -> None:
        """Run `work` in a transaction and answer with what it returns or raises."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            result = work(self._connection)
            self._connection.execute("COMMIT")
        except _UNWRITABLE as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._tell(_settle, answer, None, unusable(self.path, error))
            return
        self._tell(_settle, answer, result, None)

    def _tell(self, function: Callable[..., None], *values: Any) -> None:
        """Call on the loop; a loop that is closed has nobody who wants to know."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(function, *values)
        except RuntimeError:
            self._giving_up.set()


def _call_all(done: list[Callable[[], None]]) -> None:
    for call in done:
        call()


def _settle(answer: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
