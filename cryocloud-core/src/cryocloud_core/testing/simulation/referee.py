"""The laws of the gate, for the fault simulator: who may be handed out now, and who must have been.

Laws: nothing of the gate's state is read; status values are judged as they are at this moment; a task is held against
the gate only where it is certain that it could have gone: whoever waits for an equal task, or for what its own kind
holds back, is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cryocloud_core.engine.gate import Standing
from cryocloud_core.graph.workflow import Restriction, Workflow
from cryocloud_core.task import Task
from cryocloud_core.testing.simulation.around import Around
from cryocloud_core.testing.simulation.facts import Violation
from cryocloud_core.testing.simulation.laws import Laws
from cryocloud_core.testing.simulation.worlds import FEED, World

_Order = tuple[int, int]


class Referee:
    """Sees every task that waits, is taken, and is over, since this start of the head."""

    def __init__(self, world: World, flows: tuple[Workflow, ...], around: Around, laws: Laws) -> None:
        self._world = world
        self._flows = {flow.name: flow for flow in flows}
        self._machines, self._status = around.machines, around.status
        self._laws = laws
        self.waiting: dict[str, Task] = {}
        self.taken: dict[str, Task] = {}
        #: taken and not begun; ended without a worker
        self._unbegun: set[str] = set()
        self._ended: set[str] = set()
        #: pebbles for which their input's restrictions held at a moment when they had a task to offer
        self._let_in: set[int] = set()
        #: pebbles of which a task was taken
        self._inside: set[int] = set()
        self._may_go: set[str] = set()
        self._refused: dict[str, Task] = {}

    # --- what happens -------------------------------------------------------------------------------------

    def waits(self, task: Task) -> None:
        """A task has come to the gate."""
        self.waiting[task.id] = task

    def leaves(self, task: str) -> None:
        """A task was withdrawn, or is over."""
        self.waiting.pop(task, None)
        self.taken.pop(task, None)
        self._unbegun.discard(task)
        self._ended.discard(task)

    def came_back(self, task: str) -> None:
        """A worker gave a task back unbegun."""
        self._unbegun.discard(task)
        self.waiting[task] = self.taken.pop(task)

    def begins(self, task: str) -> None:
        """A worker began a task that it had taken."""
        self._unbegun.discard(task)

    def pass_begins(self) -> None:
        """The gate is about to offer what waits."""
        self._refused = {}
        self._may_go = {task.id for task in self.waiting.values() if self._could_go(task, steady=True)}

    def offered(self, task: Task) -> None:
        """A task is offered: whoever is let in is let in now."""
        for each in (task, *self.waiting.values()):
            if each.pebble not in self._let_in and self._hold(each.workflow, self._input_of(each)) is not False:
                self._let_in.add(each.pebble)

    def refused(self, task: Task) -> None:
        """There was no worker for a task."""
        self._refused[task.kind] = task

    # --- what must be -------------------------------------------------------------------------------------

    def takes(self, task: Task, *, runs: bool) -> None:
        """A task is off the gate's hands; one that `runs` was taken by a worker. Raises Violation."""
        if self._hold(task.workflow, task.node) is False:
            raise Violation(f"{task.id} starts while its restrictions do not hold: {dict(self._status)}")
        if task.pebble not in self._let_in and not self._laws.may_be_in(task.pebble):
            raise Violation(f"{task.id} starts while its input is held back")
        if not self._has_room(task):
            raise Violation(f"{task.id} exceeds max_parallel")
        for other in self.waiting.values():
            is_before = other.kind == task.kind and _order(other) < _order(task)
            if is_before and other.id in self._may_go and self._could_go(other, steady=True):
                raise Violation(f"{task.id} overtakes {other.id}")
        self._inside.add(task.pebble)
        self.taken[task.id] = self.waiting.pop(task.id)
        (self._unbegun if runs else self._ended).add(task.id)

    def pass_ended(self) -> None:
        """The gate hands nothing out any more: nothing that could go was forgotten. Raises Violation."""
        for task in self.waiting.values():
            ahead = self._refused.get(task.kind)
            if (ahead is None or _order(task) < _order(ahead)) and self._could_go(task, steady=False):
                raise Violation(f"{task.id} could run and is not handed out")

    def explained(self, task: Task, standing: Standing | None) -> None:
        """Judge what people are told of a task that waits. Raises Violation."""
        node = self._flows[task.workflow].nodes.get(task.node)
        most = None if node is None else node.max_parallel
        refused = self._refused.get(task.kind)
        if standing is None or standing.is_out:
            raise Violation(f"{task.id} waits, and people are told {standing}")
        if standing.most:
            right = standing.most == most and len(standing.holders) == most
        elif standing.ahead:
            right = standing.first is not None and _order(standing.first) <= _order(task)
        else:
            right = bool(standing.why) or (refused is not None and refused.id == task.id)
        if not right:
            raise Violation(f"{task.id} waits, and people are told {standing}; no worker for {refused and refused.id}")

    def _could_go(self, task: Task, *, steady: bool) -> bool:
        """Return True when nothing can hold this task back; `steady`: not even what changes while tasks are offered."""
        node = self._flows[task.workflow].nodes.get(task.node)
        if node is None or node.cache is not None or not self._has_room(task):
            return False
        if task.machines and set(task.machines).isdisjoint(self._machines.serving(task.kind)):
            return False
        is_in = task.pebble in self._inside or self._laws.has_begun(task.pebble)
        keys = [node.name] if is_in else [node.name, self._input_of(task)]
        found = [self._hold(task.workflow, each) for each in keys]
        if steady and any(self._is_own(r) for each in keys for r in self._restrictions(task.workflow, each)):
            return False
        return all(each is True for each in found)

    def _has_room(self, task: Task) -> bool:
        node = self._flows[task.workflow].nodes.get(task.node)
        if node is None or node.max_parallel is None:
            return True
        return self._count(self.taken, task.workflow, task.node) < node.max_parallel

    def _input_of(self, task: Task) -> str:
        return self._world.input_of(task.pebble)

    # --- restrictions -------------------------------------------------------------------------------------

    def _restrictions(self, workflow: str, node: str) -> tuple[Restriction, ...]:
        found = self._flows[workflow].nodes.get(node)
        return () if found is None else found.restrictions

    def _is_own(self, restriction: Restriction) -> bool:
        return restriction.channel in self._flows

    def _hold(self, workflow: str, node: str) -> bool | None:
        """Return whether a node's restrictions hold, None where that hangs on what they hold back themselves."""
        found = [self._holds(each, node) for each in self._restrictions(workflow, node)]
        return False if False in found else None if None in found else True

    def _holds(self, restriction: Restriction, node: str) -> bool | None:
        if restriction.channel == FEED:
            if restriction.parameter not in self._status:
                return True
            value = self._status[restriction.parameter]
            return _compare(0 if value is None else value, restriction)
        of, _, which = restriction.parameter.rpartition(".")
        channel = restriction.channel
        if which == "processing":
            return _compare(self._count(self.taken.keys() - self._ended, channel, of), restriction)
        if of == node:
            return None
        return _compare(self._count({*self.waiting, *self._unbegun, *self._ended}, channel, of), restriction)

    def _count(self, tasks: Iterable[str], workflow: str, node: str) -> int:
        found = (self.taken.get(task) or self.waiting[task] for task in tasks)
        return sum(task.node == node and task.workflow == workflow for task in found)


def _order(task: Task) -> _Order:
    return -task.priority, task.pebble


def _compare(value: Any, restriction: Restriction) -> bool:
    wanted = restriction.value
    if isinstance(value, int | float) and wanted.isdigit():
        number = int(wanted)
        return bool(
            {"<": value < number, "<=": value <= number, ">": value > number, ">=": value >= number}.get(
                restriction.operator, (value == number) == (restriction.operator == "==")
            )
        )
    return (str(value) == wanted) == (restriction.operator == "==")
