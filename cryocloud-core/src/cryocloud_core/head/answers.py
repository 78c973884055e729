"""What a running head answers on its control socket: one method a request, each of plain JSON data.

Laws: on the head's loop, so every answer is quick or awaits; what changes something answers once that is durable, or
says that it is not yet; nothing here is needed for the run to be right.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from attrs import define, field

from cryocloud_core.engine.events import PebbleCancelled
from cryocloud_core.engine.exchange import Exchange
from cryocloud_core.engine.pebble import NodeRun, Pebble
from cryocloud_core.errors import CryoCloudError, StateError, UsageError
from cryocloud_core.graph.workflow import NodeKind
from cryocloud_core.head.assemble import Parts
from cryocloud_core.head.batch import Arrival, Batch
from cryocloud_core.head.feeds import Feeds
from cryocloud_core.head.repeating import RETRY_PREFIX, arrival_of
from cryocloud_core.head.restraint import Restraint
from cryocloud_core.head.resume import Given
from cryocloud_core.head.where import Where, closed_text
from cryocloud_core.sdk.scheduler import Scheduler

if TYPE_CHECKING:
    from cryocloud_core.head.running import Running

#: pebbles, tasks that one answer names
MOST = 1_000
#: seconds that an answer waits for its commit
COMMIT_S = 10.0

Answer = dict[str, Any]


@define(eq=False)
class Answers:
    """The requests that a run understands; `status` is given by whoever can draw the run."""

    running: Running
    parts: Parts
    feeds: Feeds
    scheduler: Scheduler
    given: Mapping[str, Given]
    #: into the inbox: an event, or a function that adds rows to a batch
    put: Callable[[Any], None]
    exchange: Exchange
    restraint: Restraint | None
    status: Callable[[], Answer] = dict
    _repeats: dict[int, int] = field(factory=dict)

    async def answer(self, request: dict[str, Any]) -> Answer:
        """Answer one request. Raises UsageError for one that is wrong, CryoCloudError for what cannot be done."""
        wanted = request.get("do")
        known: dict[str, Callable[[dict[str, Any]], Awaitable[Answer]]] = {
            "status": self._status,
            "pebbles": self._pebbles,
            "explain": self._explain,
            "cancel": self._cancel,
            "retry": self._retry,
            "stop": self._stop,
            "drain": self._drain,
        }
        if not isinstance(wanted, str) or wanted not in known:
            raise UsageError(f"no such request: {wanted!r}", remedy=f"there is {', '.join(known)}")
        return await known[wanted](request)

    # --- looking --------------------------------------------------------------------------------------

    async def _status(self, _request: dict[str, Any]) -> Answer:
        return {"pid": os.getpid(), "start": self.parts.journal.start, "view": self.status()}

    async def _pebbles(self, _request: dict[str, Any]) -> Answer:
        found = []
        for held in self.parts.ledger:
            pebble = self.parts.engine.pebbles.get(held.pebble)
            if pebble is None:
                continue
            at = [f"{run.node.name}{run.scope.name}" for run in self._in_work(pebble)]
            found.append({"pebble": pebble.id, "phase": pebble.phase.value, "tasks": len(pebble.tasks), "at": at})
            if len(found) == MOST:
                break
        return {"pebbles": found, "open": self.parts.ledger.open}

    def _in_work(self, pebble: Pebble) -> list[NodeRun]:
        """Return a few runs with open tasks, those that a worker is in first."""
        some = list(islice(pebble.tasks.items(), MOST))
        some.sort(key=lambda item: item[0] not in self.parts.counters.active)
        return [run for _, run in some[:4]]

    async def _explain(self, request: dict[str, Any]) -> Answer:
        """Say where open tasks are: those that are named, or those of a pebble."""
        tasks = request.get("tasks")
        if tasks is None:
            pebble = self.parts.engine.pebbles.get(_number(request.get("pebble")))
            tasks = [] if pebble is None else list(pebble.tasks)
        if not isinstance(tasks, list) or not all(isinstance(task, str) for task in tasks):
            raise UsageError("tasks must be a list of task ids")
        parts = self.parts
        where = Where(parts.gate, self.scheduler, parts.counters, self.exchange, self._closed, self.restraint)
        return {"where": where.tell(tasks[:MOST])}

    def _closed(self) -> str:
        return closed_text(self.running.state, self.running.paused)

    # --- steering -------------------------------------------------------------------------------------

    async def _cancel(self, request: dict[str, Any]) -> Answer:
        """Give pebbles up; those that are not open are named."""
        engine = self.parts.engine
        if request.get("all") is True:
            asked = [held.pebble for held in self.parts.ledger if not held.owing]
        else:
            asked = _numbers(request)
        # A pebble that closed a moment ago may still be in the ledger: its last commit is on its way.
        found = {
            number: engine.pebbles[number]
            for number in asked
            if number in engine.pebbles and number in self.parts.ledger and not self.parts.ledger[number].owing
        }
        already = [number for number, pebble in found.items() if pebble.given_up]
        given_up = [number for number in found if number not in already]
        for number in given_up:
            self.put(PebbleCancelled(number, time.time()))
        durable = await self._durable() if given_up else True
        not_open = [number for number in asked if number not in found]
        return {"cancelled": given_up, "already": already, "not_open": not_open, "durable": durable}

    async def _retry(self, request: dict[str, Any]) -> Answer:
        """Let new pebbles arrive with the values of earlier ones."""
        self._must_run()
        done: dict[str, int] = {}
        refused: dict[str, str] = {}
        for number in _numbers(request):
            try:
                arrival = await self._arrival(number)
                self._must_run()
                done[str(number)] = self.feeds.again(arrival)
            except CryoCloudError as error:
                refused[str(number)] = str(error)
        return {"retried": done, "refused": refused, "durable": await self._durable() if done else True}

    def _must_run(self) -> None:
        """Raise StateError when nothing new may arrive any more; it may have come to that while a journal was read."""
        if self.running.draining or self.running.state != "running":
            raise StateError(f"the run is {self.running.shown_state()}: nothing new arrives")

    async def _arrival(self, number: int) -> Arrival:
        if number in self.parts.ledger and not self.parts.ledger[number].owing:
            raise UsageError("it is still open", subject=f"pebble {number}", remedy=f"cryocloud cancel {number} first")
        path = self.parts.journal.path
        earlier = await asyncio.to_thread(arrival_of, path.parent, number)
        run = self.parts.runs.get(earlier.workflow)
        if run is None:
            raise UsageError(f"this head does not run workflow {earlier.workflow!r}", subject=f"pebble {number}")
        node = self.given[earlier.workflow].workflow.nodes.get(earlier.input)
        if node is None or node.kind is not NodeKind.INPUT:
            raise UsageError(f"its input {earlier.input!r} is no longer there", subject=f"pebble {number}")
        repeat = self._repeats[number] = 1 + max(
            self._repeats.get(number, 0), self._repeated(earlier, number, run.number)
        )
        memo = json.dumps({"retry_of": number})
        return Arrival(
            0,
            earlier.workflow,
            earlier.input,
            run.number,
            f"{RETRY_PREFIX}{number}/{repeat}",
            run.number,
            memo,
            earlier.values,
        )

    def _repeated(self, earlier: Arrival, number: int, run: int) -> int:
        """Return how often a pebble was repeated in this run before."""
        query = "SELECT count(*) FROM arrivals WHERE workflow = ? AND input = ? AND run = ? AND key >= ? AND key < ?"
        span = (f"{RETRY_PREFIX}{number}/", f"{RETRY_PREFIX}{number}0")
        row = self.parts.journal.reader.execute(query, (earlier.workflow, earlier.input, run, *span)).fetchone()
        return int(row[0])

    async def _stop(self, _request: dict[str, Any]) -> Answer:
        """Suspend the run as a first SIGTERM does; asked again it changes nothing."""
        if self.running.signum is None:
            self.running.suspend(signal.SIGTERM)
        return self._standing()

    async def _drain(self, _request: dict[str, Any]) -> Answer:
        """Let nothing new arrive, finish what is in flight, end."""
        self.running.drain()
        return self._standing()

    def _standing(self) -> Answer:
        return {
            "state": self.running.shown_state(),
            "open": self.parts.ledger.open,
            "running": len(self.parts.counters.active),
        }

    async def _durable(self) -> bool:
        """Return True once everything told before is on disk, False when that takes too long."""
        applied = asyncio.Event()
        self.put(lambda _batch: applied.set())

        async def written() -> None:
            await applied.wait()
            await self.parts.journal.commit(Batch())

        try:
            await asyncio.wait_for(written(), COMMIT_S)
        except TimeoutError:
            return False
        return True


def _numbers(request: dict[str, Any]) -> list[int]:
    found = request.get("pebbles")
    if not isinstance(found, list) or not found:
        raise UsageError("name pebbles: a list of their ids")
    return list(dict.fromkeys(map(_number, found)))


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"a pebble's id is a whole number, got {value!r}")
    return value
