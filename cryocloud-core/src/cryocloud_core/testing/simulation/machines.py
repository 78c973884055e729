"""Machines for the fault simulator: a scheduler whose machines go away and come back, and that runs nothing.

Laws: a worker has one task at a time; what was taken on a machine that goes away is lost; the head's own machine stays.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import ClassVar

from attrs import define, field, frozen

from cryocloud_core.sdk.scheduler import Capabilities, Reports, Scheduler, SchedulerSettings, WorkerInfo
from cryocloud_core.task import Task


@frozen
class Machine:
    """Workers by kind; `away_s` is how long it is gone at a time, 0 for one that stays."""

    name: str
    workers: dict[str, int]
    away_s: float = 0.0


@define(eq=False)
class Machines(Scheduler):
    """Says which tasks there is room for; the simulator says when they end."""

    capabilities: ClassVar[Capabilities] = Capabilities(many_machines=True)

    every: tuple[Machine, ...]
    chance: random.Random
    away: set[str] = field(factory=set)
    #: the machine of every task that was taken
    place_of: dict[str, str] = field(factory=dict)
    _kind_of: dict[str, str] = field(factory=dict)
    _busy: Counter[tuple[str, str]] = field(factory=Counter)

    def serving(self, kind: str, module: str = "") -> tuple[str, ...]:  # noqa: ARG002 - every machine has every module
        """Return the machines that are there with a worker of this kind."""
        return tuple(sorted(m.name for m in self.every if m.workers.get(kind) and m.name not in self.away))

    def room(self, task: Task) -> list[str]:
        """Return the machines with a free worker for a task."""
        here = [m for m in self.every if m.name not in self.away and m.name in (task.machines or (m.name,))]
        return [m.name for m in here if self._busy[m.name, task.kind] < m.workers.get(task.kind, 0)]

    def offer(self, task: Task) -> bool:
        """Take a task on any machine that has room."""
        free = self.room(task)
        if not free:
            return False
        machine = self.place_of[task.id] = self.chance.choice(free)
        self._kind_of[task.id] = task.kind
        self._busy[machine, task.kind] += 1
        return True

    def free(self, task: str) -> None:
        """A task is over, or was given back."""
        machine = self.place_of.pop(task, None)
        if machine is not None:
            self._busy[machine, self._kind_of.pop(task)] -= 1

    def leaves(self, machine: str) -> list[str]:
        """Let a machine go away; return the tasks that it had."""
        self.away.add(machine)
        return [task for task, place in self.place_of.items() if place == machine]

    def returns(self, machine: str) -> None:
        """Let a machine come back."""
        self.away.discard(machine)

    def restart(self) -> None:
        """A new head: nothing is taken."""
        self.place_of, self._kind_of, self._busy = {}, {}, Counter()

    # --- what the simulator does itself -----------------------------------------------------------------

    async def start(self, reports: Reports, settings: SchedulerSettings) -> None:
        """Do nothing."""

    def recall(self, task: str) -> bool:  # noqa: ARG002 - the contract's
        """Give nothing back."""
        return False

    def cancel(self, task: str, why: str) -> None:
        """Do nothing."""

    def workers(self) -> list[WorkerInfo]:
        """Return no worker by name."""
        return []

    def unserved(self, kind: str) -> str:  # noqa: ARG002 - the contract's
        """Return that every kind is served at some time."""
        return ""

    async def stop(self, grace_s: float) -> None:
        """Do nothing."""
