"""The numbers people are shown: per node, per task in a worker, and how fast it goes.

Laws: every change costs the same however many pebbles there are; no number is ever negative; tasks of the
head itself (clean-up) are not counted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, field

from cryocloud_core.engine.plan import Plan
from cryocloud_core.graph.refs import Argument, Literal
from cryocloud_core.graph.workflow import EVERYWHERE, NodeKind, Workflow
from cryocloud_core.head.view import NodeView, TaskView
from cryocloud_core.task import Task

_EVERYWHERE = Argument(Literal(EVERYWHERE))
#: seconds over which the rate is taken: long enough that tasks of half a minute show one
RATE_S = 60.0


@define(eq=False)
class NodeCounter:
    """One node of one workflow."""

    workflow: str
    name: str
    module: str
    kind: str
    pending: int = 0
    processing: int = 0
    #: of those pending: how many a scheduler has taken
    handed: int = 0
    #: it ends once for each part of a split or each machine, not once for each pebble
    in_parts: bool = False
    #: completed, failed, skipped
    ends: list[int] = field(factory=lambda: [0, 0, 0])


@define(eq=False)
class Active:
    """One task that a worker is in."""

    task: Task
    worker: str
    began_at: float
    progress: float | None = None
    state: str = "Processing"
    #: how much of its files is here or there, while they are moved
    moved: float | None = None
    #: which of its files is waited for, and why it is asked again
    waits_for: str = ""

    @property
    def shown(self) -> float | None:
        """How far it is, 0 to 100: its files while they are moved, else what its module says."""
        return self.progress if self.moved is None else self.moved


class Counters:
    """Counters of all nodes, and the tasks that run."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[str, str], NodeCounter] = {}
        self.active: dict[str, Active] = {}
        self._handed: set[str] = set()
        self._ends: deque[list[float]] = deque(maxlen=int(RATE_S) + 1)

    def add_workflow(self, workflow: Workflow) -> None:
        """Count the nodes of a workflow, input nodes included."""
        in_parts = {node.name for region in Plan.of(workflow).regions.values() for node in region.nodes}
        for node in workflow.nodes.values():
            key = (workflow.name, node.name)
            kind = "input" if node.kind is NodeKind.INPUT else node.placement.worker_class
            counter = self._nodes.setdefault(key, NodeCounter(workflow.name, node.name, node.module, kind))
            counter.in_parts = node.name in in_parts or node.placement.machine == _EVERYWHERE

    def seed(self, workflow: str, node: str, ends: Iterable[int]) -> None:
        """Go on from the numbers of an earlier start."""
        counter = self._nodes.get((workflow, node))
        if counter is not None:
            counter.ends = list(ends)

    def node(self, workflow: str, name: str) -> NodeCounter:
        """Return a node's counter; a node of an older graph gets one of its own."""
        counter = self._nodes.get((workflow, name))
        if counter is None:
            counter = self._nodes[workflow, name] = NodeCounter(workflow, name, "", "")
        return counter

    def find(self, workflow: str, name: str) -> NodeCounter | None:
        """Return a node's counter, None when there is no such node."""
        return self._nodes.get((workflow, name))

    def queued(self, task: Task) -> None:
        """A task waits."""
        self.node(task.workflow, task.node).pending += 1

    def handed(self, task: Task) -> None:
        """A scheduler took a task that waits; no worker has begun it."""
        if task.id not in self._handed:
            self._handed.add(task.id)
            self.node(task.workflow, task.node).handed += 1

    def back(self, task: Task) -> None:
        """A task is not any more with a scheduler and unbegun."""
        if task.id in self._handed:
            self._handed.remove(task.id)
            self.node(task.workflow, task.node).handed -= 1

    def began(self, task: Task, worker: str, at: float) -> None:
        """A worker began a task."""
        if task.id not in self.active:
            self.back(task)
            counter = self.node(task.workflow, task.node)
            counter.pending -= 1
            counter.processing += 1
            self.active[task.id] = Active(task, worker, at)

    def ended(self, task: Task) -> None:
        """A task is over, whether it had begun or not."""
        self.back(task)
        counter = self.node(task.workflow, task.node)
        if self.active.pop(task.id, None) is None:
            counter.pending -= 1
        else:
            counter.processing -= 1
            self._tick()

    def withdrawn(self, workflow: str, node: str) -> None:
        """A task that waited is no longer wanted."""
        self.node(workflow, node).pending -= 1

    def status(self, task: str, values: Mapping[str, Any]) -> None:
        """A task said how far it is."""
        active = self.active.get(task)
        if active is None:
            return
        progress = _percent(values.get("progress"))
        if progress is not None:
            active.progress = progress
        if "transfer.percent" in values:
            active.moved = _percent(values["transfer.percent"])
        if "transfer" in values:
            active.waits_for = str(values["transfer"] or "")
        if "state" in values:
            active.state = str(values["state"])

    def rate(self) -> float:
        """Return tasks ended per second, over the last seconds."""
        now = time.monotonic()
        recent = [(second, count) for second, count in list(self._ends) if now - second <= RATE_S + 1]
        if not recent:
            return 0.0
        return sum(count for _, count in recent) / max(1.0, now - recent[0][0])

    def nodes(self) -> list[NodeCounter]:
        """Return the counters in document order."""
        return list(self._nodes.values())

    def node_views(self) -> tuple[NodeView, ...]:
        """Return the picture of all nodes."""
        return tuple(NodeView(c.workflow, c.name, c.module, c.pending, c.processing, *c.ends) for c in self.nodes())

    def task_views(self) -> tuple[TaskView, ...]:
        """Return the picture of all running tasks, oldest first."""
        running = list(self.active.values())
        running.sort(key=lambda active: active.began_at)
        return tuple(
            TaskView(a.task.id, a.task.node, a.task.pebble, a.worker, a.began_at, a.shown, a.state) for a in running
        )

    def _tick(self) -> None:
        now = time.monotonic()
        if self._ends and now - self._ends[-1][0] < 1.0:
            self._ends[-1][1] += 1
        else:
            self._ends.append([now, 1])


def _percent(value: Any) -> float | None:
    """Return a number kept between 0 and 100, None for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return min(100.0, max(0.0, float(value))) if is_number else None
