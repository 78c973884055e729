"""The head of a run: events in, journal, commands out, on one asyncio loop.

Laws: an event is applied, then committed, then its commands are performed, never in another order; one bad
pebble never stops the run; whoever draws or steers the run uses this class and nothing behind it.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.head.assemble import Parts, assemble
from cryocloud_core.head.contexts import config_names
from cryocloud_core.head.control import control_socket
from cryocloud_core.head.hiding import secret_values
from cryocloud_core.head.journal import Journal
from cryocloud_core.head.lock import StateLock
from cryocloud_core.head.observers import Observers
from cryocloud_core.head.records import Records
from cryocloud_core.head.results import pebbles, waiting_line
from cryocloud_core.head.resume import Given
from cryocloud_core.head.running import Running
from cryocloud_core.head.settings import ConfigSource, IsOurs, Listener, LoadInput, RunSettings, default_state_dir
from cryocloud_core.head.status import Status
from cryocloud_core.head.telling import Telling
from cryocloud_core.head.veil import Veil
from cryocloud_core.head.view import FailureView, RunView
from cryocloud_core.interrupts import Strokes
from cryocloud_core.sdk.observed import RunSeen
from cryocloud_core.sdk.scheduler import Scheduler
from cryocloud_core.wire import to_data


class Head:
    """One run of one or more workflows over one state directory.

    `workflows` are linked workflows with the absolute path of the file each came from; `options` maps a
    workflow's name to its option values, `config` is one configuration for all or one for each name; `hooks` is the
    plugin manager's hook relay (`manager.hook`); `listener` is called on the loop with every log record and every
    record observers get: it must be quick; without `hears_tasks` it gets no task's end, which are the most to tell.
    """

    def __init__(
        self,
        workflows: Sequence[tuple[Workflow, Path]],
        settings: RunSettings,
        scheduler: Scheduler,
        *,
        config: ConfigSource | Mapping[str, ConfigSource],
        options: Mapping[str, Mapping[str, Any]],
        load_input: LoadInput,
        is_ours: IsOurs,
        hooks: Any = None,
        listener: Listener | None = None,
        hears_tasks: bool = True,
    ) -> None:
        self.settings = settings
        self.state_dir = settings.state_dir or default_state_dir(workflows[0][0].name)
        self._given = {workflow.name: Given.of(workflow, path) for workflow, path in workflows}
        self._scheduler = scheduler
        self._configs = {name: config[name] if isinstance(config, Mapping) else config for name in self._given}
        self._options = options
        self._load_input = load_input
        self._is_ours = is_ours
        self._hooks = hooks
        self._listener = listener
        self._hears_tasks = hears_tasks
        self._started_at = time.time()
        self._parts: Parts | None = None
        self._running: Running | None = None
        self._telling: Telling | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: tuple[str, ...] = ()

    async def run(self) -> int:
        """Run until all inputs have returned and all pebbles are closed, or until told to stop; return the exit code.

        Raises StartError (LockedError, StateError, ResumeRefused) before anything was started. Installs
        handlers for SIGINT and SIGTERM while it runs, if called on the main thread.
        """
        self._loop = asyncio.get_running_loop()
        lock = StateLock.take(self.state_dir)
        try:
            journal = Journal.open(self.state_dir)
            try:
                return await self._run_with(journal)
            finally:
                await asyncio.to_thread(journal.close)
        finally:
            lock.release()

    def view(self) -> RunView:
        """Return the picture of the run at this moment; may be called from any thread."""
        parts, running, telling = self._parts, self._running, self._telling
        names = tuple(self._given)
        if parts is None or running is None or telling is None:
            return RunView(names, "starting", time.time(), self._started_at)
        return RunView(
            workflows=names,
            state=running.shown_state(),
            at=time.time(),
            started_at=self._started_at,
            nodes=parts.counters.node_views(),
            active=parts.counters.task_views(),
            blocked=running.watch.blocked() if running.state == "running" else (),
            pebbles_open=parts.ledger.open,
            pebbles_done=parts.results.done,
            pebbles_failed=parts.results.failed,
            pebbles_cancelled=parts.results.cancelled,
            pebbles_earlier=parts.results.earlier,
            tasks_per_s=parts.counters.rate(),
            log=tuple(telling.ring),
        )

    def suspend(self, signum: signal.Signals = signal.SIGINT) -> None:
        """First call: stop inputs, hand nothing out, wait for running tasks. Second call: stop at once."""
        if self._running is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._running.suspend, signum)

    def cancel(self, pebble: int | None = None) -> int:
        """Give up one open pebble, or all; return how many were."""
        if self._running is None or self._parts is None or self._loop is None:
            return 0
        found = [held.pebble for held in self._parts.ledger if not held.owing and pebble in (None, held.pebble)]
        self._loop.call_soon_threadsafe(self._running.cancel, found)
        return len(found)

    @property
    def opening(self) -> str:
        """The first line to tell: which run goes on with how many pebbles; empty for a new run."""
        return "; ".join(self._opening)

    @property
    def closing(self) -> tuple[str, ...]:
        """The last lines to tell: one per failed node, and what waits for the next start."""
        if self._parts is None or self._running is None:
            return ()
        lines = self._parts.results.lines()
        waiting = self._parts.ledger.open
        if self._running.complete or not (waiting or self._running.signum):
            return lines
        return (*lines, waiting_line(waiting))

    @property
    def failures(self) -> tuple[FailureView, ...]:
        """The nodes that failed, as far as they are told one by one."""
        return () if self._parts is None else tuple(self._parts.results.failures)

    # --- inside ---------------------------------------------------------------------------------------

    async def _run_with(self, journal: Journal) -> int:
        """Run with the lock held and the journal open."""
        parts = self._parts = assemble(journal, self._given, self.settings, self._configs, self._options)
        records = Records(self.state_dir)
        veil = self._veil(parts)
        telling = self._telling = Telling(records, self._listener, self.settings.log_level, veil)
        telling.hears_tasks = self._hears_tasks
        status = Status(
            self.state_dir, self.settings.machine, self._scheduler, parts.counters, telling=telling, veil=veil
        )
        status.begin(journal.reader, {name: run.number for name, run in parts.runs.items()})
        telling.attach(asyncio.get_running_loop())
        observers = Observers(self._hooks, telling.logger("cryocloud.observers"))
        running = self._running = Running(
            parts,
            self._given,
            self.settings,
            self._scheduler,
            telling=telling,
            status=status,
            observers=observers,
            load_input=self._load_input,
            is_ours=self._is_ours,
        )
        records.start()
        observers.start()
        signals = self._catch_signals(running)
        try:
            self._say_opening(parts, telling, journal)
            self._tell_runs("run_started", telling, observers, None)
            await status.serve(self.settings.metrics_port)
            running.answers.status = lambda: to_data(self.view())
            async with control_socket(self.state_dir, running.answers.answer, partial(telling.log, "WARNING")):
                await running.run()
        finally:
            running.state = "stopped"
            for signum in signals:
                asyncio.get_running_loop().remove_signal_handler(signum)
            self._tell_runs("run_stopped", telling, observers, running.exit_code())
            await status.close(complete=running.complete)
            await asyncio.to_thread(_stop_threads, observers, status, records)
        return running.exit_code()

    def _veil(self, parts: Parts) -> Veil:
        """Return the veil over every secret that this start can know of."""
        veil = Veil()
        for name, each in self._given.items():
            veil.know(*secret_values(each.workflow, self._options.get(name, {})))
            veil.know_handles(*map(self._configs[name].get, sorted(config_names(each.workflow))))
        for context in parts.contexts:
            veil.know_handles(context.options, context.config)
        veil.know_handles(dict(self.settings.worker_config), dict(self.settings.routes.config))
        return veil

    def _catch_signals(self, running: Running) -> list[signal.Signals]:
        """Let the first SIGINT or SIGTERM suspend the run, the second end it at once."""
        if threading.current_thread() is not threading.main_thread():
            return []
        signals, strokes = [signal.SIGINT, signal.SIGTERM], Strokes()

        def hear(signum: signal.Signals) -> None:
            if strokes.is_new():
                running.suspend(signum)

        for signum in signals:
            asyncio.get_running_loop().add_signal_handler(signum, hear, signum)
        return signals

    def _say_opening(self, parts: Parts, telling: Telling, journal: Journal) -> None:
        """Say whether this is a new run, and what else the start found."""
        lines = []
        for name, run in parts.runs.items():
            if run.continued:
                since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.since))
                lines.append(f"{name}: going on with {pebbles(parts.ledger.open_of(name))} of the run of {since}")
        if self.settings.fresh and parts.decided:
            verb = "is" if len(parts.decided) == 1 else "are"
            lines.append(f"{pebbles(len(parts.decided), 'unfinished ')} of earlier runs {verb} abandoned")
        self._opening = tuple(lines)
        for line in lines:
            telling.log("INFO", line)
        for name, count in parts.recovered.elsewhere.items():
            telling.log("WARNING", f"{count} pebbles of workflow {name!r} wait here: run it together with this one")
        if journal.slow_disk:
            telling.log("WARNING", f"{journal.path} is on a network disk: commits are slower; --state-dir can move it")

    def _tell_runs(self, hook: str, telling: Telling, observers: Observers, exit_code: int | None) -> None:
        for name in self._given:
            seen = RunSeen(name, str(self.state_dir), time.time(), exit_code)
            observers.tell(hook, seen)
            telling.tell(seen)


def _stop_threads(observers: Observers, status: Status, records: Records) -> None:
    observers.stop()
    status.stop()
    records.stop()
