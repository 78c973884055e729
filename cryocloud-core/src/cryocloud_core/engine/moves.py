"""What can be done with one node of one pebble: judge it, start it, wait, give it up, settle it.

Laws: runs settle from a queue, never by recursion, so that a chain of any length is one loop; every settled
run is told of once; a run starts only by a verdict of its join.
"""

from __future__ import annotations

from collections import deque

from attrs import evolve

from cryocloud_core.engine import everywhere, regions, rendezvous
from cryocloud_core.engine.arguments import Reader, build_task
from cryocloud_core.engine.commands import CancelTask, Command, NodeSettled, Note, SetTimer, StartTask
from cryocloud_core.engine.debts import used_at_birth
from cryocloud_core.engine.events import Context
from cryocloud_core.engine.joins import Verdict, fires, judge
from cryocloud_core.engine.pebble import NodeRun, Pebble, Phase, Scope
from cryocloud_core.engine.splits import Region
from cryocloud_core.engine.states import BADNESS, FAILURES, FINAL_STATES, State, Trigger, worst
from cryocloud_core.errors import ResolutionError
from cryocloud_core.graph.workflow import Node
from cryocloud_core.task import Task


class Moves:
    """The moves of one turn; what they command is collected in `commands`."""

    __slots__ = ("_context", "_settled", "at", "closed", "commands", "pebble")

    def __init__(self, pebble: Pebble, at: float, context: Context) -> None:
        self.pebble = pebble
        self.at = at
        self.commands: list[Command] = []
        #: regions of which nothing is left since this turn
        self.closed: list[Region] = []
        self._context = context
        self._settled: deque[NodeRun] = deque()

    # --- settling -------------------------------------------------------------------------------------

    def open(self, scope: Scope, nodes: tuple[Node, ...]) -> None:
        """Make the runs of a scope, all waiting for their parents."""
        pebble = self.pebble
        scope.runs = {node.name: NodeRun(node, scope) for node in nodes}
        for run in scope.runs.values():
            run.unsettled = sum(not parent.told for parent in pebble.parents_of(run))
        late = sum(node.name in pebble.plan.late for node in nodes)
        pebble.open_late += late
        pebble.open_main += len(nodes) - late
        scope.left, scope.open = len(nodes), len(nodes) - late

    def look_around(self, scope: Scope) -> None:
        """Look at the runs of a scope just opened that may go by parents which settled before."""
        for run in scope.runs.values():
            if run.node.resolve_on_any or run.node.merge:
                self.look(run)

    def drain(self) -> None:
        """Tell the children of everything that settled, and of what settles by that."""
        pebble = self.pebble
        while self._settled:
            run = self._settled.popleft()
            run.told = True
            # Collected before the first is told: what opens meanwhile has counted this run as told.
            waiting = [child for name in pebble.plan.children[run.node.name] for child in self._children(run, name)]
            for child in waiting:
                self._parent_settled(child, run)
            if run.node.split_on is not None and run.region is None and run.scope.part is None:
                self._look_behind(run)

    def _children(self, run: NodeRun, name: str) -> list[NodeRun]:
        """Return the runs of node `name` that wait for `run`: in its scope, in the parts there, or in firings."""
        here = run.scope.runs.get(name)
        if here is None:
            inner = self.pebble.firings if run.scope is self.pebble.main else []
            return [each.runs[name] for each in inner if name in each.runs]
        if here.region is None:
            return [here]
        if here.region is run.region:
            return []
        return [part.runs[name] for part in list(here.region.live.values())]

    def settle(self, run: NodeRun) -> None:
        """A run came to its end: count it, tell of it, and queue it for its children."""
        pebble, state = self.pebble, run.state
        late = pebble.is_late(run)
        run.task = None
        if late:
            pebble.open_late -= 1
        else:
            pebble.open_main -= 1
            if state is not State.SUCCESS and state in BADNESS:
                pebble.result = worst([pebble.result, state])
                pebble.error = pebble.error or run.error
        self.commands.append(NodeSettled(pebble.id, run.node.name, run.scope.name, state.value, run.error))
        self._settled.append(run)
        if state in FAILURES:
            self._failed(run, late)
        if run.scope.region is not None:
            regions.settled(self, run, late)

    def settle_folded(self, run: NodeRun) -> None:
        """A node of a region settled by its parts, which were told of one by one."""
        self._settled.append(run)

    def _failed(self, run: NodeRun, late: bool) -> None:
        """Fire the global handlers that listen to this result; deferred nodes and handlers fire none."""
        pebble = self.pebble
        if late:
            self.note(run, "ERROR", f"a deferred node failed: {run.error}")
        if late or run.scope.firing is not None:
            return
        for name, nodes in pebble.plan.handlers.items():
            if run.state.value in pebble.plan.workflow.nodes[name].run_on and regions.may_fire(name, run):
                number = len(pebble.firings) + 1
                scope = Scope(pebble.main, number, run)
                pebble.firings.append(scope)
                self.open(scope, nodes)
                self.judge(scope.runs[name])
                self.look_around(scope)

    # --- judging --------------------------------------------------------------------------------------

    def restart(self, run: NodeRun) -> None:
        """Start an open run anew in another graph: the split node of a part with its item, others by their join."""
        if run.state is not State.WAITING:
            # What was started anew before it has failed at once, and this one was given up with its region.
            return
        if run.scope.region is not None and run.node.name == run.scope.region.plan.split:
            regions.start_part(self, run)
        else:
            self.look(run)

    def look(self, run: NodeRun) -> None:
        """Judge a waiting run by the parents that have settled already."""
        if run.state is not State.WAITING:
            return
        if run.node.resolve_on_any:
            told = [parent for parent in self.pebble.parents_of(run) if parent.told]
            if any(self._fired(run, parent) for parent in told):
                return
        if run.unsettled == 0 and not self._is_undecided(run):
            self.judge(run)

    def _parent_settled(self, run: NodeRun, parent: NodeRun) -> None:
        if self.pebble.passes_over(run, parent):
            return
        run.unsettled -= 1
        if run.state is not State.WAITING or self._fired(run, parent):
            return
        if run.unsettled == 0 and not self._is_undecided(run):
            self.judge(run)

    def _fired(self, run: NodeRun, parent: NodeRun) -> bool:
        """Start a resolveOnAny node when this parent makes it run."""
        if not run.node.resolve_on_any or self._is_undecided(run):
            return False
        reader = Reader(self.pebble, run, self._context)
        fired = fires(run, parent, reader)
        self._tell(run, reader)
        if fired:
            self._take(run, Verdict(Trigger.RUN))
        return fired

    def _is_undecided(self, run: NodeRun) -> bool:
        """True while it is open whether this run is split into parts.

        A merge may have heard of all it waits for by then: it passes over the deferred nodes of its region.
        """
        split = self.pebble.plan.split_before.get(run.node.name)
        return split is not None and run.scope.part is None and not run.scope.runs[split].is_final

    def _look_behind(self, split: NodeRun) -> None:
        """A split node settled without opening its region: nodes behind it that waited for that go by plain rules."""
        for node in self.pebble.plan.regions[split.node.name].nodes:
            run = split.scope.runs[node.name]
            if run.node.resolve_on_any or (run.node.merge and run is not split):
                self.look(run)

    def judge(self, run: NodeRun) -> None:
        """Decide on a run whose parents have all settled."""
        reader = Reader(self.pebble, run, self._context)
        verdict = judge(run, self.pebble.parents_of(run), reader)
        self._tell(run, reader)
        self._take(run, verdict)

    def _take(self, run: NodeRun, verdict: Verdict) -> None:
        """Follow a verdict."""
        pebble = self.pebble
        if verdict.trigger is not Trigger.RUN:
            run.cause = verdict.cause
            pebble.go(run, verdict.trigger)
            self.settle(run)
        elif run.node.deferred and pebble.phase is Phase.MAIN:
            pebble.go(run, Trigger.POSTPONE)
            pebble.postponed.append(run)
        else:
            self.start(run)

    # --- tasks ----------------------------------------------------------------------------------------

    def start(self, run: NodeRun) -> None:
        """Build the run's first task, then command it, split it, or let it meet others.

        What cannot be built is the node's error.
        """
        run.attempt += run.node.split_on is None
        reader = Reader(self.pebble, run, self._context)
        try:
            task = build_task(reader)
            if run.node.split_on is not None:
                regions.check(run, task)
            if run.node.module == rendezvous.MODULE:
                rendezvous.check(task)
            everywhere.check(run, task)
        except ResolutionError as error:
            run.error = str(error)
            run.outputs = {"error": run.error}
            self.pebble.go(run, Trigger.UNRESOLVED)
            self.settle(run)
        else:
            if run.node.module == rendezvous.MODULE:
                rendezvous.meet(self, run, task)
            elif everywhere.is_everywhere(task):
                everywhere.ask(self, run, task)
            elif run.node.split_on is None:
                self.pebble.go(run, Trigger.RUN)
                self.command(run, task)
            else:
                regions.open_region(self, run, task)
        self._tell(run, reader)

    def again(self, run: NodeRun) -> None:
        """Command the next attempt with the arguments of the first."""
        assert run.task is not None
        run.attempt += 1
        self.command(run, evolve(run.task, id=self.pebble.task_id(run), attempt=run.attempt))

    def command(self, run: NodeRun, task: Task) -> None:
        """Command a task of a run that was moved to run."""
        run.task = task
        self.pebble.tasks[task.id] = run
        self.commands.append(StartTask(task))

    def wait(self, run: NodeRun, due_at: float) -> None:
        """Hold a failed run back until its next attempt."""
        timer = f"retry/{self.pebble.task_id(run)}"
        run.due_at = due_at
        self.pebble.timers[timer] = run
        self.commands.append(SetTimer(self.pebble.id, timer, due_at))

    def cancel(self, run: NodeRun, why: str, *, at_once: bool = False) -> None:
        """Give a run up. `at_once`: nothing of it can be alive, so it settles without waiting for its end."""
        pebble = self.pebble
        is_told = run.state is State.CANCELLING
        if run.is_final or run.state is State.SPLIT or (is_told and not at_once):
            return
        if run.task is not None and run.state is State.RUNNING:
            self.commands.append(CancelTask(pebble.id, run.task.id, why))
        if rendezvous.leave(self, run, why) or everywhere.leave(self, run, why):
            return
        state = run.state if is_told else pebble.go(run, Trigger.CANCEL)
        if state is State.CANCELLING and at_once:
            assert run.task is not None
            del pebble.tasks[run.task.id]
            used_at_birth(pebble, run)
            state = pebble.go(run, Trigger.STOPPED)
        if state in FINAL_STATES:
            pebble.timers.pop(f"retry/{pebble.task_id(run)}", None)
            run.cause = State.CANCELLED
            run.error = why if state is State.CANCELLED else ""
            self.settle(run)
        elif run.scope.region is not None:
            regions.ending(run)

    def give_up(self, *, late_too: bool, at_once: bool) -> None:
        """Give up everything that is open."""
        pebble = self.pebble
        scopes = pebble.scopes()
        for scope in scopes:
            if scope.region is not None and (late_too or not regions.is_deferred(self, scope.region)):
                scope.region.stopping = True
        for run in [run for scope in scopes for run in scope.runs.values()]:
            if late_too or not pebble.is_late(run):
                self.cancel(run, pebble.given_up, at_once=at_once)

    # --- words ----------------------------------------------------------------------------------------

    def note(self, run: NodeRun, level: str, text: str) -> None:
        """Tell people one line."""
        self.commands.append(Note(self.pebble.id, run.node.name, level, text))

    def _tell(self, run: NodeRun, reader: Reader) -> None:
        for text in reader.notes:
            self.note(run, "WARNING", text)
