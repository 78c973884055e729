"""A running local scheduler for tests: modules are written as text, tasks are run, everything reported is kept."""

from __future__ import annotations

import asyncio
import itertools
import textwrap
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field, frozen

from cryocloud_core.schedulers.local import LocalScheduler
from cryocloud_core.sdk.observed import LogRecord
from cryocloud_core.sdk.scheduler import SchedulerSettings
from cryocloud_core.task import Code, Outcome, Stats, Task


@frozen
class Ended:
    """One report of an end."""

    task: str
    outcome: Outcome
    stats: Stats | None


@define(eq=False)
class Ear:
    """Implements Reports by remembering; tasks that found no room are offered again."""

    scheduler: LocalScheduler
    begun: list[tuple[str, str, float]] = field(factory=list)
    ends: list[Ended] = field(factory=list)
    values: list[tuple[str, str, dict[str, Any]]] = field(factory=list)
    records: list[LogRecord] = field(factory=list)
    waiting: list[Task] = field(factory=list)
    changed: threading.Condition = field(factory=threading.Condition)

    def began(self, task: str, worker: str, machine: str, at: float) -> None:
        """Keep a begin."""
        self._keep(self.begun, (task, worker, at))

    def ended(self, task: str, outcome: Outcome, stats: Stats | None) -> None:
        """Keep an end."""
        self._keep(self.ends, Ended(task, outcome, stats))

    def status(self, task: str, worker: str, values: Mapping[str, Any]) -> None:
        """Keep status values."""
        self._keep(self.values, (task, worker, dict(values)))

    def logged(self, record: LogRecord) -> None:
        """Keep a log line."""
        self._keep(self.records, record)

    def room(self) -> None:
        """Offer what waits, the highest priority first."""
        with self.changed:
            self.changed.notify_all()
        for task in sorted(self.waiting, key=lambda task: -task.priority):
            if self.scheduler.offer(task):
                self.waiting.remove(task)

    def _keep(self, kept: list[Any], item: Any) -> None:
        with self.changed:
            kept.append(item)
            self.changed.notify_all()

    def wait(self, holds: Callable[[], Any], timeout_s: float = 20.0) -> Any:
        """Return what `holds` gives once it is true."""
        with self.changed:
            assert self.changed.wait_for(holds, timeout_s), f"ended: {self.ends[-3:]}; log: {self.records[-3:]}"
            return holds()


@define(eq=False)
class Floor:
    """A scheduler on a thread of its own."""

    folder: Path
    settings: SchedulerSettings
    scheduler: LocalScheduler = field(factory=LocalScheduler)
    loop: asyncio.AbstractEventLoop = field(factory=asyncio.new_event_loop)
    ear: Ear = field(init=False)
    numbers: Iterator[int] = field(factory=lambda: itertools.count(1))

    def __attrs_post_init__(self) -> None:
        self.ear = Ear(self.scheduler)

    def start(self) -> None:
        """Start thread and scheduler."""
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.wait_for(self.scheduler.start(self.ear, self.settings))

    def stop(self, grace_s: float = 0.0) -> None:
        """Stop scheduler and thread."""
        self.wait_for(self.scheduler.stop(grace_s))
        self.loop.call_soon_threadsafe(self.loop.stop)
        deadline = time.monotonic() + 5
        while self.loop.is_running() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.loop.close()

    def wait_for(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the scheduler's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function on the scheduler's loop and return its result."""

        async def called() -> Any:
            return function(*args)

        return self.wait_for(called())

    def module(self, source: str, name: str = "") -> Code:
        """Write a module file and return its code."""
        path = self.folder / f"{name or f'm{next(self.numbers)}'}.py"
        path.write_text(textwrap.dedent(source))
        return Code(path=str(path))

    def task(self, source: str | Code, args: dict[str, Any] | None = None, **fields: Any) -> Task:
        """Return a task of a module; its pebble is a fresh number."""
        number = next(self.numbers)
        code = source if isinstance(source, Code) else self.module(source)
        node = fields.pop("node", "N")
        return Task(f"{number}/{node}/1", number, node, "m", "flow", code, f"n{number}", args or {}, **fields)

    def submit(self, task: Task) -> Task:
        """Offer a task, now or as soon as there is room."""

        def offered() -> None:
            self.ear.waiting.append(task)
            self.ear.room()

        self.call(offered)
        return task

    def end_of(self, task: Task) -> Ended:
        """Wait for the end of a task."""
        found: Ended = self.ear.wait(lambda: next((end for end in self.ear.ends if end.task == task.id), None))
        return found

    def begin_of(self, task: Task) -> tuple[str, str, float]:
        """Wait for the begin of a task."""
        found: tuple[str, str, float] = self.ear.wait(
            lambda: next((begun for begun in self.ear.begun if begun[0] == task.id), None)
        )
        return found

    def run(self, source: str | Code, args: dict[str, Any] | None = None, **fields: Any) -> Ended:
        """Run one task and return how it ended."""
        return self.end_of(self.submit(self.task(source, args, **fields)))

    def logs_of(self, end: Ended) -> list[LogRecord]:
        """Return the log lines of a task; they arrive before its end."""
        return [record for record in self.ear.records if record.task == end.task]


def open_floor(folder: Path, **settings: Any) -> Floor:
    """Return a running floor; the caller stops it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "modules").mkdir(exist_ok=True)
    given = {"workers": 1, "cancel_grace_s": 0.5, "worker_config": {"tempdir": str(folder / "tmp")}, **settings}
    floor = Floor(folder / "modules", SchedulerSettings(folder / "state", "here", **given))
    floor.start()
    return floor


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """Give a floor with one normal worker, shared by the tests of a file."""
    opened = open_floor(tmp_path_factory.mktemp("floor"))
    yield opened
    opened.stop()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Floor]]:
    """Give `opened(workers=2)`: a floor of the test's own."""
    floors: list[Floor] = []

    def make(**settings: Any) -> Floor:
        floors.append(open_floor(tmp_path / f"floor{len(floors)}", **settings))
        return floors[-1]

    yield make
    for made in floors:
        if not made.loop.is_closed():
            made.stop()
