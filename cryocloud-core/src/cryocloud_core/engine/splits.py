"""A split region while it is open: its parts, what they returned, and how they are folded.

Laws: results are kept in columns in the order of the list, null where a part has none; a part that has
settled leaves nothing but its place in the columns; whether a region is done is known from counters.
"""

from __future__ import annotations

from sys import intern
from typing import Any

from attrs import define, evolve, field, fields, frozen

from cryocloud_core.engine.checkpoints import Checkpoint, Numbers
from cryocloud_core.engine.pebble import NodeRun, Scope
from cryocloud_core.engine.plan import RegionPlan
from cryocloud_core.engine.states import BADNESS, FAILURES, State, worst
from cryocloud_core.errors import EngineError
from cryocloud_core.graph.workflow import Node
from cryocloud_core.task import Staging, Stats, Task

#: parts that may be in work at once; each one that settles starts the next
WINDOW = 500


@frozen
class FoldedStats:
    """The statistics of all parts of a node: machines and workers in order, times summed, memory the highest."""

    node: list[str | None]
    worker: list[str | None]
    priority: int
    runtime_s: float
    cpu_time_s: float
    max_memory_bytes: int


@define(eq=False)
class Column:
    """What one node came to in every part: each output key's values in order, and its statistics."""

    length: int
    priority: int
    values: dict[str, list[Any]] = field(factory=dict)
    machines: list[str | None] = field(factory=list)
    workers: list[str | None] = field(factory=list)
    runtime_s: float = 0.0
    cpu_time_s: float = 0.0
    max_memory_bytes: int = 0
    results: set[State] = field(factory=set)

    @classmethod
    def of(cls, node: Node, length: int) -> Column:
        """Return an empty column; every declared output is a list from the start."""
        column = cls(length, node.priority)
        column.values = {key: [None] * length for key in node.outputs}
        column.machines, column.workers = [None] * length, [None] * length
        return column

    def put(self, part: int, run: NodeRun) -> None:
        """Keep what a part's run returned."""
        if not run.ran:
            return
        self.results.add(run.state)
        for key, value in run.outputs.items():
            values = self.values.get(key)
            if values is None:
                values = self.values[key] = [None] * self.length
            values[part] = value
        if isinstance(run.stats, Stats):
            # Each event brought its own copy of the same few names.
            self.machines[part], self.workers[part] = intern(run.stats.node), intern(run.stats.worker)
            self.runtime_s += run.stats.runtime_s
            self.cpu_time_s += run.stats.cpu_time_s
            self.max_memory_bytes = max(self.max_memory_bytes, run.stats.max_memory_bytes)

    def stats(self) -> FoldedStats:
        """Return the statistics of all parts together."""
        return FoldedStats(
            self.machines, self.workers, self.priority, self.runtime_s, self.cpu_time_s, self.max_memory_bytes
        )

    def kept(self) -> dict[str, Any]:
        """Return the column as JSON data; the lists in it are the column's own."""
        return {
            "values": self.values,
            "machines": self.machines,
            "workers": self.workers,
            "stats": [self.runtime_s, self.cpu_time_s, self.max_memory_bytes],
            "results": sorted(state.value for state in self.results),
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take over what `kept` returned. Raises EngineError for one of another length."""
        self.values = kept["values"]
        self.machines, self.workers = kept["machines"], kept["workers"]
        if any(len(values) != self.length for values in (self.machines, self.workers, *self.values.values())):
            raise EngineError(f"a column of {self.length} parts has other lengths in its checkpoint")
        self.runtime_s, self.cpu_time_s, self.max_memory_bytes = kept["stats"]
        self.results = {State(value) for value in kept["results"]}


@define(eq=False)
class Region:
    """One split of one pebble.

    `outer` is the run of the split node around the parts; `task` the task it would have been, its
    arguments resolved once; `items` the list, or the machines of a node that runs on all of them.
    """

    plan: RegionPlan
    outer: NodeRun
    task: Task
    items: list[Any]
    columns: dict[str, Column]
    live: dict[int, Scope] = field(factory=dict)
    opened: int = 0
    #: parts that have unsettled runs of the split's phase
    active: int = 0
    #: opened parts whose merge node has not settled
    unmerged: int = 0
    #: runs that were told to end and have not ended
    ending: int = 0
    #: no further part is opened
    stopping: bool = False
    folded: bool = False
    result: State = State.SUCCESS
    error: str = ""
    #: (global handler, failed node) pairs that have fired
    fired: set[tuple[str, str]] = field(factory=set)
    #: the pebble's events that were this region's alone, and those that opened and folded it and ended its last part
    own: Numbers = field(factory=Numbers)
    opened_at: int = 0
    folds_at: int = -1
    closes_at: int = -1
    #: a replay must walk its events
    walked: bool = False
    #: of a region in a replay whose events are not walked: what stands for them, until it is closed
    checkpoint: Checkpoint | None = None
    #: the fields of `task` by name
    _given: dict[str, Any] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Take the task apart, once."""
        self._given = {each.name: getattr(self.task, each.name) for each in fields(Task)}

    @classmethod
    def of(cls, plan: RegionPlan, outer: NodeRun, task: Task, late: frozenset[str]) -> Region:
        """Return a region that has not opened a part yet."""
        argument = outer.node.split_on
        assert argument is not None
        items = task.args[argument]
        # A deferred node before a merge that does not wait for it has no value when the parts are folded.
        kept = plan.columns if plan.merge in late else plan.columns - late
        columns = {node.name: Column.of(node, len(items)) for node in plan.nodes if node.name in kept}
        return cls(plan, outer, task, items, columns)

    @classmethod
    def over(cls, plan: RegionPlan, outer: NodeRun, task: Task, machines: list[str]) -> Region:
        """Return the region of one node that runs on each of these machines."""
        return cls(plan, outer, task, machines, {outer.node.name: Column.of(outer.node, len(machines))})

    def is_late(self, late: frozenset[str]) -> bool:
        """True when the region is folded in the deferred phase; `late` are the nodes that run then."""
        return (self.plan.merge or self.plan.split) in late

    @property
    def may_open(self) -> bool:
        """True while there is an item left and room in the window."""
        return not self.stopping and self.opened < len(self.items) and self.active < WINDOW

    @property
    def is_done(self) -> bool:
        """True when nothing more can come: all that is folded has settled, or all parts have."""
        if self.folded or not (self.stopping or self.opened == len(self.items)):
            return False
        waits = self.active if self.plan.merge is None else self.unmerged
        return waits == 0 and self.ending == 0

    def keep(self, run: NodeRun) -> None:
        """Keep what a part's run came to; the first failure's text stays; what comes after the fold changes nothing."""
        assert run.scope.part is not None
        if self.folded:
            return
        if run.node.name in self.columns:
            self.columns[run.node.name].put(run.scope.part, run)
        if run.state in FAILURES and not self.error:
            self.error = run.error

    def part_task(self, part: int, name: str, attempt: int) -> Task:
        """Return the task of the split node in one part, with its id: for its item, or on its machine."""
        # `evolve` reads every field anew; this is done for each part.
        given = {**self._given, "id": name, "attempt": attempt}
        argument = self.outer.node.split_on
        if argument is None:
            return Task(**{**given, "machines": (self.items[part],)})
        given["args"] = {**self.task.args, argument: self.items[part]}
        if self.task.staging:
            given["staging"] = tuple(_of_part(each, argument, part) for each in self.task.staging)
        return Task(**given)

    def fold(self, run: NodeRun) -> State:
        """Give an outer run what its parts came to, and return the state it settles in."""
        column = self.columns.get(run.node.name)
        if column is None:
            return State.SKIPPED
        run.outputs, run.stats = column.values, column.stats()
        if run.node.name != self.plan.merge:
            return worst([State.SUCCESS, *column.results])
        if self.result is not State.SUCCESS:
            run.error = self.error or self.result.value
            run.outputs = {**column.values, "error": run.error}
        return self.result

    def merged(self, run: NodeRun) -> bool:
        """Note that a part's merge node settled; False when the fold cannot be a success any more."""
        self.unmerged -= 1
        if run.state in (State.SUCCESS, State.SKIPPED):
            return True
        state = run.state if run.state in BADNESS else (run.cause or State.ERROR)
        self.result = worst([self.result, state])
        return False


def _of_part(staging: Staging, argument: str, part: int) -> Staging:
    """Return how one part's item is prepared: it lies where its own maker ran."""
    if staging.argument != argument or len(staging.origins) <= 1:
        return staging
    return evolve(staging, origins=(staging.origins[part],))
