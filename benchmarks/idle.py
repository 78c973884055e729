"""What a run costs while nothing happens: one watched folder, events working.

Laws: the CPU time is that of the head and of all below it, over a while that begins when the folder has been read and
its files are done; beside it stands a process that does nothing but sleep a millisecond at a time.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.figures import Figure, Goal, Size
from benchmarks.launch import count, start, until

#: files in the folder, seconds
SIZES: dict[Size, tuple[int, float]] = {"full": (1_000, 60.0), "quick": (1_000, 20.0), "tiny": (10, 1.0)}
SETTLE_S = 3.0
_DONE = "SELECT count(*) FROM pebbles WHERE state = 'closed'"
_NAPS = "import time\nwhile True: time.sleep(0.001)"


def measure(size: Size) -> Iterator[Figure]:
    """Measure the share of one core."""
    files, seconds = SIZES[size]
    with tempfile.TemporaryDirectory() as directory:
        state, watched = Path(directory) / "state", Path(directory) / "in"
        watched.mkdir()
        for number in range(files):
            (watched / f"{number}.txt").write_text("x")
        head = start("arrival.json", state, f"--in={watched}")
        until(lambda: count(state, _DONE) == files, head, state)
        time.sleep(SETTLE_S)
        naps = subprocess.Popen([sys.executable, "-c", _NAPS])
        used = percent([head.pid, naps.pid], seconds)
        for process in (head, naps):
            process.send_signal(signal.SIGTERM)
            process.wait()
    name = f"idle, {files} files watched"
    yield Figure("idle", name, used[0], "% of a core", used[1], "1 000 naps a second", Goal(0.5))


def percent(pids: list[int], seconds: float) -> list[float]:
    """Return the CPU of each process and those below it, in percent of one core."""
    before, began = [cpu_s(pid) for pid in pids], time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return [(cpu_s(pid) - used) / took * 100 for pid, used in zip(pids, before, strict=True)]


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and of all that are below it now."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(float(each.user + each.system) for each in times)
