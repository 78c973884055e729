"""The worker processes of one machine: how many of which kind, started, replaced, ended.

Laws: a normal or gpu worker that dies is replaced; admin workers and the head's own are started when one is wanted and
end when they were idle for a while; after one that never became ready the next of its kind is started only after a
growing pause; every process is noted in the state directory before a task can reach it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field

from cryocloud_core.errors import StateError
from cryocloud_core.schedulers.keeping import Keeping
from cryocloud_core.schedulers.slots import Slot, hello
from cryocloud_core.sdk.scheduler import SchedulerSettings
from cryocloud_core.worker.ahead import KeeperProcess
from cryocloud_core.worker.channel import Message
from cryocloud_core.worker.remains import Remains

ADMIN_WORKERS = 5
#: kinds whose workers are started when one is wanted
ON_DEMAND = ("admin", "head")
#: such a worker that was idle this long ends, seconds
IDLE_S = 30.0
#: pauses before a worker that did not even start is started again, seconds
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.2, 30.0


@define(eq=False)
class Pool:
    """All slots of this machine. `on_messages` and `on_dead` are told in the order in which things happened."""

    loop: asyncio.AbstractEventLoop
    settings: SchedulerSettings
    remains: Remains
    on_messages: Callable[[Slot, list[Message]], None]
    #: told a dead worker, why it died, and what it last wrote to its own stderr
    on_dead: Callable[[Slot, str, str], None]
    slots: dict[int, Slot] = field(factory=dict)
    by_kind: dict[str, list[Slot]] = field(factory=lambda: {"normal": [], "admin": [], "gpu": [], "head": []})
    limits: dict[str, int] = field(factory=dict)
    _keeping: Keeping | None = None
    _next_key: int = 1
    #: told when workers of a kind may be started again after a pause
    on_growth: Callable[[], None] = lambda: None
    #: starts in a row that failed, and until when no on-demand worker is started, by kind
    _failed_starts: Counter[str] = field(factory=Counter)
    _not_before: dict[str, float] = field(factory=dict)
    _ending: bool = False
    _starting_over: asyncio.Task[None] | None = None
    _dirty: set[Slot] = field(factory=set)

    def start(self, ahead: KeeperProcess | None = None) -> None:
        """Start the keeper, or take one over, and every worker that is not on demand. Raises StartError."""
        self.limits = _limits(self.settings)
        try:
            self._directory().mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(f"cannot be made: {error.strerror}", subject=str(self._directory())) from error
        self._start_keeper(ahead)
        for kind in ("normal", "gpu"):
            for number in range(self.limits[kind]):
                self._spawn(kind, number)

    def choose(self, kind: str, *, queue: int, shunned: Callable[[Slot], bool] | None = None) -> Slot | None:
        """Return the slot that should take a task now, an on-demand one if need be; None when there is no room.

        It may wait at a worker where fewer than `queue` do. One that is `shunned` is left out.
        """
        waiting: Slot | None = None
        starting: Slot | None = None
        for slot in self.by_kind[kind]:
            if slot.stopping or (shunned is not None and shunned(slot)):
                continue
            if slot.is_idle:
                return slot
            if not slot.load:
                starting = starting or slot
            elif len(slot.queued) < queue and self._may_wait_at(slot) and (waiting is None or slot.load < waiting.load):
                waiting = slot
        if starting is None and self.may_grow(kind):
            starting = self._spawn(kind, self._free_number(kind))
        return waiting or starting

    def may_grow(self, kind: str) -> bool:
        """Return True when one more worker of this kind would be started now if it were wanted."""
        if kind not in ON_DEMAND or len(self.by_kind[kind]) >= self.limits[kind]:
            return False
        return kind not in self._not_before or self.loop.time() >= self._not_before[kind]

    def _free_number(self, kind: str) -> int:
        taken = {slot.number for slot in self.by_kind[kind]}
        return next(number for number in range(len(taken) + 1) if number not in taken)

    def _may_wait_at(self, slot: Slot) -> bool:
        current = slot.current
        patient = current is None or self.loop.time() - current.seen_at < 0.05
        return slot.ready and patient and not slot.long_tasks

    def touch(self, slot: Slot) -> None:
        """Write what a slot was told at the end of this turn of the loop."""
        if not self._dirty:
            self.loop.call_soon(self._flush)
        self._dirty.add(slot)

    def kill(self, slot: Slot) -> None:
        """Kill a worker and everything below it; `on_dead` follows."""
        if self._keeping is not None:
            self._keeping.kill(slot.key)

    def retire(self, slot: Slot) -> None:
        """Let an idle worker end."""
        slot.stopping = True
        slot.say(["stop"])
        self.touch(slot)

    async def end(self) -> None:
        """Kill everything; when this returns nothing is alive."""
        self._ending = True
        if self._starting_over is not None:
            await asyncio.wait({self._starting_over})
        if self._keeping is not None:
            await self._keeping.end()
        for slot in list(self.slots.values()):
            slot.close(self.loop)
        self.slots.clear()
        for kind in self.by_kind.values():
            kind.clear()
        self._note()
        for path in self._directory().iterdir():
            path.unlink(missing_ok=True)

    def _start_keeper(self, ahead: KeeperProcess | None = None) -> None:
        self._keeping = Keeping(self.loop, self._hear, self._keeper_gone)
        stderr = self._directory() / "keeper.err"
        if ahead is None:
            self._keeping.start(self.remains.note.marker, stderr)
        else:
            self.remains.mark(ahead.marker)
            self._keeping.take_over(ahead, stderr)
        try:
            self._write_note()
        except OSError as error:
            raise StateError(f"cannot be written: {error.strerror}", subject=str(self.remains.path)) from error

    def _spawn(self, kind: str, number: int) -> Slot:
        assert self._keeping is not None
        slot = Slot(self._next_key, _name(kind, number, self.settings.machine), kind, self.settings.machine, number)
        self._next_key += 1
        self.slots[slot.key] = slot
        self.by_kind[kind].append(slot)
        env = {"CUDA_VISIBLE_DEVICES": str(number)} if kind == "gpu" else {}
        end = self._keeping.spawn(slot.key, env, self._stderr(slot))
        slot.open(self.loop, end, self._readable)
        slot.say(hello(slot, self.settings))
        self.touch(slot)
        return slot

    def _hear(self, report: dict[str, Any]) -> None:
        match report:
            case {"spawned": key, "pid": pid, "start": start}:
                slot = self.slots[key]
                slot.pid, slot.start_ticks = pid, start
                self._note()
            case {"failed": key, "why": why}:
                self._buried(self.slots[key], str(why))
            case {"exited": key, "status": status}:
                self._buried(self.slots[key], how_it_ended(status))

    def _keeper_gone(self) -> None:
        """The keeper died: so did all workers; look for what they left, then start anew."""
        if self._ending:
            return
        self._starting_over = self.loop.create_task(self._start_over())
        # Raises in a callback of the loop what went wrong: without workers the run cannot go on.
        self._starting_over.add_done_callback(lambda over: None if over.cancelled() else over.result())

    async def _start_over(self) -> None:
        assert self._keeping is not None
        await self._keeping.reap()
        await asyncio.to_thread(self.remains.clear)
        if self._ending:
            return
        self._start_keeper()
        for slot in list(self.slots.values()):
            self._buried(slot, "died with the keeper of the workers")

    def _buried(self, slot: Slot, why: str) -> None:
        """Hear its last words, give up its slot, replace it."""
        self.on_messages(slot, slot.read_rest())
        slot.close(self.loop)
        number = self.by_kind[slot.kind].index(slot)
        del self.slots[slot.key]
        self.by_kind[slot.kind].remove(slot)
        self._dirty.discard(slot)
        self._failed_starts[slot.kind] = 0 if slot.ready else self._failed_starts[slot.kind] + 1
        report = _last_text(self._stderr(slot))
        self._stderr(slot).unlink(missing_ok=True)
        if not self._ending:
            self._replace(slot, number)
        self.on_dead(slot, why, report)
        self._note()

    def _replace(self, slot: Slot, number: int) -> None:
        """Start a worker in the place of a dead one, or let one be started when it is wanted."""
        on_demand = slot.kind in ON_DEMAND
        if slot.ready:
            if not on_demand:
                self._respawn(slot, number)
            return
        pause = min(_LAST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._failed_starts[slot.kind], 10))
        if on_demand:
            self._not_before[slot.kind] = self.loop.time() + pause
            self.loop.call_later(pause, self.on_growth)
        else:
            self.loop.call_later(pause, self._respawn, slot, number)

    def _respawn(self, slot: Slot, number: int) -> None:
        if self._ending:
            return
        fresh = self._spawn(slot.kind, slot.number)
        slots = self.by_kind[slot.kind]
        slots.insert(min(number, len(slots) - 1), slots.pop())
        assert fresh in slots

    def _readable(self, slot: Slot) -> None:
        messages = slot.read()
        if slot.hung_up and slot.end is not None:
            # It would be readable for ever, and its burial may take a while.
            self.loop.remove_reader(slot.end)
        self.on_messages(slot, messages)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, set()
        for slot in dirty:
            slot.flush(self.loop)

    def _note(self) -> None:
        # A disk that has become full must not end the run: the first note holds the keeper and the marker, by which
        # the next head finds everything, and the next change writes all of it again.
        with contextlib.suppress(OSError):
            self._write_note()

    def _write_note(self) -> None:
        keeping = self._keeping
        keeper = None if keeping is None or self._ending else (keeping.pid, keeping.start_ticks)
        processes = tuple((slot.pid, slot.start_ticks) for slot in self.slots.values() if slot.pid)
        self.remains.write(keeper, processes)

    def _directory(self) -> Path:
        return self.settings.state_dir / "workers"

    def _stderr(self, slot: Slot) -> Path:
        return self._directory() / f"{slot.key}.err"


def _limits(settings: SchedulerSettings) -> dict[str, int]:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "normal": cpus if settings.workers is None else settings.workers,
        "admin": ADMIN_WORKERS if settings.admin_workers is None else settings.admin_workers,
        "gpu": settings.gpus or 0,
        "head": settings.head_workers,
    }


def _name(kind: str, number: int, machine: str) -> str:
    match kind:
        case "admin":
            return f"AdminWorker-{machine}"
        case "gpu":
            return f"GpuWorker-{machine}_{number}"
        case "head":
            return f"HeadWorker-{machine}_{number}"
        case _:
            return f"Worker-{machine}_{number}"


def how_it_ended(status: int) -> str:
    """Return a wait status as half a sentence: `was killed by SIGSEGV`, `ended with exit code 3`."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _last_text(path: Path) -> str:
    """Return what a worker wrote to its own stderr: why it could not start, or Python's report of a crash."""
    try:
        return path.read_bytes()[-8000:].decode("utf-8", "replace").strip()
    except OSError:
        return ""
