"""The moves of split regions: open parts a window at a time, stop them at a failure, fold them in order.

Laws: each settled part starts the next; as soon as the merge can no longer be a success the siblings are
given up; a region is folded once, when nothing more can come, and what comes later changes no list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryocloud_core.engine.pebble import NodeRun, Scope
from cryocloud_core.engine.splits import Region
from cryocloud_core.engine.states import State, Trigger
from cryocloud_core.errors import ResolutionError
from cryocloud_core.task import Task

if TYPE_CHECKING:
    from cryocloud_core.engine.moves import Moves

_FOLDED = {
    State.SUCCESS: Trigger.SUCCEEDED,
    State.ERROR: Trigger.FAILED,
    State.TIMEOUT: Trigger.TIMED_OUT,
    State.CANCELLED: Trigger.STOPPED,
    State.SKIPPED: Trigger.SKIP,
}


def check(run: NodeRun, task: Task) -> None:
    """Raise ResolutionError unless the argument to split is a list."""
    name = run.node.split_on
    value = task.args.get(name) if name is not None else None
    if not isinstance(value, list):
        kind = "null" if value is None else type(value).__name__
        raise ResolutionError(f"argument {name!r} is not a list, got {kind}", subject="splitOn")


def open_region(moves: Moves, run: NodeRun, task: Task) -> None:
    """Open the region of a split node whose join matched."""
    pebble = moves.pebble
    region = Region.of(pebble.plan.regions[run.node.name], run, task, pebble.plan.late)
    if region.items:
        begin(moves, region)
    else:
        _empty(moves, region)


def begin(moves: Moves, region: Region) -> None:
    """Start the first parts of a region."""
    pebble = moves.pebble
    outer = _outer(region)
    for each in outer:
        pebble.go(each, Trigger.SPLIT)
        each.region = region
    late = sum(pebble.is_late(each) for each in outer)
    pebble.open_late -= late
    pebble.open_main -= len(outer) - late
    count(moves, region, 1)
    region.opened_at = pebble.number
    checkpoint = pebble.checkpoints.pop((pebble.number, region.plan.split, region.outer.scope.firing), None)
    if checkpoint is None:
        _fill(moves, region)
    else:
        region.checkpoint = checkpoint
        pebble.recalled |= dict.fromkeys((checkpoint.folds_at, checkpoint.closes_at), region)


def settled(moves: Moves, run: NodeRun, late: bool) -> None:
    """A run of a part settled: keep its values, let the next part in, fold when it was the last."""
    scope, region = run.scope, run.scope.region
    assert region is not None
    assert scope.part is not None
    region.keep(run)
    scope.left -= 1
    region.ending -= run.ending
    run.ending = False
    if not late or is_deferred(moves, region):
        scope.open -= 1
        region.active -= scope.open == 0
    if scope.left == 0:
        region.live.pop(scope.part, None)
        scope.runs = {}
    if run.node.name == region.plan.merge and not region.merged(run):
        _stop(moves, region, scope)
    _fill(moves, region)
    if region.is_done:
        fold(moves, region)
        region.folds_at = moves.pebble.number
        # What an event from outside folds is folded among other moves, in an order that only walking gives.
        region.walked = region.walked or not region.own.ends_with(region.folds_at)
    if region.folded and not region.live and region.closes_at < 0:
        region.closes_at = moves.pebble.number
        moves.closed.append(region)


def ending(run: NodeRun) -> None:
    """A run of a part was told to end and will answer."""
    assert run.scope.region is not None
    run.ending = True
    run.scope.region.ending += 1


def may_fire(handler: str, run: NodeRun) -> bool:
    """True unless this handler fired already for the same node of the same region, or the failure is a fold's."""
    region = run.scope.region
    if region is None:
        return True
    if (handler, run.node.name) in region.fired:
        return False
    region.fired.add((handler, run.node.name))
    return True


def is_deferred(moves: Moves, region: Region) -> bool:
    """True when the split itself runs in the deferred phase, and so all of its parts."""
    return region.plan.split in moves.pebble.plan.late


def _outer(region: Region) -> list[NodeRun]:
    return [region.outer.scope.runs[node.name] for node in region.plan.nodes]


def _empty(moves: Moves, region: Region) -> None:
    """An empty list: lists without items for all that would be folded, nothing else runs."""
    for run in _outer(region):
        if run.node.name in region.columns:
            run.outputs = {key: [] for key in run.node.outputs}
            moves.pebble.go(run, Trigger.EMPTY)
        else:
            moves.pebble.go(run, Trigger.SKIP)
        moves.settle(run)


def _fill(moves: Moves, region: Region) -> None:
    while region.may_open:
        _open_part(moves, region)


def _open_part(moves: Moves, region: Region) -> None:
    part = region.opened
    region.opened += 1
    outer = region.outer
    scope = Scope(outer.scope, outer.scope.firing, None, part, region)
    region.live[part] = scope
    moves.open(scope, region.plan.nodes)
    if is_deferred(moves, region):
        scope.open = scope.left
    region.active += scope.open > 0
    region.unmerged += region.plan.merge is not None
    start_part(moves, scope.runs[region.plan.split])
    moves.look_around(scope)


def start_part(moves: Moves, run: NodeRun) -> None:
    """Start the split node of a part with its item."""
    scope, region = run.scope, run.scope.region
    assert region is not None
    assert scope.part is not None
    run.attempt += 1
    moves.pebble.go(run, Trigger.RUN)
    moves.command(run, region.part_task(scope.part, moves.pebble.task_id(run), run.attempt))


def _stop(moves: Moves, region: Region, failed: Scope) -> None:
    """Give the siblings of a failed part up; its own error branches go on."""
    if region.stopping:
        return
    region.stopping = True
    for scope in [each for each in region.live.values() if each is not failed]:
        for run in scope.runs.values():
            if not moves.pebble.is_late(run) or is_deferred(moves, region):
                moves.cancel(run, "another part failed")


def fold(moves: Moves, region: Region) -> None:
    """Give the nodes of the region what their parts came to."""
    region.folded = True
    for node in region.plan.nodes:
        run = region.outer.scope.runs[node.name]
        moves.pebble.go(run, _FOLDED[region.fold(run)])
        moves.settle_folded(run)
    count(moves, region, -1)


def count(moves: Moves, region: Region, by: int) -> None:
    """Count the region itself as one open thing of its phase."""
    if region.is_late(moves.pebble.plan.late):
        moves.pebble.open_late += by
    else:
        moves.pebble.open_main += by
