"""Tasks per second through the local scheduler, beside a bare process pool driven by callbacks in the same run.

`python -m benchmarks.local_scheduler [--tasks N] [--profile]`. Both sides keep the same number of no-op tasks open, on
two processes. The pool has no statistics, no captured output, no limits; the ratio says what those cost.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import resource
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

from attrs import define, field

from cryocloud_core.schedulers.local import LocalScheduler
from cryocloud_core.sdk.observed import LogRecord
from cryocloud_core.sdk.scheduler import SchedulerSettings
from cryocloud_core.task import Code, Outcome, Stats, Succeeded, Task

WORKERS = 2
OPEN = 64
NOOP = (
    '"""A module that does nothing."""\n\n\ndef process_task(worker, task):\n    return 100, {"n": task["args"]["n"]}\n'
)


def noop(number: int) -> dict[str, int]:
    """Do what the module does, in a bare pool."""
    return {"n": number}


@define(eq=False)
class Driver:
    """Offers tasks whenever there is room, as a head would."""

    scheduler: LocalScheduler
    code: Code
    total: int
    done: asyncio.Event = field(factory=asyncio.Event)
    offered: int = 0
    ended_count: int = 0
    errors: list[str] = field(factory=list)

    def began(self, task: str, worker: str, machine: str, at: float) -> None:
        """Hear of a begin."""

    def ended(self, task: str, outcome: Outcome, _stats: Stats | None) -> None:
        """Count."""
        self.ended_count += 1
        if not isinstance(outcome, Succeeded):
            self.errors.append(f"{task}: {outcome}")
        if self.ended_count == self.total:
            self.done.set()

    def status(self, task: str, worker: str, values: Mapping[str, Any]) -> None:
        """Hear of a status value."""

    def logged(self, record: LogRecord) -> None:
        """Print what should not be there."""
        print(record.level, record.text)

    def room(self) -> None:
        """Offer until refused."""
        while self.offered < self.total:
            number = self.offered
            task = Task(f"{number}/Noop/1", number, "Noop", "noop", "bench", self.code, f"{number:032x}", {"n": number})
            if not self.scheduler.offer(task):
                return
            self.offered += 1


async def scheduler_rate(total: int, folder: Path, *, profile: bool) -> float:
    """Return tasks per second of the local scheduler, after its workers are warm."""
    module = folder / "noop.py"
    module.write_text(NOOP)
    # A file written seconds ago: a younger one is read before each task, as it may change without showing it.
    os.utime(module, (time.time() - 60, time.time() - 60))
    scheduler = LocalScheduler()
    code = Code(path=str(module))
    warm = Driver(scheduler, code, 500)
    router = Router(warm)
    await scheduler.start(router, SchedulerSettings(folder / "state", "bench", workers=WORKERS))
    warm.room()
    await warm.done.wait()
    driver = router.driver = Driver(scheduler, code, total)
    driver.offered, driver.total = 0, total
    profiler = cProfile.Profile()
    began = time.perf_counter()
    if profile:
        profiler.enable()
    driver.room()
    await driver.done.wait()
    rate = total / (time.perf_counter() - began)
    if profile:
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
    await scheduler.stop(1.0)
    for error in driver.errors[:3]:
        print(error)
    return rate


class Router:
    """Hands reports to the driver of the moment."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    def __getattr__(self, name: str) -> Any:
        """Return the driver's method."""
        return getattr(self.driver, name)


def pool_rate(total: int) -> float:
    """Return tasks per second of a process pool whose callbacks submit the next task."""
    with ProcessPoolExecutor(WORKERS) as pool:
        list(pool.map(noop, range(100)))
        left = iter(range(total))
        finished = 0
        done = threading.Event()

        def submit_next(ended: Future[dict[str, int]] | None = None) -> None:
            nonlocal finished
            finished += ended is not None
            number = next(left, None)
            if number is not None:
                pool.submit(noop, number).add_done_callback(submit_next)
            elif finished == total:
                done.set()

        began = time.perf_counter()
        for _ in range(OPEN):
            submit_next()
        done.wait()
        return total / (time.perf_counter() - began)


def cpu_s() -> float:
    """Return the CPU seconds of this process and of everything it has waited for, workers below the keeper included."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Measure both and print rates, their ratio and the CPU time of a task, which a busy machine disturbs less."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    start = cpu_s()
    with tempfile.TemporaryDirectory() as folder:
        ours = asyncio.run(scheduler_rate(options.tasks, Path(folder), profile=options.profile))
    between = cpu_s()
    theirs = pool_rate(options.tasks)
    costs = [1e6 * seconds / options.tasks for seconds in (between - start, cpu_s() - between)]
    print(f"local scheduler          {ours:8.0f} tasks/s   {costs[0]:5.0f} µs CPU a task, starts included")
    print(f"ProcessPoolExecutor({WORKERS})   {theirs:8.0f} tasks/s   {costs[1]:5.0f} µs CPU a task")
    print(f"ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
