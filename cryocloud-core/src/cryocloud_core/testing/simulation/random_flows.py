"""Random workflows with every feature of the language, for the fault simulator.

Laws: every workflow obeys the rules that the checks at load enforce; no restriction can block for ever by what others
block; the name of an argument says what its value must be: `from_X` the value of X, `at_X` the machine of X, `k_X`
the key of X.
"""

from __future__ import annotations

import random
from typing import Any, Final

from attrs import evolve

from cryocloud_core.engine.rendezvous import MODULE as COMMUNICATE
from cryocloud_core.graph.condition import Compare, Condition, Number, Text, Value
from cryocloud_core.graph.refs import PARENT, Argument, ConfigRef, Literal, OptionRef, OutputRef, Source, StatRef
from cryocloud_core.graph.workflow import (
    EVERYWHERE,
    CacheRule,
    Node,
    NodeKind,
    Placement,
    Restriction,
    Retry,
    WorkerKind,
    Workflow,
)
from cryocloud_core.testing.flow import ALWAYS, node, ref, tempdir

_RUN_ON: Final = [
    *[frozenset({"success"})] * 4,
    frozenset({"error"}),
    frozenset({"error", "timeout"}),
    ALWAYS,
    ALWAYS,
]
#: the module whose results are kept
KEPT: Final = "kept"
_KINDS: Final = [WorkerKind.NORMAL] * 6 + [WorkerKind.ADMIN, WorkerKind.GPU]
_FOREIGN: Final = (
    Restriction("Feed", "load", "<", "2"),
    Restriction("Feed", "load", ">=", "1"),
    Restriction("Feed", "mode", "==", "on"),
    Restriction("Feed", "mode", "!=", "on"),
    Restriction("Feed", "free", ">", "5"),
    Restriction("Feed", "never heard of", "==", "1"),
)


def draw(chance: random.Random, name: str) -> Workflow:
    """Return a random workflow."""
    return Workflow(name, "a random workflow", {each.name: each for each in _Drawing(chance, name).nodes()})


def newer(chance: random.Random, flow: Workflow) -> Workflow:
    """Return a later version of a workflow: a leaf less, a leaf more, other priorities."""
    nodes = {each.name: evolve(each, priority=chance.choice([0, 50, 90])) for each in flow.nodes.values()}
    inside = _inside(flow)
    leaves = [each for each in nodes.values() if is_leaf(each, flow) and each.name not in inside]
    if leaves:
        del nodes[chance.choice(leaves).name]
    ordinary = [each.name for each in nodes.values() if each.kind is not NodeKind.GLOBAL and each.name not in inside]
    below = chance.choice(ordinary)
    args = {} if nodes[below].module == COMMUNICATE else {f"from_{below}": ref(f"{below}.x")}
    nodes["New"] = node("New", below, run_on=chance.choice(_RUN_ON), args=args)
    return evolve(flow, nodes=nodes)


def is_leaf(each: Node, flow: Workflow) -> bool:
    """Return True for a node that no other needs."""
    return each.kind is not NodeKind.INPUT and not any(each.name in other.parents for other in flow.nodes.values())


def _inside(flow: Workflow) -> set[str]:
    """Return the nodes of regions, handlers and what follows handlers."""
    found = {n.name for n in flow.nodes.values() if n.split_on is not None or n.kind is NodeKind.GLOBAL}
    for each in flow.nodes.values():
        if found & {p for p in each.parents if not flow.nodes[p].merge}:
            found.add(each.name)
    return found


