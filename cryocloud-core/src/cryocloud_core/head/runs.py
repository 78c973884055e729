"""Runs: from a start with nothing unfinished until all inputs have returned and all pebbles are closed.

Laws: each workflow has its own run; unfinished pebbles make a start a continuation of their run, none makes
it a new one; an input of a continued run that had returned is not started again.
"""

from __future__ import annotations

import sqlite3
import time

from attrs import define, field

from cryocloud_core.head.batch import Batch


@define(eq=False)
class Run:
    """One workflow's run. `returned` are the inputs that had returned before; `since` when it began, seconds UTC."""

    number: int
    workflow: str
    since: float
    continued: bool = False
    returned: set[str] = field(factory=set)

    @classmethod
    def begin(cls, connection: sqlite3.Connection, workflow: str, batch: Batch, *, taken: int) -> Run:
        """Return a new run, added to the batch; `taken` runs are in the batch already."""
        number = 1 + taken + (connection.execute("SELECT max(run) FROM runs").fetchone()[0] or 0)
        now = time.time()
        batch.also("INSERT INTO runs (run, workflow, started_at) VALUES (?, ?, ?)", number, workflow, now)
        return cls(number, workflow, now)

    @classmethod
    def go_on(cls, connection: sqlite3.Connection, number: int) -> Run:
        """Return an earlier run that is not over."""
        workflow, since = connection.execute(
            "SELECT workflow, started_at FROM runs WHERE run = ?", (number,)
        ).fetchone()
        names = connection.execute("SELECT input FROM inputs_returned WHERE run = ?", (number,))
        return cls(number, workflow, since, continued=True, returned={row[0] for row in names})

    def input_returned(self, name: str, batch: Batch) -> None:
        """Note that an input has nothing more to report."""
        batch.also("INSERT OR IGNORE INTO inputs_returned VALUES (?, ?)", self.number, name)

    def end(self, exit_code: int, batch: Batch) -> None:
        """Note that the run is over."""
        batch.also("UPDATE runs SET ended_at = ?, exit_code = ? WHERE run = ?", time.time(), exit_code, self.number)

    def next_ordinal(self, connection: sqlite3.Connection, name: str) -> int:
        """Return the number of the next arrival without a key of an input, as far as it is known."""
        query = "SELECT max(CAST(key AS INTEGER)) FROM arrivals WHERE workflow = ? AND input = ? AND run = ?"
        last = connection.execute(query, (self.workflow, name, self.number)).fetchone()[0]
        return 0 if last is None else int(last) + 1
