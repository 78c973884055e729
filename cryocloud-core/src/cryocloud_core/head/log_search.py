"""Finding log records in a state directory, while a head runs or after it.

Laws: files are only read; what SQLite can judge it judges, the rest is judged newest first and ends as soon as
enough was found; a follower neither misses nor repeats a record when the file is put aside.
"""

from __future__ import annotations

import contextlib
import heapq
import logging
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from attrs import define, field, fields, frozen

from cryocloud_core.head.database import open_reader
from cryocloud_core.head.records import OLD_RECORDS_FILE, RECORDS_FILE
from cryocloud_core.sdk.observed import LogRecord

_COLUMNS = ", ".join(each.name for each in fields(LogRecord))
_LEVELS = logging.getLevelNamesMapping()


@frozen
class Wanted:
    """Which records are wanted; every condition that is given must hold, of `words` any one.

    `level` and those above; `since` seconds UTC; `pebble` with the parts of it, `task` begins with this;
    `node` and `worker` may hold `*` and `?`; `words` are looked for in all texts of a record, whatever
    their case; `grep` is a regular expression on the text.
    """

    words: tuple[str, ...] = ()
    level: str | None = None
    since: float | None = None
    pebble: int | None = None
    task: str | None = None
    node: str | None = None
    worker: str | None = None
    grep: re.Pattern[str] | None = None

    def condition(self) -> tuple[str, list[Any]]:
        """Return what SQLite can judge, as the condition of a query and its values."""
        found: list[tuple[str, list[Any]]] = [("1", [])]
        if self.level is not None:
            least = _LEVELS[self.level]
            below = [name for name, number in _LEVELS.items() if number < least]
            found.append((f"level NOT IN ({', '.join('?' * len(below))})", list(below)))
        for name, value in (("node", self.node), ("worker", self.worker)):
            if value is not None:
                found.append((f"({name} = ? OR {name} GLOB ?)", [value, value]))
        if self.since is not None:
            found.append(("at >= ?", [self.since]))
        if self.pebble is not None:
            found.append(("pebble = ?", [self.pebble]))
        if self.task is not None:
            found.append(("substr(task, 1, ?) = ?", [len(self.task), self.task]))
        return " AND ".join(text for text, _ in found), [value for _, values in found for value in values]

    def holds(self, record: LogRecord) -> bool:
        """Judge what SQLite cannot."""
        if self.grep is not None and self.grep.search(record.text) is None:
            return False
        if not self.words:
            return True
        told = (record.text, record.node, record.worker, record.workflow, record.logger, record.module, record.task)
        where = "\n".join((*told, record.level, record.function)).casefold()
        return any(word.casefold() in where for word in self.words)


def last_records(directories: Iterable[Path], wanted: Wanted, last: int) -> list[LogRecord]:
    """Return the last records that are wanted, over all directories, oldest first. Raises StateError."""
    found = (record for directory in directories for record in _newest(directory, wanted, last))
    newest = heapq.nlargest(last, enumerate(found), key=lambda numbered: (numbered[1].at, -numbered[0]))
    return [record for _, record in reversed(newest)]


def _newest(directory: Path, wanted: Wanted, last: int) -> Iterator[LogRecord]:
    """Yield up to `last` wanted records of one directory, newest first."""
    condition, values = wanted.condition()
    query = f"SELECT {_COLUMNS} FROM records WHERE {condition} ORDER BY id DESC"  # noqa: S608 - our names
    left = last
    for name in (RECORDS_FILE, OLD_RECORDS_FILE):
        for row in _rows(directory / name, query, values):
            record = LogRecord(*row)
            if left > 0 and wanted.holds(record):
                left -= 1
                yield record
            if left <= 0:
                return


def _rows(path: Path, query: str, values: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a query, none from a file that is not there."""
    if not path.exists():
        return
    opened = _inode(path)
    with contextlib.closing(open_reader(path)) as connection:
        try:
            yield from connection.execute(query, tuple(values))
        except sqlite3.OperationalError as error:
            # The file was made this moment and has no tables yet, or was put aside: its rows are found there.
            if "no such table" not in str(error) and _inode(path) == opened:
                raise


@define(eq=False)
class Follower:
    """Reads what is written to one directory's log after this was made."""

    directory: Path
    wanted: Wanted
    _last: int = field(init=False, default=0)
    _file: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._file = _inode(self.directory / RECORDS_FILE)
        for (number,) in _rows(self.directory / RECORDS_FILE, "SELECT max(id) FROM records", ()):
            self._last = number or 0

    def fresh(self) -> list[LogRecord]:
        """Return the wanted records since the last call, oldest first. Raises StateError."""
        found: list[LogRecord] = []
        now = _inode(self.directory / RECORDS_FILE)
        if now != self._file:
            if self._file and _inode(self.directory / OLD_RECORDS_FILE) == self._file:
                found += self._read(OLD_RECORDS_FILE)
            self._file, self._last = now, 0
        return [*found, *self._read(RECORDS_FILE)]

    def _read(self, name: str) -> list[LogRecord]:
        condition, values = self.wanted.condition()
        found = []
        # Every id is read, so that what is not wanted is not looked at again.
        query = f"SELECT id, {condition}, {_COLUMNS} FROM records WHERE id > ? ORDER BY id"  # noqa: S608 - our names
        for number, holds, *row in _rows(self.directory / name, query, (*values, self._last)):
            self._last = number
            record = LogRecord(*row)
            if holds and self.wanted.holds(record):
                found.append(record)
        return found


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0
