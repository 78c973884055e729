"""A head while it runs: all its parts wired together, from the first hand-out to the last commit.

Laws: the order of a stop is inputs, scheduler, what is still to be written; a second signal skips every
wait; nothing that was committed depends on how a run ends.
"""

from __future__ import annotations

import asyncio
import signal
import time
import traceback
from collections.abc import Coroutine, Iterable
from typing import Any

from cryocloud_core.engine.events import PebbleCancelled
from cryocloud_core.engine.restrictions import Restrictions
from cryocloud_core.errors import StateError
from cryocloud_core.head.answers import Answers
from cryocloud_core.head.assemble import Parts
from cryocloud_core.head.batch import Batch
from cryocloud_core.head.blobs import Blobs
from cryocloud_core.head.cache import ResultCache
from cryocloud_core.head.dispatch import Dispatch
from cryocloud_core.head.feeds import Feeds
from cryocloud_core.head.inbox import Inbox
from cryocloud_core.head.observers import Observers
from cryocloud_core.head.perform import Performer
from cryocloud_core.head.recovery import next_seq
from cryocloud_core.head.restraint import Restraint
from cryocloud_core.head.resume import Given
from cryocloud_core.head.retention import Retention
from cryocloud_core.head.settings import IsOurs, LoadInput, RunSettings
from cryocloud_core.head.status import Status
from cryocloud_core.head.story import Story
from cryocloud_core.head.telling import Telling
from cryocloud_core.head.watch import Forgetting, Watch
from cryocloud_core.head.wheel import Wheel
from cryocloud_core.sdk.scheduler import Scheduler, SchedulerSettings

