"""The story of one pebble: for every node why it ran, waits, was skipped, blocked or failed; and what all wait for.

Laws: pure; a story is read off a pebble and its chronicle and changes nothing; what only the gate and the scheduler
know is left open and named by the task to ask about; parts of a split are counts, few of them told one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from attrs import evolve, field, frozen

from cryocloud_core.engine.chronicle import PARTS_TOLD, Attempt, Chronicle, Past
from cryocloud_core.engine.events import Context
from cryocloud_core.engine.pebble import NodeRun, Pebble, Phase, Scope
from cryocloud_core.engine.reasons import ArgumentTold, Reasons, arguments
from cryocloud_core.engine.splits import Region
from cryocloud_core.engine.states import State

#: what a run waits for that has a task
ITS_TASK: Final = "its task"


@frozen
class WaitTold:
    """The single thing that something waits for.

    `what` says it, `through` the nodes between that wait as well; a `task` must be asked about where it is;
    `due_at` (seconds UTC) is when it is over by itself, 0 when that is not known.
    """

    what: str
    through: tuple[str, ...] = ()
    task: str = ""
    due_at: float = 0.0


@frozen
class AttemptTold:
    """One attempt; times are seconds UTC, 0 while unknown; `result` is empty while it is open.

    `cached`: it did not run, the result of the task `maker` was used (empty: it is not known which); machine and worker
    are then those where that was made.
    """

    number: int
    task: str
    asked_at: float
    began_at: float = 0.0
    ended_at: float = 0.0
    machine: str = ""
    worker: str = ""
    runtime_s: float = 0.0
    result: str = ""
    error: str = ""
    cached: bool = False
    maker: str = ""


@frozen
class RunTold:
    """One node for one pebble or one part of it; `scope` is empty, `#2` for a handler's firing, `.3` for a part.

    `outputs`: what it returned as JSON data, an input's values, beside the error; `posted` names those that `post`
    sent, whose values are where to. Those of a split's nodes are told with the part that was asked for.
    """

    node: str
    module: str
    scope: str
    state: str
    why: str = ""
    error: str = ""
    wait: WaitTold | None = None
    args: tuple[ArgumentTold, ...] = ()
    attempts: tuple[AttemptTold, ...] = ()
    parts: PartsTold | None = None
    outputs: dict[str, Any] = field(factory=dict)
    posted: tuple[str, ...] = ()


@frozen
class PartsTold:
    """The parts of a split node's region at one of its nodes: how many by state, and some of them.

    `asked` is the part that was asked for, None where it was not or has not begun.
    """

    total: int
    opened: int
    counts: dict[str, int]
    open: tuple[RunTold, ...] = ()
    failed: tuple[RunTold, ...] = ()
    asked: RunTold | None = None


@frozen
class PebbleTold:
    """One pebble: what it is, how far it came, what it waits for, and each node in document order."""

    pebble: int
    workflow: str
    input: str
    key: str
    arrived_at: float
    phase: str
    result: str
    error: str
    given_up: str
    wait: WaitTold | None
    nodes: tuple[RunTold, ...]


def explain(pebble: Pebble, chronicle: Chronicle, show: Callable[[Any], str] = str) -> PebbleTold:
    """Return the story of a pebble whose events the chronicle has noted; `show` writes values that conditions saw."""
    return _Teller(pebble, chronicle, show).pebble()


def tasks_of(story: PebbleTold) -> tuple[str, ...]:
    """Return the tasks to ask about, each once."""
    waits = [story.wait, *(run.wait for run in _runs(story.nodes))]
    return tuple(dict.fromkeys(wait.task for wait in waits if wait is not None and wait.task))


def _runs(nodes: Iterable[RunTold]) -> Iterator[RunTold]:
    for node in nodes:
        yield node
        if node.parts is not None:
            yield from node.parts.open
            if node.parts.asked is not None:
                yield node.parts.asked


class _Teller:
    """Tells one pebble."""

    def __init__(self, pebble: Pebble, chronicle: Chronicle, show: Callable[[Any], str]) -> None:
        self._pebble = pebble
        self._show = show
        self._chronicle = chronicle

    def pebble(self) -> PebbleTold:
        pebble, chronicle = self._pebble, self._chronicle
        born = chronicle.arrived
        over = pebble.phase in (Phase.CLOSED, Phase.OWING)
        result = pebble.given_up if pebble.given_up in ("dropped", "abandoned") else pebble.result.value
        scopes = [pebble.main, *pebble.firings]
        return PebbleTold(
            pebble=pebble.id,
            workflow=pebble.plan.workflow.name,
            input="" if born is None else born.input,
            key="" if born is None else born.key,
            arrived_at=0.0 if born is None else born.at,
            phase=pebble.phase.value,
            result=result if over else "",
            error=pebble.error,
            given_up=pebble.given_up,
            wait=self._pebble_waits(scopes),
            nodes=tuple(self.run(run) for scope in scopes for run in scope.runs.values()),
        )

    def run(self, run: NodeRun) -> RunTold:
        """Return one run's story."""
        past = self._chronicle.past(run)
        context = self._context(past)
        born = self._chronicle.arrived
        attempts = () if past is None else tuple(map(_attempt, past.attempts))
        task = past.attempts[0].task if past is not None and past.attempts else None
        return RunTold(
            node=run.node.name,
            module=run.node.module,
            scope=run.scope.name,
            state=run.state.value,
            why=self._why(run, context, "" if born is None else born.input),
            error=run.error,
            wait=None if run.is_final else self.wait(run),
            args=self._arguments(run, context, past, task is not None),
            attempts=attempts,
            parts=self._parts(run),
            outputs={} if run.region is not None else _outputs(run),
            posted=() if run.region is not None else _posted(run),
        )

    def _why(self, run: NodeRun, context: Context, source: str) -> str:
        cause = run.scope.cause
        if cause is not None and run.node.name in self._pebble.plan.handlers:
            return f"{cause.node.name}{cause.scope.name} came to {cause.state.value}"
        return Reasons(self._pebble, run, context, self._show).why(source)

    def _arguments(self, run: NodeRun, context: Context, past: Past | None, has_task: bool) -> tuple[ArgumentTold, ...]:
        if run.region is not None:
            task = run.region.task if run is run.region.outer else None
        else:
            task = past.attempts[0].task if past is not None and has_task else None
        return arguments(self._pebble, run, context, task)

    def _context(self, past: Past | None) -> Context:
        found = past.context if past is not None else self._chronicle.context
        return self._pebble.born if found is None else found

    # --- parts ----------------------------------------------------------------------------------------

    def _parts(self, run: NodeRun) -> PartsTold | None:
        region = run.region
        if region is None:
            return None
        name = run.node.name
        around = (run.scope.name, name)
        live = [scope.runs[name] for scope in region.live.values() if not scope.runs[name].is_final]
        counts = dict(self._chronicle.parts.get(around, {}))
        for each in live:
            counts[each.state.value] = counts.get(each.state.value, 0) + 1
        # What can be asked about first: a part that waits for another node of its own tells less.
        live.sort(key=lambda each: each.state is State.WAITING)
        failed = self._chronicle.failed.get(around, ())
        return PartsTold(
            total=len(region.items),
            opened=region.opened,
            counts=counts,
            open=tuple(map(self.run, live[:PARTS_TOLD])),
            failed=tuple(self._ended_part(past) for past in failed),
            asked=self._asked_part(run, region),
        )

    def _asked_part(self, run: NodeRun, region: Region) -> RunTold | None:
        part = self._chronicle.part
        name = f".{part}{region.outer.scope.name}"
        settled = self._chronicle.asked.get((name, run.node.name))
        if settled is not None:
            state, past = settled
            if past is None:
                return RunTold(run.node.name, run.node.module, name, state)
            return evolve(self._ended_part(past), outputs=_outputs(past.run), posted=_posted(past.run))
        live = None if part is None else region.live.get(part)
        return None if live is None else self.run(live.runs[run.node.name])

    def _ended_part(self, past: Past) -> RunTold:
        run = past.run
        told = arguments(self._pebble, run, past.context, past.attempts[0].task if past.attempts else None)
        attempts = tuple(map(_attempt, past.attempts))
        return RunTold(
            run.node.name, run.node.module, run.scope.name, run.state.value, "", run.error, None, told, attempts
        )

    # --- waits ----------------------------------------------------------------------------------------

    def wait(self, run: NodeRun, through: tuple[str, ...] = ()) -> WaitTold:
        """Return the single thing that an open run waits for."""
        match run.state:
            case State.WAITING:
                return self._wait_for_parent(run, through)
            case State.POSTPONED:
                return self._wait_for_main(through)
            case State.BACKOFF:
                return WaitTold(f"attempt {run.attempt + 1}", through, due_at=run.due_at)
            case State.SPLIT:
                return self._wait_for_parts(run, through)
            case State.CANCELLING:
                return WaitTold("its end, it was told to", through, task=run.task.id if run.task else "")
            case _ if (meeting := self._pebble.meetings.get(self._pebble.task_id(run))) is not None:
                came, parents = " and ".join(meeting.came), ", ".join(meeting.parents)
                what = f"a rendezvous of {parents} under msgid {meeting.message}, to which it came by {came}"
                return WaitTold(what, through, task=meeting.task)
            case _ if self._pebble.task_id(run) in self._pebble.questions:
                return WaitTold("the answer which machines there are", through)
            case _:
                return WaitTold(ITS_TASK, through, task=run.task.id if run.task is not None else "")

    def _wait_for_parent(self, run: NodeRun, through: tuple[str, ...]) -> WaitTold:
        open_parents = [parent for parent in self._pebble.parents_of(run) if not parent.is_final]
        if not open_parents:
            return WaitTold("its parents", through)
        # A parent that can be asked about tells more than one that waits itself.
        parent = min(open_parents, key=lambda each: each.state is State.WAITING)
        return self.wait(parent, (*through, f"{parent.node.name}{parent.scope.name}"))

    def _wait_for_main(self, through: tuple[str, ...]) -> WaitTold:
        found = self._first_open([self._pebble.main, *self._pebble.firings], late=False)
        if found is None:
            return WaitTold("the end of the main phase", through)
        return self.wait(found, (*through, "the main phase", found.node.name))

    def _wait_for_parts(self, run: NodeRun, through: tuple[str, ...]) -> WaitTold:
        region = run.region
        assert region is not None
        done = sum(self._chronicle.parts.get((run.scope.name, run.node.name), {}).values())
        what = f"its parts, {done} of {len(region.items)} have ended"
        found = self._first_open(list(region.live.values()), late=None)
        task = found.task.id if found is not None and found.task is not None else ""
        due_at = found.due_at if found is not None and found.state is State.BACKOFF else 0.0
        return WaitTold(what, through, task, due_at)

    def _first_open(self, scopes: list[Scope], *, late: bool | None) -> NodeRun | None:
        """Return the first run that holds others up, one that waits for nothing inside the pebble if there is one."""
        runs = (run for scope in scopes for run in scope.runs.values() if not run.is_final)
        wanted = [run for run in runs if late is None or self._pebble.is_late(run) == late]
        return min(wanted, key=lambda run: run.state in (State.WAITING, State.POSTPONED), default=None)

    def _pebble_waits(self, scopes: list[Scope]) -> WaitTold | None:
        pebble = self._pebble
        if pebble.phase in (Phase.CLEANING, Phase.OWING):
            machines = ", ".join(sorted(pebble.tempdirs))
            return WaitTold(f"its tempdirs on {machines} to be removed", due_at=pebble.clean_by)
        found = self._first_open(scopes, late=None)
        return None if found is None else self.wait(found, (found.node.name,))


def _outputs(run: NodeRun) -> dict[str, Any]:
    """Return what a run returned; its error is told as such."""
    return {key: value for key, value in run.outputs.items() if key != "error" or value != run.error}


def _posted(run: NodeRun) -> tuple[str, ...]:
    """Return the outputs that `post` sent: after success, those that are there."""
    if run.state is not State.SUCCESS:
        return ()
    return tuple(dict.fromkeys(each.output for each in run.node.post if run.outputs.get(each.output) is not None))


def _attempt(attempt: Attempt) -> AttemptTold:
    return AttemptTold(
        attempt.number,
        attempt.task.id,
        attempt.asked_at,
        attempt.began_at,
        attempt.ended_at,
        attempt.machine,
        attempt.worker,
        attempt.runtime_s,
        attempt.result,
        attempt.error,
        attempt.cached,
        attempt.maker,
    )
