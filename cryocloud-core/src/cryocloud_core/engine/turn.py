"""One turn of the wheel: what one event does to one pebble.

Laws: every event ends in moves of `Moves`; phases only go forward, except when the workflow is replaced;
the result of a pebble is told once.
"""

from __future__ import annotations

from cryocloud_core.engine import attempts, everywhere, recall, rendezvous
from cryocloud_core.engine.arguments import input_stats
from cryocloud_core.engine.commands import CancelTask, Command, FinishPebble, Note, SetTimer
from cryocloud_core.engine.debts import CLEAN_UP_TIMER, clean_ups, used_tempdirs
from cryocloud_core.engine.events import (
    Answered,
    CleanUpEnded,
    Context,
    Met,
    PebbleArrived,
    PebbleCancelled,
    TaskEnded,
    TimerFired,
    WorkflowReplaced,
)
from cryocloud_core.engine.moves import Moves
from cryocloud_core.engine.pebble import NodeRun, Pebble, Phase
from cryocloud_core.engine.plan import Plan
from cryocloud_core.engine.replace import carry_over, why_not
from cryocloud_core.engine.splits import Region
from cryocloud_core.engine.states import State, Trigger, worst

#: seconds that clean-up may hold a pebble back from closing
CLEAN_UP_LIMIT_S = 60.0


class Turn:
    """One event applied to one pebble; `finish` returns the commands."""

    __slots__ = ("_at", "_commands", "_moves", "pebble")

    def __init__(self, pebble: Pebble, at: float, context: Context) -> None:
        self.pebble = pebble
        self._at = at
        self._moves = Moves(pebble, at, context)
        self._commands = self._moves.commands

    def pebble_arrived(self, event: PebbleArrived) -> None:
        """Open the pebble: its input has settled, other inputs count as skipped."""
        pebble, moves = self.pebble, self._moves
        moves.open(pebble.main, pebble.plan.main)
        for run in pebble.main.runs.values():
            if run.node.name == event.input:
                run.outputs = {key: value for key, value in event.values.items() if key not in ("caller", "_order")}
                run.stats = input_stats(event.machine)
                pebble.go(run, Trigger.ARRIVED)
                moves.settle(run)
            elif not run.node.parents:
                pebble.go(run, Trigger.SKIP)
                moves.settle(run)

    def task_ended(self, event: TaskEnded) -> None:
        """Take the outcome of an open task; any other is stale."""
        run = self.pebble.tasks.pop(event.task, None)
        if run is None:
            return
        self._is_own(run)
        used_tempdirs(self.pebble, run, event)
        run.stats = event.stats or run.stats
        ending = attempts.read(self.pebble, run, event)
        self._commands.extend(Note(self.pebble.id, run.node.name, "WARNING", text) for text in ending.notes)
        state = self.pebble.go(run, ending.trigger)
        if state is State.BACKOFF:
            run.repeats += 1
            self._moves.wait(run, ending.due_at)
        elif state is State.RUNNING:
            run.losses += 1
            self._moves.again(run)
        else:
            run.outputs, run.error = ending.outputs, ending.error
            self._moves.settle(run)

    def timer_fired(self, event: TimerFired) -> None:
        """Start the next attempt that waited for this time, or close a pebble whose clean-up takes too long."""
        run = self.pebble.timers.pop(event.timer, None)
        if run is not None:
            self._is_own(run)
            self.pebble.go(run, Trigger.DUE)
            self._moves.again(run)
        elif event.timer == CLEAN_UP_TIMER and self.pebble.phase is Phase.CLEANING:
            self._close(Phase.OWING)

    def pebble_cancelled(self, event: PebbleCancelled) -> None:
        """Give the pebble up: open tasks are told to end, nothing more of the main phase starts.

        One that was cancelled can still be dropped or abandoned.
        """
        pebble = self.pebble
        if pebble.phase in (Phase.CLEANING, Phase.OWING) or pebble.given_up not in ("", "cancelled"):
            return
        if pebble.given_up == event.why:
            return
        pebble.given_up = event.why
        pebble.result = worst([pebble.result, State.CANCELLED])
        only_clean_up = event.why != "cancelled"
        self._moves.give_up(late_too=only_clean_up, at_once=only_clean_up)

    def clean_up_ended(self, event: CleanUpEnded) -> None:
        """One machine is clean; with the last one the pebble closes, or its debt is paid."""
        pebble = self.pebble
        if pebble.phase not in (Phase.CLEANING, Phase.OWING) or pebble.tempdirs.pop(event.machine, None) is None:
            return
        if not pebble.tempdirs and pebble.phase is Phase.OWING:
            pebble.phase = Phase.CLOSED

    def met(self, event: Met) -> None:
        """Go on with what was lent, end as skipped, or fail for want of a partner."""
        if event.task in self.pebble.meetings:
            rendezvous.met(self._moves, event)

    def answered(self, event: Answered) -> None:
        """Split over the machines that are there."""
        everywhere.answered(self._moves, event)

    def workflow_replaced(self, event: WorkflowReplaced, plan: Plan) -> None:
        """Go on in a newer graph: what settled stays, everything else is judged anew; what was given up stays so."""
        pebble = self.pebble
        is_over = pebble.phase in (Phase.CLEANING, Phase.OWING)
        if event.workflow == pebble.workflow or is_over or why_not(pebble, plan):
            return
        gone = (*pebble.tasks, *pebble.meetings)
        self._commands.extend(CancelTask(pebble.id, task, "the workflow was replaced") for task in gone)
        for run in carry_over(pebble, event.workflow, plan):
            if pebble.given_up and not pebble.is_late(run):
                self._moves.cancel(run, pebble.given_up)
            else:
                self._moves.restart(run)

    def recall(self, region: Region) -> None:
        """Take the checkpoint of a region in place of what the event would do to its parts."""
        recall.recall(self._moves, region)

    def finish(self) -> list[Command]:
        """Settle what is queued, move the phase on, and return the commands of this turn."""
        pebble = self.pebble
        self._moves.drain()
        if pebble.phase is Phase.MAIN and pebble.open_main == 0:
            pebble.phase = Phase.DEFERRED
            postponed, pebble.postponed = pebble.postponed, []
            for run in postponed:
                if run.state is State.POSTPONED:
                    self._moves.start(run)
            self._moves.drain()
        if pebble.phase is Phase.DEFERRED and pebble.open_late == 0:
            pebble.phase = Phase.CLEANING
            self._commands.extend(clean_ups(pebble))
            if pebble.tempdirs:
                pebble.clean_by = self._at + CLEAN_UP_LIMIT_S
                self._commands.append(SetTimer(pebble.id, CLEAN_UP_TIMER, pebble.clean_by))
        if pebble.phase is Phase.CLEANING and not pebble.tempdirs:
            self._close(Phase.CLOSED)
        for region in self._moves.closed:
            self._commands.extend(recall.keep(pebble, region))
        return self._commands

    def _is_own(self, run: NodeRun) -> None:
        """Note that this event is about a part of a region and nothing else."""
        if run.scope.region is not None:
            run.scope.region.own.add(self.pebble.number)

    def _close(self, phase: Phase) -> None:
        """Tell the result, once."""
        pebble = self.pebble
        pebble.phase = phase
        given_up = pebble.given_up in ("dropped", "abandoned")
        result = pebble.given_up if given_up else pebble.result.value
        self._commands.append(FinishPebble(pebble.id, result, pebble.error, owing=phase is Phase.OWING))
