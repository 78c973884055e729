"""One turn of the wheel: what one event does to one pebble.

Laws: a turn settles runs from a queue, never by recursion, so that a chain of any length is one loop; every
settled run is told of once; phases only move forward, except when the workflow is replaced.
"""

from __future__ import annotations

from collections import deque

from attrs import evolve

from cryocloud_core.engine import attempts
from cryocloud_core.engine.arguments import Reader, build_task, input_stats
from cryocloud_core.engine.commands import CancelTask, Command, FinishPebble, NodeSettled, Note, SetTimer, StartTask
from cryocloud_core.engine.debts import CLEAN_UP_TIMER, clean_ups, used_at_birth, used_tempdirs
from cryocloud_core.engine.events import (
    CleanUpEnded,
    Context,
    PebbleArrived,
    PebbleCancelled,
    TaskEnded,
    TimerFired,
    WorkflowReplaced,
)
from cryocloud_core.engine.joins import Verdict, fires, judge
from cryocloud_core.engine.pebble import (
    BADNESS,
    FAILURES,
    FINAL_STATES,
    NodeRun,
    Pebble,
    Phase,
    Scope,
    State,
    Trigger,
    worst,
)
from cryocloud_core.engine.plan import Plan
from cryocloud_core.engine.replace import carry_over, why_not
from cryocloud_core.errors import ResolutionError
from cryocloud_core.graph.workflow import Node
from cryocloud_core.task import Task

#: seconds that clean-up may hold a pebble back from closing
CLEAN_UP_LIMIT_S = 60.0


