"""What one commit writes: rows collected on the loop, merged with others by the writer.

Laws: a batch is committed whole or not at all; rows keep the order in which they were added; building one
costs a few microseconds a row, so rows are JSON text from the start.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from attrs import define, field, frozen

_dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


@frozen
class Arrival:
    """A pebble that an input made, before its commit.

    `workflow` is the workflow's name. What makes it one of a kind is `key` with `key_run`: 0 for a key that the
    input gave, else the run, whose arrivals are counted. `memo` is JSON text.
    """

    pebble: int
    workflow: str
    input: str
    run: int
    key: str
    key_run: int = 0
    memo: str | None = None
    values: dict[str, Any] = field(factory=dict)


def stored_key(key: str) -> str:
    """Return a key as it is stored: ASCII, because a file name may hold bytes that are no text."""
    return quote(key)[1:-1]


def readable(text: str) -> str:
    """Return text for people without what SQLite cannot store as text: NUL and lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


@define(eq=False)
class Batch:
    """Rows for one commit."""

    first_seq: int = 0
    events: list[str] = field(factory=list)
    _arrived: list[str] = field(factory=list)
    _finished: dict[int, list[Any]] = field(factory=dict)
    _failed: list[list[Any]] = field(factory=list)
    _counted: dict[tuple[int, str], list[int]] = field(factory=dict)
    #: statements that are rare enough to be written one by one, before everything else
    others: list[tuple[str, tuple[Any, ...]]] = field(factory=list)

    def __bool__(self) -> bool:
        """Return True when there is anything to write."""
        return bool(self.events or self.others or self._finished)

    def event(self, seq: int, pebble: int, context: int, body: str, started: Sequence[str]) -> None:
        """Add an event's row."""
        if not self.events:
            self.first_seq = seq
        tasks = quote(f"[{','.join(map(quote, started))}]") if started else "null"
        self.events.append(f"[{seq},{pebble},{context},{quote(body)},{tasks}]")

    def arrived(self, arrival: Arrival, nonce: str, at: float) -> None:
        """Add a new pebble and what it arrived as."""
        a = arrival
        row = [a.pebble, a.workflow, a.run, nonce, a.input, at, a.key_run, stored_key(a.key), a.memo]
        self._arrived.append(_dumps(row))

    def finished(self, pebble: int, state: str, result: str | None, error: str | None, at: float | None) -> None:
        """Set a pebble's state; None leaves a value as it is."""
        row = [pebble, state, result, None if error is None else readable(error), at]
        earlier = self._finished.get(pebble)
        self._finished[pebble] = row if earlier is None else _over(earlier, row)

    def failed(self, pebble: int, run: int, node: str, result: str, error: str) -> None:
        """Add a node that failed."""
        self._failed.append([pebble, run, readable(node), result, readable(error)])

    def counted(self, run: int, node: str, which: int) -> None:
        """Count one more end of a node: `which` is 0 completed, 1 failed, 2 skipped."""
        key = (run, readable(node))
        counts = self._counted.get(key)
        if counts is None:
            counts = self._counted[key] = [0, 0, 0]
        counts[which] += 1

    def also(self, statement: str, *values: Any) -> None:
        """Add any other statement to the same commit; a value that is a function is called by the writer."""
        self.others.append((statement, values))

    def take(self, later: Batch) -> None:
        """Add the rows of a later batch to this one."""
        if not self.events:
            self.first_seq = later.first_seq
        self.events += later.events
        self._arrived += later._arrived
        self._failed += later._failed
        self.others += later.others
        for pebble, row in later._finished.items():
            earlier = self._finished.get(pebble)
            self._finished[pebble] = row if earlier is None else _over(earlier, row)
        for key, counts in later._counted.items():
            sums = self._counted.setdefault(key, [0, 0, 0])
            for which, count in enumerate(counts):
                sums[which] += count

    def columns(self) -> tuple[str, str, str, str, str]:
        """Return the columns of `commits` after `start`: JSON arrays of rows."""
        return (
            f"[{','.join(self._arrived)}]",
            f"[{','.join(self.events)}]",
            _dumps(list(self._finished.values())),
            _dumps(self._failed),
            _dumps([[*key, *counts] for key, counts in self._counted.items()]),
        )


def _over(earlier: list[Any], later: list[Any]) -> list[Any]:
    """Return the later of two states of a pebble, with what only the earlier one knows."""
    return [new if new is not None else old for old, new in zip(earlier, later, strict=True)]
