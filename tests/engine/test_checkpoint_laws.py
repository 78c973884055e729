"""Checkpoints on random graphs: a replay that takes them comes to the state of one that walks, at every point.

Two regions, one after the other or side by side, with nodes before, beside, between and behind them, side branches,
nodes on all machines, repeats, tempdirs, handlers with regions of their own, deferred nodes, newer graphs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from attrs import frozen
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from cryocloud_core.engine.events import WorkflowReplaced
from cryocloud_core.graph.refs import Argument, Literal
from cryocloud_core.graph.workflow import Node, NodeKind, Placement, Retry, Workflow
from cryocloud_core.task import Failed, Outcome, Succeeded, TimedOut
from cryocloud_core.testing.flow import ALWAYS, Flow, node, ref, split, tempdir
from tests.engine.test_checkpoints import kept
from tests.engine.test_laws import Driver

#: mostly good: a region that fails early proves little about what it leaves behind
RUN_ON = [*[frozenset({"success"})] * 3, ALWAYS, ALWAYS, frozenset({"error"})]
ENDS: list[Outcome] = [*[Succeeded({"x": 1, "y": "ö"})] * 8, Failed("broken", {"x": 2}), TimedOut("late")]


@frozen
class Case:
    """Nodes of one workflow with two regions; `chance` decides how tasks end and in which order."""

    nodes: tuple[Node, ...]
    parts: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw nodes beside, in, between and behind two regions, one after the other or side by side."""
    nodes, outer = [node("In")], ["In"]
    for name in ("A", "B"):
        nodes.append(_outer(draw, f"{name}Before", outer, outer[-2:]))
        region, ends = _region(draw, name, outer)
        nodes += region
        nodes.append(_outer(draw, f"{name}Beside", outer, outer))
        outer += [f"{name}Before", f"{name}Beside", *ends]
    nodes.append(_outer(draw, "Z", outer, outer[-2:]))
    if draw(st.integers(0, 5)) == 0:
        nodes.append(node("Handler", kind=NodeKind.GLOBAL, run_on={"error"}, args={"d": tempdir("h")}))
        nodes += [split("H", "Handler", "In.files", run_on=ALWAYS), node("HM", "H", merge=True)]
    return Case(tuple(nodes), draw(st.integers(0, 4)))


def _outer(draw: st.DrawFn, name: str, known: list[str], parents: list[str]) -> Node:
    chosen = draw(st.lists(st.sampled_from(parents), min_size=1, max_size=2, unique=True))
    args = {f"from_{parent}": ref(f"{parent}.x") for parent in known}
    everywhere = Placement(machine=Argument(Literal("all"))) if draw(st.integers(0, 3)) == 0 else Placement()
    return node(name, *chosen, run_on=draw(st.sampled_from(RUN_ON)), args=args, placement=everywhere)


def _region(draw: st.DrawFn, name: str, outer: list[str]) -> tuple[list[Node], list[str]]:
    """Return the nodes of a region, and its merge if it has one."""
    first = split(f"{name}S", draw(st.sampled_from(outer)), "In.files", run_on=ALWAYS, args={"d": tempdir("s")})
    nodes, inside = [first], [first.name]
    for number in range(draw(st.integers(0, 3))):
        beside = draw(st.lists(st.sampled_from(outer), max_size=1))
        chosen = draw(st.lists(st.sampled_from(inside), min_size=1, max_size=2, unique=True))
        base = draw(st.sampled_from([{}, {"d": tempdir("r", "/data")}]))
        nodes.append(
            node(
                f"{name}R{number}",
                *chosen,
                *beside,
                run_on=draw(st.sampled_from(RUN_ON)),
                args=base,
                outputs=draw(st.sampled_from([{}, {"x": "", "never": ""}])),
                retry=draw(st.sampled_from([None, Retry(1)])),
                deferred=draw(st.integers(0, 14)) == 0,
            )
        )
        inside.append(nodes[-1].name)
    if draw(st.integers(0, 3)) == 0:
        return nodes, []
    parent = draw(st.sampled_from(inside))
    nodes.append(node(f"{name}M", parent, merge=True, run_on=draw(st.sampled_from(RUN_ON))))
    return nodes, [f"{name}M"]


class RegionDriver(Driver):
    """Drives a case; a crash goes on from an engine that walked everything or from one that took checkpoints."""

    def __init__(self, case: Case, chance: random.Random) -> None:
        self.flow = Flow(*case.nodes)
        self._parts = case.parts
        self._chance = chance
        self._faults = True
        self._versions = 0
        self._newest = self.flow.workflow

    def arrive(self) -> None:
        """The pebble brings the list."""
        self.flow.arrive(values={"files": [{"n": n} for n in range(self._parts)], "x": 0})

    def outcome_of(self, task: str) -> Outcome:
        """Return some end, the same for the same task."""
        return random.Random(task).choice(ENDS)

    def _deliverable(self) -> Iterator[tuple[str, str]]:
        yield from super()._deliverable()
        yield from (("answer", task) for task in self.flow.engine.pebbles[1].questions)

    def _deliver(self, what: str, name: str) -> None:
        if what == "answer":
            self.flow.answer(name, *(f"m{n}" for n in range(self._chance.randint(0, 3))))
        else:
            super()._deliver(what, name)

    def _disturb(self) -> None:
        luck = self._chance.random()
        if luck < 0.15:
            self.flow.when(self._chance.choice(self.flow.events))
        elif luck < 0.4:
            self.flow.replayed()
            self.flow.engine = self.flow.recalled()
        elif luck < 0.42:
            self._replace()
        elif luck < 0.425:
            self.flow.cancel(why=self._chance.choice(["cancelled", "dropped"]))

    def _replace(self) -> None:
        """Let the pebble go on in a graph with one more node."""
        if 1 not in self.flow.engine.pebbles:
            return
        self._versions += 1
        more = node(f"New{self._versions}", self._chance.choice(["In", "ABeside", "BBefore", "Z"]))
        self._newest = Workflow("test", "", {**self._newest.nodes, more.name: more})
        self.flow.know(f"v{self._versions}", self._newest)
        self.flow.when(WorkflowReplaced(1, self.flow.at, f"v{self._versions}"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), st.randoms(use_true_random=False))
def test_a_replay_with_checkpoints_comes_to_the_state_of_one_without_at_every_point(
    case: Case, chance: random.Random
) -> None:
    """Whatever the graph, the order, losses, repeats, crashes, a newer graph in between: the engines are the same."""
    flow = RegionDriver(case, chance).run()
    flow.replayed()

    spared = sum(checkpoint.spared for checkpoint in kept(flow))
    event(f"events spared: {min(spared // 5 * 5, 20)}")
