"""What the system needs before and beside the work: cold start, time to the first task, memory, idle CPU.

Laws: medians of several starts; memory is the proportional set size (shared pages counted once) of the head and all
below it, read while it runs; nothing here is asserted, machines differ.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

HERE = Path(__file__).parent / "workflows"
CRYOCLOUD = Path(sys.executable).with_name("cryocloud")


def cold_start_ms(*words: str, rounds: int = 9) -> float:
    """Return the median milliseconds of a whole command."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run([str(CRYOCLOUD), *words], check=True, stdout=subprocess.DEVNULL)
        took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


def first_task_ms(rounds: int = 5) -> float:
    """Return the median milliseconds from the launch to the moment a worker begins the first task."""
    took = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as directory:
            began = time.time()
            _run(Path(directory), "--pebbles=1").wait()
            with sqlite3.connect(Path(directory) / "journal.db") as journal:
                bodies = journal.execute("SELECT body FROM events WHERE started IS NOT NULL ORDER BY seq").fetchall()
            ends = [json.loads(body) for (body,) in bodies if '"TaskEnded"' in body]
            took.append((min(end["stats"]["began_at"] for end in ends) - began) * 1e3)
    return statistics.median(took)


def memory_mb(pebbles: int) -> float:
    """Return the highest memory of head, keeper and two workers during a chain of so many pebbles."""
    with tempfile.TemporaryDirectory() as directory:
        running = _run(Path(directory), f"--pebbles={pebbles}")
        head, highest = psutil.Process(running.pid), 0
        while running.poll() is None:
            highest = max(highest, _memory(head))
            time.sleep(0.05)
    return highest / 1e6


def idle_percent(files: int = 1000, seconds: float = 20.0) -> float:
    """Return the CPU, in percent of one core, of a run that watches a directory in which nothing happens any more."""
    with tempfile.TemporaryDirectory() as directory:
        watched = Path(directory) / "in"
        watched.mkdir()
        for number in range(files):
            (watched / f"{number}.txt").write_text("x")
        flow = HERE / "idle.json"
        state = ["--state-dir", str(Path(directory) / "state"), f"--in={watched}", "--workers=2"]
        running = subprocess.Popen([str(CRYOCLOUD), "run", str(flow), *state], stdout=subprocess.DEVNULL)
        time.sleep(15.0)
        before, began = _cpu(running.pid), time.monotonic()
        time.sleep(seconds)
        used = (_cpu(running.pid) - before) / (time.monotonic() - began) * 100
        running.terminate()
        running.wait()
    return used


def _run(state: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [str(CRYOCLOUD), "run", str(HERE / "chain.json"), *words, "--workers=2", "--state-dir", str(state)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def _family(head: psutil.Process) -> list[psutil.Process]:
    return [head, *head.children(recursive=True)]


def _memory(head: psutil.Process) -> int:
    total = 0
    try:
        for process in _family(head):
            total += process.memory_full_info().pss
    except psutil.Error:
        return 0
    return total


def _cpu(pid: int) -> float:
    times = [process.cpu_times() for process in _family(psutil.Process(pid))]
    return sum(each.user + each.system for each in times)


def main() -> None:
    """Print the table."""
    print(f"--help                        {cold_start_ms('--help'):8.0f} ms")
    print(f"launch to first task          {first_task_ms():8.0f} ms")
    print(f"memory after 2 500 pebbles    {memory_mb(2500):8.0f} MB")
    print(f"idle, 1 000 files watched     {idle_percent():8.2f} % of a core")


if __name__ == "__main__":
    main()
