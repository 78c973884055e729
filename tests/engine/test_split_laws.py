"""Splits on random graphs: what a reference that knows no events works out, the engine comes to in any order.

One region among ordinary nodes: outer nodes before and beside it, region nodes that may join on outer ones,
a merge or none, nodes behind the merge, deferred nodes, a handler.
"""

from __future__ import annotations

import random

from attrs import evolve, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryocloud_core.graph.refs import Argument, OutputRef
from cryocloud_core.graph.workflow import Node, NodeKind, Retry
from cryocloud_core.task import Cancelled, Failed, Outcome, Succeeded, TaskId, TimedOut
from cryocloud_core.testing.flow import ALWAYS, Flow, node, tempdir
from tests.engine.test_laws import RUN_ON, WORST, Driver

ENDS: list[Outcome] = [*[Succeeded({"x": 1})] * 4, Failed("broken"), TimedOut("late")]
NAMES = {Succeeded: "success", Failed: "error", TimedOut: "timeout", Cancelled: "cancelled"}
FILES = Argument(OutputRef("In", "files"))


@frozen
class SplitCase:
    """A graph with one region, the number of items, and how every node ends in every part (-1: outside)."""

    nodes: tuple[Node, ...]
    region: tuple[str, ...]
    merge: str | None
    parts: int
    ends: dict[tuple[str, int], Outcome]


@st.composite
def split_cases(draw: st.DrawFn, *, extras: bool = False) -> SplitCase:
    """Draw up to three outer nodes, up to four region nodes, and with a merge up to two nodes behind it."""
    run_on = st.sampled_from(RUN_ON)
    nodes, outer = [node("In")], ["In"]
    for number in range(draw(st.integers(0, 3))):
        nodes.append(node(f"O{number}", draw(st.sampled_from(outer)), run_on=draw(run_on)))
        outer.append(f"O{number}")
    region = ["S"]
    nodes.append(node("S", draw(st.sampled_from(outer)), args={"f": FILES}, split_on="f", run_on=draw(run_on)))
    for number in range(draw(st.integers(0, 4))):
        inside = draw(st.lists(st.sampled_from(region), min_size=1, max_size=2, unique=True))
        beside = draw(st.lists(st.sampled_from(outer), max_size=1))
        region.append(f"R{number}")
        nodes.append(node(f"R{number}", *inside, *beside, run_on=draw(run_on)))
    merge = region[-1] if draw(st.booleans()) else None
    nodes = [evolve(each, merge=True) if each.name == merge else each for each in nodes]
    if merge is not None:
        for number in range(draw(st.integers(0, 2))):
            parents = [merge, *draw(st.lists(st.sampled_from(outer), max_size=1))]
            nodes.append(node(f"P{number}", *parents, run_on=draw(run_on)))
    if extras:
        nodes = [draw(_decorated(each)) if each.parents else each for each in nodes]
        nodes.append(node("Handler", kind=NodeKind.GLOBAL, run_on={"error"}, args={"d": tempdir("h")}))
    parts = draw(st.integers(0, 4))
    ends = {(each.name, part): draw(st.sampled_from(ENDS)) for each in nodes for part in range(-1, parts)}
    return SplitCase(tuple(nodes), _reach(nodes, merge), merge, parts, ends)


@st.composite
def _decorated(draw: st.DrawFn, plain: Node) -> Node:
    return evolve(
        plain,
        deferred=draw(st.sampled_from([False, False, True])),
        resolve_on_any=draw(st.booleans()),
        retry=draw(st.sampled_from([None, Retry(1)])),
        args={**plain.args, "d": tempdir()} if draw(st.booleans()) else plain.args,
    )


def _reach(nodes: list[Node], merge: str | None) -> tuple[str, ...]:
    """Return what lies in the region: below the split, not behind the merge."""
    found = ["S"]
    for each in nodes:
        if set(each.parents) & set(found) - {merge}:
            found.append(each.name)
    return tuple(found)


