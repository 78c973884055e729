"""Campaigns of the fault simulator: many worlds from one seed, and the story of the first that breaks a law.

Laws: a failure is told shrunk: with as few pebbles and as few kinds of faults as still show it.
"""

from __future__ import annotations

import argparse
import sys

from attrs import evolve, fields, frozen

from cryocloud_core.testing.simulator import Simulation
from cryocloud_core.testing.worlds import Faults, World

_FAULTS = tuple(each.name for each in fields(Faults))


@frozen
class Story:
    """A failure, shrunk: the smallest world found that still breaks the law, and its last events."""

    world: World
    violation: str
    events: tuple[str, ...]

    def __str__(self) -> str:
        """Return the story as text."""
        nodes = [f"  {n.name} <- {', '.join(n.parents) or n.kind.value}" for n in self.world.workflow.nodes.values()]
        return "\n".join([f"seed {self.world.seed}: {self.violation}", *nodes, "last events:", *self.events])


def shrunk(world: World) -> Story | None:
    """Return the story of the smallest world like this one that breaks a law, None when this one does not."""
    found = _broken(world)
    if found is None:
        return None
    best, (what, events) = world, found
    tries = [evolve(best, faults=evolve(best.faults, **{name: 0.0})) for name in _FAULTS]
    tries += [evolve(best, pebbles=count) for count in range(1, best.pebbles)]
    for each in tries:
        smaller = evolve(best, faults=_least(best.faults, each.faults), pebbles=min(best.pebbles, each.pebbles))
        again = _broken(smaller)
        if again is not None:
            best, (what, events) = smaller, again
    return Story(best, what, events)


def _least(one: Faults, other: Faults) -> Faults:
    return Faults(**{name: min(getattr(one, name), getattr(other, name)) for name in _FAULTS})


def _broken(world: World) -> tuple[str, tuple[str, ...]] | None:
    simulation = Simulation(world)
    try:
        simulation.run()
    except Exception as error:  # noqa: BLE001 - an engine that raises is what is looked for
        return f"{type(error).__name__}: {error}", tuple(simulation.journal[-12:])
    return None


@frozen
class Tally:
    """What a campaign of the simulator went through."""

    worlds: int = 0
    pebbles: int = 0
    tasks: int = 0
    crashes: int = 0


def campaign(pebbles: int, seed: int) -> tuple[Tally, Story | None]:
    """Run worlds from a seed on until so many pebbles are through; stop at the first story."""
    tally = Tally()
    while tally.pebbles < pebbles:
        world = World.of(seed + tally.worlds)
        simulation = Simulation(world)
        try:
            simulation.run()
        except Exception:  # noqa: BLE001 - whatever it is, its story is told
            return tally, shrunk(world)
        tally = Tally(
            tally.worlds + 1,
            tally.pebbles + world.pebbles,
            tally.tasks + simulation.tasks,
            tally.crashes + simulation.crashes,
        )
    return tally, None


def main() -> int:
    """Run a campaign and print what it came to; 1 when a law was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pebbles", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    tally, story = campaign(given.pebbles, given.seed)
    last = given.seed + tally.worlds - 1
    lines = [
        f"seeds {given.seed} to {last}: {tally.pebbles} pebbles in {tally.worlds} worlds,",
        f"{tally.tasks} tasks, {tally.crashes} crashes of the head, {0 if story is None else 1} violations",
        *([] if story is None else [str(story)]),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if story is None else 1


if __name__ == "__main__":
    sys.exit(main())
