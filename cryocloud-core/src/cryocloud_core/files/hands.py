"""Threads that are kept for the next piece of work: to start one costs more than to fetch a small file needs.

Laws: a thread that does not come back from its work is not missed; those that have nothing to do end by themselves,
and none keeps the process from ending.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from attrs import define, field

#: seconds without work after which a thread ends: between two small files, not into the module's time
IDLE_S = 0.5

_Work = Callable[[], None]


@define(eq=False)
class Hands:
    """Daemon threads, as many as are busy at a time. Work never raises: what it is about is its own affair."""

    _idle: list[queue.SimpleQueue[_Work]] = field(factory=list)
    _busy: int = 0
    _lock: threading.Condition = field(factory=threading.Condition)

    def do(self, work: _Work) -> None:
        """Have a thread do the work, beside whatever the others do."""
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = queue.SimpleQueue()
            threading.Thread(target=self._live, args=(inbox,), name="cc-errand", daemon=True).start()
        with self._lock:
            self._busy += 1
        inbox.put(work)

    def _live(self, inbox: queue.SimpleQueue[_Work]) -> None:
        while True:
            try:
                work = inbox.get(timeout=IDLE_S)
            except queue.Empty:
                with self._lock:
                    if inbox in self._idle:
                        self._idle.remove(inbox)
                        return
                continue  # work is on its way
            work()
            del work  # what it holds is free while the thread waits
            with self._lock:
                self._idle.append(inbox)
                self._busy -= 1
                if not self._busy:
                    self._lock.notify_all()

    def settle(self, seconds: float) -> bool:
        """Wait, for so many seconds at most, until no thread works; return whether none does."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._busy, seconds)
