"""Campaigns of the fault simulator: many worlds from one seed, and the story of the first that breaks a law.

Laws: a failure is told shrunk: with as few pebbles, nodes and kinds of faults as still show it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial

from attrs import evolve, fields, frozen

from cryocloud_core.graph.workflow import Node
from cryocloud_core.testing.simulation.simulator import Simulation
from cryocloud_core.testing.simulation.worlds import Faults, World

_FAULTS = tuple(each.name for each in fields(Faults))


@frozen
class Story:
    """A failure, shrunk: the smallest world found that still breaks the law, and its last events."""

    world: World
    violation: str
    events: tuple[str, ...]

    def __str__(self) -> str:
        """Return the story as text."""
        nodes = [line for flow in self.world.flows for line in (f"{flow.name}:", *map(_told, flow.nodes.values()))]
        faults = [f"{name} {share}" for name in _FAULTS if (share := getattr(self.world.faults, name))]
        what = f"seed {self.world.seed}, {self.world.pebbles} pebbles, {', '.join(faults) or 'no faults'}"
        return "\n".join([f"{what}: {self.violation}", *nodes, "last events:", *self.events])


def _told(node: Node) -> str:
    """Return a node as one line: what it hangs on, and every key that is not as it is by default."""
    plain = Node(node.name, node.module, node.code)
    names = [each.name for each in fields(Node) if each.name not in ("name", "code", "parents", "args", "kind")]
    keys = [f"{name}={getattr(node, name)}" for name in names if getattr(node, name) != getattr(plain, name)]
    return f"  {node.name} <- {', '.join(node.parents) or node.kind.value} {' '.join(keys)}"


def shrunk(world: World) -> Story | None:
    """Return the story of the smallest world like this one that breaks a law, None when this one does not."""
    found = _broken(world)
    if found is None:
        return None
    best, (what, events) = world, found
    for smaller in _smaller(world):
        if (less := smaller(best)) is not None and (again := _broken(less)) is not None:
            best, (what, events) = less, again
    return Story(best, what, events)


def _smaller(world: World) -> Iterator[Callable[[World], World | None]]:
    """Yield ways to make a world smaller, each to be tried on the smallest so far."""
    yield from (partial(_spared, name) for name in _FAULTS)
    yield from (partial(_fewer, count) for count in range(1, world.pebbles))
    names = {name: None for flow in (*world.flows, *world.newer) for name in flow.nodes}
    yield from (partial(_without, name) for name in reversed(names))


def _spared(fault: str, world: World) -> World:
    return evolve(world, faults=evolve(world.faults, **{fault: 0.0}))


def _fewer(count: int, world: World) -> World | None:
    return evolve(world, pebbles=count) if count < world.pebbles else None


def _without(name: str, world: World) -> World | None:
    return world.without(name)


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
