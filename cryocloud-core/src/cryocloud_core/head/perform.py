"""Performing what the engine commands, and hearing from the scheduler.

Laws: only what is durable is performed; every task that was taken is answered by exactly one TaskEnded in
the inbox; nothing is handed out while `closed` says why: before the start is complete, while the journal
waits for room, after a suspension.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import evolve

from cryocloud_core.engine.commands import (
    Ask,
    CancelTask,
    CleanUp,
    Command,
    FinishPebble,
    KeepCheckpoint,
    Meet,
    NodeSettled,
    Note,
    SetTimer,
    StartTask,
)
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import Answered, CleanUpEnded, TaskEnded, TimerFired
from cryocloud_core.engine.exchange import Exchange
from cryocloud_core.engine.gate import Gate, Held
from cryocloud_core.engine.pebble import Phase
from cryocloud_core.errors import ConfigError, ResolutionError
from cryocloud_core.head.cache import Hit, ResultCache, without_use
from cryocloud_core.head.cleaning import Cleaning
from cryocloud_core.head.counters import Counters
from cryocloud_core.head.dispatch import Dispatch
from cryocloud_core.head.inbox import Inbox
from cryocloud_core.head.places import Places
from cryocloud_core.head.restraint import Restraint
from cryocloud_core.head.story import Story
from cryocloud_core.head.timers import Timers
from cryocloud_core.head.wheel import Done
from cryocloud_core.sdk.observed import LogRecord
from cryocloud_core.sdk.scheduler import Scheduler
from cryocloud_core.task import Cancelled, Declined, Failed, Outcome, Stats, Succeeded, Task, TaskId


class Performer:
    """Between the journal and the scheduler: hands tasks out, keeps timers, cleans up, and reports back."""

    def __init__(
        self,
        engine: Engine,
        gate: Gate,
        scheduler: Scheduler,
        inbox: Inbox,
        *,
        counters: Counters,
        dispatch: Dispatch,
        story: Story,
        cache: ResultCache,
    ) -> None:
        #: why nothing is handed out now; empty when tasks are handed out
        self.closed = "starting"
        self.after: Callable[[], None] = lambda: None
        #: True when no input reports anything more
        self.ending: Callable[[], bool] = lambda: False
        #: told of each task's end and of status values, beside the counters
        self.task_over: Callable[[Task, Outcome, Stats | None], None] = lambda _task, _outcome, _stats: None
        self.said: Callable[[str, Mapping[str, Any]], None] = lambda _worker, _values: None
        #: what is told of a task is covered with what its arguments revealed
        self.veil = dispatch.veil
        #: what restrictions hold back, when the run has any
        self.restraint: Restraint | None = None
        #: pebbles that wait for each other
        self.exchange = Exchange()
        self.timers = Timers(self._timer_fired)
        self._engine = engine
        self._gate = gate
        self._scheduler = scheduler
        self._inbox = inbox
        self._counters = counters
        self._dispatch = dispatch
        self._cache = cache
        cache.offer_again = self._offer_again
        self._story = story
        self._places = Places(scheduler)
        self._cleaning = Cleaning(scheduler, self._cleaned, story.clean_up_failed)
        self._taken: dict[str, Task] = {}
        #: taken and not begun, by kind of worker and priority
        self._unbegun: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._soon = False
        self._do = self._deeds(story)

    def _deeds(self, story: Story) -> dict[type, Callable[[Any], None]]:
        """Return what is done about each kind of command."""
        return {
            StartTask: self._start,
            CancelTask: self._cancel,
            SetTimer: lambda command: self.timers.set(command.pebble, command.timer, command.due_at),
            CleanUp: self._cleaning.owe,
            Meet: self._meet,
            Ask: self._ask,
            Note: story.note,
            NodeSettled: story.node_settled,
            FinishPebble: story.pebble_finished,
            # Its own commit has kept it.
            KeepCheckpoint: lambda _command: None,
        }

    def perform(self, done: list[Done]) -> None:
        """Do everything that a durable batch commands."""
        do = self._do
        story = self._story
        for each in done:
            story.event(each)
            for command in each.commands:
                do[type(command)](command)
            if each.left:
                story.left(each)
                if self.restraint is not None:
                    self.restraint.left(each.event.pebble)
        self.hand_out()
        self.after()

    def take_over(self, owed: Iterable[Command]) -> None:
        """Take what an earlier start left owed."""
        for command in owed:
            self._do[type(command)](command)

    def hand_out(self) -> None:
        """Offer what waits, in order of priority, until the scheduler has no room."""
        self._soon = False
        if self.closed:
            return
        if self._unbegun:
            self._make_way()
        self._gate.hand_out(self._offer)
        self._cleaning.hand_out()

    def recall_all(self) -> None:
        """Take back everything that no worker has begun."""
        for waiting in list(self._unbegun.values()):
            for task in list(waiting):
                self._recall(task)

    # --- commands -------------------------------------------------------------------------------------

    def _start(self, command: StartTask) -> None:
        self._counters.queued(command.task)
        self._gate.enter(command.task)

    def _cancel(self, command: CancelTask) -> None:
        if self.exchange.leave(command.task):
            return
        task = self._taken.get(command.task)
        if task is None:
            self._cache.over(command.task)
            self._places.forget(command.task)
        if self._gate.withdraw(command.task):
            self._counters.withdrawn(self._story.workflow_of(command.pebble), TaskId.parse(command.task).node)
            self._cancelled(command)
        elif task is None:
            self._cancelled(command)
        elif self._scheduler.recall(command.task):
            self._gone(task)
            self._cancelled(command)
        else:
            self._scheduler.cancel(command.task, command.why)

    def _meet(self, command: Meet) -> None:
        """Let a pebble wait for others; the answers of one rendezvous are one commit."""
        answers = self.exchange.join(command, time.time())
        if answers:
            self._inbox.put(tuple(answers))

    def _ask(self, command: Ask) -> None:
        """Say where a task could run now."""
        machines = self._scheduler.serving(command.kind, command.module)
        self._inbox.put(Answered(command.pebble, time.time(), command.task, tuple(sorted(machines))))

    def part_the_lonely(self, pebbles_open: int) -> None:
        """When nothing but waiting pebbles is left and none can arrive: no partner will come."""
        if len(self.exchange) < pebbles_open:
            return
        # One that is closed and owes its clean-up goes nowhere any more.
        pebbles = [pebble for pebble in self._engine.pebbles.values() if pebble.phase is not Phase.OWING]
        if any(p.tasks or p.timers or p.questions or not p.meetings for p in pebbles):
            return
        for workflow in {pebble.plan.workflow.name for pebble in pebbles}:
            for answer in self.exchange.give_up(workflow, time.time()):
                self._inbox.put(answer)

    def _cancelled(self, command: CancelTask) -> None:
        """Answer for a task that will never run, if the engine still waits for its end."""
        pebble = self._engine.pebbles.get(command.pebble)
        if pebble is not None and command.task in pebble.tasks:
            self._answer(command.pebble, command.task, Cancelled(command.why))

    def _answer(self, pebble: int, task: str, outcome: Outcome, stats: Stats | None = None) -> None:
        self._inbox.put(TaskEnded(pebble, time.time(), task, outcome, stats))

    def _timer_fired(self, pebble: int, timer: str) -> None:
        self._inbox.put(TimerFired(pebble, time.time(), timer))

    def _cleaned(self, pebble: int, machine: str) -> None:
        self._inbox.put(CleanUpEnded(pebble, time.time(), machine))

    # --- handing out ----------------------------------------------------------------------------------

    def _offer(self, task: Task) -> bool | str | Held:
        """Offer one task; True when it is off our hands, a text when it has to wait while others need not."""
        held = self.restraint.held(task) if self.restraint is not None else None
        if held is not None:
            return held
        found = self._cache.look(task)
        if isinstance(found, str):
            return found
        if isinstance(found, Hit):
            return self._end_soon(task, found.outcome(), found.stats(task))
        try:
            ready = self._dispatch.ready(task)
        except (ResolutionError, ConfigError) as error:
            return self._end_soon(task, Failed(str(error)), None)
        if found is not None:
            ready = found.prepared(ready, self._scheduler.serving(task.kind, task.module))
        missing = self._places.missing(ready)
        if missing and self.ending() and self._places.declined(ready):
            # Nothing new comes: a module that its workers declined would be waited for without end.
            self._places.forget(task.id)
            return self._end_soon(task, Declined(missing), None)
        if missing:
            return missing
        if not self._scheduler.offer(ready):
            return False
        self._taken[task.id] = task
        if found is not None:
            self._cache.took(task, found)
        self._unbegun[task.kind, task.priority].add(task.id)
        self._counters.handed(task)
        return True

    def _end_soon(self, task: Task, outcome: Outcome, stats: Stats | None) -> bool:
        """End a task that no worker needs to see."""
        self._taken[task.id] = task
        asyncio.get_running_loop().call_soon(self.ended, task.id, outcome, stats)
        return True

    def _offer_again(self, tasks: Iterable[str]) -> None:
        """Offer tasks again that were passed over."""
        self._gate.offer_again(tasks)
        self._hand_out_soon()

    def _make_way(self) -> None:
        """Take back what waits at a worker with a lower priority than the next task: it would wait behind it."""
        for kind, priority in list(self._unbegun):
            top = self._gate.top_priority(kind)
            if top is not None and top > priority:
                for task in list(self._unbegun[kind, priority]):
                    self._recall(task)

    def _recall(self, task: str) -> None:
        if self._scheduler.recall(task):
            taken = self._taken.pop(task)
            self._forget_unbegun(taken)
            self._counters.back(taken)
            self._gate.back(task)

    def _forget_unbegun(self, task: Task) -> None:
        key = (task.kind, task.priority)
        waiting = self._unbegun.get(key)
        if waiting is not None:
            waiting.discard(task.id)
            if not waiting:
                del self._unbegun[key]

    def _gone(self, task: Task) -> None:
        """A taken task is over."""
        del self._taken[task.id]
        self._cache.over(task.id)
        self._forget_unbegun(task)
        self._gate.ended(task.id)
        self._counters.ended(task)

    def _hand_out_soon(self) -> None:
        if not self._soon:
            self._soon = True
            asyncio.get_running_loop().call_soon(self.hand_out)

    # --- what the scheduler reports -------------------------------------------------------------------

    def began(self, task: str, worker: str, machine: str, at: float) -> None:  # noqa: ARG002 - the contract's
        """A worker began a task."""
        taken = self._taken.get(task)
        if taken is not None:
            self._forget_unbegun(taken)
            self._counters.began(taken, worker, at)

    def ended(self, task: str, outcome: Outcome, stats: Stats | None) -> None:
        """A task is over: it becomes an event."""
        taken = self._taken.get(task)
        if taken is None:
            self._cleaning.ended(task, outcome)
            return
        rows = self._cache.keep(taken, outcome, stats)
        self._gone(taken)
        if self.veil:
            outcome = self.veil.outcome(outcome)
        if isinstance(outcome, Succeeded) and (outcome.cached or outcome.sizes):
            outcome, stats = evolve(outcome, sizes={}), without_use(stats) if outcome.cached else stats
        self.task_over(taken, outcome, stats)
        event = TaskEnded(taken.pebble, time.time(), task, outcome, stats)
        self._inbox.put(event if rows is None else (rows, event))
        self._hand_out_soon()

    def status(self, task: str, worker: str, values: Mapping[str, Any]) -> None:
        """Status values of a worker changed."""
        self._counters.status(task, values)
        self.said(worker, values)

    def logged(self, record: LogRecord) -> None:
        """A worker said something."""
        self._story.logged(record)

    def room(self) -> None:
        """There may be room for more tasks."""
        self._gate.offer_again(self._places.appeared(ending=self.ending()))
        self._hand_out_soon()
