"""Who gets which worker: tasks that lost their place, room for higher priorities, idle workers beside long queues.

Laws: a task that was taken and has no worker is placed as soon as there is room, the highest priority first; room that
was made for a refused task of a higher priority is kept for it, for a moment only; what waits at a worker is asked
back, never taken: the worker may have begun it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from attrs import define, field, frozen

from cryocloud_core.schedulers.pace import SHORT_S
from cryocloud_core.schedulers.pool import IDLE_S, ON_DEMAND, Pool
from cryocloud_core.schedulers.slots import Held, Slot
from cryocloud_core.schedulers.withdrawn import Withdrawals
from cryocloud_core.task import Task

#: how long room is kept for a refused task of a higher priority, seconds
WANTED_S = 1.0


@frozen
class Wanted:
    """A task was refused while tasks of a lower priority waited at workers of its kind."""

    priority: int
    kind: str
    timer: asyncio.TimerHandle


@define(eq=False)
class Sharing:
    """Places tasks on the slots of a pool. `ask_for_more` is the head's `room`."""

    loop: asyncio.AbstractEventLoop
    pool: Pool
    ask_for_more: Callable[[], None]
    withdrawals: Withdrawals
    #: tasks whose worker died, or gave them back, before they began
    homeless: list[Held] = field(factory=list)
    _wanted: Wanted | None = None
    _balancing: asyncio.TimerHandle | None = None

    def slot_for(self, task: Task, *, queue: int) -> Slot | None:
        """Return where a task should go now, rather not where its module was declined; None when there is no room."""
        slot = None
        if task.code in self.withdrawals:
            slot = self.pool.choose(task.kind, queue=queue, shunned=self._declined(task))
        slot = slot or self.pool.choose(task.kind, queue=queue)
        if slot is None:
            return None
        wanted = self._wanted
        if wanted is not None and task.kind == wanted.kind:
            if task.priority < wanted.priority:
                return None
            self._forget_wanted()
        return slot

    def lacking(self, task: Task) -> str:
        """Return why a task must wait because its module was declined: by all workers, or by all that are free."""
        kind, pool = task.kind, self.pool
        if task.code not in self.withdrawals or pool.may_grow(kind):
            return ""
        slots = [slot for slot in pool.by_kind.get(kind, ()) if not slot.stopping]
        told = {slot.name: why for slot in slots if (why := self.withdrawals.why(slot, task.code))}
        if not told or pool.choose(kind, queue=0, shunned=self._declined(task)) is not None:
            return ""
        if len(told) < len(slots) and pool.choose(kind, queue=0) is None:
            return ""
        free = "" if len(told) == len(slots) else "free "
        name, why = min(told.items())
        return f"no {free}{kind} worker offers module {task.module!r}: declined by {name}: {why}"

    def _declined(self, task: Task) -> Callable[[Slot], bool]:
        return lambda slot: bool(self.withdrawals.why(slot, task.code))

    def place(self, held: Held, slot: Slot) -> None:
        """Give a task to a slot."""
        if slot.idle_timer is not None:
            slot.idle_timer.cancel()
            slot.idle_timer = None
        slot.put(held)
        self.pool.touch(slot)

    def refused(self, task: Task) -> None:
        """No room for this task: if tasks of a lower priority wait at workers, ask for them back."""
        waiting = [
            held
            for slot in self.pool.by_kind.get(task.kind, ())
            if slot.ready and slot.lowest < task.priority
            for held in slot.queued.values()
            if held.task.priority < task.priority
        ]
        if not waiting or (self._wanted is not None and self._wanted.priority >= task.priority):
            return
        self._forget_wanted()
        self._wanted = Wanted(task.priority, task.kind, self.loop.call_later(WANTED_S, self._wanted_no_more))
        for slot in {held.slot for held in waiting if held.slot is not None}:
            self.recall_from(slot, [held for held in waiting if held.slot is slot])

    def recall_from(self, slot: Slot, waiting: list[Held]) -> None:
        """Ask a worker for tasks back; it returns those that it has not begun."""
        asked = [held for held in waiting if not held.recalled]
        if asked:
            for held in asked:
                held.recalled = True
            slot.say(["recall", [held.task.id for held in asked]])
            self.pool.touch(slot)

    def settle(self) -> None:
        """After workers were heard: place the homeless, ask for more, share what waits."""
        self._place_homeless()
        self.ask_for_more()
        self._place_homeless()
        self._balance()
        for kind in ON_DEMAND:
            for slot in self.pool.by_kind[kind]:
                if slot.is_idle and slot.idle_timer is None:
                    slot.idle_timer = self.loop.call_later(IDLE_S, self.pool.retire, slot)

    def close(self) -> None:
        """Place nothing more."""
        self._forget_wanted()
        self.homeless.clear()
        if self._balancing is not None:
            self._balancing.cancel()

    def _place_homeless(self) -> None:
        if not self.homeless:
            return
        for held in sorted(self.homeless, key=lambda held: -held.task.priority):
            slot = self.slot_for(held.task, queue=held.queue)
            if slot is not None:
                self.homeless.remove(held)
                self.place(held, slot)

    def _forget_wanted(self) -> None:
        if self._wanted is not None:
            self._wanted.timer.cancel()
            self._wanted = None

    def _wanted_no_more(self) -> None:
        """The refused task was not offered again; others may have the room."""
        self._wanted = None
        self.settle()

    def _balance(self) -> None:
        """Ask the worker with the longest queue for a part of it while another is idle."""
        for slots in self.pool.by_kind.values():
            longest = max(slots, key=lambda slot: len(slot.queued), default=None)
            if longest is None or not longest.queued or not any(slot.is_idle for slot in slots):
                continue
            waiting = [held for held in longest.queued.values() if not held.recalled]
            current = longest.current
            slow = current is not None and self.loop.time() - current.seen_at > SHORT_S
            self.recall_from(longest, waiting if slow else waiting[(len(waiting) + 1) // 2 :])
            if self._balancing is None:
                # What is short now may turn out long; nobody else would tell us.
                self._balancing = self.loop.call_later(2 * SHORT_S, self._balance_again)

    def _balance_again(self) -> None:
        self._balancing = None
        self._balance()
