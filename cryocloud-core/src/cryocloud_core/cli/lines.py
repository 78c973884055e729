"""A run as plain lines, for a pipe or a log file: what arrived, what ended, what failed, what waits for long.

Laws: one event, one line, starting with the time of day; the end of a task says nothing, for the log tells of each
that failed; a wait is told once when it has lasted `LONG_S` and once when it is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import localtime, strftime
from typing import TextIO

from attrs import define, field, frozen

from cryocloud_core.cli.spout import Spout
from cryocloud_core.cli.text import count, duration, first_line, plain
from cryocloud_core.head.settings import Told
from cryocloud_core.head.view import BlockedView, RunView
from cryocloud_core.sdk.observed import LogRecord, PebbleSeen

#: A wait shorter than this is the ordinary course of things.
LONG_S = 10.0
TOLD_LEVELS = frozenset({"WARNING", "ERROR", "CRITICAL"})


@frozen
class Wait:
    """A wait that has become long (`over` False) or that was long and has ended (`over` True)."""

    blocked: BlockedView
    for_s: float
    over: bool


@define
class Waits:
    """Notices which waits have become long, from one view to the next."""

    _since: dict[tuple[str, str], tuple[float, BlockedView]] = field(factory=dict)
    _told: set[tuple[str, str]] = field(factory=set)

    def look(self, view: RunView) -> Iterator[Wait]:
        """Yield each wait once when it has lasted long, and once when it is over."""
        now: Mapping[tuple[str, str], BlockedView] = {(one.workflow, one.node): one for one in view.blocked}
        for key in [key for key in self._since if key not in now]:
            since, blocked = self._since.pop(key)
            if key in self._told:
                self._told.discard(key)
                yield Wait(blocked, view.at - since, over=True)
        for key, blocked in now.items():
            since = self._since.get(key, (view.at, blocked))[0]
            self._since[key] = (since, blocked)
            if view.at - since >= LONG_S and key not in self._told:
                self._told.add(key)
                yield Wait(blocked, view.at - since, over=False)


def clock(at: float) -> str:
    """Return the local time of day."""
    return strftime("%H:%M:%S", localtime(at))


def line_of(record: Told) -> str | None:
    """Return the line that tells a record, None for what is not worth one."""
    match record:
        case PebbleSeen(result=""):
            return f"{clock(record.at)} pebble {record.pebble} arrived at {plain(record.input)}"
        case PebbleSeen():
            why = f": {first_line(record.error)}" if record.error not in ("", record.result) else ""
            return f"{clock(record.at)} pebble {record.pebble} ended: {plain(record.result)}{why}"
        case LogRecord() if record.level in TOLD_LEVELS:
            where = f"pebble {record.pebble} " if record.pebble else ""
            node = f"{plain(record.node)}: " if record.node else ""
            return f"{clock(record.at)} {record.level} {where}{node}{first_line(record.text)}"
        case _:
            return None


def line_of_wait(wait: Wait, at: float) -> str:
    """Return the line that tells a long wait or its end."""
    node = plain(wait.blocked.node)
    if wait.over:
        return f"{clock(at)} {node} goes on after {duration(wait.for_s)}"
    tasks = f"{count(wait.blocked.count)} task{'s' if wait.blocked.count != 1 else ''}"
    return f"{clock(at)} {node} waits for {duration(wait.for_s)} ({tasks}): {plain(wait.blocked.why)}"


def line_of_stop(view: RunView) -> str:
    """Return the line that tells what a stop waits for."""
    tasks = f"{count(len(view.active))} running task{'s' if len(view.active) != 1 else ''}"
    return f"{clock(view.at)} stopping: waiting for {tasks}; a second signal stops at once"


def summary(view: RunView) -> str:
    """Return the one line that says what a run came to."""
    waiting = f", {count(view.pebbles_open)} open" if view.pebbles_open else ""
    plural = "" if view.pebbles_done == 1 else "s"
    took = duration(view.at - view.started_at)
    return f"{count(view.pebbles_done)} pebble{plural} done{of_those(view, earlier=True)}{waiting} in {took}"


def of_those(view: RunView, *, earlier: bool = False) -> str:
    """Return in brackets what became of the pebbles done, and perhaps how many of them are earlier ones."""
    counts = [(view.pebbles_failed, "failed"), (view.pebbles_cancelled, "cancelled")]
    if earlier:
        counts.append((view.pebbles_earlier, "before this start"))
    told = ", ".join(f"{count(number)} {what}" for number, what in counts if number)
    return f" ({told})" if told else ""


class LineScreen:
    """Watches a run and prints its lines to `stream`."""

    tick_s = 1.0
    hears_tasks = False

    def __init__(self, stream: TextIO) -> None:
        self._waits = Waits()
        self._stopping = False
        self._spout = Spout(stream, lambda lost: f"… {lost} lines were left out: the reader is too slow")

    def warned(self, line: str) -> None:
        """Tell a warning about a workflow."""
        self._spout.put(plain(line))

    def opened(self, _view: RunView, opening: str) -> None:
        """Tell that a run goes on where an earlier one stopped, if it does."""
        if opening:
            self._spout.put(plain(opening))

    def told(self, record: Told) -> None:
        """Print the record's line, if it has one."""
        line = line_of(record)
        if line is not None:
            self._spout.put(line)

    def tick(self, view: RunView) -> None:
        """Look for long waits, and for a stop that waits for running tasks; called every `tick_s`."""
        if view.state == "suspending" and view.active and not self._stopping:
            self._stopping = True
            self._spout.put(line_of_stop(view))
        for wait in self._waits.look(view):
            self._spout.put(line_of_wait(wait, view.at))

    def closed(self, view: RunView | None, closing: Sequence[str]) -> None:
        """Print the last lines and end."""
        if view is not None:
            self._spout.put(summary(view))
        for line in closing:
            self._spout.put(plain(line))
        self._spout.close()
