"""The fault simulator: the real engine, gate and exchange under a virtual clock, with workers and a head that fail.

Laws: reproducible from a seed; workers lose, decline, repeat, delay and reorder everything; the head crashes at any
commit, before or after it is durable, and goes on from its journal; after every step it is checked that no node ran
again once its end was durable, that nothing had two live copies, that no limit was exceeded and that no value came
from another pebble, node or part; in the end every pebble has finished once and every tempdir is gone.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter

from cryocloud_core.engine.commands import (
    CancelTask,
    CleanUp,
    Command,
    FinishPebble,
    Meet,
    NodeSettled,
    SetTimer,
    StartTask,
)
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import (
    CleanUpEnded,
    Context,
    Event,
    PebbleArrived,
    PebbleCancelled,
    TaskEnded,
    TimerFired,
)
from cryocloud_core.engine.exchange import Exchange
from cryocloud_core.engine.gate import Gate
from cryocloud_core.task import Declined, Failed, Lost, Outcome, StagingKind, Stats, Succeeded, Task, TaskId, TimedOut
from cryocloud_core.testing.worlds import World
from cryocloud_core.wire import from_json, to_json

WORKERS = 4
#: a world that takes more steps is stuck
STEPS = 200_000
_CONTEXT = Context(1)


class Violation(AssertionError):
    """A law was broken; the message says which, and where."""


class Simulation:
    """One world, run to its end; `tasks` counts what ran."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tasks = 0
        self.crashes = 0
        self.journal: list[str] = []
        self._chance = random.Random(world.seed + 1)  # noqa: S311 - chance that can be repeated is the point
        self._at = 0.0
        self._count = 0
        self._arriving = list(range(1, world.pebbles + 1))
        self._ended: set[str] = set()
        self._finished: Counter[int] = Counter()
        self._made: set[tuple[int, str]] = set()
        self._runs = 0
        self._begin()

    # --- the head ---------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Start a head: replay what is durable, take over what is owed; what was alive is dead."""
        self._engine, self._gate, self._exchange = Engine(), Gate(), Exchange()
        self._engine.add_workflow("w", self.world.workflow)
        for each in self.world.workflow.nodes.values():
            if each.max_parallel is not None:
                self._gate.limit("world", each.name, each.max_parallel)
        self._live: dict[str, Task] = {}
        self._soon: list[tuple[float, int, Event]] = []
        self._free = WORKERS
        self._runs += 1
        for text in self.journal:
            self._engine.apply(from_json(text, Event), _CONTEXT)  # type: ignore[arg-type]
        self._perform(self._engine.owed())

    def run(self) -> None:
        """Run to the end. Raises Violation."""
        for _ in range(STEPS):
            if not self._arriving and not self._engine.pebbles:
                self._check_end()
                return
            self._step()
        raise Violation(f"stuck: {self._gate.blocked()}, {len(self._exchange)} wait for partners")

    def _step(self) -> None:
        batch: list[Event] = []
        if self._arriving and self._chance.random() < 0.4:
            batch.append(self._arrival(self._arriving[0]))
        while self._soon and len(batch) < 4:
            at, _, event = heapq.heappop(self._soon)
            self._at = max(self._at, at)
            self._free_worker(event)
            batch.append(event)
        if not batch and not self._arriving:
            batch = list(self._exchange.give_up("world", self._at))
            if not batch:
                raise Violation(f"nothing can happen any more: {sorted(self._engine.pebbles)} are open")
        if self._engine.pebbles and self._chance.random() < self.world.faults.cancelled:
            batch.append(PebbleCancelled(self._chance.choice([*self._engine.pebbles]), self._at))
        self._commit(batch)

    def _commit(self, batch: list[Event]) -> None:
        """Apply, write, perform; or crash before or after the write."""
        commands = [command for event in batch for command in self._engine.apply(event, _CONTEXT)]
        crash = self._chance.random() < self.world.faults.crash
        if crash and self._chance.random() < self.world.faults.torn_commit:
            self.crashes += 1
            return self._begin()
        self.journal.extend(to_json(event, Event) for event in batch)
        for event in batch:
            self._durable(event)
        for command in commands:
            self._check(command)
        if crash:
            self.crashes += 1
            return self._begin()
        self._perform(commands)
        return None

    def _durable(self, event: Event) -> None:
        if isinstance(event, PebbleArrived) and event.pebble in self._arriving:
            self._arriving.remove(event.pebble)
        elif isinstance(event, CleanUpEnded):
            self._made.discard((event.pebble, event.machine))

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case StartTask(task):
                    self._gate.enter(task)
                case CancelTask(_, task, why):
                    self._cancel(task, why)
                case SetTimer(pebble, timer, due_at):
                    self._later(TimerFired(pebble, due_at, timer), max(0.0, due_at - self._at))
                case CleanUp(pebble, _, machine, _):
                    self._later(CleanUpEnded(pebble, self._at, machine), self._chance.random())
                case Meet():
                    for answer in self._exchange.join(command, self._at):
                        self._later(answer, 0.0)
                case _:
                    pass
        self._gate.hand_out(self._offer)

    def _cancel(self, task: str, why: str) -> None:
        if self._exchange.leave(task):
            return
        if self._gate.withdraw(task) or task not in self._live:
            self._end_of(task, Declined(why), None)

    # --- the workers --------------------------------------------------------------------------------------

    def _offer(self, task: Task) -> bool:
        if not self._free:
            return False
        self._free -= 1
        self._begin_task(task)
        return True

    def _begin_task(self, task: Task) -> None:
        self.tasks += 1
        identity = task.id.rpartition("/")[0]
        if any(each.rpartition("/")[0] == identity for each in self._live):
            raise Violation(f"{task.id} has two live copies")
        if identity in self._ended:
            raise Violation(f"{task.id} runs although the node's end is durable")
        out = Counter(each.node for each in self._live.values())
        most = self.world.workflow.nodes[task.node].max_parallel
        if most is not None and out[task.node] >= most:
            raise Violation(f"{task.id} exceeds max_parallel {most}")
        self._check_values(task)
        self._live[task.id] = task
        machine = self._chance.choice(["m1", "m2"])
        if any(each.preparation.kind is StagingKind.TEMPDIR for each in task.staging):
            self._made.add((task.pebble, machine))
        self._end_of(
            task.id,
            self._outcome(task),
            Stats(machine, f"Worker-{machine}", runtime_s=1.0),
            took=self._chance.expovariate(1.0),
        )

    def _outcome(self, task: Task) -> Outcome:
        faults, luck = self.world.faults, self._chance.random()
        for share, made in (
            (faults.lost, Lost("m1", "killed")),
            (faults.declined, Declined("no module", "m1")),
            (faults.fails, Failed("broken")),
            (faults.times_out, TimedOut("late")),
        ):
            if luck < share:
                return made
            luck -= share
        name = TaskId.parse(task.id)
        pair = f"p{(name.pebble + 1) // 2}"
        return Succeeded({"x": [name.pebble, name.node, name.part], "pair": pair})

    def _end_of(self, task: str, outcome: Outcome, stats: Stats | None, took: float = 0.0) -> None:
        """Let the end of a task arrive later, perhaps twice."""
        event = TaskEnded(TaskId.parse(task).pebble, self._at + took, task, outcome, stats)
        self._later(event, took)
        if self._chance.random() < self.world.faults.repeated:
            self._later(event, took + self._chance.expovariate(0.5))

    def _later(self, event: Event, wait: float) -> None:
        self._count += 1
        heapq.heappush(self._soon, (self._at + wait, self._count, event))

    def _free_worker(self, event: Event) -> None:
        """A worker is free when the end of its task arrives for the first time."""
        if isinstance(event, TaskEnded) and self._live.pop(event.task, None) is not None:
            self._gate.ended(event.task)
            self._free += 1

    def _arrival(self, pebble: int) -> PebbleArrived:
        inputs = [each.name for each in self.world.workflow.nodes.values() if not each.parents and not each.run_if]
        source = inputs[pebble % 2] if "Other" in inputs else "In"
        items = [] if pebble % 5 == 0 else list(range(pebble % 4))
        values = {"x": [pebble, source, None], "items": items, "pair": f"p{(pebble + 1) // 2}"}
        return PebbleArrived(pebble, self._at, "w", source, f"n{pebble}", values, machine="m1")

    # --- the laws -----------------------------------------------------------------------------------------

    def _check(self, command: Command) -> None:
        if isinstance(command, NodeSettled):
            identity = f"{command.pebble}{command.scope}/{command.node}"
            self._settled(identity, command)
        elif isinstance(command, FinishPebble):
            self._finished[command.pebble] += 1
            if self._finished[command.pebble] > 1:
                raise Violation(f"pebble {command.pebble} finished twice")

    def _settled(self, identity: str, command: NodeSettled) -> None:
        part, _, firing = command.scope.partition("#")
        key = f"{command.pebble}{part}/{command.node}{'#' + firing if firing else ''}"
        if key in self._ended:
            raise Violation(f"{identity} settled twice")
        self._ended.add(key)

    def _check_values(self, task: Task) -> None:
        """Every value says whose it is: the task's own pebble's (or a partner's), the right node's, its own part's."""
        name = TaskId.parse(task.id)
        for argument, value in task.args.items():
            if not argument.startswith("from_") or value is None:
                continue
            wanted = argument.removeprefix("from_")
            if value and isinstance(value[0], list | None):
                parts = [each[2] for each in value if each is not None]
                right = all(each is None or each[:2] == [name.pebble, wanted] for each in value)
                right = right and all(value[part] is None or value[part][2] == part for part in range(len(value)))
                right = right and len(set(parts)) == len(parts)
            else:
                right = not value or (value[1] == wanted and value[2] in (None, name.part))
                right = right and (not value or value[0] == name.pebble or self._partner(value[0], name.pebble))
            if not right:
                raise Violation(f"{task.id}: argument {argument} is {value}")

    def _partner(self, one: int, other: int) -> bool:
        return (one + 1) // 2 == (other + 1) // 2 and any(
            each.module == "communicate" for each in self.world.workflow.nodes.values()
        )

    def _check_end(self) -> None:
        missing = [pebble for pebble in range(1, self.world.pebbles + 1) if self._finished[pebble] != 1]
        if missing:
            raise Violation(f"pebbles {missing} did not finish")
