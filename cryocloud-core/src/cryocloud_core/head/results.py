"""What a run came to: pebbles by result, the nodes that failed, the exit code and the last lines.

Laws: counts are exact, the list of failures is bounded and says what it leaves out; a run that goes on
counts what it came to before, and how much of it that is; what somebody gave up is no failure, but no success either.
"""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterable

from cryocloud_core.head.runs import Run
from cryocloud_core.head.view import FailureView
from cryocloud_core.url_secrets import covered

#: results of pebbles that somebody gave up
GIVEN_UP = ("cancelled", "dropped", "abandoned")
#: failures that are told one by one
MOST_FAILURES = 500


class Results:
    """Counts of closed pebbles, and the failures to tell, of the runs of this head."""

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        self.cancelled = 0
        #: of those done: before this start
        self.earlier = 0
        self.failures: list[FailureView] = []
        self.more_failures = 0
        self._runs: set[int] = set()
        self._said: list[str] = []

    def load(self, connection: sqlite3.Connection, runs: Iterable[Run]) -> None:
        """Count for these runs, going on from what the continued ones came to before."""
        runs = list(runs)
        self._runs.update(run.number for run in runs)
        for run in (each.number for each in runs if each.continued):
            counts = connection.execute(
                "SELECT result, count(*) FROM pebbles WHERE run = ? AND result <> '' GROUP BY result", (run,)
            )
            for result, count in counts:
                self._count(result, count)
                self.earlier += count
            query = "SELECT pebble, node, result, error FROM failures WHERE run = ? ORDER BY rowid"
            for row in connection.execute(query, (run,)):
                self.failure(run, *row)

    def failure(self, run: int, pebble: int, node: str, result: str, error: str) -> None:
        """A node failed for a pebble."""
        if run not in self._runs:
            return
        if len(self.failures) < MOST_FAILURES:
            self.failures.append(FailureView(pebble, node, result, covered(error)))
        else:
            self.more_failures += 1

    def say(self, line: str) -> None:
        """Keep a line of another kind for the end."""
        self._said.append(line)

    def closed(self, run: int, result: str) -> None:
        """A pebble was closed with this result."""
        if run in self._runs:
            self._count(result, 1)

    def _count(self, result: str, count: int) -> None:
        self.done += count
        if result in GIVEN_UP:
            self.cancelled += count
        elif result != "success":
            self.failed += count

    def exit_code(self, *, signum: signal.Signals | None, complete: bool, input_failed: int) -> int:
        """Return the process's exit code: 0, 1, 3, or 128 + signal for a run that was stopped."""
        if input_failed:
            return input_failed
        if signum is not None and not complete:
            return 128 + signum
        return 1 if self.failed or self.cancelled else 0

    def lines(self) -> tuple[str, ...]:
        """Return one line for each failed node: pebble, node, result, first line of the error."""
        lines = [
            f"pebble {failure.pebble}: {failure.node or 'the pebble'}: {failure.result}: {first_line(failure.error)}"
            for failure in self.failures
        ]
        if self.more_failures:
            lines.append(f"and {self.more_failures} more failed nodes")
        return (*lines, *self._said)


def first_line(text: str) -> str:
    """Return the first line of a text that has anything in it."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "no error text")


def pebbles(count: int, kind: str = "") -> str:
    """Return a number of pebbles in words: `1 pebble`, `3 unfinished pebbles`."""
    return f"{count} {kind}pebble{'' if count == 1 else 's'}"


def waiting_line(count: int) -> str:
    """Return what to say when pebbles wait for the next start."""
    if not count:
        return "stopped; no pebble waits, the next start goes on with what arrives"
    what = f"{pebbles(count)} {'waits' if count == 1 else 'wait'}"
    return f"stopped; {what}, the next start goes on (--fresh to start anew)"
