"""The default scheduler: worker processes on this machine, one task each at a time.

Laws: every task taken ends in exactly one report; a task's runtime and limit count from the worker's begin; a worker
that dies costs the task it was in, the tasks waiting at it are placed again; a task that is told to stop has its grace,
then its worker and everything below it is killed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, ClassVar

from attrs import define, field

from cryocloud_core.errors import StateError
from cryocloud_core.schedulers.pace import PREFETCH, Paces
from cryocloud_core.schedulers.pool import Pool
from cryocloud_core.schedulers.sharing import Sharing
from cryocloud_core.schedulers.slots import Held, Slot
from cryocloud_core.schedulers.withdrawn import Withdrawals
from cryocloud_core.sdk.observed import LogRecord
from cryocloud_core.sdk.scheduler import Capabilities, Reports, Scheduler, SchedulerSettings, WorkerInfo
from cryocloud_core.task import Cancelled, Lost, Outcome, Stats, Succeeded, Task, TimedOut
from cryocloud_core.wire import from_data
from cryocloud_core.worker.ahead import KeeperProcess
from cryocloud_core.worker.channel import Message
from cryocloud_core.worker.remains import Remains

#: a worker with fewer waiting tasks makes the head ask for more: half of what may wait, so that none runs dry meanwhile
REFILL_AT = PREFETCH // 2


@define(eq=False)
class LocalScheduler(Scheduler):
    """Implements `sdk.scheduler.Scheduler` with the processes of `pool.py`.

    `ahead` is a keeper that was started before there was a run.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(prefetches=True)

    _ahead: KeeperProcess | None = None
    _held: dict[str, Held] = field(factory=dict)
    _paces: Paces = field(factory=Paces)
    _stopping: bool = False
    _settling: bool = False
    _quiet: asyncio.Event = field(factory=asyncio.Event)
    _hurry: asyncio.Event = field(factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _reports: Reports = field(init=False)
    _settings: SchedulerSettings = field(init=False)
    _pool: Pool = field(init=False)
    _sharing: Sharing = field(init=False)
    _withdrawals: Withdrawals = field(init=False)

    async def start(self, reports: Reports, settings: SchedulerSettings) -> None:
        """Kill what an earlier head left alive, then start the workers. Raises StartError."""
        self._loop, self._reports, self._settings = asyncio.get_running_loop(), reports, settings
        try:
            settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(f"cannot be made: {error.strerror}", subject=str(settings.state_dir)) from error
        remains = Remains.read(settings.state_dir)
        killed = await asyncio.to_thread(remains.clear)
        if killed:
            self._log("WARNING", f"{len(killed)} process(es) of an earlier run were still alive and were killed")
        self._pool = Pool(self._loop, settings, remains, self._hear, self._bury)
        self._withdrawals = Withdrawals(self._loop, self._ask_for_more)
        self._sharing = Sharing(self._loop, self._pool, self._ask_for_more, self._withdrawals)
        self._pool.on_growth = self._settle
        ahead, self._ahead = self._ahead, None
        self._pool.start(ahead)

    def offer(self, task: Task) -> bool:
        """Take the task now and return True, or return False and change nothing."""
        if self._stopping or task.id in self._held or (task.machines and self._settings.machine not in task.machines):
            return False
        queue = self._paces.of(task.workflow, task.node).queue
        slot = self._sharing.slot_for(task, queue=queue)
        if slot is None:
            self._sharing.refused(task)
            return False
        held = self._held[task.id] = Held(task, queue)
        self._sharing.place(held, slot)
        return True

    def recall(self, task: str) -> bool:
        """Give back a task that is not on its way to a worker; True when it will neither run nor be reported."""
        held = self._held.get(task)
        if held is None or held.began_at is not None or held.ending is not None:
            return False
        if held.slot is None:
            self._sharing.homeless.remove(held)
        elif held.slot.take_back(task) is None:
            return False
        del self._held[task]
        return True

    def cancel(self, task: str, why: str) -> None:
        """Tell the task to stop, kill its worker after the grace; `ended` says how it went."""
        held = self._held.get(task)
        if held is None or held.ending is not None:
            return
        if held.slot is None or held.slot.take_back(task) is not None:
            if held in self._sharing.homeless:
                self._sharing.homeless.remove(held)
            self._end(held, Cancelled(why), None)
            return
        held.ending = Cancelled(why)
        self._tell_to_stop(held)

    def workers(self) -> list[WorkerInfo]:
        """Return every worker, in the order of their names."""
        return sorted((slot.info() for slot in self._pool.slots.values()), key=lambda info: (info.name, info.pid))

    def unserved(self, kind: str) -> str:
        """Return why no worker will ever take tasks of this kind, empty when one will."""
        if self._pool.limits.get(kind, 0) > 0:
            return ""
        flag = {"normal": "--workers", "admin": "--admin-workers", "gpu": "--gpus"}.get(kind, "")
        return f"no {'GPU' if kind == 'gpu' else kind} worker" + (f" (see {flag})" if flag else "")

    def lacking(self, task: Task) -> str:
        """Return why the workers that could take this task do not offer its module, empty when one does."""
        return self._sharing.lacking(task)

    def serving(self, kind: str, module: str) -> tuple[str, ...]:  # noqa: ARG002 - every module is here
        """Return this machine, if tasks of this kind run on it."""
        return (self._settings.machine,) if self._pool.limits.get(kind, 0) > 0 else ()

    async def stop(self, grace_s: float) -> None:
        """Wait up to `grace_s` for begun tasks, then kill; nothing is alive afterwards; a second call waits no more."""
        if self._stopping:
            self._hurry.set()
        self._stopping = True
        for slot in self._pool.slots.values():
            if slot.queued:
                self._sharing.recall_from(slot, list(slot.queued.values()))
        await self._until_quiet(grace_s)
        for held in self._held.values():
            held.drop_timer()
        self._sharing.close()
        await self._pool.end()
        self._held.clear()

    async def _until_quiet(self, grace_s: float) -> None:
        if grace_s <= 0 or self._is_quiet():
            return
        waits = [asyncio.ensure_future(event.wait()) for event in (self._quiet, self._hurry)]
        await asyncio.wait(waits, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def _is_quiet(self) -> bool:
        return not any(slot.load for slot in self._pool.slots.values())

    # What workers say.

    def _hear(self, slot: Slot, messages: list[Message]) -> None:
        for message in messages:
            try:
                self._obey(slot, message)
            except Exception as error:  # noqa: BLE001 - what one report broke in the head must not lose the next ones
                about = f"a report of {slot.name} was not taken: {message[0]}"
                self._loop.call_exception_handler({"message": about, "exception": error})
                if message[0] == "ended":
                    # Nobody will report this end again: the run would wait for it for ever.
                    self._loop.call_soon(_raise, error)
        if not self._settling and len(slot.queued) <= REFILL_AT:
            self._settling = True
            self._loop.call_soon(self._settle)

    def _obey(self, slot: Slot, message: Message) -> None:
        match message:
            case ["began", task, at]:
                self._began(slot, task, at)
            case ["ended", task, outcome, numbers]:
                self._ended(slot, task, outcome, numbers)
            case ["status", task, values]:
                self._reports.status(task, slot.name, values)
            case ["log", record]:
                self._reports.logged(from_data(record, LogRecord))
            case ["usage", task, cpu, memory]:
                if slot.current is not None and slot.current.task.id == task:
                    slot.current.cpu_time_s, slot.current.max_memory_bytes = cpu, memory
            case ["returned", tasks]:
                self._returned(slot, tasks)
            case ["ready", _]:
                slot.ready = True

    def _began(self, slot: Slot, task: str, at: float) -> None:
        held = slot.begin(task)
        if held is None:
            return
        held.began_at, held.seen_at = at, self._loop.time()
        if held.ending is not None:
            # It was told to stop while its begin was on the way.
            held.timer = self._loop.call_later(self._settings.cancel_grace_s, self._pool.kill, slot)
        elif held.task.timeout_s is not None:
            held.timer = self._loop.call_later(held.task.timeout_s, self._time_is_over, held)
        self._reports.began(task, slot.name, slot.machine, at)

    def _ended(self, slot: Slot, task: str, outcome: dict[str, Any], numbers: list[Any]) -> None:
        held = slot.current
        if held is None or held.task.id != task:
            return
        runtime, cpu, memory, at = numbers
        stats = Stats(slot.machine, slot.name, held.task.priority, runtime, cpu, memory, at)
        if outcome["type"] == "Declined":
            self._withdrawals.declined(slot, held.task.code, outcome["why"])
        else:
            self._withdrawals.took(slot, held.task.code)
            self._paces.of(held.task.workflow, held.task.node).note(runtime)
        slot.release(held)
        self._end(held, held.ending or _outcome(outcome), stats)

    def _returned(self, slot: Slot, tasks: list[str]) -> None:
        for task in tasks:
            held = slot.queued.get(task)
            if held is None:
                continue
            slot.release(held)
            if held.ending is not None:
                self._end(held, held.ending, None)
            else:
                self._sharing.homeless.append(held)

    def _bury(self, slot: Slot, why: str, report: str) -> None:
        """A worker is dead, with everything below it: one task is lost, the others are placed again."""
        self._withdrawals.gone(slot)
        current = slot.current
        expected = slot.stopping or (current is not None and current.ending is not None)
        if report or not expected:
            self._log("ERROR" if report else "WARNING", f"worker {why}" + (f":\n{report}" if report else ""), slot)
        if current is not None:
            slot.release(current)
            lost = Lost(slot.machine, f"worker {slot.name} {why}")
            self._end(current, current.ending or lost, self._stats_so_far(slot, current))
        for held in list(slot.queued.values()):
            slot.release(held)
            if held.ending is not None:
                self._end(held, held.ending, None)
            else:
                self._sharing.homeless.append(held)
        self._settle()

    # What becomes of a task.

    def _end(self, held: Held, outcome: Outcome, stats: Stats | None) -> None:
        held.drop_timer()
        del self._held[held.task.id]
        self._reports.ended(held.task.id, outcome, stats)

    def _time_is_over(self, held: Held) -> None:
        limit = held.task.timeout_s or 0.0
        held.ending = TimedOut(f"time limit of {limit:g} s passed")
        self._tell_to_stop(held)

    def _tell_to_stop(self, held: Held) -> None:
        slot = held.slot
        assert slot is not None
        slot.say(["cancel", held.task.id, ""])
        self._pool.touch(slot)
        held.drop_timer()
        if held.began_at is not None:
            held.timer = self._loop.call_later(self._settings.cancel_grace_s, self._pool.kill, slot)

    def _stats_so_far(self, slot: Slot, held: Held) -> Stats:
        at = held.began_at or time.time()
        runtime = max(0.0, time.time() - at)
        return Stats(slot.machine, slot.name, held.task.priority, runtime, held.cpu_time_s, held.max_memory_bytes, at)

    def _ask_for_more(self) -> None:
        if not self._stopping:
            self._reports.room()

    def _settle(self) -> None:
        self._settling = False
        if not self._stopping:
            self._sharing.settle()
        elif self._is_quiet():
            self._quiet.set()

    def _log(self, level: str, text: str, slot: Slot | None = None) -> None:
        task = None if slot is None or slot.current is None else slot.current.task
        about: dict[str, Any] = {}
        if task is not None:
            about = {"workflow": task.workflow, "pebble": task.pebble, "node": task.node, "task": task.id}
        worker = "" if slot is None else slot.name
        self._reports.logged(LogRecord(time.time(), level, text, "cryocloud", worker=worker, **about))


def _raise(error: Exception) -> None:
    raise error


def _outcome(data: dict[str, Any]) -> Outcome:
    """Read an outcome; by far the most are a success, whose outputs are plain data."""
    if data["type"] == "Succeeded":
        return Succeeded(
            data.get("outputs", {}), data.get("cached", False), data.get("sizes", {}), data.get("maker", "")
        )
    read: Callable[[Any, Any], Outcome] = from_data
    return read(data, Outcome)
