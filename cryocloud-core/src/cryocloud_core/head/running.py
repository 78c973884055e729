"""A head while it runs: when it opens its door, when it is complete, and what stops it before that.

Laws: a run ends by itself when nothing can arrive and nothing is open; whatever goes wrong beside its events ends it
and is said; what was committed is not touched by that.
"""

from __future__ import annotations

import asyncio
import signal
import time
import traceback
from collections.abc import Iterable
from typing import Any

from cryocloud_core.engine.events import PebbleCancelled
from cryocloud_core.errors import StateError
from cryocloud_core.head.answers import Answers
from cryocloud_core.head.assemble import Parts
from cryocloud_core.head.batch import Batch
from cryocloud_core.head.ending import END_S, Ending
from cryocloud_core.head.machinery import Machinery, scheduler_settings
from cryocloud_core.head.observers import Observers
from cryocloud_core.head.resume import Given
from cryocloud_core.head.retention import Retention
from cryocloud_core.head.settings import IsOurs, LoadInput, RunSettings
from cryocloud_core.head.status import Status
from cryocloud_core.head.telling import Telling
from cryocloud_core.head.watch import Forgetting, Watch
from cryocloud_core.sdk.scheduler import Scheduler


class Running:
    """One run in progress."""

    def __init__(
        self,
        parts: Parts,
        given: dict[str, Given],
        settings: RunSettings,
        scheduler: Scheduler,
        *,
        telling: Telling,
        status: Status,
        observers: Observers,
        load_input: LoadInput,
        is_ours: IsOurs,
    ) -> None:
        self.state = "starting"
        self.signum: signal.Signals | None = None
        self.complete = False
        self._parts = parts
        self._given = given
        self._settings = settings
        self._scheduler = scheduler
        self._telling = telling
        #: no input reports anything more, the run ends when its pebbles have
        self.draining = False
        self._drained = False
        self._drainer: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._paused = ""
        #: what ended the run that no pebble and no input can be blamed for
        self._broken: BaseException | None = None
        self._last_commit = 0.0
        self.status = status
        self._machinery = machinery = Machinery.build(
            parts,
            given,
            settings,
            scheduler,
            telling=telling,
            status=status,
            observers=observers,
            load_input=load_input,
            is_ours=is_ours,
            input_ended=self._input_ended,
        )
        self.ending = Ending(parts, machinery, scheduler, telling)
        self._performer, self._feeds = machinery.performer, machinery.feeds
        self._performer.after = self._look
        self._performer.ending = lambda: self._feeds.done or self._drained
        self.watch, self.answers = self._make_watch(), self._make_answers()
        runs = tuple(run.number for run in parts.runs.values())
        self._forgetting = Forgetting(parts.journal, Retention(settings.keep_s, settings.keep_pebbles), runs)

    def _make_watch(self) -> Watch:
        parts, performer = self._parts, self._performer
        waits = (performer.exchange, parts.counters, self._telling)
        return Watch(self._scheduler, parts.gate, *waits, restraint=performer.restraint)

    def _make_answers(self) -> Answers:
        performer, put = self._performer, self._machinery.inbox.put
        waits = (performer.exchange, performer.restraint)
        return Answers(self, self._parts, self._feeds, self._scheduler, self._given, put, *waits)

    # --- for the head ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until everything is done or somebody stops it. Raises StartError, StateError."""
        journal = self._parts.journal
        loop = asyncio.get_running_loop()
        journal.on_pause, journal.on_broken = self._pause, self._break
        journal.attach(loop)
        self._machinery.inbox.attach(loop)
        before = loop.get_exception_handler()
        loop.set_exception_handler(self._bug)
        await self._scheduler.start(self._performer, scheduler_settings(self._settings, journal.path.parent))
        self.status.start(lambda: self.state)
        ticker = loop.create_task(self._tick())
        ticker.add_done_callback(self._ended_well)
        try:
            await self.ending.unless_at_once(self._take_over())
            if self.state == "running" and not self.draining:
                self._start_inputs()
            else:
                self._look()
            await self._over.wait()
        finally:
            ticker.cancel()
            await self._stop()
            loop.set_exception_handler(before)
        if self._broken is not None:
            raise self._broken

    def suspend(self, signum: signal.Signals) -> None:
        """Stop after a signal; the second one does not wait for anything."""
        if self.signum is not None:
            self.ending.at_once.set()
        self.signum = self.signum or signum
        self._end("suspending")

    def cancel(self, pebbles: Iterable[int]) -> None:
        """Give pebbles up."""
        for pebble in pebbles:
            self._machinery.inbox.put(PebbleCancelled(pebble, time.time()))

    def drain(self) -> None:
        """Stop the inputs, finish what is in flight, then end by what the pebbles came to."""
        if not self.draining and self.state in ("starting", "running"):
            self.draining = True
            self._feeds.stop()
            self._drainer = asyncio.get_running_loop().create_task(self._drain())
            self._drainer.add_done_callback(self._ended_well)

    async def _drain(self) -> None:
        await self.ending.end_inputs()
        self._drained = True
        self._look()

    @property
    def paused(self) -> str:
        """Why the journal cannot be written now, empty when it can."""
        return self._paused

    def shown_state(self) -> str:
        """Return the state as people are shown it."""
        if self.draining and self.state == "running" and not self._paused:
            return "draining"
        return f"paused: {self._paused}" if self._paused and self.state != "stopped" else self.state

    def exit_code(self) -> int:
        """Return what the process is to exit with."""
        return self._parts.results.exit_code(
            signum=self.signum, complete=self.complete, input_failed=self._feeds.failed
        )

    # --- start and stop -------------------------------------------------------------------------------

    async def _take_over(self) -> None:
        """Take what earlier starts left, settle what is to become of it, then open the door."""
        parts = self._parts
        self._performer.take_over(parts.engine.owed())
        for aside in parts.recovered.set_aside:
            self._machinery.story.set_aside(aside.held, aside.story, aside.error)
        for pebble, why in parts.recovered.misfits.items():
            self._telling.log("WARNING", f"all events were replayed, its checkpoint does not fit: {why}", pebble=pebble)
        self._machinery.wheel.turn(list(parts.decided))
        await parts.journal.commit(Batch())
        if self.state == "starting":
            self.state = "running"
        self._set_door()

    def _start_inputs(self) -> None:
        batch = Batch()
        self._feeds.start(self._given, batch)
        self._parts.journal.submit(batch, self._look)

    def _set_door(self) -> None:
        """Hand tasks out, or say why not."""
        self._performer.closed = self._paused or ("" if self.state == "running" else self.state)
        self._performer.hand_out()

    def _end(self, state: str) -> None:
        if self.state in ("starting", "running"):
            self.state = state
            self._set_door()
        self._over.set()

    async def _stop(self) -> None:
        self.state = "suspending"
        self._set_door()
        self._forgetting.stop()
        await self.ending.stop(
            END_S if self.complete else self._settings.grace_s,
            lambda: self.exit_code() if self.complete else None,
            lambda: self.signum is not None,
        )

    # --- while it runs --------------------------------------------------------------------------------

    def _look(self) -> None:
        """After every commit: is the run complete?"""
        self._last_commit = time.monotonic()
        if self.state != "running" or self._machinery.is_moving:
            return
        if self._parts.ledger.open:
            if self._feeds.done or self._drained:
                self._performer.part_the_lonely(self._parts.ledger.open)
        elif self._feeds.done or self._drained:
            self.complete = not self._feeds.failed
            self._end("stopping")

    def _input_ended(self, at_start: bool) -> None:
        """An input failed: the run ends, at once if it was not up yet."""
        if at_start:
            self._end("suspending")
        else:
            asyncio.get_running_loop().call_soon(self._look)

    def _pause(self, why: str) -> None:
        """The journal cannot be written, or can be again."""
        if why and not self._paused:
            self._telling.log(
                "ERROR", f"the run pauses: {self._parts.journal.path}: {why}; it goes on when there is room"
            )
        elif self._paused and not why:
            self._telling.log("INFO", "there is room again: the run goes on")
        self._paused = why
        if why:
            self.ending.stuck.set()
        else:
            self.ending.stuck.clear()
        self._set_door()

    def _break(self, error: StateError) -> None:
        """The journal is beyond repair."""
        self._give_up(error, error)

    def _bug(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback of the loop raised: what it was to do is lost here, but not in the journal, so the run ends."""
        error = context.get("exception")
        if "handle" not in context or not isinstance(error, Exception):
            loop.default_exception_handler(context)
            return
        self._stumble(error)

    def _ended_well(self, work: asyncio.Task[None]) -> None:
        """What the head does beside has ended: a bug in it must not go unsaid."""
        error = None if work.cancelled() else work.exception()
        if isinstance(error, Exception):
            self._stumble(error)

    def _stumble(self, error: Exception) -> None:
        text = "".join(traceback.format_exception(error)).rstrip()
        self._telling.log("CRITICAL", f"a bug ends this run, the next start goes on: {text}")
        self._give_up(error, StateError(f"the run ended with {type(error).__name__}: {error}"))

    def _give_up(self, error: Exception, told: StateError) -> None:
        """End at once; whoever waits for a commit is told why it does not come."""
        self._broken = self._broken or error
        self._feeds.broken(told)
        self.ending.at_once.set()
        self._end("stopping")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.watch.look()
            self._performer.room()
            self.watch.config(self._parts.contexts)
            self._forgetting.look(self._last_commit)
