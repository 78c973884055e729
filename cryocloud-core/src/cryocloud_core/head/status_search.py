"""Finding status values in state directories, present and past, and asking for new ones.

Laws: files are only read, but for an order: a value that somebody sets is stored at once and handed to the head, if
one runs, by way of the same file.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from attrs import define, evolve, field, frozen

from cryocloud_core.errors import StateError
from cryocloud_core.head.board import StatusValue
from cryocloud_core.head.database import open_database, open_reader
from cryocloud_core.head.lock import is_locked
from cryocloud_core.head.status_store import OLD_STATUS_FILE, STATUS_FILE, TABLES, columns, read_values, write_values

#: how channels of heads end, and what a head says of itself while it runs
HEAD_CHANNEL: Final = ".HeadNode"
STATES_OF_RUNNING: Final = ("Initializing", "Running")


@frozen
class Wanted:
    """Which values are wanted: of `words` any one in `channel:parameter`, whatever its case; `since` seconds UTC.

    `channel` may hold `*` and `?`.
    """

    words: tuple[str, ...] = ()
    channel: str | None = None
    since: float | None = None

    def holds(self, each: StatusValue) -> bool:
        """Return True when a value is wanted."""
        if self.since is not None and each.at < self.since:
            return False
        if self.channel is not None and each.channel != self.channel and not fnmatchcase(each.channel, self.channel):
            return False
        name = f"{each.channel}:{each.parameter}".casefold()
        return not self.words or any(word.casefold() in name for word in self.words)


def present(directories: Iterable[Path], now: float | None = None) -> list[StatusValue]:
    """Return the present values of all directories by channel and parameter, the newest of each. Raises StateError.

    A value that had expired at `now`, when it is given, is null: its head is gone.
    """
    newest: dict[tuple[str, str], StatusValue] = {}
    for directory in directories:
        for each in _read(directory):
            key = (each.channel, each.parameter)
            if key not in newest or newest[key].at < each.at:
                newest[key] = each
    return [_aged(newest[key], now) for key in sorted(newest)]


def abandoned(directories: Iterable[Path]) -> list[Path]:
    """Return those whose head was killed: none runs, but the last it told says that it does. Raises StateError."""
    return [each for each in directories if not is_locked(each) and any(map(_says_it_runs, _read(each)))]


def _says_it_runs(each: StatusValue) -> bool:
    return each.parameter == "state" and each.channel.endswith(HEAD_CHANNEL) and each.value in STATES_OF_RUNNING


def _aged(each: StatusValue, now: float | None) -> StatusValue:
    is_over = now is not None and each.expires_at is not None and each.expires_at < now
    return evolve(each, value=None) if is_over else each


def _read(directory: Path) -> list[StatusValue]:
    path = directory / STATUS_FILE
    if not path.exists():
        return []
    try:
        return read_values(path)
    except sqlite3.OperationalError as error:
        raise StateError(f"the status cannot be read: {error}", place=str(path)) from error


def past(directories: Iterable[Path], wanted: Wanted) -> Iterator[StatusValue]:
    """Yield every wanted change, oldest first in each directory. Raises StateError."""
    for directory in directories:
        for name in (OLD_STATUS_FILE, STATUS_FILE):
            path = directory / name
            if path.exists():
                yield from (each for _, each in _changes(path, 0) if wanted.holds(each))


def _changes(path: Path, after: int) -> Iterator[tuple[int, StatusValue]]:
    query = (
        "SELECT history.id, channel, parameter, history.value, history.at"
        " FROM history JOIN status ON status.id = history.status WHERE history.id > ? ORDER BY history.id"
    )
    with contextlib.closing(open_reader(path)) as connection:
        for number, channel, parameter, value, at in connection.execute(query, (after,)):
            yield number, StatusValue(channel, parameter, json.loads(value), at)


@define(eq=False)
class Follower:
    """Reads what changes in one directory after this was made."""

    directory: Path
    wanted: Wanted
    _known: dict[tuple[str, str], float] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.fresh()

    def fresh(self) -> list[StatusValue]:
        """Return the wanted values that changed since the last call, oldest first. Raises StateError."""
        changed = []
        for each in _read(self.directory):
            key = (each.channel, each.parameter)
            if self._known.get(key) != each.at:
                self._known[key] = each.at
                if self.wanted.holds(each):
                    changed.append(each)
        return sorted(changed, key=lambda each: each.at)


def order(directory: Path, channel: str, parameter: str, value: Any, at: float) -> None:
    """Set a value: stored at once, and told to the head that runs there. Raises StateError."""
    each = StatusValue(channel, parameter, value, at)
    path = directory / STATUS_FILE
    with contextlib.closing(open_database(path, durable=False)) as connection:
        path.chmod(0o600)
        connection.executescript(TABLES)
        try:
            connection.execute("BEGIN IMMEDIATE")
            write_values(connection, [each])
            connection.execute("INSERT INTO orders (channel, parameter, at, value) VALUES (?, ?, ?, ?)", columns(each))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StateError(f"the status cannot be set: {error}", place=str(path)) from error
