"""The pebble's side of `communicate`: it waits in a meeting, and one of those who met goes on for all.

Laws: parents that failed take part; the pebble that goes on reads what the others brought as if its own nodes had
run; who meets whom is decided by the exchange and arrives as an event.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict

from cryocloud_core.engine.commands import CancelTask, Meet
from cryocloud_core.engine.events import Lent, Met
from cryocloud_core.engine.pebble import NodeRun
from cryocloud_core.engine.splits import FoldedStats
from cryocloud_core.engine.states import State, Trigger
from cryocloud_core.errors import ResolutionError
from cryocloud_core.task import Task

if TYPE_CHECKING:
    from cryocloud_core.engine.moves import Moves

#: the module whose nodes meet instead of running a task
MODULE: Final = "communicate"
_ENDS = {
    "success": Trigger.SUCCEEDED,
    "error": Trigger.FAILED,
    "timeout": Trigger.TIMED_OUT,
    "cancelled": Trigger.STOPPED,
}


def check(task: Task) -> None:
    """Raise ResolutionError when there is no message id to meet under."""
    if task.args.get("msgid") is None:
        raise ResolutionError("argument 'msgid' is null", remedy="pebbles meet under a message id")


def meet(moves: Moves, run: NodeRun, task: Task) -> None:
    """Let a run wait for its partners."""
    pebble = moves.pebble
    came = [parent for parent in pebble.parents_of(run) if parent.ran]
    resolve_on = task.args.get("resolveOn")
    pebble.go(run, Trigger.RUN)
    pebble.meetings[task.id] = command = Meet(
        pebble.id,
        task.id,
        task.workflow,
        run.node.name,
        json.dumps(task.args["msgid"], sort_keys=True),
        run.node.parents,
        tuple(parent.node.name for parent in came),
        moves.at,
        "" if resolve_on in (None, "any") else str(resolve_on),
        run.node.resolve_on_any,
        {parent.node.name: _lent(parent) for parent in _with_ancestors(moves, came)},
    )
    moves.commands.append(command)


def met(moves: Moves, event: Met) -> None:
    """Settle the run that waited in a meeting."""
    pebble = moves.pebble
    run = _run_of(moves, pebble.meetings.pop(event.task))
    if event.error:
        run.error, run.outputs = event.error, {"error": event.error}
        pebble.go(run, Trigger.FAILED)
    elif event.goes_on:
        pebble.lent.update({name: _borrowed(moves, run, name, lent) for name, lent in event.values.items()})
        run.error = "" if event.result == "success" else f"a parent ended in {event.result}"
        run.outputs = {"error": run.error} if run.error else {}
        pebble.go(run, _ENDS[event.result])
    else:
        pebble.go(run, Trigger.SKIP)
    moves.settle(run)


def leave(moves: Moves, run: NodeRun, why: str) -> bool:
    """Take a run out of its meeting and settle it; False when it waits in none."""
    pebble = moves.pebble
    task = pebble.task_id(run)
    if task not in pebble.meetings:
        return False
    del pebble.meetings[task]
    moves.commands.append(CancelTask(pebble.id, task, why))
    pebble.go(run, Trigger.STOPPED)
    run.cause, run.error = State.CANCELLED, why
    moves.settle(run)
    return True


def _run_of(moves: Moves, meeting: Meet) -> NodeRun:
    scopes = moves.pebble.scopes()
    runs = (scope.runs[meeting.node] for scope in scopes if meeting.node in scope.runs)
    return next(run for run in runs if moves.pebble.task_id(run) == meeting.task)


def _with_ancestors(moves: Moves, came: list[NodeRun]) -> list[NodeRun]:
    """Return runs and everything that ran before them."""
    found: dict[str, NodeRun] = {}
    ahead = list(came)
    while ahead:
        run = ahead.pop()
        if run.ran and run.node.name not in found:
            found[run.node.name] = run
            ahead.extend(moves.pebble.parents_of(run))
    return list(found.values())


def _lent(run: NodeRun) -> Lent:
    stats: dict[str, Any] = {} if run.stats is None else asdict(run.stats, recurse=False)
    stats.pop("began_at", None)
    return Lent(run.state.value, run.outputs, stats)


def _borrowed(moves: Moves, run: NodeRun, name: str, lent: Lent) -> NodeRun:
    node = moves.pebble.plan.workflow.nodes[name]
    stats = FoldedStats(**lent.stats) if lent.stats else None
    return NodeRun(node, run.scope, State(lent.state), outputs=lent.outputs, stats=stats)
