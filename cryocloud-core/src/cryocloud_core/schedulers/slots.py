"""One worker process as the head sees it: its socket, what it is in, what waits at it.

Laws: messages of one turn of the loop are written together; the head never waits for a worker to read; a task is in
exactly one slot, either as `current`, begun, or among `queued`.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from cryocloud_core.sdk.scheduler import SchedulerSettings, WorkerInfo
from cryocloud_core.task import Outcome, Task
from cryocloud_core.wire import to_data
from cryocloud_core.worker.channel import Message, Unpacker, pack

#: a bigger buffer is fetched from the system anew for each read, which costs more than the read
_CHUNK = 64 * 1024


@define(eq=False)
class Held:
    """A task that was taken and is not over."""

    task: Task
    #: how many may wait at a worker for this one to join them; 0: its node is not short, none wait behind it
    queue: int
    slot: Slot | None = None
    began_at: float | None = None
    #: loop time at which we learned that it began
    seen_at: float = 0.0
    #: how it ends, decided before it ended: cancelled, or its time is over
    ending: Outcome | None = None
    timer: asyncio.TimerHandle | None = None
    #: asked back from the worker
    recalled: bool = False
    cpu_time_s: float = 0.0
    max_memory_bytes: int = 0

    def drop_timer(self) -> None:
        """Forget the time limit or the grace."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


@define(eq=False)
class Slot:
    """A worker process. `end` is the head's end, None before the start and after the death."""

    key: int
    name: str
    kind: str
    machine: str
    #: which of its kind it is, from 0
    number: int = 0
    pid: int = 0
    start_ticks: int = 0
    ready: bool = False
    stopping: bool = False
    current: Held | None = None
    queued: dict[str, Held] = field(factory=dict)
    #: tasks here whose nodes are not short
    long_tasks: int = 0
    #: no queued task has a lower priority; it may lie lower than all of them
    lowest: float = math.inf
    #: the worker closed its end: it is dying, the keeper will tell
    hung_up: bool = False
    idle_timer: asyncio.TimerHandle | None = None
    end: socket.socket | None = None
    _messages: list[Message] = field(factory=list)
    _unwritten: bytearray = field(factory=bytearray)
    #: the socket is full: the loop writes the rest when there is room
    _stuck: bool = False
    _unpacker: Unpacker = field(factory=Unpacker)

    @property
    def load(self) -> int:
        """Tasks that are here."""
        return len(self.queued) + (self.current is not None)

    @property
    def is_idle(self) -> bool:
        """True when a task given now would begin at once."""
        return self.ready and self.current is None and not self.queued and not self.stopping

    def put(self, held: Held) -> None:
        """Give it a task; written with the next `flush`."""
        held.slot = self
        held.recalled = False
        self.lowest = min(self.lowest if self.queued else math.inf, held.task.priority)
        self.queued[held.task.id] = held
        self.long_tasks += not held.queue
        self.say(["task", to_data(held.task)])

    def say(self, message: Message) -> None:
        """Say something with the next `flush`."""
        self._messages.append(message)

    def begin(self, task: str) -> Held | None:
        """Move a task from the queue into the worker's hands; None when it is not here."""
        held = self.queued.pop(task, None)
        if held is not None:
            self.current = held
        return held

    def release(self, held: Held) -> None:
        """Take a task out."""
        if self.current is held:
            self.current = None
        else:
            del self.queued[held.task.id]
        self.long_tasks -= not held.queue
        held.slot = None

    def take_back(self, task: str) -> Held | None:
        """Take out a task that was not written yet; None when it is on its way."""
        for index, message in enumerate(self._messages):
            if message[0] == "task" and message[1]["id"] == task:
                del self._messages[index]
                held = self.queued[task]
                self.release(held)
                return held
        return None

    def flush(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write what was said this turn, as far as the socket takes it; the rest when it can."""
        if self.end is None:
            return
        if self._messages:
            self._unwritten += pack(self._messages)
            self._messages.clear()
        try:
            while self._unwritten:
                del self._unwritten[: self.end.send(self._unwritten)]
        except BlockingIOError:
            self._stuck = True
            loop.add_writer(self.end, self.flush, loop)
            return
        except (BrokenPipeError, ConnectionResetError):
            # It is dead or dying; the keeper tells, and what was here is placed anew.
            self._unwritten.clear()
        if self._stuck:
            self._stuck = False
            loop.remove_writer(self.end)

    def read(self) -> list[Message]:
        """Return what arrived; empty when nothing did, no whole frame did, or the other end is closed."""
        return self._unpacker.feed(self._receive())

    def read_rest(self) -> list[Message]:
        """Return everything that a dead worker had sent."""
        messages: list[Message] = []
        while data := self._receive():
            messages += self._unpacker.feed(data)
        return messages

    def _receive(self) -> bytes:
        """Return the bytes that are there; none when there are none, or the other end is closed."""
        if self.end is None:
            return b""
        try:
            data = self.end.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except ConnectionResetError:
            data = b""
        self.hung_up = not data
        return data

    def open(self, loop: asyncio.AbstractEventLoop, end: socket.socket, on_readable: Callable[[Slot], None]) -> None:
        """Begin to listen at the head's end of the socket."""
        end.setblocking(False)
        self.end = end
        loop.add_reader(end, on_readable, self)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let go of the socket."""
        if self.idle_timer is not None:
            self.idle_timer.cancel()
        if self.end is not None:
            loop.remove_reader(self.end)
            loop.remove_writer(self.end)
            self.end.close()
            self.end = None

    def info(self) -> WorkerInfo:
        """Return what `workers()` tells of it."""
        state = "stopping" if self.stopping else "busy" if self.current else "idle" if self.ready else "starting"
        task = self.current.task.id if self.current else ""
        return WorkerInfo(self.name, self.machine, self.kind, state, self.pid, task, len(self.queued))


def hello(slot: Slot, settings: SchedulerSettings) -> Message:
    """Return a worker's first message."""
    greeting = {
        "name": slot.name,
        "machine": slot.machine,
        "config": _plain(settings.worker_config),
        "routes": _plain(to_data(settings.routes)),
        "log_level": settings.log_level,
    }
    return ["hello", greeting]


def _plain(value: Any) -> Any:
    """Return configuration as JSON data: TOML also has dates, which become their text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)