class Turn:
    """One event applied to one pebble; `finish` returns the commands."""

    def __init__(self, pebble: Pebble, at: float, context: Context) -> None:
        self.pebble = pebble
        self._at = at
        self._context = context
        self._commands: list[Command] = []
        self._settled: deque[NodeRun] = deque()

    # --- events ---------------------------------------------------------------------------------------

    def pebble_arrived(self, event: PebbleArrived) -> None:
        """Open the pebble: its input has settled, other inputs count as skipped."""
        pebble = self.pebble
        self._open(pebble.main, pebble.plan.main)
        for run in pebble.main.runs.values():
            if run.node.name == event.input:
                run.outputs = {key: value for key, value in event.values.items() if key not in ("caller", "_order")}
                run.stats = input_stats(event.machine)
                pebble.go(run, Trigger.ARRIVED)
                self._settle(run)
            elif not run.node.parents:
                pebble.go(run, Trigger.SKIP)
                self._settle(run)

    def task_ended(self, event: TaskEnded) -> None:
        """Take the outcome of an open task; any other is stale."""
        run = self.pebble.tasks.get(event.task)
        if run is None:
            return
        del self.pebble.tasks[event.task]
        used_tempdirs(self.pebble, run, event)
        run.stats = event.stats or run.stats
        ending = attempts.read(self.pebble, run, event)
        self._commands.extend(Note(self.pebble.id, run.node.name, "WARNING", text) for text in ending.notes)
        state = self.pebble.go(run, ending.trigger)
        if state is State.BACKOFF:
            run.repeats += 1
            self._wait(run, ending.due_at)
        elif state is State.RUNNING:
            run.losses += 1
            self._again(run)
        else:
            run.outputs, run.error = ending.outputs, ending.error
            self._settle(run)

    def timer_fired(self, event: TimerFired) -> None:
        """Start the next attempt that waited for this time, or close a pebble whose clean-up takes too long."""
        run = self.pebble.timers.pop(event.timer, None)
        if run is not None:
            self.pebble.go(run, Trigger.DUE)
            self._again(run)
        elif event.timer == CLEAN_UP_TIMER and self.pebble.phase is Phase.CLEANING:
            self._close(Phase.OWING)

    def pebble_cancelled(self, event: PebbleCancelled) -> None:
        """Give the pebble up: open tasks are told to end, nothing more of the main phase starts."""
        pebble = self.pebble
        if pebble.given_up or pebble.phase in (Phase.CLEANING, Phase.OWING):
            return
        pebble.given_up = event.why
        pebble.result = worst([pebble.result, State.CANCELLED])
        only_clean_up = event.why != "cancelled"
        for run in [run for scope in (pebble.main, *pebble.firings) for run in scope.runs.values()]:
            if only_clean_up or not pebble.is_late(run):
                self._cancel(run, at_once=only_clean_up)

    def clean_up_ended(self, event: CleanUpEnded) -> None:
        """One machine is clean; with the last one the pebble closes, or its debt is paid."""
        pebble = self.pebble
        if pebble.phase not in (Phase.CLEANING, Phase.OWING) or pebble.tempdirs.pop(event.machine, None) is None:
            return
        if not pebble.tempdirs and pebble.phase is Phase.OWING:
            pebble.phase = Phase.CLOSED

    def workflow_replaced(self, event: WorkflowReplaced, plan: Plan) -> None:
        """Go on in a newer graph: what settled stays, everything else is judged anew."""
        pebble = self.pebble
        if event.workflow == pebble.workflow or pebble.phase is Phase.OWING or why_not(pebble, plan):
            return
        self._commands.extend(CancelTask(pebble.id, task, "the workflow was replaced") for task in pebble.tasks)
        for run in carry_over(pebble, event.workflow, plan):
            self._look(run)

    # --- phases ---------------------------------------------------------------------------------------

    def finish(self) -> list[Command]:
        """Settle what is queued, move the phase on, and return the commands of this turn."""
        pebble = self.pebble
        self._drain()
        if pebble.phase is Phase.MAIN and pebble.open_main == 0:
            pebble.phase = Phase.DEFERRED
            postponed, pebble.postponed = pebble.postponed, []
            for run in postponed:
                if run.state is State.POSTPONED:
                    self._start(run)
            self._drain()
        if pebble.phase is Phase.DEFERRED and pebble.open_late == 0:
            pebble.phase = Phase.CLEANING
            self._commands.extend(clean_ups(pebble))
            if pebble.tempdirs:
                pebble.clean_by = self._at + CLEAN_UP_LIMIT_S
                self._commands.append(SetTimer(pebble.id, CLEAN_UP_TIMER, pebble.clean_by))
        if pebble.phase is Phase.CLEANING and not pebble.tempdirs:
            self._close(Phase.CLOSED)
        return self._commands

    def _close(self, phase: Phase) -> None:
        """Tell the result, once."""
        pebble = self.pebble
        pebble.phase = phase
        given_up = pebble.given_up in ("dropped", "abandoned")
        result = pebble.given_up if given_up else pebble.result.value
        self._commands.append(FinishPebble(pebble.id, result, pebble.error, owing=phase is Phase.OWING))

    # --- settling -------------------------------------------------------------------------------------

    def _open(self, scope: Scope, nodes: tuple[Node, ...]) -> None:
        """Make the runs of a scope, all waiting for their parents."""
        pebble = self.pebble
        scope.runs = {node.name: NodeRun(node, scope) for node in nodes}
        for run in scope.runs.values():
            run.unsettled = sum(not parent.told for parent in pebble.parents_of(run))
        late = sum(node.name in pebble.plan.late for node in nodes)
        pebble.open_late += late
        pebble.open_main += len(nodes) - late

    def _drain(self) -> None:
        """Tell the children of everything that settled, and of what settles by that."""
        pebble = self.pebble
        while self._settled:
            run = self._settled.popleft()
            run.told = True
            for name in pebble.plan.children[run.node.name]:
                here = run.scope.runs.get(name)
                if here is not None:
                    self._parent_settled(here, run)
                elif run.scope is pebble.main:
                    for scope in pebble.firings:
                        if name in scope.runs:
                            self._parent_settled(scope.runs[name], run)

    def _settle(self, run: NodeRun) -> None:
        """A run came to its end: count it, tell of it, and queue it for its children."""
        pebble, state = self.pebble, run.state
        late = pebble.is_late(run)
        run.task = None
        if late:
            pebble.open_late -= 1
        else:
            pebble.open_main -= 1
            if state in BADNESS:
                pebble.result = worst([pebble.result, state])
                pebble.error = pebble.error or run.error
        self._commands.append(NodeSettled(pebble.id, run.node.name, run.scope.name, state.value, run.error))
        self._settled.append(run)
        if state in FAILURES:
            self._failed(run, late)

    def _failed(self, run: NodeRun, late: bool) -> None:
        """Fire the global handlers that listen to this result; deferred nodes and handlers fire none."""
        pebble = self.pebble
        if late:
            self._note(run, "ERROR", f"a deferred node failed: {run.error}")
        if late or run.scope.firing is not None:
            return
        for name, nodes in pebble.plan.handlers.items():
            if run.state.value in pebble.plan.workflow.nodes[name].run_on:
                number = len(pebble.firings) + 1
                scope = Scope(f"#{number}", number, run)
                pebble.firings.append(scope)
                self._open(scope, nodes)
                self._judge(scope.runs[name])

    # --- judging --------------------------------------------------------------------------------------

    def _parent_settled(self, run: NodeRun, parent: NodeRun) -> None:
        run.unsettled -= 1
        if run.state is not State.WAITING or self._fired(run, parent):
            return
        if run.unsettled == 0:
            self._judge(run)

    def _fired(self, run: NodeRun, parent: NodeRun) -> bool:
        """Start a resolveOnAny node when this parent makes it run."""
        if not run.node.resolve_on_any:
            return False
        reader = Reader(self.pebble, run, self._context)
        fired = fires(run, parent, reader)
        self._tell(run, reader)
        if fired:
            self._take(run, Verdict(Trigger.RUN))
        return fired

    def _look(self, run: NodeRun) -> None:
        """Judge a waiting run again after its surroundings changed."""
        told = [parent for parent in self.pebble.parents_of(run) if parent.told]
        if run.state is not State.WAITING or any(self._fired(run, parent) for parent in told):
            return
        if run.unsettled == 0:
            self._judge(run)

    def _judge(self, run: NodeRun) -> None:
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
            self._settle(run)
        elif run.node.deferred and pebble.phase is Phase.MAIN:
            pebble.go(run, Trigger.POSTPONE)
            pebble.postponed.append(run)
        else:
            self._start(run)

    # --- tasks ----------------------------------------------------------------------------------------

    def _start(self, run: NodeRun) -> None:
        """Build the run's first task and command it; a task that cannot be built is the node's error."""
        run.attempt += 1
        reader = Reader(self.pebble, run, self._context)
        try:
            task = build_task(reader)
        except ResolutionError as error:
            run.error = str(error)
            run.outputs = {"error": run.error}
            self.pebble.go(run, Trigger.UNRESOLVED)
            self._settle(run)
        else:
            self.pebble.go(run, Trigger.RUN)
            self._command(run, task)
        self._tell(run, reader)

    def _again(self, run: NodeRun) -> None:
        """Command the next attempt with the arguments of the first."""
        assert run.task is not None
        run.attempt += 1
        self._command(run, evolve(run.task, id=self.pebble.task_id(run), attempt=run.attempt))

    def _command(self, run: NodeRun, task: Task) -> None:
        run.task = task
        self.pebble.tasks[task.id] = run
        self._commands.append(StartTask(task))

    def _wait(self, run: NodeRun, due_at: float) -> None:
        """Hold a failed run back until its next attempt."""
        timer = f"retry/{self.pebble.task_id(run)}"
        run.due_at = due_at
        self.pebble.timers[timer] = run
        self._commands.append(SetTimer(self.pebble.id, timer, due_at))

    def _cancel(self, run: NodeRun, *, at_once: bool) -> None:
        """Give a run up. `at_once`: nothing of it can be alive, so it settles without waiting for its end."""
        pebble = self.pebble
        if run.is_final or run.state is State.CANCELLING:
            return
        if run.task is not None and run.state is State.RUNNING:
            self._commands.append(CancelTask(pebble.id, run.task.id, pebble.given_up))
        state = pebble.go(run, Trigger.CANCEL)
        if state is State.CANCELLING and at_once:
            assert run.task is not None
            del pebble.tasks[run.task.id]
            used_at_birth(pebble, run)
            state = pebble.go(run, Trigger.STOPPED)
        if state in FINAL_STATES:
            pebble.timers = {timer: waiting for timer, waiting in pebble.timers.items() if waiting is not run}
            run.cause = State.CANCELLED
            run.error = pebble.given_up if state is State.CANCELLED else ""
            self._settle(run)

    # --- words ----------------------------------------------------------------------------------------

    def _tell(self, run: NodeRun, reader: Reader) -> None:
        for text in reader.notes:
            self._note(run, "WARNING", text)

    def _note(self, run: NodeRun, level: str, text: str) -> None:
        self._commands.append(Note(self.pebble.id, run.node.name, level, text))
