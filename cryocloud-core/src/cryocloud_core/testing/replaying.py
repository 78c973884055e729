"""Replays one pebble into an engine as a head's restart does: checkpoints are taken, all else is applied again.

Laws: what is applied again must start the tasks it started before, but for those in parts that a checkpoint stands for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from cryocloud_core.engine.checkpoints import Checkpoint, packed, unpacked, walked, without_parts
from cryocloud_core.engine.commands import StartTask
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import Context, Event


def replay(
    engine: Engine,
    events: Sequence[tuple[Event, list[str]]],
    checkpoints: Sequence[Checkpoint],
    context: Context,
) -> int:
    """Apply a pebble's events, each with the tasks it started; return how many were not applied again."""
    if not events:
        return 0
    pebble, applied = events[0][0].pebble, 0
    engine.recall(pebble, checkpoints)
    for numbers in walked(checkpoints, len(events)):
        engine.pass_over(pebble, numbers.start)
        for number in numbers:
            event, before = events[number]
            commands = engine.apply(event, context)
            started = [command.task.id for command in commands if isinstance(command, StartTask)]
            wanted = without_parts(before, number, checkpoints)
            assert started == wanted, f"event {number} started {started} in the replay, {wanted} before"
            applied += 1
    return len(events) - applied


def as_stored(checkpoint: Checkpoint) -> Checkpoint:
    """Return a checkpoint as it comes back from a journal."""
    return unpacked(json.loads(json.dumps(packed(checkpoint))))
