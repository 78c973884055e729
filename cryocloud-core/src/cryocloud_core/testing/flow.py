"""Given a workflow, when events happen, then commands follow: the engine driven by hand, laws checked at every step.

Laws: the real engine, a virtual clock, no I/O; every event is kept, so that a test can replay the pebble and
demand the same commands; whatever breaks a law of the engine fails the step that broke it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Self

from cryocloud_core.engine.chronicle import Chronicle, Keeping
from cryocloud_core.engine.commands import (
    CleanUp,
    Command,
    FinishPebble,
    KeepCheckpoint,
    NodeSettled,
    Note,
    SetTimer,
    StartTask,
)
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import (
    Answered,
    CleanUpEnded,
    Context,
    Event,
    PebbleArrived,
    PebbleCancelled,
    TaskEnded,
    TimerFired,
)
from cryocloud_core.engine.explain import PebbleTold, RunTold, explain
from cryocloud_core.graph.refs import Argument, Literal, OutputRef
from cryocloud_core.graph.workflow import Node, NodeKind, Workflow
from cryocloud_core.task import Code, Failed, Outcome, Preparation, StagingKind, Stats, Succeeded, Task, TaskId
from cryocloud_core.testing.depicting import depict
from cryocloud_core.testing.replaying import as_stored, replay

#: the accepted results of `runOn: always`
ALWAYS = frozenset({"success", "error", "timeout", "cancelled"})


def node(name: str, *parents: str, **keys: Any) -> Node:
    """Return a node for a test; without parents and kind it is an input."""
    kind = keys.pop("kind", NodeKind.ORDINARY if parents else NodeKind.INPUT)
    run_on = keys.pop("run_on", {"success"})
    return Node(name, "noop", Code("test"), kind=kind, parents=parents, run_on=frozenset(run_on), **keys)


def ref(name: str) -> Argument:
    """Return a reference to `Node.key`."""
    source, _, key = name.partition(".")
    return Argument(OutputRef(source, key))


def split(name: str, parent: str, items: str = "In.files", **keys: Any) -> Node:
    """Return a node that is split on its argument `f`, the list that `items` (`Node.key`) refers to."""
    return node(name, parent, args={"f": ref(items), **keys.pop("args", {})}, split_on="f", **keys)


def tempdir(name: str = "w", base: str | None = None) -> Argument:
    """Return a tempdir argument with an id."""
    return Argument(Literal(base), preparation=Preparation(StagingKind.TEMPDIR, id=name))


class Flow:
    """One engine with one workflow; pebbles are numbered from 1."""

    def __init__(
        self, *nodes: Node, options: dict[str, Any] | None = None, config: dict[str, Any] | None = None
    ) -> None:
        self.workflow = Workflow("test", "a test", {each.name: each for each in nodes})
        self.context = Context(1, options or {}, config or {})
        self._others: dict[str, Workflow] = {}
        self.engine = self._new_engine()
        self.at = 1000.0
        self.events: list[Event] = []
        #: the ids of the tasks that each event started
        self._started: list[list[str]] = []
        self.commands: list[Command] = []
        self.tasks: dict[str, Task] = {}
        self._settled: Counter[tuple[int, str, str]] = Counter()
        self._finished: Counter[int] = Counter()

    @classmethod
    def of(
        cls, workflow: Workflow, *, options: dict[str, Any] | None = None, config: dict[str, Any] | None = None
    ) -> Self:
        """Return a flow through a linked workflow."""
        flow = cls(options=options, config=config)
        flow.workflow = workflow
        flow.engine = flow._new_engine()
        return flow

    # --- when -----------------------------------------------------------------------------------------

    def arrive(self, pebble: int = 1, values: dict[str, Any] | None = None, source: str = "In") -> list[Command]:
        """A pebble arrives at an input node."""
        return self.when(PebbleArrived(pebble, self.at, "digest", source, f"n{pebble}", values or {}, machine="head"))

    def end(self, task: str, outcome: Outcome | None = None, *, machine: str = "m1", pebble: int = 1) -> list[Command]:
        """A task ends; `task` is its id, or a node's name for the pebble's open task there."""
        found = task if "/" in task else self.open_task(task, pebble)
        self.at += 1
        return self.when(
            TaskEnded(
                TaskId.parse(found).pebble,
                self.at,
                found,
                outcome or Succeeded(),
                Stats(machine, f"Worker-{machine}_1", runtime_s=1.5, cpu_time_s=0.5, max_memory_bytes=4096),
            )
        )

    def fail(self, task: str, error: str = "broken", pebble: int = 1) -> list[Command]:
        """A task fails."""
        return self.end(task, Failed(error), pebble=pebble)

    def fire(self, timer: str, pebble: int = 1) -> list[Command]:
        """A timer comes due."""
        return self.when(TimerFired(pebble, self.at, timer))

    def cancel(self, pebble: int = 1, why: str = "cancelled") -> list[Command]:
        """Somebody gives the pebble up."""
        return self.when(PebbleCancelled(pebble, self.at, why))

    def clean(self, machine: str = "m1", pebble: int = 1) -> list[Command]:
        """A machine is clean."""
        return self.when(CleanUpEnded(pebble, self.at, machine))

    def answer(self, task: str, *machines: str, pebble: int = 1) -> list[Command]:
        """It is told which machines are there."""
        return self.when(Answered(pebble, self.at, task, machines))

    def when(self, event: Event) -> list[Command]:
        """Apply an event, check the laws, and return the commands."""
        self.events.append(event)
        commands = self.engine.apply(event, self.context)
        self.commands.extend(commands)
        self._started.append([command.task.id for command in commands if isinstance(command, StartTask)])
        for command in commands:
            self._check(command)
        return commands

    # --- then -----------------------------------------------------------------------------------------

    def states(self, pebble: int = 1) -> dict[str, str]:
        """Return how every node settled so far, `Node` or `Node#1` -> state."""
        told = (c for c in self.commands if isinstance(c, NodeSettled) and c.pebble == pebble)
        return {f"{c.node}{c.scope}": c.state for c in told}

    def result(self, pebble: int = 1) -> str | None:
        """Return the pebble's result, None while it is open."""
        return next((c.result for c in self.commands if isinstance(c, FinishPebble) and c.pebble == pebble), None)

    def open_tasks(self, pebble: int = 1) -> list[str]:
        """Return the ids of the pebble's open tasks, in the order they were started."""
        found = self.engine.pebbles.get(pebble)
        return [] if found is None else list(found.tasks)

    def open_task(self, name: str, pebble: int = 1) -> str:
        """Return the id of a node's open task."""
        found = [task for task in self.open_tasks(pebble) if self.tasks[task].node == name]
        assert len(found) == 1, f"{name} has open tasks {found}; open: {self.open_tasks(pebble)}"
        return found[0]

    def args(self, name: str, pebble: int = 1) -> dict[str, Any]:
        """Return the resolved arguments of a node's open task."""
        return self.tasks[self.open_task(name, pebble)].args

    def notes(self, level: str = "WARNING") -> list[str]:
        """Return the log lines told so far."""
        return [c.text for c in self.commands if isinstance(c, Note) and c.level == level]

    def timers(self) -> list[SetTimer]:
        """Return the timers set so far."""
        return [c for c in self.commands if isinstance(c, SetTimer)]

    def clean_ups(self) -> list[CleanUp]:
        """Return the clean-ups commanded so far."""
        return [c for c in self.commands if isinstance(c, CleanUp)]

    def replayed(self) -> Engine:
        """Return a new engine that went through the same events; it must give the same commands.

        One that takes checkpoints in place of folded regions must come to the same state.
        """
        engine = self._new_engine()
        again = [command for event in self.events for command in engine.apply(event, self.context)]
        assert again == self.commands
        assert engine.owed() == self.engine.owed()
        if any(isinstance(command, KeepCheckpoint) for command in again):
            recalled = self.recalled()
            assert recalled.owed() == engine.owed()
            assert depict(recalled) == depict(engine)
        return engine

    def recalled(self) -> Engine:
        """Return a new engine that took every checkpoint there is; what it applied again must start the same tasks."""
        engine = self._new_engine()
        kept = [command for command in self.commands if isinstance(command, KeepCheckpoint)]
        for pebble in dict.fromkeys(event.pebble for event in self.events):
            checkpoints = [as_stored(command.checkpoint) for command in kept if command.pebble == pebble]
            events = [each for each in zip(self.events, self._started, strict=True) if each[0].pebble == pebble]
            replay(engine, events, checkpoints, self.context)
        return engine

    def know(self, digest: str, workflow: Workflow) -> None:
        """Make another workflow known, for pebbles that go on in it."""
        self._others[digest] = workflow
        self.engine.add_workflow(digest, workflow)

    def story(self, pebble: int = 1, part: int | None = None) -> PebbleTold:
        """Return the story of a pebble, open or closed, as `cryocloud explain` tells it; with a part told whole."""
        engine, chronicle = Keeping(), Chronicle(part=part)
        engine.add_workflow("digest", self.workflow)
        for event in self.events:
            commands = engine.apply(event, self.context)
            if event.pebble == pebble:
                chronicle.note(engine.pebbles[pebble], event, self.context, commands)
        return explain(engine.pebbles[pebble], chronicle)

    def told(self, name: str, scope: str = "", pebble: int = 1) -> RunTold:
        """Return the story of one node; `scope` is empty or `#1` for a handler's first firing."""
        return next(run for run in self.story(pebble).nodes if run.node == name and run.scope == scope)

    def _new_engine(self) -> Engine:
        engine = Engine()
        engine.add_workflow("digest", self.workflow)
        for digest, workflow in self._others.items():
            engine.add_workflow(digest, workflow)
        return engine

    def _check(self, command: Command) -> None:
        match command:
            case StartTask(task):
                assert task.id not in self.tasks, f"task {task.id} was started twice"
                self.tasks[task.id] = task
            case NodeSettled(pebble, name, scope):
                self._settled[pebble, name, scope] += 1
                assert self._settled[pebble, name, scope] == 1, f"{name}{scope} settled twice"
                assert not self._finished[pebble], f"{name}{scope} settled after its pebble was finished"
            case FinishPebble(pebble):
                self._finished[pebble] += 1
                assert self._finished[pebble] == 1, f"pebble {pebble} finished twice"
                left = self.engine.pebbles.get(pebble)
                assert left is None or not left.tasks, f"pebble {pebble} finished with open tasks"
            case _:
                pass
