"""A journal read from outside, without any of the code that wrote it: pebbles, ended tasks, starts of heads."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ended:
    """One TaskEnded event."""

    seq: int
    task: str
    at: float
    start: int
    outcome: dict[str, Any]

    @property
    def node(self) -> str:
        """The task without its attempt."""
        return self.task.rpartition("/")[0]

    @property
    def kind(self) -> str:
        """Succeeded, Failed, TimedOut, Cancelled, Lost or Declined."""
        return str(self.outcome["type"])


@dataclass(frozen=True)
class JournalPebble:
    """One pebble: its row, the number it carries, and every event about it."""

    id: int
    state: str
    result: str
    error: str
    finished_at: float | None
    number: int | None
    key: str
    arrivals: int
    ended: tuple[Ended, ...]
    failures: tuple[tuple[str, str, str], ...]

    def last_of_each_node(self) -> dict[str, Ended]:
        """Return the event that settled each node that ran (`Wind`, `Alarm#2`)."""
        return {ended.node.partition("/")[2]: ended for ended in self.ended}


@dataclass(frozen=True)
class JournalFile:
    """Everything that the proof needs of a journal."""

    pebbles: dict[int, JournalPebble]
    heads: int
    #: results of the pebbles of the last run: those since the last start that found nothing unfinished
    last_run: tuple[str, ...] = ()
    started: Counter[str] = field(default_factory=Counter)


def read_journal(path: Path) -> JournalFile:
    """Read a journal that no head writes any more."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        damage = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if damage != "ok":
            raise AssertionError(f"{path} is damaged: {damage}")
        heads = connection.execute("SELECT count(*) FROM heads").fetchone()[0]
        started: Counter[str] = Counter()
        for (tasks,) in connection.execute("SELECT started FROM events WHERE started IS NOT NULL"):
            started.update(json.loads(tasks))
        rows = connection.execute("SELECT pebble, state, result, error, finished_at FROM pebbles").fetchall()
        last = connection.execute("SELECT result FROM pebbles WHERE run = (SELECT max(run) FROM runs)").fetchall()
        pebbles = {row[0]: _pebble(connection, row) for row in rows}
        return JournalFile(pebbles, heads, tuple(result for (result,) in last), started)


def _pebble(connection: sqlite3.Connection, row: tuple[int, str, str, str, float | None]) -> JournalPebble:
    events = [
        (seq, start, json.loads(body))
        for seq, start, body in connection.execute(
            "SELECT seq, start, body FROM events WHERE pebble = ? ORDER BY seq", (row[0],)
        )
    ]
    births = [event for _, _, event in events if event["type"] == "PebbleArrived"]
    ended = tuple(
        Ended(seq, event["task"], event["at"], start, event["outcome"])
        for seq, start, event in events
        if event["type"] == "TaskEnded"
    )
    failures = connection.execute("SELECT node, result, error FROM failures WHERE pebble = ?", (row[0],)).fetchall()
    birth = births[0] if births else {}
    number = birth.get("values", {}).get("number")
    return JournalPebble(*row, number, birth.get("key", ""), len(births), ended, tuple(sorted(failures)))
