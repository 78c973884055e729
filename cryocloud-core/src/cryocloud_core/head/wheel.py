"""One turn of the wheel: stamp, apply, and hand events and everything they mean to the journal.

Laws: nothing is performed before its event is durable; a pebble on which the engine fails is set aside
with its story and the others go on; an event for a pebble that has left is dropped, not written.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from attrs import evolve, frozen

from cryocloud_core.engine.commands import CancelTask, Command, FinishPebble, KeepCheckpoint, NodeSettled, StartTask
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import Event, PebbleArrived, TaskEnded
from cryocloud_core.errors import EngineError
from cryocloud_core.head import checkpoints
from cryocloud_core.head.batch import Arrival, Batch
from cryocloud_core.head.blobs import may_hold_blobs, take_out
from cryocloud_core.head.contexts import Contexts
from cryocloud_core.head.event_text import event_text
from cryocloud_core.head.journal import Journal
from cryocloud_core.head.ledger import Held, Ledger
from cryocloud_core.task import Failed

#: which counter the end of a node goes to: 0 completed, 1 failed, 2 skipped; to cancel is no failure
COUNTER_OF = {"success": 0, "error": 1, "timeout": 1, "cancelled": 2, "skipped": 2, "blocked": 2}
#: states of nodes that are told one by one when a run ends
TOLD_STATES = frozenset({"error", "timeout", "cancelled"})
#: seconds between two looks at the configuration files
REFRESH_S = 0.2

Rows = Callable[[Batch], None]
#: a tuple is one commit, however full the turn is
Item = Event | Arrival | Rows | tuple[Event | Rows, ...]


@frozen(eq=False)
class Done:
    """One event whose commit is durable: what it commands, whether its pebble has left, why it was set aside.

    `story` is not empty for a pebble that was set aside; `error` is what the engine raised.
    """

    event: Event
    commands: list[Command]
    left: bool = False
    story: str = ""
    error: Exception | None = None


@frozen(eq=False)
class Graph:
    """What the wheel must know of a workflow that makes pebbles: the digest of its graph, the keys conditions read."""

    digest: str
    kept_keys: frozenset[str]


class Wheel:
    """Applies what is in the inbox and hands it to the journal; `perform` gets what is durable, in order."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        contexts: Contexts,
        ledger: Ledger,
        *,
        graphs: dict[str, Graph],
        machine: str,
        next_seq: int,
        perform: Callable[[list[Done]], None],
    ) -> None:
        self._graphs = graphs
        self._engine = engine
        self._journal = journal
        self._contexts = contexts
        self._ledger = ledger
        self._machine = machine
        self._seq = next_seq
        self._perform = perform
        self._pending = 0
        self._refresh_at = 0.0

    @property
    def pending(self) -> int:
        """How many turns are handed in and not yet durable."""
        return self._pending

    def turn(self, items: list[Item]) -> None:
        """Apply items in order as one batch."""
        batch = Batch()
        done: list[Done] = []
        now = time.time()
        if now >= self._refresh_at:
            self._refresh_at = now + REFRESH_S
            self._contexts.refresh()
        for item in items:
            if isinstance(item, Arrival):
                done.append(self._arrive(item, now, batch))
            else:
                for each in item if isinstance(item, tuple) else (item,):
                    if callable(each):
                        each(batch)
                    elif each.pebble in self._engine.pebbles:
                        done.append(self._apply(each, batch))
        if batch:
            self._pending += 1
            self._journal.submit(batch, lambda: self._durable(done))
        else:
            # Nothing to write, but it may be that the run only waited for these.
            self._perform(done)

    def _durable(self, done: list[Done]) -> None:
        self._pending -= 1
        self._perform(done)

    def _arrive(self, arrival: Arrival, now: float, batch: Batch) -> Done:
        graph = self._graphs[arrival.workflow]
        context = self._contexts.of_birth(arrival.workflow, batch)
        held = Held(arrival.pebble, arrival.workflow, arrival.run, arrival.input, context.number)
        self._ledger.add(held)
        nonce = secrets.token_hex(8)
        batch.arrived(arrival, nonce, now)
        event = PebbleArrived(
            arrival.pebble, now, graph.digest, arrival.input, nonce, arrival.values, arrival.key, self._machine
        )
        return self._apply(event, batch)

    def _apply(self, event: Event, batch: Batch) -> Done:
        """Apply one event and add all its rows to the batch."""
        held = self._ledger[event.pebble]
        event, body = self._written(event, held, batch)
        context = self._contexts.of_pebble(held.workflow, held.birth, batch)
        try:
            commands = self._engine.apply(event, context)
        except Exception as error:  # noqa: BLE001 - a bug that one pebble meets must not stop the others
            batch.event(self._next_seq(), event.pebble, context.number, body, ())
            return self._set_aside(event, error, batch)
        started = [command.task.id for command in commands if isinstance(command, StartTask)]
        batch.event(self._next_seq(), event.pebble, context.number, body, started)
        left = event.pebble not in self._engine.pebbles
        self._write_ends(held, commands, event, left=left, batch=batch)
        return Done(event, commands, left)

    def _written(self, event: Event, held: Held, batch: Batch) -> tuple[Event, str]:
        """Return the event as the engine and the journal will see it, and its text."""
        try:
            body = event_text(event)
        except (ValueError, TypeError, RecursionError) as error:
            if not isinstance(event, TaskEnded):
                raise
            event = evolve(event, outcome=Failed(f"the outcome is no JSON data: {error}", permanent=True))
            body = event_text(event)
        if may_hold_blobs(body):
            event = take_out(event, self._graphs[held.workflow].kept_keys, batch)
            body = event_text(event)
        return event, body

    def _write_ends(self, held: Held, commands: list[Command], event: Event, *, left: bool, batch: Batch) -> None:
        """Add to the batch which nodes have settled and whether the pebble is closed."""
        finished = False
        for command in commands:
            if isinstance(command, NodeSettled):
                batch.counted(held.run, command.node, COUNTER_OF[command.state])
                if command.state in TOLD_STATES:
                    batch.failed(held.pebble, held.run, command.node, command.state, command.error)
            elif isinstance(command, FinishPebble):
                finished = True
                state = "owing" if command.owing else "closed"
                batch.finished(held.pebble, state, command.result, command.error, event.at)
            elif isinstance(command, KeepCheckpoint) and not left:
                checkpoints.keep(batch, command, held)
        if left and not finished:
            batch.finished(held.pebble, "closed", None, None, None)
        if left:
            checkpoints.forget(batch, held)

    def _set_aside(self, event: Event, error: Exception, batch: Batch) -> Done:
        """Quarantine the pebble: kept in the journal with its story, no longer in the engine."""
        pebble = self._engine.pebbles.get(event.pebble)
        story = tell(error, pebble.told() if pebble is not None else type(event).__name__)
        tasks = list(pebble.tasks) if pebble is not None else []
        self._engine.forget(event.pebble)
        quarantine(batch, self._ledger[event.pebble], story, event.at)
        commands: list[Command] = [CancelTask(event.pebble, task, "its pebble was set aside") for task in tasks]
        return Done(event, commands, left=True, story=story, error=error)

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq - 1


def tell(error: Exception, told: str) -> str:
    """Return why a pebble is set aside, with its story."""
    if isinstance(error, EngineError):
        return str(error)
    return f"{type(error).__name__}: {error}; its story: {told}"


def quarantine(batch: Batch, held: Held, story: str, at: float) -> None:
    """Add to the batch that a pebble is set aside."""
    batch.finished(held.pebble, "quarantined", "error", story, at)
    checkpoints.forget(batch, held)
    batch.failed(held.pebble, held.run, "", "quarantined", story)
