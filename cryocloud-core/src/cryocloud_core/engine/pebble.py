"""A pebble while it is open: its scopes, the runs of its nodes in them, and what it still owes.

Laws: a state changes only through `Pebble.go`, which asks the table; a missing entry is an error that tells the
pebble's story.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field, frozen

from cryocloud_core.engine.checkpoints import Checkpoint
from cryocloud_core.engine.commands import Ask, Meet
from cryocloud_core.engine.events import Context, Event
from cryocloud_core.engine.plan import Plan
from cryocloud_core.engine.states import BADNESS, FINAL_STATES, TRANSITIONS, State, Trigger
from cryocloud_core.errors import TransitionError
from cryocloud_core.graph.workflow import Node
from cryocloud_core.task import Stats, Task, TaskId

if TYPE_CHECKING:
    from cryocloud_core.engine.splits import FoldedStats, Region


class Phase(Enum):
    """How far a pebble is."""

    MAIN = "main"
    DEFERRED = "deferred"
    CLEANING = "cleaning"
    #: closed, but some machine is still to be cleaned
    OWING = "owing"
    CLOSED = "closed"


@define(eq=False)
class Scope:
    """The nodes that run together: the pebble's own, those of one firing of a global handler, or of one split part.

    `outer` is the scope whose results it sees after its own; `cause` is the run whose failure fired it.
    """

    outer: Scope | None = None
    firing: int | None = None
    cause: NodeRun | None = None
    part: int | None = None
    region: Region | None = None
    #: of a part: its runs that have not settled; `open` counts those of its split's phase
    left: int = 0
    open: int = 0
    runs: dict[str, NodeRun] = field(factory=dict)

    @property
    def name(self) -> str:
        """Empty for the pebble's own scope, `#2` for its second firing, `.3` for a part, `.3#2` for one in a firing."""
        part = "" if self.part is None else f".{self.part}"
        return part if self.firing is None else f"{part}#{self.firing}"

    def find(self, name: str) -> NodeRun | None:
        """Return the run of a node in this scope or the ones around it."""
        scope: Scope | None = self
        while scope is not None:
            run = scope.runs.get(name)
            if run is not None:
                return run
            scope = scope.outer
        return None


#: what a run has before it ran: one for all, because outputs are given whole and never changed in place
_NOTHING: Final[dict[str, Any]] = {}


@define(eq=False)
class NodeRun:
    """One node for one pebble: its state, what it returned, and its open task."""

    node: Node
    scope: Scope
    state: State = State.WAITING
    #: parents that have not told this run yet that they settled
    unsettled: int = 0
    #: its children know that it settled
    told: bool = False
    outputs: dict[str, Any] = field(default=_NOTHING)
    stats: Stats | FoldedStats | None = None
    error: str = ""
    #: of a blocked node: the result upstream that blocks it
    cause: State | None = None
    #: of a resolveOnAny node: the parent that fired it
    fired_by: NodeRun | None = None
    attempt: int = 0
    repeats: int = 0
    #: times a task was lost with its worker or declined by one
    losses: int = 0
    task: Task | None = None
    due_at: float = 0.0
    #: of a node whose split region was opened: the region
    region: Region | None = None
    #: of a part's run: it was told to end and has not answered
    ending: bool = False

    @property
    def is_final(self) -> bool:
        """True when nothing will change it any more."""
        return self.state in FINAL_STATES

    @property
    def ran(self) -> bool:
        """True when it ran, or failed while its task was built."""
        return self.state in BADNESS


@frozen(eq=False)
class Question:
    """A run that is to run on every machine, waiting to hear which there are; `task` is what each will run."""

    run: NodeRun
    task: Task

    def asked(self, pebble: int) -> Ask:
        """Return the command that asks."""
        return Ask(pebble, self.task.id, self.task.kind, self.task.module)


