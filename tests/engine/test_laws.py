"""The engine's laws on random graphs, outcomes, orders, repeated deliveries, crashes at every point.

A reference evaluator that knows nothing of events works the expected states out from the graph; the engine
must come to them whatever happens in between.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from attrs import evolve, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryocloud_core.engine.commands import CleanUp, StartTask
from cryocloud_core.graph.workflow import Node, NodeKind, Retry
from cryocloud_core.task import Cancelled, Declined, Failed, Lost, Outcome, Succeeded, TimedOut
from cryocloud_core.testing.flow import ALWAYS, Flow, node, tempdir

#: success three times as often as the rest: graphs in which hardly anything runs prove little
RUN_ON = [
    *[frozenset({"success"})] * 3,
    frozenset({"error"}),
    frozenset({"timeout", "error"}),
    ALWAYS,
    frozenset[str](),
]
OUTCOMES: list[Outcome] = [*[Succeeded({"x": 1})] * 2, Failed("broken"), TimedOut("late"), Cancelled("stopped")]
WORST = ["success", "cancelled", "timeout", "error"]


@frozen
class Case:
    """A graph, and how each of its nodes ends whenever it runs."""

    nodes: tuple[Node, ...]
    outcomes: dict[str, Outcome]


@st.composite
def cases(draw: st.DrawFn, *, any_of: bool = False, extras: bool = False) -> Case:
    """Draw a graph of three to nine nodes below one or two inputs."""
    names = [f"N{i}" for i in range(draw(st.integers(3, 9)))]
    inputs = ["In", "Other"][: draw(st.integers(1, 2))]
    nodes = [node(name) for name in inputs]
    for place, name in enumerate(names):
        parents = draw(st.lists(st.sampled_from(names[:place] or inputs), min_size=1, max_size=3, unique=True))
        nodes.append(
            node(name, *parents, run_on=draw(st.sampled_from(RUN_ON)), resolve_on_any=any_of and draw(st.booleans()))
        )
    if extras:
        nodes = [draw(_decorated(each)) if each.parents else each for each in nodes]
        if draw(st.booleans()):
            nodes.append(node("Handler", kind=NodeKind.GLOBAL, run_on={"error", "timeout"}, args={"d": tempdir("h")}))
            nodes.append(node("AfterHandler", "Handler", names[-1], run_on=ALWAYS))
    outcomes = {each.name: draw(st.sampled_from(OUTCOMES)) for each in nodes}
    return Case(tuple(nodes), outcomes)


@st.composite
def _decorated(draw: st.DrawFn, plain: Node) -> Node:
    return evolve(
        plain,
        deferred=draw(st.sampled_from([False, False, True])),
        retry=draw(st.sampled_from([None, Retry(1), Retry(2, on=("timeout",))])),
        args={"d": tempdir()} if draw(st.booleans()) else {},
    )


def expected(case: Case) -> dict[str, str]:
    """Return the state of every node, worked out top down from the rules of joins alone."""
    states = {each.name: "skipped" for each in case.nodes}
    causes: dict[str, str] = {}
    states["In"] = "success"
    names = {Succeeded: "success", Failed: "error", TimedOut: "timeout", Cancelled: "cancelled"}
    for each in case.nodes:
        if each.parents:
            ran = [states[p] for p in each.parents if states[p] in WORST]
            stopped = [causes[p] for p in each.parents if states[p] == "blocked"]
            result = max(ran + stopped, key=WORST.index) if ran + stopped else None
            if ran and result in each.run_on:
                states[each.name] = names[type(case.outcomes[each.name])]
            elif result is not None and (not ran or (result != "success" and "success" in each.run_on)):
                states[each.name], causes[each.name] = "blocked", result
    return states


class Driver:
    """Delivers what the engine commands, in a random order, with repeats, losses and crashes."""

    def __init__(self, case: Case, chance: random.Random, *, faults: bool) -> None:
        self.flow = Flow(*case.nodes)
        self._case = case
        self._chance = chance
        self._faults = faults

    def run(self) -> Flow:
        """Drive one pebble to its end and return the flow."""
        self.arrive()
        steps = 0
        while 1 in self.flow.engine.pebbles:
            choices = list(self._deliverable())
            assert choices, f"stuck: {self.flow.states()}"
            self._deliver(*self._chance.choice(choices))
            steps += 1
            assert steps < 500
            if self._faults:
                self._disturb()
        return self.flow

    def arrive(self) -> None:
        """The pebble arrives."""
        self.flow.arrive()

    def outcome_of(self, task: str) -> Outcome:
        """Return how the case ends a task."""
        return self._case.outcomes[self.flow.tasks[task].node]

    def _deliverable(self) -> Iterator[tuple[str, str]]:
        pebble = self.flow.engine.pebbles[1]
        yield from (("end", task) for task in pebble.tasks)
        yield from (("fire", timer) for timer in pebble.timers)
        yield from (("clean", c.machine) for c in self.flow.engine.owed() if isinstance(c, CleanUp))

    def _deliver(self, what: str, name: str) -> None:
        if what == "fire":
            self.flow.fire(name)
        elif what == "clean":
            self.flow.clean(name)
        elif self._faults and self._chance.random() < 0.15:
            misfortunes: list[Outcome] = [Lost("m1", "killed"), Declined("no module", "m1")]
            self.flow.end(name, self._chance.choice(misfortunes))
        else:
            self.flow.end(name, self.outcome_of(name), machine=self._chance.choice(["m1", "m2"]))

    def _disturb(self) -> None:
        """Repeat an old delivery, give up, or lose the engine and replay it."""
        luck = self._chance.random()
        if luck < 0.3:
            before = len(self.flow.commands)
            self.flow.when(self._chance.choice(self.flow.events[:-1] or self.flow.events))
            assert all(not isinstance(c, StartTask) for c in self.flow.commands[before:])
        elif luck < 0.6:
            self.flow.engine = self.flow.replayed()
        elif luck < 0.63:
            self.flow.cancel()


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), st.randoms(use_true_random=False))
def test_every_order_of_delivery_comes_to_what_the_graph_says(case: Case, chance: random.Random) -> None:
    """The states are those of the reference, the result the worst of what ran."""
    flow = Driver(case, chance, faults=False).run()

    wanted = expected(case)
    assert flow.states() == wanted
    ran = [state for state in wanted.values() if state in WORST]
    assert flow.result() == max(ran, key=WORST.index)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases(any_of=True, extras=True), st.randoms(use_true_random=False))
def test_the_laws_hold_under_losses_repeats_cancels_and_crashes(case: Case, chance: random.Random) -> None:
    """Every node settles once, the pebble finishes once, and a replay is the same at every point."""
    flow = Driver(case, chance, faults=True).run()

    assert flow.result() in WORST
    assert not flow.engine.pebbles
    flow.replayed()
