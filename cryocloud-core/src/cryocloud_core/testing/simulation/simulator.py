"""The fault simulator: the real engine, gate and exchange under a virtual clock, with workers and a head that fail.

Laws: reproducible from a seed; workers lose, decline, give back, repeat, delay and reorder everything, machines go
away and come back; the head crashes at any commit, before or after it is durable, and goes on from its journal, in
newer workflows too; after every step the laws are held against what happened.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from cryocloud_core.engine import splits
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import Context, Event, PebbleArrived, PebbleCancelled, WorkflowReplaced
from cryocloud_core.testing.simulation.around import Around
from cryocloud_core.testing.simulation.clock import Clock
from cryocloud_core.testing.simulation.diary import Diary
from cryocloud_core.testing.simulation.facts import Violation
from cryocloud_core.testing.simulation.head import Outside, SimulatedHead
from cryocloud_core.testing.simulation.kept import Kept
from cryocloud_core.testing.simulation.laws import Laws
from cryocloud_core.testing.simulation.worlds import HEAD, PLACES, World

#: a world that takes more steps is stuck
STEPS = 20_000
#: events that go into one commit
_BATCH = 4
#: how often a restart is held against one that walks every event
_WALKED = 0.2


@contextmanager
def _window(size: int) -> Iterator[None]:
    """Let so many parts of a split be in work at once."""
    before, splits.WINDOW = splits.WINDOW, size
    try:
        yield
    finally:
        splits.WINDOW = before


class Simulation:
    """One world, run to its end; `tasks` counts what ran, `crashes` the ends of heads, `steps` the turns."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tasks = self.crashes = self.steps = 0
        self._chance = random.Random(world.seed + 1)  # noqa: S311 - chance that can be repeated is the point
        self._clock = Clock(self._chance)
        self._around = Around(world, self._clock)
        self._diary, self._laws, self._kept = Diary(), Laws(world), Kept()
        self._arriving = list(range(1, world.pebbles + 1))
        self._starts = 0
        self._flows, self._is_newer = world.flows, False
        self._contexts: list[Context] = []
        #: the options of each pebble: those of the start in which it was born
        self._births: dict[int, int] = {}

    @property
    def journal(self) -> list[str]:
        """Every durable event as text, in order."""
        return self._diary.texts

    def run(self) -> None:
        """Run to the end. Raises Violation."""
        with closing(sqlite3.connect(":memory:")) as store, _window(self.world.window):
            store.execute("CREATE TABLE cached (key TEXT PRIMARY KEY, at REAL, expires_at REAL, body TEXT)")
            self._outside = Outside(self.world, self._clock, self._around, self._laws, self._kept, store)
            self._begin()
            while self._arriving or self._engine.pebbles:
                self._step()
        self.tasks += self._head.tasks
        self._laws.end()

    # --- start ----------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Start a head: replay what is durable, take over what is owed, decide on it; what was alive is dead."""
        self._starts += 1
        self._clock.restart()
        self._around.machines.restart()
        self._kept.restart()
        self._engine = self._new_engine()
        self._diary.replay(self._engine, self._contexts)
        if self._diary.has_checkpoints and self._chance.random() < _WALKED:
            self._diary.check(self._engine, self._new_engine(), self._contexts)
        if self._starts > 1 and not self._is_newer and self._chance.random() < self.world.faults.replaced:
            self._flows, self._is_newer = self.world.newer, True
        self._around.head = self._head = SimulatedHead(self._outside, self._engine, self._flows)
        for pebble in self._engine.pebbles:
            self._head.take_in(pebble)
        self._head.perform(self._engine.owed())
        decided = self._decide()
        if decided:
            self._commit(decided)
        else:
            self._head.hand_out()

    def _new_engine(self) -> Engine:
        engine = Engine()
        for number, flow in enumerate(self.world.flows):
            engine.add_workflow(str(number), flow)
            engine.add_workflow(f"{number}+", self.world.newer[number])
        return engine

    def _decide(self) -> list[Event]:
        """Return what is to become of unfinished pebbles: some are given up, the rest go on in the newest graph."""
        found: list[Event] = []
        at = self._clock.at
        for pebble, known in self._engine.pebbles.items():
            digest = self._digest(pebble)
            if self._starts > 1 and self._chance.random() < self.world.faults.given_up:
                found.append(PebbleCancelled(pebble, at, self._chance.choice(["dropped", "abandoned"])))
            elif known.workflow != digest:
                refused = self._engine.why_not(pebble, digest)
                found.append(
                    PebbleCancelled(pebble, at, "dropped") if refused else WorkflowReplaced(pebble, at, digest)
                )
        return found

    def _crash(self) -> None:
        self.crashes += 1
        self.tasks += self._head.tasks
        self._begin()

    # --- turns ------------------------------------------------------------------------------------------------

    def _step(self) -> None:
        self.steps += 1
        if self.steps > STEPS:
            raise Violation(f"stuck: {self._head.blocked}")
        batch = self._batch()
        if self._engine.pebbles and self._chance.random() < self.world.faults.cancelled:
            batch.append(PebbleCancelled(self._chance.choice([*self._engine.pebbles]), self._clock.at))
        if batch:
            self._commit(batch)
        else:
            self._head.hand_out()

    def _batch(self) -> list[Event]:
        """Return the events of the next commit; none when something else happens first."""
        batch: list[Event] = []
        if self._arriving and self._chance.random() < 0.4:
            batch.append(self._arrival(self._arriving[0]))
        if not self._arriving and not self._clock.has_events and self._head.is_quiet:
            return self._parted()
        while len(batch) < _BATCH:
            events = self._clock.due()
            if not events:
                break
            for event in events:
                self._head.heard(event)
            batch.extend(events)
        if not batch and not self._arriving:
            self._clock.go_on()
        return batch

    def _parted(self) -> list[Event]:
        """Nothing is left but pebbles that wait for each other: no partner will come. Raises Violation."""
        met = [each for flow in self._flows for each in self._head.exchange.give_up(flow.name, self._clock.at)]
        if not met:
            raise Violation(f"nothing can happen any more: {sorted(self._engine.pebbles)} are open")
        return [*met]

    def _commit(self, batch: list[Event]) -> None:
        """Apply, write, perform; or crash before or after the write."""
        known = [(event, self._context_of(event)) for event in batch]
        done = [(e, n, self._engine.apply(e, self._contexts[n])) for e, n in known if n is not None]
        crash = self._chance.random() < self.world.faults.crash
        if crash and self._chance.random() < self.world.faults.torn_commit:
            return self._crash()
        for event, number, commands in done:
            self._diary.write(event, number, commands, is_open=event.pebble in self._engine.pebbles)
            self._durable(event, number)
            for command in commands:
                self._laws.command(command, self._contexts[number])
        if crash:
            return self._crash()
        for event, _, commands in done:
            self._head.perform(commands)
            if event.pebble not in self._engine.pebbles:
                self._head.left(event.pebble)
        self._head.hand_out()
        return None

    def _durable(self, event: Event, number: int) -> None:
        if isinstance(event, PebbleArrived):
            self._arriving.remove(event.pebble)
            self._births[event.pebble] = self._contexts[number].options["o"]
            self._head.take_in(event.pebble)
        self._laws.durable(event, self._contexts[number])
        self._head.durable(event)

    # --- what pebbles read and bring ----------------------------------------------------------------------------

    def _context_of(self, event: Event) -> int | None:
        """Return the number of the context of an event, None for a pebble that has left."""
        if isinstance(event, PebbleArrived):
            return self._context(self._starts)
        return self._context(self._births[event.pebble]) if event.pebble in self._births else None

    def _context(self, start: int) -> int:
        """Return the number of the context with the options of a start and the configuration as it is now."""
        changes = self._around.config
        options = {"o": start, "mood": ["good", "bad"][start % 2], "where": PLACES[start % len(PLACES)]}
        config = {"Root.c": changes, "Root.where": PLACES[changes % len(PLACES)]}
        for each in reversed(self._contexts):
            if each.options == options and each.config == config:
                return each.number
        self._contexts.append(Context(len(self._contexts), options, config, "/started/here"))
        return len(self._contexts) - 1

    def _digest(self, pebble: int) -> str:
        return f"{self.world.flow_of(pebble)}{'+' if self._is_newer else ''}"

    def _arrival(self, pebble: int) -> PebbleArrived:
        source, values = self.world.input_of(pebble), self.world.values_of(pebble)
        return PebbleArrived(pebble, self._clock.at, self._digest(pebble), source, f"n{pebble}", values, machine=HEAD)
