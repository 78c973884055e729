"""Checkpoints of folded regions: when one is made, and how a replay takes it in place of the parts.

Laws: what is restored is what walking leaves behind: the lists, the fold's result, and what the pebble had when the
region closed; everything behind the merge follows from the fold as it did before and is checked like any replay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryocloud_core.engine import regions
from cryocloud_core.engine.checkpoints import Checkpoint, Numbers
from cryocloud_core.engine.commands import KeepCheckpoint
from cryocloud_core.engine.pebble import Pebble
from cryocloud_core.engine.rendezvous import MODULE
from cryocloud_core.engine.splits import Region
from cryocloud_core.engine.states import State
from cryocloud_core.errors import EngineError

if TYPE_CHECKING:
    from cryocloud_core.engine.moves import Moves


def keep(pebble: Pebble, region: Region) -> list[KeepCheckpoint]:
    """Return the command to keep a checkpoint of a region that closed in this turn, none when it must be walked."""
    own, region.own = region.own, Numbers()
    if region.walked or region.fired or pebble.given_up or not own.ends_with(region.closes_at):
        return []
    late = region.is_late(pebble.plan.late)
    nodes = region.plan.nodes
    if any(node.module == MODULE or (node.name in pebble.plan.late) != late for node in nodes):
        return []
    checkpoint = Checkpoint(
        split=region.plan.split,
        firing=region.outer.scope.firing,
        nodes=tuple(node.name for node in nodes),
        opened_at=region.opened_at,
        folds_at=region.folds_at,
        closes_at=region.closes_at,
        own=tuple(own.ranges),
        opened=region.opened,
        stopping=region.stopping,
        result=region.result.value,
        error=region.error,
        pebble_result=pebble.result.value,
        pebble_error=pebble.error,
        columns={name: column.kept() for name, column in region.columns.items()},
        tempdirs={machine: list(bases) for machine, bases in pebble.tempdirs.items()},
    )
    return [KeepCheckpoint(pebble.id, checkpoint)]


def recall(moves: Moves, region: Region) -> None:
    """Take a region's checkpoint at the event that folded it, and at the one that ended its last part."""
    pebble, checkpoint = moves.pebble, region.checkpoint
    assert checkpoint is not None
    if pebble.number == checkpoint.folds_at:
        _restore(region, checkpoint)
        regions.fold(moves, region)
        # Parts that outlived the fold keep the phase open.
        regions.count(moves, region, 1)
    if pebble.number == checkpoint.closes_at:
        regions.count(moves, region, -1)
        pebble.result, pebble.error = State(checkpoint.pebble_result), checkpoint.pebble_error
        pebble.tempdirs = {machine: dict.fromkeys(bases) for machine, bases in checkpoint.tempdirs.items()}
        region.checkpoint = None


def _restore(region: Region, checkpoint: Checkpoint) -> None:
    region.opened, region.stopping = checkpoint.opened, checkpoint.stopping
    region.folds_at, region.closes_at = checkpoint.folds_at, checkpoint.closes_at
    region.result, region.error = State(checkpoint.result), checkpoint.error
    if checkpoint.columns.keys() != region.columns.keys() or checkpoint.opened > len(region.items):
        raise EngineError(f"the checkpoint of the split at {checkpoint.split!r} is not one of this region")
    for name, kept in checkpoint.columns.items():
        region.columns[name].restore(kept)
