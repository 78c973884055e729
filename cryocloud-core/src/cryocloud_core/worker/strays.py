"""Killing what outlives its task: children, and grandchildren that the worker inherited.

Laws: a process that adopts orphans (`kernel.adopt_orphans`) finds every descendant here in the end, however it hid;
what is kept is named; a kill is followed by a reap, so that nothing is left, not even a zombie.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Container

from cryocloud_core.worker.kernel import children

#: how long killed processes are awaited, seconds; only one that hangs in the kernel takes longer
PATIENCE_S = 5.0


def has_children() -> bool:
    """Return True when this process has any child, dead or alive; a single system call."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def kill_children(keep: Container[int] = (), patience_s: float = PATIENCE_S) -> list[int]:
    """Kill every child that is not in `keep`, and what they leave behind; return the pids that were still running.

    Ends early when some cannot be killed within `patience_s`: another user's, or one that hangs in the kernel.
    """
    me = os.getpid()
    killed: dict[int, None] = {}
    deadline = time.monotonic() + patience_s
    while True:
        found = [pid for pid in children(me) if pid not in keep]
        if not found:
            return list(killed)
        running = [pid for pid in found if not _reap(pid)]
        for pid in running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                killed[pid] = None
        if running:
            if time.monotonic() > deadline:
                return list(killed)
            time.sleep(0.001)


def _reap(pid: int) -> bool:
    """Take a dead child away; False while it runs."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True
