"""One start of a simulated head: performs commands as the real one does, with workers that fail.

Laws: the gate, the exchange, restrictions, the result cache and the counters are the real ones; what happens here is
held against the laws of the gate (`referee.py`) and of kept results (`kept.py`) as it happens.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from attrs import evolve, frozen

from cryocloud_core.engine.commands import Ask, CancelTask, CleanUp, Command, Meet, SetTimer, StartTask
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import Answered, CleanUpEnded, Event, TaskEnded, TimerFired
from cryocloud_core.engine.exchange import Exchange
from cryocloud_core.engine.gate import Gate, Held
from cryocloud_core.engine.restrictions import Restrictions
from cryocloud_core.graph.workflow import CacheRule, Workflow
from cryocloud_core.head.batch import Batch
from cryocloud_core.head.board import StatusBoard
from cryocloud_core.head.cache import Hit, Miss, ResultCache
from cryocloud_core.head.counters import Counters
from cryocloud_core.head.ledger import Held as Record
from cryocloud_core.head.ledger import Ledger
from cryocloud_core.head.places import Places
from cryocloud_core.head.publishing import Publisher
from cryocloud_core.head.restraint import Restraint
from cryocloud_core.task import Cancelled, Lost, Outcome, Stats, Task, TaskId
from cryocloud_core.testing.simulation.around import Around
from cryocloud_core.testing.simulation.clock import Clock
from cryocloud_core.testing.simulation.ends import outcome_of
from cryocloud_core.testing.simulation.facts import Violation
from cryocloud_core.testing.simulation.kept import Kept
from cryocloud_core.testing.simulation.laws import Laws
from cryocloud_core.testing.simulation.referee import Referee
from cryocloud_core.testing.simulation.worlds import FEED, World


@frozen
class Outside:
    """What outlives a head: the clock, the world around, the laws, and results that are used again."""

    world: World
    clock: Clock
    around: Around
    laws: Laws
    kept: Kept
    store: sqlite3.Connection


class SimulatedHead:
    """What a head does between the journal and its workers; `tasks` counts what ran."""

    def __init__(self, outside: Outside, engine: Engine, flows: tuple[Workflow, ...]) -> None:
        self.tasks = 0
        self.exchange = Exchange()
        self._o = outside
        self._world, self._clock, self._laws, self._kept = outside.world, outside.clock, outside.laws, outside.kept
        self._machines = outside.around.machines
        self._engine = engine
        self._gate, self._ledger, self._counters = Gate(), Ledger(), Counters()
        self._places = Places(self._machines)
        self._referee = Referee(self._world, flows, outside.around, self._laws)
        self._taken: dict[str, Task] = {}
        self._unbegun: set[str] = set()
        self._debts: list[tuple[str, CleanUpEnded]] = []
        self._rows: dict[str, Callable[[Batch], None]] = {}
        self._board = StatusBoard()
        self._publish(flows)
        self._cache = ResultCache(outside.store, flows, clock=lambda: self._clock.at, later=self._clock.alarm)
        self._cache.offer_again = self._gate.offer_again
        self._restraint = Restraint(Restrictions(flows, self._board), self._gate, self._ledger, engine)

    def _publish(self, flows: Iterable[Workflow]) -> None:
        publisher = Publisher(self._board, self._counters, self._machines)
        for flow in flows:
            self._counters.add_workflow(flow)
            publisher.begin(flow.name, {})
            for each in flow.nodes.values():
                if each.max_parallel is not None:
                    self._gate.limit(flow.name, each.name, each.max_parallel)
        for name, value in self._o.around.status.items():
            self.status_changed(name, value)

    def take_in(self, pebble: int) -> None:
        """Know a pebble that is in the engine."""
        flow = self._world.flows[self._world.flow_of(pebble)]
        self._ledger.add(Record(pebble, flow.name, 1, self._world.input_of(pebble), 1))

    def left(self, pebble: int) -> None:
        """A pebble has left the engine."""
        self._ledger.left(pebble)
        self._restraint.left(pebble)

    @property
    def is_quiet(self) -> bool:
        """True when nothing here will happen by itself."""
        return not (self._debts or self._taken or self._referee.waiting)

    @property
    def blocked(self) -> str:
        """Return what waits, for people."""
        return f"{self._gate.blocked()}, {len(self.exchange)} wait for partners"

    # --- commands -----------------------------------------------------------------------------------------

    def perform(self, commands: Iterable[Command]) -> None:
        """Do what durable events command."""
        for command in commands:
            match command:
                case StartTask(task):
                    self._counters.queued(task)
                    self._gate.enter(task)
                    self._referee.waits(task)
                    self._kept.waits(task, self._clock.at)
                case CancelTask(_, task, why):
                    self._cancel(task, why)
                case SetTimer(pebble, timer, due_at):
                    self._clock.later(TimerFired(pebble, due_at, timer), wait=max(0.0, due_at - self._clock.at))
                case CleanUp():
                    self._clean(command)
                case Meet():
                    answers = self.exchange.join(command, self._clock.at)
                    if answers:
                        self._clock.later(*answers)
                case Ask():
                    machines = self._machines.serving(command.kind)
                    answer = Answered(command.pebble, self._clock.at, command.task, machines)
                    self._clock.later(answer, wait=self._clock.chance.random())
                case _:
                    pass

    def _cancel(self, task: str, why: str) -> None:
        if self.exchange.leave(task):
            return
        taken = self._taken.get(task)
        if taken is None:
            self._cache.over(task)
            self._kept.over(task)
            self._places.forget(task)
        if self._gate.withdraw(task):
            name = TaskId.parse(task)
            flow = self._world.flows[self._world.flow_of(name.pebble)].name
            self._counters.withdrawn(flow, name.node)
            self._referee.leaves(task)
            self._answer(task, why)
        elif taken is None:
            self._answer(task, why)
        elif task in self._unbegun:
            self._gone(taken)
            self._answer(task, why)
        elif task in self._machines.place_of and self._clock.chance.random() < 0.5:
            self._end_of(task, Cancelled(why), Stats(self._machines.place_of[task], "w"), took=0.01)

    def _answer(self, task: str, why: str) -> None:
        """Answer for a task that will never run, if the engine still waits for its end."""
        pebble = self._engine.pebbles.get(TaskId.parse(task).pebble)
        if pebble is not None and task in pebble.tasks:
            self._end_of(task, Cancelled(why), None)

    def _clean(self, command: CleanUp) -> None:
        self._laws.cleans(command, list(self._taken.values()))
        event = CleanUpEnded(command.pebble, self._clock.at, command.machine)
        if command.machine in self._machines.away:
            self._debts.append((command.machine, event))
        else:
            self._clock.later(event, wait=self._clock.chance.random())

    # --- handing out --------------------------------------------------------------------------------------

    def hand_out(self) -> None:
        """Offer what waits until nothing goes any more, as the ticks of a head do. Raises Violation."""
        while True:
            before = len(self._referee.waiting)
            self._referee.pass_begins()
            self._gate.hand_out(self._offer)
            if len(self._referee.waiting) == before:
                break
        self._referee.pass_ended()
        for task in list(self._referee.waiting.values())[-1:]:
            self._referee.explained(task, self._gate.standing(task.id))

    def _offer(self, task: Task) -> bool | str | Held:
        self._referee.offered(task)
        held = self._restraint.held(task)
        if held is not None:
            return held
        found = self._cache.look(task)
        if isinstance(found, str):
            return found
        if isinstance(found, Hit):
            return self._use_again(task, found)
        missing = self._places.missing(task)
        if missing:
            return missing
        if not self._machines.offer(task):
            self._referee.refused(task)
            return False
        self._take(task, found)
        return True

    def _take(self, task: Task, miss: Miss | None) -> None:
        """A worker has taken a task; it may give it back before it begins."""
        self._referee.takes(task, runs=True)
        self._taken[task.id] = task
        self._unbegun.add(task.id)
        if miss is not None:
            self._kept.runs(task, miss.rule, self._clock.at)
            self._cache.took(task, miss)
        self._counters.handed(task)
        if self._clock.chance.random() < self._world.faults.returned:
            self._clock.alarm(self._clock.chance.expovariate(2.0), partial(self._back, task.id))
        else:
            self._begin(task)

    def _use_again(self, task: Task, hit: Hit) -> bool:
        """End a task at once with an earlier result."""
        self._kept.hits(task, self._rule_of(task), hit.entry, self._clock.at)
        self._referee.takes(task, runs=False)
        self._taken[task.id] = task
        self._end_of(task.id, hit.outcome(), evolve(hit.stats(task), began_at=self._clock.at))
        return True

    def _rule_of(self, task: Task) -> CacheRule:
        rule = self._laws.facts.node_of(task.pebble, task.node).cache
        assert rule is not None
        return rule

    # --- workers ------------------------------------------------------------------------------------------

    def _begin(self, task: Task) -> None:
        self.tasks += 1
        identity = task.id.rpartition("/")[0]
        if any(each.rpartition("/")[0] == identity for each in self._taken.keys() - self._unbegun):
            raise Violation(f"{task.id} has two live copies")
        machine = self._machines.place_of[task.id]
        if task.machines and machine not in task.machines:
            raise Violation(f"{task.id} runs on {machine}, it may run on {task.machines}")
        self._laws.begins(task)
        self._unbegun.discard(task.id)
        self._referee.begins(task.id)
        self._counters.began(task, f"Worker-{machine}", self._clock.at)
        outcome = outcome_of(task, machine, self._world, self._clock.chance)
        stats = Stats(machine, f"Worker-{machine}", runtime_s=1.0)
        bare = isinstance(outcome, Lost) and self._clock.chance.random() < 0.5
        self._end_of(task.id, outcome, None if bare else stats, took=self._clock.chance.expovariate(1.0))

    def _back(self, task: str) -> None:
        """A worker gives a task back that it has not begun."""
        if task in self._unbegun:
            taken = self._taken.pop(task)
            self._unbegun.discard(task)
            self._counters.back(taken)
            self._machines.free(task)
            self._gate.back(task)
            self._referee.came_back(task)

    def _end_of(self, task: str, outcome: Outcome, stats: Stats | None, took: float = 0.0) -> None:
        """Let the end of a task arrive later, perhaps twice."""
        chance = self._clock.chance
        event = TaskEnded(TaskId.parse(task).pebble, self._clock.at + took, task, outcome, stats)
        self._clock.later(event, wait=took)
        if chance.random() < self._world.faults.repeated:
            self._clock.later(event, wait=took + chance.expovariate(0.5))

    def heard(self, event: Event) -> None:
        """An event has arrived; the first end of a task that was taken frees its worker."""
        if isinstance(event, TaskEnded) and event.task in self._taken:
            task = self._taken[event.task]
            rows = self._cache.keep(task, event.outcome, event.stats)
            if rows is not None:
                self._rows[task.id] = rows
                self._kept.keeps(task, self._rule_of(task), event.outcome, self._clock.at)
            self._gone(task)

    def durable(self, event: Event) -> None:
        """An event is durable, and with it the result that is kept beside it."""
        rows = self._rows.pop(event.task, None) if isinstance(event, TaskEnded) else None
        if rows is not None and isinstance(event, TaskEnded):
            batch = Batch()
            rows(batch)
            for statement, values in batch.others:
                self._o.store.execute(statement, values)
            self._kept.durable(event.task)

    def _gone(self, task: Task) -> None:
        del self._taken[task.id]
        self._cache.over(task.id)
        self._kept.over(task.id)
        self._unbegun.discard(task.id)
        self._gate.ended(task.id)
        self._counters.ended(task)
        self._machines.free(task.id)
        self._referee.leaves(task.id)

    # --- the world around ---------------------------------------------------------------------------------

    def status_changed(self, parameter: str, value: Any) -> None:
        """A status value of somebody else has changed."""
        self._board.put(FEED, parameter, value, self._clock.at)

    def machine_left(self, tasks: list[str], machine: str) -> None:
        """A machine has gone away with these tasks."""
        for task in tasks:
            if task in self._unbegun:
                self._back(task)
            elif task in self._taken:
                self._end_of(task, Lost(machine, "gone"), None)

    def machine_came(self, machine: str) -> None:
        """A machine is there again: what it owes can be paid, what waits for it can go."""
        owed, self._debts = self._debts, [each for each in self._debts if each[0] != machine]
        for place, event in owed:
            if place == machine:
                self._clock.later(event, wait=self._clock.chance.random())
        self._gate.offer_again(self._places.appeared())
