"""Who is alive: the processes of a run, found by a mark in their environment, and by who is whose child.

Laws: a process is a pid and its start time, never a pid alone; one that vanishes while it is looked at is not alive.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: the environment variable that every process of a run inherits
MARK = "CRYOCLOUD_CAMPAIGN_MARK"


@dataclass(frozen=True)
class Process:
    """One process as /proc shows it; `started` is in clock ticks since boot."""

    pid: int
    parent: int
    started: int
    command: str
    state: str

    def is_alive(self) -> bool:
        """Tell whether this very process still runs."""
        now = look(self.pid)
        return now is not None and now.started == self.started and now.state not in "ZX"

    def kill(self, signum: signal.Signals = signal.SIGKILL) -> bool:
        """Send a signal to this very process; False when it is gone."""
        if not self.is_alive():
            return False
        try:
            os.kill(self.pid, signum)
        except ProcessLookupError:
            return False
        return True


def look(pid: int) -> Process | None:
    """Return the process with this pid, None when there is none."""
    folder = Path("/proc", str(pid))
    try:
        stat = (folder / "stat").read_text()
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in brackets may hold anything; the fields after its last bracket are numbers.
    fields = stat.rpartition(")")[2].split()
    return Process(pid, int(fields[1]), int(fields[19]), command, fields[0])


def everybody() -> Iterator[Process]:
    """Yield every process of this machine."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are enough, and vanish while one looks
        if name.isdigit() and (process := look(int(name))) is not None:
            yield process


def marked(mark: str) -> list[Process]:
    """Return the living processes whose environment carries the mark."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for process in everybody():
        try:
            environment = Path("/proc", str(process.pid), "environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if wanted in environment and process.state not in "ZX":
            found.append(process)
    return found


def children_of(pid: int) -> list[Process]:
    """Return the living children of a process."""
    return [process for process in everybody() if process.parent == pid and process.state not in "ZX"]


def wait_until_gone(mark: str, seconds: float) -> list[Process]:
    """Wait until no marked process lives; return those that do when the time is up."""
    deadline = time.monotonic() + seconds
    while (alive := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive


def end_all(mark: str) -> None:
    """Kill every marked process, those that are born meanwhile too."""
    deadline = time.monotonic() + 10
    while (alive := marked(mark)) and time.monotonic() < deadline:
        for process in alive:
            process.kill()
        time.sleep(0.01)
