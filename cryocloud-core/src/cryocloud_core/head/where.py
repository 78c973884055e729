"""Where an open task is at this moment, and the one thing it waits for: what only gate, scheduler and journal know.

Laws: asked by people, changes nothing; an answer names the holder of what is waited for; it may walk over what waits,
so nobody asks in a loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from attrs import define

from cryocloud_core.engine.exchange import Exchange, Meeting
from cryocloud_core.engine.gate import Gate, Standing
from cryocloud_core.head.counters import Active, Counters
from cryocloud_core.head.publishing import MOVING, doing
from cryocloud_core.head.restraint import Restraint
from cryocloud_core.sdk.scheduler import Scheduler
from cryocloud_core.task import Task

#: holders that are named one by one
_NAMED = 3


@define(eq=False)
class Where:
    """Tells where tasks are. `closed` says why nothing is handed out, empty when tasks are."""

    gate: Gate
    scheduler: Scheduler
    counters: Counters
    exchange: Exchange
    closed: Callable[[], str]
    restraint: Restraint | None = None

    def tell(self, tasks: Iterable[str]) -> dict[str, str]:
        """Return for each task where it is."""
        return {task: self.of(task) for task in tasks}

    def of(self, task: str) -> str:
        """Return where one task is, or what it waits for and who has that."""
        active = self.counters.active.get(task)
        if active is not None:
            return f"runs on worker {active.worker} since {_since(active.began_at)}{_how_far(active)}"
        meeting = self.exchange.meeting(task)
        if meeting is not None:
            return _partners(meeting)
        closed = self.closed()
        if closed:
            return closed
        standing = self.gate.standing(task)
        if standing is None:
            return "being written to the journal"
        if standing.is_out:
            return "handed out, waits at a worker behind what that is in"
        return self._waiting(task, standing)

    def _waiting(self, task: str, standing: Standing) -> str:
        if standing.held_by is not None and self.restraint is not None:
            circle = self.restraint.circles().get(standing.held_by, "")
            return f"{standing.why}; {circle}" if circle else standing.why
        if standing.why:
            return f"a worker that may take it: {standing.why}" if standing.why.startswith("no ") else standing.why
        if standing.most:
            held = ", ".join(map(self._holder, standing.holders[:_NAMED]))
            more = f" and {len(standing.holders) - _NAMED} more" if len(standing.holders) > _NAMED else ""
            return f"max_parallel: {len(standing.holders)} of {standing.most} are running, held by {held}{more}"
        waiting = self.gate.waiting(task)
        assert waiting is not None
        nobody = self.scheduler.unserved(waiting.kind)
        if nobody:
            return f"a worker that may take it: {nobody}"
        first = standing.first
        if first is not None and first.priority > waiting.priority:
            other = f"{_named(first)} (priority {first.priority}, this one has {waiting.priority})"
            return f"a higher priority: {other} goes first, {standing.ahead} ahead in all; {self._busy(waiting)}"
        ahead = f"; {standing.ahead} ahead of it" if standing.ahead else "; it is next"
        return self._busy(waiting) + ahead

    def _busy(self, task: Task) -> str:
        """Say that all workers of the task's kind are taken, and by whom."""
        ours = [worker for worker in self.scheduler.workers() if worker.kind == task.kind]
        busy = [worker for worker in ours if worker.task]
        if not ours:
            return f"a free {task.kind} worker: none is up yet"
        who = ""
        if busy:
            active = self.counters.active.get(busy[0].task)
            who = "" if active is None else f", {busy[0].name} with {self._holder(active.task)}"
        return f"a free {task.kind} worker: {len(busy)} of {len(ours)} are busy{who}"

    def _holder(self, task: Task) -> str:
        active = self.counters.active.get(task.id)
        at = "not begun" if active is None else f"on {active.worker} since {_since(active.began_at)}"
        return f"{_named(task)} ({at})"


def _partners(meeting: Meeting) -> str:
    """Say who is at a rendezvous, who is missing, and who goes on when all have come."""
    present = meeting.present
    here = [
        f"pebble {each.pebble} by {' and '.join(each.came)} since {_since(each.since)}" for each in present[:_NAMED]
    ]
    more = f" and {len(present) - _NAMED} more" if len(present) > _NAMED else ""
    goes_on = next((f"the one by {each.resolve_on}" for each in present if each.resolve_on), "the last to come")
    return f"here: {', '.join(here)}{more}; missing: {', '.join(meeting.missing)}; {goes_on} goes on"


def _named(task: Task) -> str:
    return f"pebble {task.id.partition('/')[0]} {task.node}"


def _how_far(active: Active) -> str:
    """Return in brackets how far a task is, and what its worker does, and with which file, unless its module works."""
    state = doing(active)
    told = [state.lower()] if state in MOVING else []
    if active.shown is not None:
        told.append(f"{active.shown:.0f} %")
    file = f": {active.waits_for}" if active.waits_for and state in MOVING else ""
    return f" ({', '.join(told)}{file})" if told else ""


def _since(at: float) -> str:
    return f"{max(0.0, time.time() - at):.0f} s"


def closed_text(state: str, paused: str) -> str:
    """Return why nothing is handed out in this state of a run, empty when it is."""
    if paused:
        return f"the run pauses: {paused}"
    if state == "suspending":
        return "the run is suspended: nothing is handed out, the next start goes on"
    return "" if state == "running" else f"the run is {state}"