class Reference:
    """The states a case must come to, top down."""

    def __init__(self, case: SplitCase) -> None:
        self._case = case
        self.states: dict[str, str] = {"In": "success"}
        self._causes: dict[str, str] = {}
        self.stopped = False

    def work_out(self) -> dict[str, str]:
        """Return node or node.part -> state."""
        case = self._case
        for each in case.nodes:
            if each.name == "S" and self._verdict(each, -1) == "run":
                self._split()
            elif each.parents and each.name not in self.states and f"{each.name}.0" not in self.states:
                self._settle(each, -1)
        return {name: state for name, state in self.states.items() if not name.endswith("*")}

    def _split(self) -> None:
        case = self._case
        inside = [each for each in case.nodes if each.name in case.region]
        if case.parts == 0:
            columns = self._columns()
            self.states |= {name: "success" if name in columns else "skipped" for name in case.region}
            return
        for part in range(case.parts):
            for each in inside:
                self._settle(each, part, run=each.name == "S")
        self.states |= {f"{name}*": "skipped" for name in case.region}
        if case.merge is not None:
            merged = [self._result(f"{case.merge}.{part}") for part in range(case.parts)]
            self.states[f"{case.merge}*"] = max(merged, key=WORST.index)
            self.stopped = self.states[f"{case.merge}*"] != "success"

    def _columns(self) -> set[str]:
        found = {self._case.merge} if self._case.merge else set()
        for each in reversed([each for each in self._case.nodes if each.name in self._case.region]):
            if each.name in found:
                found |= set(each.parents) & set(self._case.region)
        return {name for name in found if name is not None}

    def _result(self, name: str) -> str:
        state = self.states[name]
        return "success" if state == "skipped" else self._causes.get(name, state)

    def _state(self, parent: str, part: int) -> tuple[str, str | None]:
        for name in (f"{parent}.{part}", f"{parent}*", parent):
            if name in self.states:
                return self.states[name], self._causes.get(name)
        raise AssertionError(parent)

    def _verdict(self, each: Node, part: int) -> str:
        found = [self._state(parent, part) for parent in each.parents]
        ran = [state for state, _ in found if state in WORST]
        stopped = [cause for state, cause in found if state == "blocked" and cause is not None]
        result = max(ran + stopped, key=WORST.index) if ran + stopped else None
        if ran and result in each.run_on:
            return "run"
        blocked = result is not None and (not ran or (result != "success" and "success" in each.run_on))
        return f"blocked by {result}" if blocked else "skipped"

    def _settle(self, each: Node, part: int, *, run: bool = False) -> None:
        name = each.name if part < 0 else f"{each.name}.{part}"
        verdict = "run" if run else self._verdict(each, part)
        if verdict == "run":
            self.states[name] = NAMES[type(self._case.ends[each.name, part])]
        elif verdict == "skipped":
            self.states[name] = "skipped"
        else:
            self.states[name], self._causes[name] = "blocked", verdict.removeprefix("blocked by ")


class SplitDriver(Driver):
    """Drives a case with a region."""

    def __init__(self, case: SplitCase, chance: random.Random, *, faults: bool) -> None:
        self.flow = Flow(*case.nodes)
        self._split_case = case
        self._chance = chance
        self._faults = faults

    def arrive(self) -> None:
        """The pebble brings the list."""
        self.flow.arrive(values={"files": list(range(self._split_case.parts))})

    def outcome_of(self, task: str) -> Outcome:
        """Return how the case ends a task."""
        name = TaskId.parse(task)
        return self._split_case.ends[name.node, -1 if name.part is None else name.part]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(split_cases(), st.randoms(use_true_random=False))
def test_every_order_comes_to_what_the_graph_says(case: SplitCase, chance: random.Random) -> None:
    """All states when no part stops its siblings; when one does, everything still ends as a failure."""
    flow = SplitDriver(case, chance, faults=False).run()

    reference = Reference(case)
    wanted = reference.work_out()
    if reference.stopped:
        assert flow.result() != "success"
    else:
        assert flow.states() == wanted


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(split_cases(extras=True), st.randoms(use_true_random=False))
def test_the_laws_hold_for_regions_under_losses_repeats_cancels_and_crashes(
    case: SplitCase, chance: random.Random
) -> None:
    """Every part of every node settles once, the pebble finishes once, and a replay is the same at every point."""
    flow = SplitDriver(case, chance, faults=True).run()

    assert flow.result() in WORST
    assert not flow.engine.pebbles
    flow.replayed()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 12), st.randoms(use_true_random=False), st.sets(st.integers(0, 11)))
def test_lists_are_aligned_with_the_split_whatever_fails(parts: int, chance: random.Random, failing: set[int]) -> None:
    """A tolerant merge gets null exactly where a part failed."""
    flow = Flow(
        node("In"),
        node("S", "In", args={"f": FILES}, split_on="f", outputs={"x": ""}),
        node("M", "S", merge=True, run_on=ALWAYS),
        node("Z", "M", args={"x": Argument(OutputRef("S", "x"))}),
    )
    flow.arrive(values={"files": list(range(parts))})
    while flow.open_tasks() and "Z" not in flow.open_tasks()[0]:
        task = chance.choice(flow.open_tasks())
        part = TaskId.parse(task).part
        fails = part in failing and "/S/" in task
        flow.end(task, Failed("no") if fails else Succeeded({"x": part}))

    assert flow.args("Z")["x"] == [None if part in failing else part for part in range(parts)]
