"""What is known for certain of a simulation: how every run settled, where it ran, what was split and over what.

Laws: taken from durable events and the commands that follow them, never from the engine's state.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field

from cryocloud_core.engine.events import Context
from cryocloud_core.engine.plan import Plan, RegionPlan
from cryocloud_core.engine.rendezvous import MODULE as COMMUNICATE
from cryocloud_core.graph.workflow import Node, Workflow
from cryocloud_core.task import TaskId
from cryocloud_core.testing.simulation.worlds import World

#: pebble, scope (`.3`, `#2`, `.3#2` or empty), node
Spot = tuple[int, str, str]


class Violation(AssertionError):
    """A law was broken; the message says which, and where."""


class Shape:
    """What the laws must know of one workflow."""

    def __init__(self, flow: Workflow) -> None:
        self.flow = flow
        self.plan = Plan.of(flow)
        self.region_of: dict[str, RegionPlan] = {n.name: r for r in self.plan.regions.values() for n in r.nodes}
        #: nodes of firings
        self.handled = {node.name for nodes in self.plan.handlers.values() for node in nodes}
        self.meets = any(each.module == COMMUNICATE for each in flow.nodes.values())


@define(eq=False)
class Facts:
    """All that is durable, by spot."""

    world: World
    shapes: dict[str, Shape] = field(init=False)
    #: of each pebble: its workflow as it is now and as it was first, and the context it was born in
    shape: dict[int, Shape] = field(factory=dict)
    first: dict[int, Shape] = field(factory=dict)
    born: dict[int, Context] = field(factory=dict)
    states: dict[Spot, str] = field(factory=dict)
    #: the machine on which a run ended last
    where: dict[Spot, str] = field(factory=dict)
    #: what made a task equal to others, or what it looped over
    keys: dict[Spot, Any] = field(factory=dict)
    #: of a node that runs on every machine, and of a split node: what it was split over
    lists: dict[Spot, list[Any]] = field(factory=dict)
    everywhere: set[Spot] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        """Work the shapes of all workflows out."""
        self.shapes = {str(number): Shape(flow) for number, flow in enumerate(self.world.flows)}
        self.shapes |= {f"{number}+": Shape(flow) for number, flow in enumerate(self.world.newer)}

    def node_of(self, pebble: int, name: str) -> Node:
        """Return a node of a pebble's workflow as it is now."""
        return self.shape[pebble].flow.nodes[name]

    def is_success(self, spot: Spot) -> bool:
        """True for a run that settled as a success."""
        return self.states.get(spot) == "success"


def firing_of(name: TaskId) -> str:
    """Return the scope of the firing that a task lies in."""
    return "" if name.firing is None else f"#{name.firing}"


def spot_of(name: TaskId) -> Spot:
    """Return where a task belongs."""
    return name.pebble, ("" if name.part is None else f".{name.part}") + firing_of(name), name.node


def part_of(spot: Spot) -> int | None:
    """Return the number of the part that a spot lies in."""
    part = spot[1].partition("#")[0]
    return int(part[1:]) if part else None
