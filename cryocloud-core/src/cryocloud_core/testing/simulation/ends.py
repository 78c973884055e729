"""How tasks end in the fault simulator: with values that say whose they are, or in one of the ways that fail."""

from __future__ import annotations

import random
from typing import Any

from cryocloud_core.task import Declined, Failed, Lost, Outcome, Succeeded, Task, TaskId, TimedOut
from cryocloud_core.testing.simulation.worlds import World, items, token


def outcome_of(task: Task, machine: str, world: World, chance: random.Random) -> Outcome:
    """Return how a task ends that ran on a machine."""
    faults, luck = world.faults, chance.random()
    name = TaskId.parse(task.id)
    scope = ("" if name.part is None else f".{name.part}") + ("" if name.firing is None else f"#{name.firing}")
    told = f"broken {name.pebble} {scope} {task.node}"
    for share, made in (
        (faults.lost, Lost(machine, "killed")),
        (faults.declined, Declined("no module", machine)),
        (faults.fails, Failed(told)),
        (faults.times_out, TimedOut(told)),
    ):
        if luck < share:
            return made
        luck -= share
    return _returned(task, name, world)


def _returned(task: Task, name: TaskId, world: World) -> Outcome:
    outputs: dict[str, Any] = {"x": token(name.pebble, name.node, name.part)}
    if task.loop is not None:
        looped = task.args[task.loop]
        if not isinstance(looped, list):
            return Failed("not a list", permanent=True)
        outputs["x"] = [token(name.pebble, name.node, name.part, number) for number in range(len(looped))]
    elif "k" in task.args:
        outputs["k"] = task.args["k"]
    else:
        outputs["items"] = items(name.pebble, name.node)
        outputs["pair"] = world.values_of(name.pebble)["pair"]
    return Succeeded(outputs)
