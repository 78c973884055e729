"""Random worlds for the fault simulator: workflows, machines, status values, and what every pebble brings along.

Laws: a world follows from its seed alone; what a pebble or a node yields follows from its name, so that a wrong value
anywhere can be seen; machines that go away come back, and status values do not stay as they are for ever.
"""

from __future__ import annotations

import random
from typing import Any, Final

from attrs import evolve, field, frozen

from cryocloud_core.graph.workflow import NodeKind, Workflow
from cryocloud_core.testing.simulation.machines import Machine
from cryocloud_core.testing.simulation.random_flows import draw, is_leaf, newer

#: the machine of the head, which is always there
HEAD: Final = "m1"
#: the channel of status values that change by themselves
FEED: Final = "Feed"
#: what `Root.where` and the output `In.where` may say
PLACES: Final[tuple[Any, ...]] = (None, "m2", ["m1", "m3"], "all", "", ["nobody", "m3"], 3, "m3")


@frozen
class Faults:
    """How often things go wrong, as probabilities for one task, one turn or one start."""

    fails: float = 0.08
    times_out: float = 0.03
    lost: float = 0.05
    declined: float = 0.02
    repeated: float = 0.1
    #: taken by a worker that gives it back before it begins
    returned: float = 0.03
    cancelled: float = 0.004
    crash: float = 0.02
    torn_commit: float = 0.5
    #: at a start: an open pebble is dropped or abandoned; all go on in newer workflows
    given_up: float = 0.02
    replaced: float = 0.08


MACHINES: Final = (
    Machine(HEAD, {"normal": 2, "admin": 1, "head": 1}),
    Machine("m2", {"normal": 2, "admin": 1, "gpu": 1}, away_s=3.0),
    Machine("m3", {"normal": 1, "admin": 1, "gpu": 1}, away_s=90.0),
)
#: status values: what each parameter takes in turn
PARAMETERS: Final[dict[str, tuple[Any, ...]]] = {"load": (0, 1, 2, 3), "mode": ("on", "off", None), "free": (10.5, 2)}


@frozen
class World:
    """Workflows, their newer versions, and how many pebbles arrive."""

    seed: int
    flows: tuple[Workflow, ...]
    newer: tuple[Workflow, ...]
    pebbles: int
    #: parts of a split that may be in work at once
    window: int = 500
    machines: tuple[Machine, ...] = MACHINES
    faults: Faults = field(factory=Faults)

    @classmethod
    def of(cls, seed: int) -> World:
        """Return the world of a seed."""
        chance = random.Random(seed)  # noqa: S311 - chance that can be repeated is the point
        flows = tuple(draw(chance, name) for name in ("world", "other world")[: 1 + (chance.random() < 0.15)])
        later = tuple(newer(chance, flow) for flow in flows)
        return cls(seed, flows, later, chance.randint(1, 12), chance.choice([1, 2, 500]))

    def without(self, name: str) -> World | None:
        """Return this world without a node, None when others need it."""
        if any(name in flow.nodes and not is_leaf(flow.nodes[name], flow) for flow in (*self.flows, *self.newer)):
            return None
        return evolve(self, flows=_without(self.flows, name), newer=_without(self.newer, name))

    def flow_of(self, pebble: int) -> int:
        """Return which workflow a pebble belongs to; partners belong to the same."""
        return (pebble - 1) // 2 % len(self.flows)

    def input_of(self, pebble: int) -> str:
        """Return the name of the input that a pebble comes from."""
        nodes = self.flows[self.flow_of(pebble)].nodes.values()
        inputs = [each.name for each in nodes if each.kind is NodeKind.INPUT]
        return inputs[pebble % len(inputs)]

    def values_of(self, pebble: int) -> dict[str, Any]:
        """Return what a pebble brings along."""
        source = self.input_of(pebble)
        return {
            "x": token(pebble, source),
            "items": "no list" if pebble % 13 == 6 else items(pebble, source),
            "n": pebble % 4,
            "k": key(pebble),
            "pair": None if pebble % 17 == 9 else f"p{(pebble + 1) // 2}",
            "where": PLACES[pebble % len(PLACES)],
        }


def _without(flows: tuple[Workflow, ...], name: str) -> tuple[Workflow, ...]:
    return tuple(evolve(flow, nodes={n: each for n, each in flow.nodes.items() if n != name}) for flow in flows)


def token(pebble: int, node: str, part: int | None = None, item: int | None = None) -> str:
    """Return a value that says whose it is."""
    return f"{pebble} {node} {part} {item}"


def items(pebble: int, node: str) -> list[str]:
    """Return the list that a node returns for a pebble."""
    return [f"{pebble}/{node}/{number}" for number in range((pebble * 7 + len(node) + ord(node[-1])) % 5)]


def key(pebble: int) -> int:
    """Return what makes tasks of different pebbles equal; partners share it."""
    return (pebble + 1) // 2 % 2


def are_partners(one: int, other: int) -> bool:
    """Return True for two pebbles with the same message id."""
    return (one + 1) // 2 == (other + 1) // 2
