"""What happened to one pebble, kept while its events are applied: every attempt, and what was judged with what.

Laws: pure; written only by `note`, after each event; parts of a split that came to nothing worth telling leave only
their count, so that a split of any length costs a few numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attrs import define, field

from cryocloud_core.engine.commands import Command, NodeSettled, StartTask
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import Context, Event, PebbleArrived, TaskEnded
from cryocloud_core.engine.pebble import NodeRun, Pebble
from cryocloud_core.engine.states import FAILURES, State
from cryocloud_core.task import Cancelled, Declined, Failed, Lost, Outcome, Succeeded, Task, TaskId, TimedOut

#: parts of a split that are told one by one
PARTS_TOLD = 10

_Key = tuple[str, str]


class Keeping(Engine):
    """An engine that lets go of nothing: a closed pebble is there to be told."""

    def forget(self, pebble: int) -> None:
        """Keep it."""


@define(eq=False)
class Attempt:
    """One attempt at a node: when it was asked for, where it ran, how it ended (`result` is empty while it is open)."""

    number: int
    task: Task
    asked_at: float
    ended_at: float = 0.0
    began_at: float = 0.0
    machine: str = ""
    worker: str = ""
    runtime_s: float = 0.0
    result: str = ""
    error: str = ""
    #: it did not run: an earlier result was used, that of the task `maker` where it is known
    cached: bool = False
    maker: str = ""

    def end(self, event: TaskEnded) -> None:
        """Take how it ended."""
        self.ended_at = event.at
        self.result, self.error = told_outcome(event.outcome)
        if isinstance(event.outcome, Succeeded):
            self.cached, self.maker = event.outcome.cached, event.outcome.maker
        stats = event.stats
        if stats is not None:
            self.machine, self.worker = stats.node, stats.worker
            self.runtime_s, self.began_at = stats.runtime_s, stats.began_at


@define(eq=False)
class Past:
    """One run and what it went through."""

    run: NodeRun
    #: in which it was judged
    context: Context
    attempts: list[Attempt] = field(factory=list)


@define(eq=False)
class Chronicle:
    """The past of one pebble. Runs are named by scope and node; `#2` is a firing, `.3` a part, `.3#2` one of a firing.

    `parts` counts how the parts of a node settled, by the scope around them and the node.
    """

    arrived: PebbleArrived | None = None
    context: Context | None = None
    at: float = 0.0
    pasts: dict[_Key, Past] = field(factory=dict)
    parts: dict[_Key, Counter[str]] = field(factory=dict)
    #: parts that failed, the first ones
    failed: dict[_Key, list[Past]] = field(factory=dict)
    #: the number of the parts that are told whole, one of each split; None for none
    part: int | None = None
    #: how those settled, with their pasts where they had a task
    asked: dict[_Key, tuple[str, Past | None]] = field(factory=dict)

    def note(self, pebble: Pebble, event: Event, context: Context, commands: Iterable[Command]) -> None:
        """Take in one event that was applied to the pebble, and what it commanded."""
        self.context, self.at = context, event.at
        if isinstance(event, PebbleArrived):
            self.arrived = event
        elif isinstance(event, TaskEnded):
            self._ended(event)
        for command in commands:
            if isinstance(command, StartTask):
                self._started(pebble, command.task, context, event.at)
            elif isinstance(command, NodeSettled):
                self._settled(pebble, command, context)

    def past(self, run: NodeRun) -> Past | None:
        """Return what is known of a run."""
        return self.pasts.get((run.scope.name, run.node.name))

    def _started(self, pebble: Pebble, task: Task, context: Context, at: float) -> None:
        run = pebble.tasks.get(task.id)
        key = (scope_of(task.id), task.node)
        past = self.pasts.get(key)
        if past is None and run is not None:
            past = self.pasts[key] = Past(run, context)
        region = None if run is None else run.scope.region
        if region is not None:
            # What opened the split was judged with this; the node itself starts nothing and is told of by its parts.
            outer = region.outer
            self.pasts.setdefault((outer.scope.name, outer.node.name), Past(outer, context))
        if past is not None:
            past.attempts.append(Attempt(task.attempt, task, at))

    def _ended(self, event: TaskEnded) -> None:
        past = self.pasts.get((scope_of(event.task), TaskId.parse(event.task).node))
        for attempt in () if past is None else past.attempts:
            if attempt.task.id == event.task and not attempt.result:
                attempt.end(event)

    def _settled(self, pebble: Pebble, command: NodeSettled, context: Context) -> None:
        key = (command.scope, command.node)
        if not command.scope.startswith("."):
            if key not in self.pasts:
                run = _run_in(pebble, command.scope, command.node)
                if run is not None:
                    self.pasts[key] = Past(run, context)
            return
        around = (command.scope.lstrip(".0123456789"), command.node)
        self.parts.setdefault(around, Counter())[command.state] += 1
        past = self.pasts.pop(key, None)
        if self.part is not None and command.scope.partition("#")[0] == f".{self.part}":
            self.asked[key] = command.state, past
        failed = self.failed.setdefault(around, [])
        if past is not None and State(command.state) in FAILURES and len(failed) < PARTS_TOLD:
            failed.append(past)


def _run_in(pebble: Pebble, scope: str, node: str) -> NodeRun | None:
    """Return the run of a node in the pebble's own scope or a firing."""
    if not scope:
        return pebble.main.runs.get(node)
    return next((each.runs.get(node) for each in pebble.firings if each.name == scope), None)


def scope_of(task: str) -> str:
    """Return the name of the scope that a task runs in."""
    parsed = TaskId.parse(task)
    part = "" if parsed.part is None else f".{parsed.part}"
    return part + ("" if parsed.firing is None else f"#{parsed.firing}")


def told_outcome(outcome: Outcome) -> tuple[str, str]:
    """Return how an attempt ended in one word, and why."""
    match outcome:
        case Succeeded():
            return "success", ""
        case Failed(error):
            return "error", error
        case TimedOut(error):
            return "timeout", error
        case Cancelled(why):
            return "cancelled", why
        case Lost(node, why):
            return "lost", f"worker lost on {node}: {why}"
        case Declined(why, node):
            return "declined", f"declined by {node}: {why}" if node else why
