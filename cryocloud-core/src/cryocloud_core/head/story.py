"""What durable events mean to people: counters, results, log lines, observers.

Laws: told once, after the commit, in order; whoever only watches never changes what happens.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

from cryocloud_core.engine.commands import CleanUp, FinishPebble, NodeSettled, Note
from cryocloud_core.engine.events import PebbleArrived, TaskEnded
from cryocloud_core.errors import EngineError
from cryocloud_core.head.counters import Counters
from cryocloud_core.head.ledger import Held, Ledger
from cryocloud_core.head.observers import Observers
from cryocloud_core.head.results import Results
from cryocloud_core.head.settings import Told
from cryocloud_core.head.telling import Telling
from cryocloud_core.head.wheel import COUNTER_OF, TOLD_STATES, Done
from cryocloud_core.sdk.observed import LogRecord, PebbleSeen, TaskSeen
from cryocloud_core.task import Outcome, TaskId
from cryocloud_core.url_secrets import covered


class Story:
    """Tells what happened to everybody who wants to know."""

    def __init__(
        self, ledger: Ledger, counters: Counters, results: Results, observers: Observers, telling: Telling
    ) -> None:
        #: called with the id of every pebble whose arrival is durable
        self.arrived: Callable[[Held], None] = lambda _held: None
        self._at = 0.0
        self._ledger = ledger
        self._counters = counters
        self._results = results
        self._observers = observers
        self._telling = telling

    def event(self, done: Done) -> None:
        """Tell of the event itself, before its commands are performed."""
        event = done.event
        held = self._ledger[event.pebble]
        self._at = event.at
        if isinstance(event, PebbleArrived):
            self.arrived(held)
            if self._wanted("pebble_arrived"):
                self._tell("pebble_arrived", PebbleSeen(held.workflow, event.pebble, event.input, event.at))
        elif isinstance(event, TaskEnded) and (self._hears_tasks or self._observers.wants("task_ended")):
            # The traceback of a failure is in the log already: its worker told it when it happened.
            self._tell("task_ended", task_seen(held, event))

    def node_settled(self, command: NodeSettled) -> None:
        """Count a node's end, and remember a failure."""
        held = self._ledger[command.pebble]
        self._counters.node(held.workflow, command.node).ends[COUNTER_OF[command.state]] += 1
        if command.state in TOLD_STATES:
            self._results.failure(held.run, held.pebble, command.node, command.state, command.error)
            if command.state != "cancelled":
                self._log(held, "ERROR", f"{command.state}: {command.error}", command.node)

    def pebble_finished(self, command: FinishPebble) -> None:
        """Tell of a closed pebble."""
        held = self._ledger[command.pebble]
        self._results.closed(held.run, command.result)
        self._ledger.closed(command.pebble)
        if self._wanted("pebble_finished"):
            seen = PebbleSeen(held.workflow, held.pebble, held.input, self._at, command.result, covered(command.error))
            self._tell("pebble_finished", seen)

    def left(self, done: Done) -> None:
        """A pebble has left the engine, closed or set aside."""
        held = self._ledger[done.event.pebble]
        if done.story:
            self.set_aside(held, done.story, done.error)
        self._ledger.left(held.pebble)

    def set_aside(self, held: Held, story: str, error: Exception | None) -> None:
        """A pebble is quarantined: say so, with everything that is known."""
        self._results.failure(held.run, held.pebble, "", "quarantined", story)
        self._results.closed(held.run, "quarantined")
        text = f"pebble {held.pebble} is set aside, the others go on: {story}"
        if error is not None and not isinstance(error, EngineError):
            text += "\n" + "".join(traceback.format_exception(error)).rstrip()
        self._log(held, "ERROR", text)

    def workflow_of(self, pebble: int) -> str:
        """Return the name of a pebble's workflow."""
        return self._ledger[pebble].workflow

    def note(self, command: Note) -> None:
        """Say what the engine has to say."""
        self._log(self._ledger[command.pebble], command.level, command.text, command.node)

    def clean_up_failed(self, command: CleanUp, why: str) -> None:
        """A clean-up is still owed; its pebble may have been set aside meanwhile."""
        held = self._ledger.get(command.pebble)
        workflow = "" if held is None else held.workflow
        text = f"tempdirs on {command.machine} are still there ({why}); tried again later"
        self._telling.log("WARNING", text, workflow=workflow, pebble=command.pebble)

    def logged(self, record: LogRecord) -> None:
        """Pass on what a worker said."""
        self._telling.record(record)

    @property
    def _hears_tasks(self) -> bool:
        return self._telling.listened and self._telling.hears_tasks

    def _wanted(self, hook: str) -> bool:
        return self._telling.listened or self._observers.wants(hook)

    def _tell(self, hook: str, seen: Told) -> None:
        self._observers.tell(hook, seen)
        self._telling.tell(seen)

    def _log(self, held: Held, level: str, text: str, node: str = "", task: str = "") -> None:
        self._telling.log(level, text, workflow=held.workflow, pebble=held.pebble, node=node, task=task)


_NAMES = {"Succeeded": "success", "Failed": "error", "TimedOut": "timeout"}


def task_seen(held: Held, event: TaskEnded) -> TaskSeen:
    """Return what observers are told of a task's end."""
    outcome, stats = event.outcome, event.stats
    kind = type(outcome).__name__
    return TaskSeen(
        held.workflow,
        held.pebble,
        TaskId.parse(event.task).node,
        event.task,
        _NAMES.get(kind, kind.lower()),
        event.at,
        worker="" if stats is None else stats.worker,
        runtime_s=0.0 if stats is None else stats.runtime_s,
        cpu_time_s=0.0 if stats is None else stats.cpu_time_s,
        max_memory_bytes=0 if stats is None else stats.max_memory_bytes,
        error=covered(error_of(outcome)),
    )


def error_of(outcome: Outcome) -> str:
    """Return the text of a failure, empty for a success."""
    return str(getattr(outcome, "error", "") or getattr(outcome, "why", ""))
