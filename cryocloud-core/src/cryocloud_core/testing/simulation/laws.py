"""The laws of the engine, for the fault simulator: what it commands is held against what became durable.

Laws: nothing of the engine's state is read; every run settles once and never runs again, a failed part stops the
others, a pebble finishes once with the worst of its results, and no tempdir is left; all else is a Violation.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from cryocloud_core.engine.commands import Ask, CancelTask, CleanUp, Command, FinishPebble, Meet, NodeSettled, StartTask
from cryocloud_core.engine.events import (
    Answered,
    CleanUpEnded,
    Context,
    Event,
    Met,
    PebbleArrived,
    PebbleCancelled,
    TaskEnded,
    WorkflowReplaced,
)
from cryocloud_core.graph.refs import Literal
from cryocloud_core.task import Cancelled, Declined, Lost, StagingKind, Task, TaskId
from cryocloud_core.testing.simulation.facts import Facts, Spot, Violation, firing_of, spot_of
from cryocloud_core.testing.simulation.values import Values
from cryocloud_core.testing.simulation.worlds import HEAD, World

_RAN = ("success", "cancelled", "timeout", "error")


class Laws:
    """Hears of every durable event and every command that follows it."""

    def __init__(self, world: World) -> None:
        self.facts = Facts(world)
        self._values = Values(self.facts)
        self._finished: Counter[int] = Counter()
        self._open: dict[str, Task | None] = {}
        #: the part that made a region stop, by its split; deferred nodes are spared unless the split is deferred
        self._stopped: dict[Spot, str] = {}
        self._tempdirs: set[tuple[int, str]] = set()
        self._begun: set[int] = set()
        self._given_up: dict[int, set[str]] = defaultdict(set)
        self._meetings: set[str] = set()
        self._met: Counter[tuple[str, str, str]] = Counter()

    # --- what is durable ----------------------------------------------------------------------------------

    def durable(self, event: Event, context: Context) -> None:
        """Take an event that will not be forgotten. Raises Violation."""
        facts = self.facts
        match event:
            case PebbleArrived(pebble, workflow=digest):
                facts.shape[pebble] = facts.first[pebble] = facts.shapes[digest]
                facts.born[pebble] = context
                facts.where[pebble, "", event.input] = HEAD
            case TaskEnded():
                self._task_ended(event)
            case CleanUpEnded(pebble, machine=machine):
                self._tempdirs.discard((pebble, machine))
            case PebbleCancelled(pebble, why=why):
                self._given_up[pebble].add(why)
                if why != "cancelled":
                    self._forget_tasks(pebble)
            case WorkflowReplaced(pebble, workflow=digest):
                facts.shape[pebble] = facts.shapes[digest]
                self._given_up[pebble].add("replaced")
                self._forget_tasks(pebble)
            case Answered(pebble, task=task, machines=machines) if task in self._open:
                del self._open[task]
                facts.lists[spot_of(TaskId.parse(task))] = list(machines)
            case Met(task=task) if task in self._meetings:
                self._meetings.discard(task)
                if event.goes_on:
                    self._goes_on(event)
            case _:
                pass

    def _task_ended(self, event: TaskEnded) -> None:
        task = self._open.pop(event.task, None)
        if task is None:
            return
        outcome, stats = event.outcome, event.stats
        machine = HEAD if stats is None else stats.node
        if stats is None and isinstance(outcome, Declined | Cancelled):
            return
        self._begun.add(event.pebble)
        if stats is not None:
            self.facts.where[spot_of(TaskId.parse(task.id))] = machine
        elif isinstance(outcome, Lost):
            machine = outcome.node
        if any(each.preparation.kind is StagingKind.TEMPDIR for each in task.staging):
            self._tempdirs.add((event.pebble, machine))

    def _forget_tasks(self, pebble: int) -> None:
        for task in [task for task in self._open if TaskId.parse(task).pebble == pebble]:
            del self._open[task]
        self._meetings = {task for task in self._meetings if TaskId.parse(task).pebble != pebble}

    def _goes_on(self, event: Met) -> None:
        """Of the pebbles of a rendezvous one goes on."""
        flow = self.facts.shape[event.pebble].flow
        name = TaskId.parse(event.task).node
        met = (flow.name, name, str(self.facts.world.values_of(event.pebble)["pair"]))
        self._met[met] += 1
        node = flow.nodes[name]
        if node.resolve_on_any:
            return
        if self._met[met] > 1:
            raise Violation(f"{event.task}: a second pebble goes on for {met[2]}")
        through = node.args["resolveOn"].source if "resolveOn" in node.args else None
        wanted = through.value if isinstance(through, Literal) else "any"
        if wanted != "any" and self.facts.states.get((event.pebble, "", wanted)) not in _RAN:
            raise Violation(f"{event.task} goes on, but did not come through {wanted}")

    # --- what is commanded --------------------------------------------------------------------------------

    def command(self, command: Command, context: Context) -> None:
        """Judge a command whose event is durable; `context` is the one of the event. Raises Violation."""
        match command:
            case NodeSettled():
                self._settled(command)
            case StartTask(task):
                self._open[task.id] = task
                self._values.check(task, context)
                self._check_window(task)
            case Ask(task=asked):
                self.facts.everywhere.add(spot_of(TaskId.parse(asked)))
                self._open[asked] = None
            case Meet(task=meeting):
                self._meetings.add(meeting)
            case CancelTask(task=called_off):
                self._meetings.discard(called_off)
            case FinishPebble():
                self._finish(command)
            case _:
                pass

    def _check_window(self, task: Task) -> None:
        """No more parts of a split are in work than may be."""
        name = TaskId.parse(task.id)
        if name.part is None or self.facts.node_of(task.pebble, task.node).split_on is None:
            return
        own = (task.pebble, task.node, name.firing)
        tasks = [TaskId.parse(each) for each in self._open]
        parts = {each.part for each in tasks if (each.pebble, each.node, each.firing) == own}
        if len(parts) > self.facts.world.window:
            raise Violation(f"{task.id}: parts {sorted(map(str, parts))} are in work at once")

    def begins(self, task: Task) -> None:
        """A task begins. Raises Violation."""
        name = TaskId.parse(task.id)
        spot = spot_of(name)
        if spot in self.facts.states:
            raise Violation(f"{task.id} runs although the node's end is durable")
        late = self.facts.shape[name.pebble].plan.late
        for stop in self._stops(name, task.node):
            is_spared = task.node in late and stop[2] not in late
            if self._stopped.get(stop, spot[1]) != spot[1] and not is_spared:
                raise Violation(f"{task.id} runs although part {self._stopped[stop]} has failed")

    def cleans(self, command: CleanUp, live: list[Task]) -> None:
        """A machine is cleaned of a pebble's tempdirs. Raises Violation."""
        left = [task.id for task in live if task.pebble == command.pebble]
        if left:
            raise Violation(f"pebble {command.pebble} is cleaned up while {left} run")

    def end(self) -> None:
        """Everything is over. Raises Violation."""
        missing = [pebble for pebble in range(1, self.facts.world.pebbles + 1) if self._finished[pebble] != 1]
        if missing:
            raise Violation(f"pebbles {missing} did not finish")
        if self._tempdirs:
            raise Violation(f"tempdirs are left: {sorted(self._tempdirs)}")

    # --- who is in ------------------------------------------------------------------------------------------

    def has_begun(self, pebble: int) -> bool:
        """Return True for a pebble that a worker had; a newer graph may have forgotten that."""
        return pebble in self._begun and "replaced" not in self._given_up[pebble]

    def may_be_in(self, pebble: int) -> bool:
        """Return True for a pebble that a worker had, or that was given up."""
        return pebble in self._begun or bool(self._given_up[pebble] - {"replaced"})

    # --- ends -------------------------------------------------------------------------------------------------

    def _settled(self, command: NodeSettled) -> None:
        spot = (command.pebble, command.scope, command.node)
        if spot in self.facts.states:
            raise Violation(f"{command.pebble}{command.scope}/{command.node} settled twice")
        self.facts.states[spot] = command.state
        part, mark, firing = command.scope.partition("#")
        if not part:
            return
        outer = (command.pebble, mark + firing, command.node)
        region = self.facts.shape[command.pebble].region_of.get(command.node)
        if outer in self.facts.everywhere and command.state in ("error", "timeout", "cancelled"):
            self._stopped.setdefault(outer, command.scope)
        elif region is not None and region.merge == command.node and command.state not in ("success", "skipped"):
            self._stopped.setdefault((command.pebble, mark + firing, region.split), command.scope)

    def _stops(self, name: TaskId, node: str) -> list[Spot]:
        """Return the spots at which a failed part stops a task: its own on every machine, its region's."""
        if name.part is None:
            return []
        firing = firing_of(name)
        region = self.facts.shape[name.pebble].region_of.get(node)
        return [(name.pebble, firing, node)] + ([] if region is None else [(name.pebble, firing, region.split)])

    def _finish(self, command: FinishPebble) -> None:
        pebble, given_up = command.pebble, self._given_up[command.pebble]
        self._finished[pebble] += 1
        if self._finished[pebble] > 1:
            raise Violation(f"pebble {pebble} finished twice")
        late = self.facts.shape[pebble].plan.late
        ends = [state for (of, _, node), state in self.facts.states.items() if of == pebble and node not in late]
        worst = max((state for state in ends if state in _RAN), key=_RAN.index, default="success")
        fitting = {worst, *given_up}
        if worst in ("timeout", "error"):
            fitting.discard("cancelled")
        # What ran late in the older graph may be told of in the newer one, and the other way round.
        if command.result not in fitting and "replaced" not in given_up:
            raise Violation(f"pebble {pebble} finished as {command.result}, its nodes came to {worst}")
