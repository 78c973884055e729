"""A run as JSON lines, for machines: one object a line, each with `event` and `at`.

Laws: the shape of each event is the frozen record it is made from, so that the reference page is drawn from the
code; keys are only ever added; no URL in them has its secrets.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, TextIO

import attrs

from cryocloud_core.cli.lines import LONG_S, Wait, Waits
from cryocloud_core.cli.spout import Spout
from cryocloud_core.head.settings import Told
from cryocloud_core.head.view import BlockedView, NodeView, RunView
from cryocloud_core.sdk.observed import LogRecord, PebbleSeen, RunSeen, TaskSeen
from cryocloud_core.url_secrets import covered_data


@attrs.frozen
class Event:
    """One kind of line: its name, what it means, the record whose fields are its keys, and further keys."""

    name: str
    meaning: str
    record: type | None = None
    more: dict[str, str] = attrs.field(factory=dict)


_COUNTS = {
    "state": "text: `starting`, `running`, `suspending`, `stopped` or `paused: <why>`",
    "pebbles_open": "whole number",
    "pebbles_done": "whole number",
    "pebbles_failed": "whole number: of those done, error, timeout or set aside",
    "pebbles_cancelled": "whole number: of those done, given up",
    "pebbles_earlier": "whole number: of those done, before this start of a run that goes on",
    "tasks_per_s": "number",
    "nodes": "list of objects: `workflow`, `name`, `module`, `pending`, `processing`, `completed`, `failed`, `skipped`",
}

#: Every event that is ever printed; the reference page is drawn from it.
EVENTS = (
    Event("warning", "A workflow has a flaw that does not stop the run; before `run_started`.", None, {"text": "text"}),
    Event("run_started", "The run has begun, or has gone on after an earlier one.", RunSeen),
    Event("resumed", "Unfinished pebbles of an earlier run go on; just before `run_started`.", None, {"text": "text"}),
    Event("pebble_arrived", "An input made a pebble, and its arrival is on disk.", PebbleSeen),
    Event("task_ended", "One attempt of one node for one pebble is over.", TaskSeen),
    Event("pebble_finished", "A pebble was closed; `result` tells how.", PebbleSeen),
    Event("log", "A log record of the head, a worker or a module.", LogRecord),
    Event(
        "counts", "The counters, at most once a second and only when they changed; once more at the end.", None, _COUNTS
    ),
    Event(
        "blocked",
        f"Tasks of a node have waited for {LONG_S:.0f} s for something other than a free worker.",
        BlockedView,
        {"for_s": "number: seconds so far"},
    ),
    Event("released", "A wait that was told as `blocked` is over.", BlockedView, {"for_s": "number: seconds in all"}),
    Event("run_stopped", "The run is over; `exit_code` is what the command will return.", RunSeen),
    Event("dropped", "Lines were left out because their reader is too slow.", None, {"lines": "whole number"}),
    Event("end", "The last line: what a person would be told at the end.", None, {"lines": "list of texts"}),
)


#: without one of these no text has anything to cover
_OF_URLS = ("://", "?", "=")


def event_name(record: Told) -> str:
    """Return the name under which a record is told."""
    match record:
        case RunSeen():
            return "run_started" if record.exit_code is None else "run_stopped"
        case PebbleSeen():
            return "pebble_finished" if record.result else "pebble_arrived"
        case TaskSeen():
            return "task_ended"
        case LogRecord():
            return "log"


def _text(event: str, at: float, **more: Any) -> str:
    line = _line({"event": event, "at": at, **more})
    # Few lines have a URL in them, and many lines come at a time.
    return _line({"event": event, "at": at, **covered_data(more)}) if any(map(line.__contains__, _OF_URLS)) else line


def _line(data: dict[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"))


def line_of(record: Told) -> str:
    """Return a record as one line of JSON."""
    fields = attrs.asdict(record)
    return _text(event_name(record), fields.pop("at"), **fields)


def line_of_wait(wait: Wait, at: float) -> str:
    """Return a long wait, or its end, as one line of JSON."""
    return _text("released" if wait.over else "blocked", at, for_s=round(wait.for_s, 3), **attrs.asdict(wait.blocked))


def line_of_counts(view: RunView) -> str:
    """Return the counters of a run as one line of JSON."""
    keys = [key for key in _COUNTS if key != "nodes"]
    nodes = [attrs.asdict(node) for node in view.nodes]
    return _text("counts", view.at, **{key: getattr(view, key) for key in keys}, nodes=nodes)


class JsonScreen:
    """Watches a run and prints JSON lines to `stream`."""

    tick_s = 1.0
    hears_tasks = True

    def __init__(self, stream: TextIO) -> None:
        self._waits = Waits()
        self._counted: tuple[str, tuple[NodeView, ...]] = ("", ())
        self._spout = Spout(stream, lambda lost: _text("dropped", time.time(), lines=lost))

    def warned(self, line: str) -> None:
        """Tell a warning about a workflow."""
        self._spout.put(_text("warning", time.time(), text=line))

    def opened(self, view: RunView, opening: str) -> None:
        """Tell that a run goes on where an earlier one stopped, if it does."""
        if opening:
            self._spout.put(_text("resumed", view.at, text=opening))

    def told(self, record: Told) -> None:
        """Print the record."""
        self._spout.put(line_of(record))

    def tick(self, view: RunView) -> None:
        """Print the counters when they changed, and long waits; called every `tick_s`."""
        if (view.state, view.nodes) != self._counted:
            self._counted = (view.state, view.nodes)
            self._spout.put(line_of_counts(view))
        for wait in self._waits.look(view):
            self._spout.put(line_of_wait(wait, view.at))

    def closed(self, view: RunView | None, closing: Sequence[str]) -> None:
        """Print the last counters and the closing lines, and end."""
        if view is not None:
            self._spout.put(line_of_counts(view))
        self._spout.put(_text("end", view.at if view else time.time(), lines=list(closing)))
        self._spout.close()
