"""The end of a run: inputs, scheduler and what is still to be written, in this order, and what cuts it short.

Laws: a second signal skips every wait; nothing that was committed depends on how a run ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field

from cryocloud_core.errors import StateError
from cryocloud_core.head.assemble import Parts
from cryocloud_core.head.batch import Batch
from cryocloud_core.head.machinery import Machinery
from cryocloud_core.head.telling import Telling
from cryocloud_core.sdk.scheduler import Scheduler

#: seconds that inputs and idle workers get to end by themselves
END_S = 5.0


@define(eq=False)
class Ending:
    """Ends one run; `at_once` skips every wait, `stuck` is set while the journal cannot be written."""

    _parts: Parts
    _machinery: Machinery
    _scheduler: Scheduler
    _telling: Telling
    at_once: asyncio.Event = field(factory=asyncio.Event)
    stuck: asyncio.Event = field(factory=asyncio.Event)

    async def stop(self, grace_s: float, exit_code: Callable[[], int | None], was_told: Callable[[], bool]) -> None:
        """End everything in order.

        `exit_code` returns that of runs which are complete, None when they are not; a run that `was_told` to end does
        not wait for room on its disk: what is not written is done again by the next start.
        """
        machinery = self._machinery
        machinery.feeds.stop()
        machinery.performer.timers.clear()
        machinery.performer.recall_all()
        await self.unless_at_once(self._scheduler.stop(grace_s))
        if self.at_once.is_set():
            await self._scheduler.stop(0.0)
        await self.unless_at_once(self.end_inputs())
        await self.unless_at_once(self._write_rest(exit_code), *([self.stuck] if was_told() else []))
        machinery.feeds.broken(StateError("the run was stopped"))

    async def unless_at_once(self, work: Coroutine[Any, Any, None], *nor: asyncio.Event) -> None:
        """Wait for something, but not after a second signal, when the journal is broken, or after `nor`."""
        doing = asyncio.create_task(work)
        hurry = [asyncio.create_task(event.wait()) for event in (self.at_once, *nor)]
        await asyncio.wait({doing, *hurry}, return_when=asyncio.FIRST_COMPLETED)
        for each in hurry:
            each.cancel()
        if doing.done():
            doing.result()
        else:
            doing.cancel()
            await asyncio.wait({doing})

    async def end_inputs(self) -> None:
        """Wait for the threads of inputs, but not for ever."""
        for name in await asyncio.to_thread(self._machinery.feeds.wait, END_S):
            self._telling.log("WARNING", f"the input does not end: {END_S:g} s after it was told to", node=name)

    async def _write_rest(self, exit_code: Callable[[], int | None]) -> None:
        """Return when everything that has come in is durable; end the runs that are complete."""
        journal = self._parts.journal
        await journal.commit(Batch())
        while self._machinery.is_moving:
            await journal.commit(Batch())
        code = exit_code()
        if code is not None:
            batch = Batch()
            for run in self._parts.runs.values():
                run.end(code, batch)
            await journal.commit(batch)
