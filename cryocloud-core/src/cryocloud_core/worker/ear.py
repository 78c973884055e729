"""The worker's second thread: it listens while a module runs, and costs nothing while tasks are short.

Laws: in the first 20 ms of a task it does nothing; then it reads the socket (cancel, recall), captured output and,
once a second, the memory of the process and its children. Between tasks the socket is the main thread's; when nothing
has run for a while this thread sleeps until it is roused.
"""

from __future__ import annotations

import select
import threading
import time

from attrs import define, field

from cryocloud_core.worker.capture import Capture
from cryocloud_core.worker.current import COALESCE_S, Current
from cryocloud_core.worker.session import Session
from cryocloud_core.worker.usage import Usage

#: a task that runs longer is listened to, seconds
PATIENCE_S = 0.02
#: seconds between two looks at memory
SAMPLE_S = 1.0


@define(eq=False)
class Ear:
    """Started once; `rouse` when a task begins."""

    _session: Session
    _capture: Capture
    _usage: Usage
    _asleep: bool = False
    _wake: threading.Event = field(factory=threading.Event)

    def start(self) -> None:
        """Start the thread; it ends with the process."""
        threading.Thread(target=self._listen, name="cryocloud-ear", daemon=True).start()

    def rouse(self) -> None:
        """A task began."""
        if self._asleep:
            self._wake.set()

    def _listen(self) -> None:
        while True:
            current = self._session.current
            if current is None:
                self._sleep()
                continue
            left = current.began + PATIENCE_S - time.monotonic()
            if left > 0:
                time.sleep(left)
            else:
                self._attend(current)

    def _sleep(self) -> None:
        """Nap; when nothing runs after that either, sleep until roused."""
        time.sleep(PATIENCE_S)
        if self._session.current is not None:
            return
        self._wake.clear()
        self._asleep = True
        # A task may have begun between the two lines above and seen nobody asleep.
        if self._session.current is None:
            self._wake.wait()
        self._asleep = False

    def _attend(self, current: Current) -> None:
        """Listen to everything while this task runs."""
        poll = select.poll()
        poll.register(self._session.end.fileno(), select.POLLIN)
        for number in self._capture.filenos():
            poll.register(number, select.POLLIN)
        sampled = 0.0
        while self._session.current is current:
            now = time.monotonic()
            if now - sampled >= SAMPLE_S and now - current.began >= SAMPLE_S:
                sampled = now
                self._sample(current)
            heard = {number for number, _ in poll.poll(1000 * (COALESCE_S if current.changed() else SAMPLE_S))}
            if self._session.current is not current:
                return
            self._hear(current, heard)

    def _hear(self, current: Current, heard: set[int]) -> None:
        if self._session.end.fileno() in heard:
            self._session.receive(wait=False, only_in=current)
        if heard & set(self._capture.filenos()):
            self._capture.pump()
        if current.changed() and not heard:
            self._session.tell_status(current)

    def _sample(self, current: Current) -> None:
        cpu, memory = self._usage.sample()
        self._session.send([["usage", current.task.id, cpu, memory]])