class _Drawing:
    """Draws the nodes of one workflow."""

    def __init__(self, chance: random.Random, name: str) -> None:
        self._chance = chance
        self._name_of_flow = name
        self._nodes: list[Node] = []
        self._number = 0

    def nodes(self) -> list[Node]:
        """Return inputs, plain nodes, split regions, handlers and rendezvous."""
        chance = self._chance
        inputs = ["In", "Other"][: chance.randint(1, 2)]
        self._nodes = [node(name, outputs={"x": ""}) for name in inputs]
        outer = list(inputs)
        for _ in range(chance.randint(1, 4)):
            if chance.random() < 0.3:
                outer.extend(self._region(outer))
            else:
                outer.append(self._plain(outer))
        if len(inputs) == 2 and chance.random() < 0.35:
            self._meeting(inputs, outer)
        if chance.random() < 0.4:
            self._handler(outer)
        return [self._restricted(each) for each in self._nodes]

    def _likely(self, share: float) -> bool:
        return self._chance.random() < share

    def _name(self, letter: str) -> str:
        self._number += 1
        return f"{letter}{self._number}"

    def _find(self, name: str) -> Node:
        return next(each for each in self._nodes if each.name == name)

    # --- nodes --------------------------------------------------------------------------------------------

    def _plain(self, parents: list[str], inside: list[str] | None = None, **keys: Any) -> str:
        """Add a node below some of `parents`; in a region at least one parent lies inside."""
        chance = self._chance
        chosen = chance.sample(inside, chance.randint(1, min(2, len(inside)))) if inside else []
        beside = chance.sample(parents, min(len(parents), chance.randint(0 if chosen else 1, 2)))
        name = self._name("N")
        above = list(dict.fromkeys([*chosen, *beside]))
        made = node(
            name,
            *above,
            run_on=chance.choice(_RUN_ON),
            args={**self._reads(above), **self._settings()},
            outputs={"x": ""} if self._likely(0.5) else {},
            resolve_on_any=self._likely(0.15),
            deferred=keys.pop("deferred", self._likely(0.1)),
            run_if=self._condition(),
            retry=self._retry(),
            timeout_s=chance.choice([None, 10.0]),
            workdir=Argument(Literal("work")) if self._likely(0.1) else None,
            max_parallel=chance.choice([None, None, 1, 2]),
            priority=chance.choice([0, 50, 90]),
            **keys,
        )
        self._nodes.append(self._with_body(made, is_outside=inside is None, above=above))
        return name

    def _with_body(self, made: Node, *, is_outside: bool, above: list[str]) -> Node:
        """Return a node with a loop, kept results, or a place of its own, at most one of them."""
        luck = self._chance.random()
        if luck < 0.1:
            items = Argument(OutputRef("In", "items"), True, [])
            return evolve(made, loop="f", args={**made.args, "f": items})
        if luck < 0.22:
            rule = CacheRule(("k",), self._chance.choice([None, 4.0]), lookup=self._likely(0.15))
            return evolve(made, module=KEPT, cache=rule, args={**made.args, "k": Argument(OutputRef("In", "k"))})
        if luck < 0.55:
            return evolve(made, placement=self._placement(above, is_outside=is_outside))
        return made

    def _placement(self, above: list[str], *, is_outside: bool) -> Placement:
        """Return where a node may run: only workers that every machine has are bound to machines."""
        chance = self._chance
        kind = chance.choice(_KINDS)
        if is_outside and self._likely(0.3):
            return Placement(kind, Argument(Literal(EVERYWHERE)))
        if kind is WorkerKind.GPU:
            return Placement(kind)
        if self._likely(0.1):
            return Placement(on_head=True, machine=Argument(Literal("m2")))
        sources: list[Source] = [
            Literal(chance.choice(["m1", "m2", ["m3", "m2"]])),
            StatRef(PARENT, "node"),
            StatRef(chance.choice(above), "node"),
            ConfigRef("Root.where"),
            OptionRef("where"),
            OutputRef("In", "where"),
        ]
        return Placement(kind, Argument(chance.choice(sources)))

    def _region(self, outer: list[str]) -> list[str]:
        """Add a split region; return what may be joined behind it: its merge, if it has one."""
        chance = self._chance
        first = self._name("S")
        parent = chance.choice(outer)
        args = {**self._reads([parent]), "f": self._list(parent), **self._settings()}
        merge_here = self._likely(0.2)
        made = node(
            first,
            parent,
            split_on="f",
            merge=merge_here,
            args=args,
            run_on=chance.choice([ALWAYS, frozenset({"success"})]),
            outputs={"x": ""} if self._likely(0.5) else {},
            max_parallel=chance.choice([None, None, 1, 2]),
            retry=self._retry(),
            deferred=self._likely(0.05),
        )
        if self._likely(0.2):
            made = evolve(made, placement=self._placement([parent], is_outside=False))
        self._nodes.append(made)
        if merge_here:
            return [first]
        inside = [first]
        for _ in range(chance.randint(0, 2)):
            inside.append(self._plain(outer, inside))
        if self._likely(0.75):
            return [self._plain([], inside, merge=True, deferred=False)]
        return []

    def _list(self, parent: str) -> Argument:
        """Return the list to split: the input's, the parent's, or what a merge before it made."""
        above = self._find(parent)
        if above.merge and above.cache is None and above.loop is None and self._likely(0.5):
            return Argument(OutputRef(parent, "x"), True, [])
        plain = above.cache is None and above.loop is None and above.placement.machine is None and not above.merge
        source = parent if plain and not above.split_on and self._likely(0.5) else "In"
        return Argument(OutputRef(source, "items"), True, [])

    def _handler(self, outer: list[str]) -> None:
        for run_on in [{"error", "timeout"}, {"timeout"}][: self._chance.randint(1, 2)]:
            name = self._name("H")
            args = {"why": Argument(OutputRef(PARENT, "error")), **self._settings()}
            self._nodes.append(node(name, kind=NodeKind.GLOBAL, run_on=run_on, args=args, retry=self._retry()))
            if self._likely(0.5):
                self._nodes.append(node(self._name("N"), name, self._chance.choice(outer), run_on=ALWAYS))
            if self._likely(0.2):
                self._region([name])

    def _meeting(self, inputs: list[str], outer: list[str]) -> None:
        """Let pebbles of the two inputs wait for each other, in pairs."""
        sides = [self._name("W") for _ in inputs]
        for name, source in zip(sides, inputs, strict=True):
            self._nodes.append(node(name, source, args={f"from_{source}": ref(f"{source}.x")}))
        args = {"msgid": Argument(OutputRef(PARENT, "pair"))}
        if self._likely(0.5):
            args["resolveOn"] = Argument(Literal(self._chance.choice([*sides, "any"])))
        sync = node(self._name("C"), *sides, run_on=ALWAYS, args=args, resolve_on_any=self._likely(0.2))
        self._nodes.append(evolve(sync, module=COMMUNICATE))
        args = self._reads([sync.name]) | {f"from_{name}": ref(f"{name}.x") for name in sides}
        name = self._name("N")
        self._nodes.append(node(name, sync.name, run_on=ALWAYS, args={**args, **self._settings()}))
        outer.append(name)

    # --- keys ---------------------------------------------------------------------------------------------

    def _reads(self, above: list[str]) -> dict[str, Argument]:
        args = {f"from_{name}": ref(f"{name}.x") for name in above if self._find(name).module != COMMUNICATE}
        args |= {f"at_{name}": Argument(StatRef(name, "node")) for name in above if self._likely(0.3)}
        kept = [name for name in above if self._find(name).cache is not None]
        return args | {f"k_{name}": ref(f"{name}.k") for name in kept}

    def _settings(self) -> dict[str, Argument]:
        args = {"tmp": tempdir()} if self._likely(0.25) else {}
        if self._likely(0.2):
            args["opt"] = Argument(OptionRef("o"))
        if self._likely(0.2):
            args["cfg"] = Argument(ConfigRef("Root.c"))
        return args

    def _retry(self) -> Retry | None:
        if not self._likely(0.3):
            return None
        return Retry(self._chance.randint(1, 2), jitter=self._chance.choice([0.0, 0.2]))

    def _condition(self) -> Condition | None:
        """Return a condition whose outcome can be told beforehand, or none."""
        luck = self._chance.random()
        if luck < 0.12:
            return Condition("n", Compare(Value(OutputRef("In", "n")), "<", Number(3, "3")))
        if luck < 0.18:
            return Condition("mood", Compare(Value(OptionRef("mood")), "==", Text("good")))
        return None

    def _restricted(self, each: Node) -> Node:
        """Return a node that may wait for status values: of others, or of nodes that cannot wait for it."""
        if each.module == COMMUNICATE or not self._likely(0.2):
            return each
        drawn = self._chance.sample(_FOREIGN, self._chance.randint(0, 2))
        found = list({each.parameter: each for each in drawn}.values())
        before = [n for n in self._nodes[: self._nodes.index(each)] if n.kind is not NodeKind.INPUT]
        steady = [n for n in before if not any(r.parameter.endswith(".pending") for r in n.restrictions)]
        channel = self._name_of_flow
        if each.kind is NodeKind.INPUT:
            worked = [n for n in self._nodes if n.kind is not NodeKind.INPUT]
            found.append(Restriction(channel, f"{self._chance.choice(worked).name}.processing", "<", "2"))
        elif self._likely(0.3):
            found.append(
                Restriction(channel, f"{each.name}.{self._chance.choice(['pending', 'processing'])}", "<", "1")
            )
        elif steady and self._likely(0.5):
            parameter = f"{self._chance.choice(steady).name}.{self._chance.choice(['pending', 'processing'])}"
            found.append(Restriction(channel, parameter, "<=", "1"))
        made = evolve(each, restrictions=tuple(found))
        self._nodes[self._nodes.index(each)] = made
        return made