@define(eq=False)
class Pebble:
    """One arriving product on its way; everything the engine knows of it."""

    id: int
    nonce: str
    machine: str
    workflow: str
    plan: Plan
    born: Context
    main: Scope = field(factory=Scope)
    firings: list[Scope] = field(factory=list)
    phase: Phase = Phase.MAIN
    #: runs that have not settled: of the main phase, and of deferred nodes and what follows them
    open_main: int = 0
    open_late: int = 0
    postponed: list[NodeRun] = field(factory=list)
    tasks: dict[str, NodeRun] = field(factory=dict)
    timers: dict[str, NodeRun] = field(factory=dict)
    #: rendezvous it waits in, by the id of the task that would be
    meetings: dict[str, Meet] = field(factory=dict)
    #: questions about machines that have no answer yet, by task
    questions: dict[str, Question] = field(factory=dict)
    #: what nodes came to in pebbles that were met
    lent: dict[str, NodeRun] = field(factory=dict)
    result: State = State.SUCCESS
    error: str = ""
    #: `cancelled`, `dropped` or `abandoned` once somebody gave the pebble up
    given_up: str = ""
    #: machine -> bases of the tempdirs made there
    tempdirs: dict[str, dict[str | None, None]] = field(factory=dict)
    #: when the pebble closes even if some machine is not clean, seconds UTC
    clean_by: float = 0.0
    #: of the event in work, counted from the arrival
    number: int = 0
    #: in a replay: what stands for folded regions, by `Checkpoint.key`, and the regions it stands for by the numbers of
    #: the events at which it is taken
    checkpoints: dict[tuple[int, str, int | None], Checkpoint] = field(factory=dict)
    recalled: dict[int, Region] = field(factory=dict)
    story: deque[Event] = field(factory=lambda: deque(maxlen=12))

    def go(self, run: NodeRun, trigger: Trigger) -> State:
        """Move a run to its next state and return it. Raises TransitionError."""
        state = TRANSITIONS.get((run.state, trigger))
        if state is None:
            what = f"node {run.node.name!r}{run.scope.name} cannot go from {run.state.value!r} by {trigger.value!r}"
            raise TransitionError(what, subject=f"pebble {self.id}", remedy=f"its story: {self.told()}")
        run.state = state
        return state

    def let_go(self) -> None:
        """Break the circles between runs and scopes, so that the pebble's memory is free at once.

        Without it a run of 25 000 pebbles spends seconds in the garbage collector.
        """
        scopes, regions = self.scopes(), self.regions()
        for region in regions:
            region.outer.region = None
        for scope in scopes:
            scope.runs = {}
        self.firings, self.lent, self.questions = [], {}, {}

    def told(self) -> str:
        """Return the last events of the pebble in order, as one line."""
        return " | ".join(
            f"{type(event).__name__} {getattr(event, 'task', getattr(event, 'timer', ''))}".strip()
            for event in self.story
        )

    def task_id(self, run: NodeRun) -> str:
        """Return the id of the run's current attempt."""
        return str(TaskId(self.id, run.node.name, run.attempt, run.scope.part, run.scope.firing))

    def is_late(self, run: NodeRun) -> bool:
        """True for deferred nodes and everything after them."""
        return run.node.name in self.plan.late

    def parents_of(self, run: NodeRun) -> list[NodeRun]:
        """Return the runs of a run's parents in document order; parents that can never run for it are left out."""
        if run.node.name in self.plan.handlers and run.scope.cause is not None:
            return [run.scope.cause]
        found = [parent for parent in map(run.scope.find, run.node.parents) if parent is not None]
        return [parent for parent in found if not self.passes_over(run, parent)] if run.node.merge else found

    def passes_over(self, run: NodeRun, parent: NodeRun) -> bool:
        """True for a merge and a deferred parent in its own region: it does not wait for it, nor hear of it."""
        return run.node.merge and self.is_late(parent) and not self.is_late(run)

    def scopes(self) -> list[Scope]:
        """Return every scope that has runs: the pebble's own, the firings, the parts that live."""
        return [self.main, *self.firings, *(scope for region in self.regions() for scope in region.live.values())]

    def regions(self) -> list[Region]:
        """Return every split region that was opened, in document order."""
        runs = (run for scope in (self.main, *self.firings) for run in scope.runs.values())
        return [run.region for run in runs if run.region is not None and run.node.name == run.region.plan.split]
