"""The engine: events in, commands out; the only place where a pebble's state changes.

Laws: state changes only in `apply`; every well-formed event is accepted and a repeated or stale one
returns `[]`; no pebble sees another; the work of one event is proportional to what it settles and starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cryocloud_core.engine.checkpoints import Checkpoint
from cryocloud_core.engine.commands import Command
from cryocloud_core.engine.debts import owed_by
from cryocloud_core.engine.events import (
    Answered,
    CleanUpEnded,
    Context,
    Event,
    Met,
    PebbleArrived,
    PebbleCancelled,
    TaskEnded,
    TimerFired,
    WorkflowReplaced,
)
from cryocloud_core.engine.ids import IdSet
from cryocloud_core.engine.pebble import Pebble, Phase
from cryocloud_core.engine.plan import Plan
from cryocloud_core.engine.replace import why_not
from cryocloud_core.engine.turn import Turn
from cryocloud_core.errors import EngineError
from cryocloud_core.graph.workflow import Workflow


class Engine:
    """All open pebbles and the workflows they go through."""

    def __init__(self) -> None:
        self.pebbles: dict[int, Pebble] = {}
        self._plans: dict[str, Plan] = {}
        self._closed = IdSet()
        self._recalled: dict[int, dict[tuple[int, str, int | None], Checkpoint]] = {}
        self._apply: dict[type, Callable[[Turn, Any], None]] = {
            TaskEnded: Turn.task_ended,
            TimerFired: Turn.timer_fired,
            PebbleCancelled: Turn.pebble_cancelled,
            CleanUpEnded: Turn.clean_up_ended,
            Answered: Turn.answered,
            Met: Turn.met,
        }

    def add_workflow(self, digest: str, workflow: Workflow) -> None:
        """Make a linked workflow known under its digest."""
        self._plans[digest] = Plan.of(workflow)

    def apply(self, event: Event, context: Context) -> list[Command]:
        """Apply one event and return what is to be done; `[]` for a repeated or stale event.

        Raises EngineError when a law is broken: the message tells the pebble's story, and the pebble must
        then be forgotten.
        """
        pebble = self.pebbles.get(event.pebble)
        if pebble is None:
            if isinstance(event, PebbleArrived) and event.pebble not in self._closed:
                return self._arrive(event, context)
            return []
        pebble.number += 1
        if isinstance(event, PebbleArrived):
            return []
        pebble.story.append(event)
        turn = Turn(pebble, event.at, context)
        region = pebble.recalled.pop(pebble.number, None) if pebble.recalled else None
        if region is not None:
            turn.recall(region)
        elif isinstance(event, WorkflowReplaced):
            turn.workflow_replaced(event, self._plan(event.workflow))
        else:
            self._apply[type(event)](turn, event)
        return self._end(turn)

    def recall(self, pebble: int, checkpoints: Iterable[Checkpoint]) -> None:
        """Let these stand for folded regions of a pebble whose events will be replayed from its arrival on."""
        self._recalled[pebble] = {checkpoint.key: checkpoint for checkpoint in checkpoints}

    def pass_over(self, pebble: int, number: int) -> None:
        """Say that the next event of a pebble in a replay is the one with this number: checkpoints stand for others."""
        found = self.pebbles.get(pebble)
        if found is not None:
            found.number = number - 1

    def owed(self) -> list[Command]:
        """Return every command that is outstanding, as after a restart: open tasks, timers, clean-ups."""
        return [command for pebble in self.pebbles.values() for command in owed_by(pebble)]

    def forget(self, pebble: int) -> None:
        """Drop a pebble that is closed or cannot go on; its events are then stale."""
        if self.drop(pebble):
            self._closed.add(pebble)

    def drop(self, pebble: int) -> bool:
        """Drop a pebble as if it had never arrived, so that it can be replayed anew; False when it is not here."""
        self._recalled.pop(pebble, None)
        gone = self.pebbles.pop(pebble, None)
        if gone is not None:
            gone.let_go()
        return gone is not None

    def why_not(self, pebble: int, workflow: str) -> str:
        """Return why a pebble cannot go on in the workflow with this digest, empty when it can."""
        return why_not(self.pebbles[pebble], self._plan(workflow))

    def _arrive(self, event: PebbleArrived, context: Context) -> list[Command]:
        plan = self._plan(event.workflow)
        pebble = Pebble(event.pebble, event.nonce, event.machine, event.workflow, plan, context)
        pebble.story.append(event)
        pebble.checkpoints = self._recalled.pop(event.pebble, {})
        self.pebbles[event.pebble] = pebble
        turn = Turn(pebble, event.at, context)
        turn.pebble_arrived(event)
        return self._end(turn)

    def _end(self, turn: Turn) -> list[Command]:
        commands = turn.finish()
        if turn.pebble.phase is Phase.CLOSED:
            self.forget(turn.pebble.id)
        return commands

    def _plan(self, digest: str) -> Plan:
        plan = self._plans.get(digest)
        if plan is None:
            raise EngineError(
                f"no workflow with digest {digest} was added", remedy="add the journal's workflows before its events"
            )
        return plan
