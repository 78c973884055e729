"""One run, from read files to an exit code: the head is made, driven on a loop, and watched.

Laws: whoever watches is told on the loop; a run inside another loop gets a thread of its own, so that a
notebook's cell simply waits for it; the last lines are told even when the run ends with an error.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from attrs import define, evolve, field

from cryocloud_core.api.options_told import told_of_options
from cryocloud_core.api.reading import ReadFile, Reading, StrPath, read_all, sound
from cryocloud_core.config import Config
from cryocloud_core.errors import ConfigError, UsageError
from cryocloud_core.files.settings_told import SettingsTold, tables_of
from cryocloud_core.files.unpacked import is_ours
from cryocloud_core.graph.spelling import hint
from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.head.contexts import config_names
from cryocloud_core.head.head import Head
from cryocloud_core.head.settings import RunSettings, Told, default_state_dir
from cryocloud_core.head.view import RunView
from cryocloud_core.interrupts import Strokes
from cryocloud_core.modules.load import load_for_good
from cryocloud_core.sdk.observed import RunSeen
from cryocloud_core.sdk.registry import Registry, resolve
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.sdk.scheduler import Scheduler

T = TypeVar("T")


class Watcher(Protocol):
    """Who is told what a run does. Every method is called on the run's loop and must be quick."""

    #: seconds between two looks at the run
    tick_s: float
    #: it wants to be told of each task's end; of pebbles and log records it is told in any case
    hears_tasks: bool

    def warned(self, line: str) -> None:
        """Hear a warning about a workflow, before the run starts."""
        ...

    def opened(self, view: RunView, opening: str) -> None:
        """See the run at its start; `opening` tells what it goes on with, empty for a new run."""
        ...

    def told(self, record: Told) -> None:
        """Hear of one thing that happened."""
        ...

    def tick(self, view: RunView) -> None:
        """See the run as it is, every `tick_s`."""
        ...

    def closed(self, view: RunView | None, closing: Sequence[str]) -> None:
        """Hear that it is over: the last view (None when it never started) and the last lines."""
        ...


class Nobody:
    """Watches nothing."""

    tick_s = 60.0
    hears_tasks = False

    def warned(self, line: str) -> None:
        """Do nothing."""

    def opened(self, view: RunView, opening: str) -> None:
        """Do nothing."""

    def told(self, record: Told) -> None:
        """Do nothing."""

    def tick(self, view: RunView) -> None:
        """Do nothing."""

    def closed(self, view: RunView | None, closing: Sequence[str]) -> None:
        """Do nothing."""


