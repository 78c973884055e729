"""One worker process and its head: tasks in, one at a time; what happens to them out.

Laws: "began" is sent before anything of a task is done and "ended" before anything of the next one, so a worker that
dies costs exactly the task it was in; an outcome and the next begin travel in one write, because that is what a short
task's time goes to; a worker whose head is gone takes its whole process group with it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

from attrs import define, field

from cryocloud_core.sdk.observed import LogRecord
from cryocloud_core.task import Failed, Outcome, Task
from cryocloud_core.wire import from_data, to_data
from cryocloud_core.worker.channel import HeadGoneError, Message, WorkerEnd, pack
from cryocloud_core.worker.current import Current
from cryocloud_core.worker.kernel import descendants
from cryocloud_core.worker.returned import SIZE_LIMIT
from cryocloud_core.worker.run import Finished, Runner

#: while tasks wait here, what the head says (a recall, a cancel) is looked for this often, seconds
LISTEN_S = 0.001


@define(eq=False)
class Session:
    """What the main thread and the ear share. `serve` is the life of the process."""

    end: WorkerEnd
    #: told the head's first message
    greet: Callable[[Message], None] = lambda _: None
    current: Current | None = None
    stop_event: threading.Event = field(factory=threading.Event)
    #: whoever holds it is the one who reads the socket
    reading: threading.Lock = field(factory=threading.Lock)
    _queue: deque[Task] = field(factory=deque)
    #: when the main thread last looked at the socket
    _listened: float = 0.0
    #: the end of the last task, which travels before whatever is sent next, by whichever thread
    _unsent: bytes = b""
    #: reentrant: what the garbage collector finalizes may log
    _sending: threading.RLock = field(factory=threading.RLock)

    def serve(self, runner: Runner) -> None:
        """Take tasks until told to stop; `ready` is told first."""
        from cryocloud_core.worker.ear import Ear

        os.register_at_fork(after_in_child=self._renew_after_fork)
        ear = Ear(self, runner.capture, runner.usage)
        ear.start()
        self.send([["ready", os.getpid()]])
        while (task := self._next()) is not None:
            self._run(task, runner, ear)
        runner.in_use.put_down()

    def send(self, messages: list[Message]) -> None:
        """Send messages now; a worker without a head does not come back from here."""
        self._send_frames(pack(messages))

    def tell(self, records: list[LogRecord]) -> None:
        """Send log lines."""
        self.send([["log", to_data(record)] for record in records])

    def publish(self, name: str, value: Any) -> None:
        """Note a status value of the current task and send it when the last message is long enough ago."""
        current = self.current
        if current is not None and current.note(name, value):
            self.tell_status(current)

    def tell_status(self, current: Current) -> None:
        """Send the status values that changed."""
        changes = current.changes()
        if changes:
            self.send([["status", current.task.id, changes]])

    def receive(self, *, wait: bool, only_in: Current | None = None) -> None:
        """Read and obey what the head says; with `only_in` only while that task goes on."""
        with self.reading:
            if only_in is not None and self.current is not only_in:
                return
            try:
                messages = self.end.receive(wait=wait)
            except HeadGoneError:
                self.die()
            for message in messages:
                self._obey(message)

    def die(self) -> NoReturn:
        """Kill everything below this process, its group and itself: nobody is left to answer to."""
        for pid in descendants(os.getpid()):
            _kill(pid)
        os.killpg(os.getpgrp(), signal.SIGKILL)
        os._exit(1)

    def _next(self) -> Task | None:
        """Return the next task, None when it is time to go."""
        now = time.monotonic()
        if not self._queue or now - self._listened >= LISTEN_S:
            self._listened = now
            self.receive(wait=False)
        while not self._queue and not self.stop_event.is_set():
            self._send_frames(b"")
            self.receive(wait=True)
        if self._queue:
            return self._queue.popleft()
        self._send_frames(b"")
        return None

    def _run(self, task: Task, runner: Runner, ear: Any) -> None:
        current = Current(task)
        runner.scribe.task = task
        self.current = current
        self._send_frames(pack([["began", task.id, current.began_at]]))
        ear.rouse()
        finished = runner.run(current)
        self.current = None
        runner.scribe.task = None
        with self._sending:
            self._unsent = _last_words(current, finished)

    def _send_frames(self, frames: bytes) -> None:
        # Taken and sent under one lock: a begin that overtook the end before it would cost the head that end.
        try:
            with self._sending:
                frames, self._unsent = self._unsent + frames, b""
                if frames:
                    self.end.send(frames)
        except HeadGoneError:
            self.die()

    def _renew_after_fork(self) -> None:
        """Forget who was sending: in a forked child that thread does not exist."""
        self._sending = threading.RLock()
        self.end.renew_after_fork()

    def _obey(self, message: Message) -> None:
        match message:
            case ["task", data]:
                self._queue.append(from_data(data, Task))
            case ["hello", _]:
                self.greet(message)
            case ["cancel", task, _]:
                self._cancel(task)
            case ["recall", tasks]:
                self._give_back(set(tasks))
            case ["stop"]:
                self.stop_event.set()
            case _:
                raise ValueError(f"a worker knows no message {message[0]!r}")

    def _cancel(self, task: str) -> None:
        current = self.current
        if current is None or current.task.id != task:
            self._give_back({task})
            return
        current.cancel.set()
        if current.stop_job is not None:
            current.stop_job()
        if current.deaf:
            # It cannot be told: the head sees a process that died, and knows why.
            self.die()

    def _give_back(self, tasks: set[str]) -> None:
        """Return the tasks among these that have not begun."""
        given = [task.id for task in self._queue if task.id in tasks]
        self._queue = deque(task for task in self._queue if task.id not in tasks)
        if given:
            self.send([["returned", given]])


def _last_words(current: Current, finished: Finished) -> bytes:
    """Return the frame that ends a task: its last status values and its outcome."""
    task, changes = current.task, current.changes()
    # To the microsecond: what follows is noise, and fills a seventh of the journal's rows.
    seconds = (round(finished.runtime_s, 6), round(finished.cpu_time_s, 6))
    numbers = [*seconds, finished.max_memory_bytes, current.began_at]
    status: list[Message] = [["status", task.id, changes]] if changes else []
    frame = pack([*status, ["ended", task.id, to_data(finished.outcome, Outcome), numbers]])
    if len(frame) <= SIZE_LIMIT:
        return frame
    error = f"return value too large ({len(frame)} bytes, {SIZE_LIMIT} are allowed), write a file and return its path"
    return pack([*status, ["ended", task.id, to_data(Failed(error), Outcome), numbers]])


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
