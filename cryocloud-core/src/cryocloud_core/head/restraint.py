"""What restrictions hold back: tasks of a restricted node, and all first tasks of a restricted input's pebbles.

Laws: judged at each hand-out, one task after the other; a pebble that was let in is not stopped again, and one that
had begun before a restart is in.
"""

from __future__ import annotations

from functools import partial

from cryocloud_core.engine.circles import circles
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.gate import Gate, Held
from cryocloud_core.engine.pebble import NodeRun
from cryocloud_core.engine.restrictions import Restrictions
from cryocloud_core.graph.workflow import NodeKind
from cryocloud_core.head.ledger import Ledger
from cryocloud_core.task import Task


class Restraint:
    """Says of each task whether a restriction holds it."""

    def __init__(self, restrictions: Restrictions, gate: Gate, ledger: Ledger, engine: Engine) -> None:
        self._restrictions = restrictions
        self._gate = gate
        self._ledger = ledger
        self._engine = engine
        self._let_in: set[int] = set()

    def held(self, task: Task) -> Held | None:
        """Return why a task must wait, None when it may be offered."""
        pebble = self._ledger.get(task.pebble)
        if pebble is not None and (task.workflow, pebble.input) in self._restrictions:
            found = self._at_the_door(task, pebble.input)
            if found is not None:
                return found
        if (task.workflow, task.node) in self._restrictions:
            return self._judge(task.workflow, task.node)
        return None

    def circles(self) -> dict[tuple[str, str], str]:
        """Return, for each (workflow, node) whose restrictions will never hold, why."""
        return circles(self._restrictions, self._gate.holds())

    def left(self, pebble: int) -> None:
        """The pebble has left the engine."""
        self._let_in.discard(pebble)

    def _at_the_door(self, task: Task, source: str) -> Held | None:
        if task.pebble in self._let_in:
            return None
        if not self._has_begun(task.pebble):
            found = self._judge(task.workflow, source)
            if found is not None:
                return found
        self._let_in.add(task.pebble)
        self._gate.let_in(task.workflow, source, task.pebble)
        return None

    def _judge(self, workflow: str, node: str) -> Held | None:
        why = self._restrictions.why(workflow, node, partial(self._gate.held, workflow, node))
        return Held((workflow, node), why) if why else None

    def _has_begun(self, pebble: int) -> bool:
        known = self._engine.pebbles.get(pebble)
        if known is None:
            return False
        # A part that has settled is gone: then fewer live than were opened.
        parts_ended = any(region.opened > len(region.live) for region in known.regions())
        runs = (run for scope in known.scopes() for run in scope.runs.values())
        return parts_ended or any(map(_has_run, runs))


def _has_run(run: NodeRun) -> bool:
    """True once a worker had it: what settled by itself, like a list without items, was not let in by that."""
    machine = None if run.stats is None else run.stats.node
    begun = any(machine) if isinstance(machine, list) else machine is not None
    return run.node.kind is not NodeKind.INPUT and (begun or run.losses > 0)
