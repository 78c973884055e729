"""What only the kernel can promise: to die with the parent, to inherit orphans, to find children.

Laws: Linux gives all of it; elsewhere each function does what is possible and says so by its return value.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@cache
def libc() -> Any:
    """Return the C library of this process."""
    return ctypes.CDLL(None, use_errno=True)


def die_with_parent(signal_number: int) -> bool:
    """Ask for a signal when the thread that started this process ends; False where the kernel cannot."""
    return _prctl(_PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> bool:
    """Become the parent of every descendant whose own parent dies; False where the kernel cannot."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> bool:
    return sys.platform == "linux" and bool(libc().prctl(option, value, 0, 0, 0) == 0)


def show_as(words: list[str]) -> bool:
    """Let lists of processes show this one with another command line; False where that cannot be, or it is too long."""
    fields = stat_fields(os.getpid())
    start, end = (int(field) for field in fields[45:47]) if len(fields) > 46 else (0, 0)
    text = b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in words)
    if not start or len(text) > end - start:
        return False
    ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)
    return True


def children(pid: int) -> list[int]:
    """Return the direct children of a process, zombies included; empty when it is gone or where there is no /proc."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - called for every task that had children
    except OSError:
        return found
    for thread in threads:
        try:
            text = Path(f"/proc/{pid}/task/{thread}/children").read_text("ascii")
        except OSError:
            return [child for child, parent in _parents() if parent == pid]
        found += map(int, text.split())
    return found


def descendants(pid: int) -> list[int]:
    """Return everything below a process, parents before children."""
    found = children(pid)
    for child in found:
        found += children(child)
    return found


def start_time(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 when it is gone. With the pid it names a process."""
    fields = stat_fields(pid)
    return int(fields[19]) if fields else 0


def is_alive(pid: int) -> bool:
    """Return True while a process is there and more than a zombie."""
    fields = stat_fields(pid)
    return bool(fields) and fields[0] not in "ZX"


def stat_fields(pid: int) -> list[str]:
    """Return /proc/PID/stat from the state on (state, ppid, pgrp, session, ...); empty when the process is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return []


def all_pids() -> Iterator[int]:
    """Yield the id of every process that /proc shows."""
    with contextlib.suppress(FileNotFoundError):
        for path in Path("/proc").iterdir():
            if path.name.isdecimal():
                yield int(path.name)


def _parents() -> Iterator[tuple[int, int]]:
    for pid in all_pids():
        fields = stat_fields(pid)
        if fields:
            yield pid, int(fields[1])


def boot_id() -> str:
    """Return what names this boot of the machine; empty where there is no /proc."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return ""
