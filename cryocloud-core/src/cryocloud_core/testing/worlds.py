"""Random worlds for the fault simulator: a workflow with every feature of the engine, and how its tasks end.

Laws: a world follows from its seed alone; every workflow obeys the rules that the checks at load enforce; every task
returns values that tell whose they are, so that a wrong value anywhere can be seen.
"""

from __future__ import annotations

import random
from typing import Any

from attrs import evolve, field, frozen

from cryocloud_core.graph.refs import Argument, OutputRef
from cryocloud_core.graph.workflow import Node, NodeKind, Retry, Workflow
from cryocloud_core.testing.flow import ALWAYS, node, ref, tempdir

_RUN_ON = [*[frozenset({"success"})] * 4, frozenset({"error"}), frozenset({"error", "timeout"}), ALWAYS, ALWAYS]


@frozen
class Faults:
    """How often things go wrong, as probabilities for one task or one turn."""

    fails: float = 0.08
    times_out: float = 0.03
    lost: float = 0.05
    declined: float = 0.02
    repeated: float = 0.1
    cancelled: float = 0.004
    crash: float = 0.02
    torn_commit: float = 0.5


@frozen
class World:
    """A workflow, how many pebbles arrive at which of its inputs, and how long its lists are."""

    seed: int
    workflow: Workflow
    pebbles: int
    faults: Faults = field(factory=Faults)

    @classmethod
    def of(cls, seed: int) -> World:
        """Return the world of a seed."""
        chance = random.Random(seed)  # noqa: S311 - chance that can be repeated is the point
        nodes = _Builder(chance).nodes()
        workflow = Workflow("world", "a random world", {each.name: each for each in nodes})
        return cls(seed, workflow, chance.randint(1, 12))


class _Builder:
    """Draws the nodes of one workflow."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._nodes: list[Node] = []
        self._number = 0

    def nodes(self) -> list[Node]:
        """Return inputs, plain nodes, split regions, handlers and rendezvous."""
        inputs = ["In", "Other"][: self._chance.randint(1, 2)]
        self._nodes = [node(name) for name in inputs]
        outer = list(inputs)
        for _ in range(self._chance.randint(1, 4)):
            if self._chance.random() < 0.3:
                outer.extend(self._region(outer))
            else:
                outer.append(self._plain(outer))
        if len(inputs) == 2 and self._chance.random() < 0.3:
            self._meeting(inputs)
        if self._chance.random() < 0.4:
            self._handler(outer)
        return self._nodes

    def _name(self, letter: str) -> str:
        self._number += 1
        return f"{letter}{self._number}"

    def _plain(self, parents: list[str], inside: list[str] | None = None, **keys: Any) -> str:
        """Add a node below some of `parents`; in a region at least one parent lies inside."""
        chance = self._chance
        chosen = chance.sample(inside, chance.randint(1, min(2, len(inside)))) if inside else []
        beside = chance.sample(parents, chance.randint(0 if chosen else 1, min(2, len(parents))))
        name = self._name("N")
        made = node(
            name,
            *dict.fromkeys([*chosen, *beside]),
            run_on=chance.choice(_RUN_ON),
            args={**{f"from_{parent}": ref(f"{parent}.x") for parent in [*chosen, *beside]}, **self._tempdir()},
            resolve_on_any=chance.random() < 0.15,
            deferred=keys.pop("deferred", chance.random() < 0.1),
            retry=Retry(chance.randint(1, 2)) if chance.random() < 0.3 else None,
            max_parallel=chance.choice([None, None, 1, 2]),
            priority=chance.choice([0, 50, 90]),
            **keys,
        )
        self._nodes.append(made)
        return name

    def _tempdir(self) -> dict[str, Argument]:
        return {"tmp": tempdir()} if self._chance.random() < 0.3 else {}

    def _region(self, outer: list[str]) -> list[str]:
        """Add a split region; return what may be joined behind it: its merge, if it has one."""
        chance = self._chance
        first = self._name("S")
        plain_parents = chance.sample(outer, 1)
        args = {"f": Argument(OutputRef("In", "items"), True, []), **self._tempdir()}
        merge_here = chance.random() < 0.2
        self._nodes.append(node(first, *plain_parents, split_on="f", merge=merge_here, args=args, run_on=ALWAYS))
        if merge_here:
            return [first]
        inside = [first]
        for _ in range(chance.randint(0, 2)):
            inside.append(self._plain(outer, inside))
        if chance.random() < 0.75:
            return [self._plain([], inside, merge=True, deferred=False)]
        return []

    def _handler(self, outer: list[str]) -> None:
        name = self._name("H")
        args = {"why": Argument(OutputRef("", "error")), **self._tempdir()}
        self._nodes.append(node(name, kind=NodeKind.GLOBAL, run_on={"error", "timeout"}, args=args))
        if self._chance.random() < 0.5:
            self._nodes.append(node(self._name("N"), name, self._chance.choice(outer), run_on=ALWAYS))

    def _meeting(self, inputs: list[str]) -> None:
        """Let pebbles of the two inputs wait for each other, in pairs."""
        sides = [self._name("W") for _ in inputs]
        for name, source in zip(sides, inputs, strict=True):
            self._nodes.append(node(name, source))
        args = {"msgid": Argument(OutputRef("", "pair"))}
        sync = evolve(node(self._name("C"), *sides, run_on=ALWAYS, args=args), module="communicate")
        self._nodes.append(sync)
        args = {f"from_{name}": ref(f"{name}.x") for name in sides}
        self._nodes.append(node(self._name("N"), sync.name, run_on=ALWAYS, args=args))