@define(eq=False)
class Run:
    """A run that is ready to start: everything was read and checked, nothing is started yet."""

    files: list[ReadFile]
    workflows: list[Workflow]
    settings: RunSettings
    registry: Registry
    scheduler: str | Scheduler
    watcher: Watcher
    _head: Head | None = field(default=None, init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _opened: bool = field(default=False, init=False)

    @classmethod
    def prepare(
        cls,
        paths: Sequence[StrPath],
        options: Mapping[str, Any],
        reading: Reading,
        *,
        settings: RunSettings | None = None,
        scheduler: str | Scheduler = "local",
        name: str | None = None,
        watcher: Watcher | None = None,
    ) -> Run:
        """Read the files and return the run. Raises UsageError and what `read_all` raises."""
        registry = Registry.installed()
        if isinstance(scheduler, str):
            _refuse_unknown_scheduler(scheduler, registry)
        files = read_all(paths, options, reading, registry)
        workflows = _named(sound(files), name)
        asked = settings or RunSettings()
        if name is not None and asked.state_dir is None:
            asked = evolve(asked, state_dir=default_state_dir(name))
        if not asked.worker_config:
            asked = evolve(asked, worker_config=_shared(files, lambda config: config.subtree("CryoCloud.Worker")))
        if not asked.routes.by_scheme:
            asked = evolve(asked, routes=_shared(files, lambda config: Routes.of(registry, config.subtree)))
        return cls(files, workflows, asked, registry, scheduler, watcher or Nobody())

    def run(self) -> int:
        """Run and return the exit code. Raises StartError, PluginError for whatever installed package is broken."""
        self.registry.check()
        for file in self.files:
            for line in file.lines(errors=False):
                self.watcher.warned(line)
        for file, flow in zip(self.files, self.workflows, strict=True):
            for line in told_of_options(flow, file.options):
                self.watcher.warned(f"{file.path.name}: {line}")
        self._judge_settings()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._drive())
        return self._drive_in_thread()

    def _judge_settings(self) -> None:
        """Tell what is likely wrong with settings. Raises ConfigError for what is."""
        told = SettingsTold(reads=set[str]().union(*map(config_names, self.workflows)))
        told.judge_workers(self.settings.worker_config)
        told.judge_transfers(self.registry, self.settings.routes.config)
        for file in self.files:
            told.look_for_misspelt(self.registry, tables_of(file.config))
        for line in dict.fromkeys(told.warnings):
            self.watcher.warned(line)
        if told.errors:
            first, *more = told.errors
            raise ConfigError(f"{first}{f' (and {len(more)} more, which `cryocloud check` tells)' if more else ''}")

    def cancel(self, pebble: int | None = None) -> int:
        """Give up one open pebble, or all, and return how many; from any thread, 0 before the run has started."""
        return 0 if self._head is None else self._head.cancel(pebble)

    def _make_head(self) -> Head:
        scheduler = self.scheduler
        if isinstance(scheduler, str):
            scheduler = resolve(self.registry.scheduler(scheduler).offer.reference)()
        return Head(
            [(workflow, file.path) for workflow, file in zip(self.workflows, self.files, strict=True)],
            self.settings,
            scheduler,
            config={flow.name: file.config for flow, file in zip(self.workflows, self.files, strict=True)},
            options={flow.name: file.options for flow, file in zip(self.workflows, self.files, strict=True)},
            load_input=load_for_good,
            is_ours=lambda path: is_ours(Path(path)),
            hooks=self.registry.hook,
            listener=self._told,
            hears_tasks=self.watcher.hears_tasks,
        )

    async def _drive(self) -> int:
        self._loop = asyncio.get_running_loop()
        head = self._head = self._make_head()
        ticking = asyncio.create_task(self._tick(head))
        try:
            return await head.run()
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
            if self._opened:
                self.watcher.closed(head.view(), head.closing)
            else:
                self.watcher.closed(None, ())

    def _told(self, record: Told) -> None:
        if not self._opened and isinstance(record, RunSeen) and self._head is not None:
            self._opened = True
            self.watcher.opened(self._head.view(), self._head.opening)
        self.watcher.told(record)

    async def _tick(self, head: Head) -> None:
        while True:
            await asyncio.sleep(self.watcher.tick_s)
            if self._opened:
                self.watcher.tick(head.view())

    def _drive_in_thread(self) -> int:
        """Drive the run on a thread of its own; an interrupt of this one suspends it."""
        came: list[int | BaseException] = []

        def drive() -> None:
            try:
                came.append(asyncio.run(self._drive()))
            except BaseException as error:  # noqa: BLE001 -- raised again in the thread that waits
                came.append(error)

        thread = threading.Thread(target=drive, name="cryocloud-run")
        with self._interrupts_suspend():
            thread.start()
            thread.join()
        if isinstance(came[0], BaseException):
            raise came[0]
        return came[0]

    @contextmanager
    def _interrupts_suspend(self) -> Iterator[None]:
        """Let SIGINT suspend the run while this thread waits; only the main thread can be interrupted.

        A handler of our own, because the loop around us may have one that raises nothing here.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        strokes = Strokes()
        before = signal.signal(signal.SIGINT, lambda _signum, _frame: self._suspend() if strokes.is_new() else None)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _suspend(self) -> None:
        if self._head is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._head.suspend, signal.SIGINT)


def _refuse_unknown_scheduler(name: str, registry: Registry) -> None:
    """Raise UsageError when nobody offers the scheduler."""
    if name not in registry.schedulers():
        known = ", ".join(sorted(registry.schedulers())) or "none"
        raise UsageError(
            f"no installed package offers it{hint(name, registry.schedulers())}",
            subject=f"--scheduler {name}",
            remedy=f"there is {known}",
        )


def _named(workflows: list[Workflow], name: str | None) -> list[Workflow]:
    """Return the workflows under the given name, if there is one. Raises UsageError when names collide."""
    if name is not None and len(workflows) == 1:
        return [evolve(workflows[0], name=name)]
    names = [workflow.name for workflow in workflows]
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise UsageError(f"two files define workflow {twice[0]!r}", remedy="give each workflow a name of its own")
    return workflows


def _shared(files: Sequence[ReadFile], setting: Callable[[Config], T]) -> T:
    """Return what workers are started with. Raises UsageError when files ask for different things: they share them."""
    first = files[0]
    found = setting(first.config)
    for other in files[1:]:
        if setting(other.config) != found:
            raise UsageError(
                f"{first.path} and {other.path} are configured differently for workers (CryoCloud.Worker, "
                "CryoCloud.Hosts, transfers), which the workflows of one run share",
                remedy="run them apart, or make their cryocloud.toml agree on these",
            )
    return found