#: seconds that inputs and idle workers get to end by themselves
END_S = 5.0


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
        self._at_once = asyncio.Event()
        #: the journal cannot be written at this moment
        self._stuck = asyncio.Event()
        self._paused = ""
        #: what ended the run that no pebble and no input can be blamed for
        self._broken: BaseException | None = None
        self._last_commit = 0.0
        self._inbox = Inbox()
        self._story = Story(parts.ledger, parts.counters, parts.results, observers, telling)
        self.status = status
        self._performer = self._make_performer()
        self._wheel = self._make_wheel()
        self._feeds = self._make_feeds(load_input, is_ours)
        self._inbox.turn = self._wheel.turn
        self._performer.after = self._look
        self._performer.ending = lambda: self._feeds.done or self._drained
        self._story.arrived = self._feeds.durable
        exchange, restraint = self._performer.exchange, self._performer.restraint
        self.watch = Watch(scheduler, parts.gate, exchange, parts.counters, telling, restraint=restraint)
        runs = tuple(run.number for run in parts.runs.values())
        self.answers = Answers(self, parts, self._feeds, scheduler, given, self._inbox.put, exchange, restraint)
        self._forgetting = Forgetting(parts.journal, Retention(settings.keep_s, settings.keep_pebbles), runs)

    def _make_feeds(self, load_input: LoadInput, is_ours: IsOurs) -> Feeds:
        return Feeds(
            self._parts,
            self._inbox,
            self._telling,
            once=self._settings.once,
            load_input=load_input,
            is_ours=is_ours,
            ended=self._input_ended,
        )

    def _make_wheel(self) -> Wheel:
        parts = self._parts
        return Wheel(
            parts.engine,
            parts.journal,
            parts.contexts,
            parts.ledger,
            graphs=parts.graphs,
            machine=self._settings.machine,
            next_seq=next_seq(parts.journal.reader),
            perform=self._performer.perform,
        )

    def _make_performer(self) -> Performer:
        parts = self._parts
        blobs = Blobs(parts.journal.reader)
        workflows = [given.workflow for given in self._given.values()]
        status = self.status
        performer = Performer(
            parts.engine,
            parts.gate,
            self._scheduler,
            self._inbox,
            counters=parts.counters,
            dispatch=Dispatch(blobs, parts.ledger, workflows, self._settings, parts.journal.start, veil=status.veil),
            story=self._story,
            cache=ResultCache(parts.journal.reader, [] if self._settings.nocache else workflows),
        )
        performer.task_over, performer.said = status.publisher.ended, status.said
        restrictions = Restrictions(workflows, status.board)
        if restrictions.channels():
            status.follow(restrictions.channels())
            performer.restraint = Restraint(restrictions, parts.gate, parts.ledger, parts.engine)
        return performer

    # --- for the head ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until everything is done or somebody stops it. Raises StartError, StateError."""
        journal = self._parts.journal
        loop = asyncio.get_running_loop()
        journal.on_pause, journal.on_broken = self._pause, self._break
        journal.attach(loop)
        self._inbox.attach(loop)
        before = loop.get_exception_handler()
        loop.set_exception_handler(self._bug)
        await self._scheduler.start(self._performer, self._scheduler_settings())
        self.status.start(lambda: self.state)
        ticker = loop.create_task(self._tick())
        ticker.add_done_callback(self._ended_well)
        try:
            await self._unless_at_once(self._take_over())
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
            self._at_once.set()
        self.signum = self.signum or signum
        self._end("suspending")

    def cancel(self, pebbles: Iterable[int]) -> None:
        """Give pebbles up."""
        for pebble in pebbles:
            self._inbox.put(PebbleCancelled(pebble, time.time()))

    def drain(self) -> None:
        """Stop the inputs, finish what is in flight, then end by what the pebbles came to."""
        if not self.draining and self.state in ("starting", "running"):
            self.draining = True
            self._feeds.stop()
            self._drainer = asyncio.get_running_loop().create_task(self._drain())
            self._drainer.add_done_callback(self._ended_well)

    async def _drain(self) -> None:
        await self._end_inputs()
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
            self._story.set_aside(aside.held, aside.story, aside.error)
        for pebble, why in parts.recovered.misfits.items():
            self._telling.log("WARNING", f"all events were replayed, its checkpoint does not fit: {why}", pebble=pebble)
        self._wheel.turn(list(parts.decided))
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
        """End everything in order."""
        self.state = "suspending"
        self._set_door()
        self._forgetting.stop()
        self._feeds.stop()
        self._performer.timers.clear()
        self._performer.recall_all()
        await self._unless_at_once(self._scheduler.stop(END_S if self.complete else self._settings.grace_s))
        if self._at_once.is_set():
            await self._scheduler.stop(0.0)
        await self._unless_at_once(self._end_inputs())
        # A stopped run does not wait for room on its disk: what is not written is done again by the next start.
        await self._unless_at_once(self._write_rest(), *([] if self.signum is None else [self._stuck]))
        self._feeds.broken(StateError("the run was stopped"))

    async def _unless_at_once(self, work: Coroutine[Any, Any, None], *nor: asyncio.Event) -> None:
        """Wait for something, but not after a second signal, when the journal is broken, or after `nor`."""
        doing = asyncio.create_task(work)
        hurry = [asyncio.create_task(event.wait()) for event in (self._at_once, *nor)]
        await asyncio.wait({doing, *hurry}, return_when=asyncio.FIRST_COMPLETED)
        for each in hurry:
            each.cancel()
        if doing.done():
            doing.result()
        else:
            doing.cancel()
            await asyncio.wait({doing})

    async def _end_inputs(self) -> None:
        """Wait for the threads of inputs, but not for ever."""
        for name in await asyncio.to_thread(self._feeds.wait, END_S):
            self._telling.log("WARNING", f"the input does not end: {END_S:g} s after it was told to", node=name)

    async def _write_rest(self) -> None:
        """Return when everything that has come in is durable; end the runs that are complete."""
        journal = self._parts.journal
        await journal.commit(Batch())
        while len(self._inbox) or self._wheel.pending:
            await journal.commit(Batch())
        if self.complete:
            batch = Batch()
            for run in self._parts.runs.values():
                run.end(self.exit_code(), batch)
            await journal.commit(batch)

    # --- while it runs --------------------------------------------------------------------------------

    def _look(self) -> None:
        """After every commit: is the run complete?"""
        self._last_commit = time.monotonic()
        if self.state != "running" or len(self._inbox) or self._wheel.pending:
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
            self._stuck.set()
        else:
            self._stuck.clear()
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
        self._at_once.set()
        self._end("stopping")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.watch.look()
            self._performer.room()
            self.watch.config(self._parts.contexts)
            self._forgetting.look(self._last_commit)

    def _scheduler_settings(self) -> SchedulerSettings:
        settings = self._settings
        return SchedulerSettings(
            state_dir=self._parts.journal.path.parent,
            machine=settings.machine,
            workers=settings.workers,
            admin_workers=settings.admin_workers,
            gpus=settings.gpus,
            cancel_grace_s=settings.cancel_grace_s,
            log_level=settings.log_level,
            worker_config=settings.worker_config,
            routes=settings.routes,
            address=settings.address,
        )
