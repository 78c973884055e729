"""The task a worker is in, as its threads share it: whose it is, whether it can be told to stop, its status values.

Laws: made when the task begins, dropped when it ends; only the fields under the lock are written by two threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from attrs import define, field

from cryocloud_core.task import Task
from cryocloud_core.worker.contract import CancelFlag

#: seconds between two messages with status values of one task
COALESCE_S = 0.1


@define(eq=False)
class Current:
    """One task between its begin and its end."""

    task: Task
    began_at: float = field(factory=time.time)
    began: float = field(factory=time.monotonic)
    cancel: CancelFlag = field(factory=CancelFlag)
    #: the module is being called, and takes no cancel event
    deaf: bool = False
    #: the module's own way to be told, `stop_job`
    stop_job: Callable[[], Any] | None = None
    _changed: dict[str, Any] = field(factory=dict)
    _told: float = 0.0
    _lock: threading.Lock = field(factory=threading.Lock)

    def note(self, name: str, value: Any) -> bool:
        """Remember a status value; True when it is time to tell the head."""
        with self._lock:
            self._changed[name] = value
            return time.monotonic() - self._told >= COALESCE_S

    def changes(self) -> dict[str, Any]:
        """Return the values that changed since the last call."""
        if not self._changed:
            return {}
        with self._lock:
            changed, self._changed = self._changed, {}
            self._told = time.monotonic()
        return changed

    def changed(self) -> bool:
        """Return True while values wait to be told."""
        return bool(self._changed)
