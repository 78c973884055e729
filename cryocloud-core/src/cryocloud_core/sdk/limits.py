"""What makes a running program end early: cancel, a time limit, silence, too much memory.

Laws: nothing is signalled here; the first limit that is passed is told and stays the reason.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Protocol

from attrs import define, field

#: seconds between two looks at the memory of a process group
LOOK_S = 0.5
_PAGE = os.sysconf("SC_PAGE_SIZE")


class CancelEvent(Protocol):
    """What tells a task to stop."""

    def is_set(self) -> bool:
        """Return True once the task is to stop."""
        ...


class Stopped(Enum):
    """Why a program was made to end."""

    CANCELLED = "cancelled"
    TIME = "time limit"
    IDLE = "no output for too long"
    MEMORY = "memory limit"


@define(eq=False)
class Limits:
    """The limits of one program; times in seconds, memory in bytes, None where there is none."""

    cancel_event: CancelEvent | None = None
    max_time_s: float | None = None
    max_idle_s: float | None = None
    max_memory_bytes: int | None = None
    grace_s: float = 10.0
    began: float = field(factory=time.monotonic)
    heard: float = field(factory=time.monotonic)
    _looked: float = 0.0

    def passed(self, group: int) -> Stopped | None:
        """Return the limit that process group `group` has passed, None while all is well."""
        now = time.monotonic()
        if self.cancel_event is not None and self.cancel_event.is_set():
            return Stopped.CANCELLED
        if self.max_time_s is not None and now - self.began > self.max_time_s:
            return Stopped.TIME
        if self.max_idle_s is not None and now - self.heard > self.max_idle_s:
            return Stopped.IDLE
        return Stopped.MEMORY if self._too_big(group, now) else None

    def _too_big(self, group: int, now: float) -> bool:
        if self.max_memory_bytes is None or now - self._looked < LOOK_S:
            return False
        self._looked = now
        return group_memory_bytes(group) > self.max_memory_bytes


def group_memory_bytes(group: int) -> int:
    """Return the resident size of a process group's members together; 0 where there is no /proc."""
    return sum(resident for _, resident in _members(group))


def group_is_alive(group: int) -> bool:
    """Return True while a process group has a member that is more than a zombie; False where there is no /proc."""
    return any(state not in "ZX" for state, _ in _members(group))


def _members(group: int) -> Iterator[tuple[str, int]]:
    """Yield state and resident bytes of each member of a process group."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        # A process may end while we look: its files vanish, or reading them says ESRCH.
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = entry.read_text("ascii", "replace").rpartition(")")[2].split()
            if int(fields[2]) == group:
                yield fields[0], int(fields[21]) * _PAGE
