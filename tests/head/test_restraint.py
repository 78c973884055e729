"""Restrictions as a head keeps them: judged one task at a time, by what earlier hand-outs did."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from desk import Desk, Feed, make_head, node

from cryocloud_core.engine.gate import Gate
from cryocloud_core.engine.restrictions import Restrictions
from cryocloud_core.graph.refs import Argument, OutputRef
from cryocloud_core.graph.workflow import Restriction, Workflow
from cryocloud_core.head.ledger import Held, Ledger
from cryocloud_core.head.restraint import Restraint
from cryocloud_core.testing.flow import Flow
from cryocloud_core.testing.flow import node as engine_node

if TYPE_CHECKING:
    from pathlib import Path

    from cryocloud_core.task import Task


@pytest.mark.parametrize("queue", [0, 4])
def test_a_task_that_was_handed_out_counts_before_its_worker_has_begun(queue: int, tmp_path: Path) -> None:
    """Two nodes that keep each other out never run together, although workers were free for both at one hand-out."""
    alone = {
        "A": (Restriction("flow", "A.processing", "<", "1"), Restriction("flow", "B.processing", "<", "1")),
        "B": (Restriction("flow", "A.processing", "<", "1"), Restriction("flow", "B.processing", "<", "1")),
    }
    nodes = {"In": node("In"), **{name: node(name, "In", restrictions=those) for name, those in alone.items()}}
    at_once: list[int] = []
    ran = Counter[str]()

    async def work(task: Task) -> None:
        ran[task.node] += 1
        at_once.append(len(desk.running) + len(desk.queued))
        await asyncio.sleep(0.01)

    desk = Desk(work, slots=4, queue=queue)
    head = make_head(Workflow("flow", "", nodes), tmp_path, desk, {"In": Feed([{}] * 4)})

    assert asyncio.run(asyncio.wait_for(head.run(), 20)) == 0
    assert ran == {"A": 4, "B": 4}
    assert max(at_once) == 1


class _Closed:
    """A board on which the door's value is always too high."""

    def value(self, channel: str, parameter: str) -> Any:
        """Return the same for everything."""
        return 9

    def known(self, channel: str, parameter: str) -> bool:
        """Say that everything is known."""
        return True


@pytest.mark.parametrize("merged", [True, False])
def test_a_pebble_whose_parts_had_begun_before_a_restart_is_in(merged: bool) -> None:
    """Its split is open, so that no node of its own has ended yet; one of which nothing ran waits at the door."""
    files = Argument(OutputRef("In", "files"))
    source = node("In", restrictions=(Restriction("W", "x", "<", "1"),))
    more = (engine_node("M", "W", merge=True),) if merged else ()
    flow = Flow(source, engine_node("W", "In", split_on="f", args={"f": files}), *more)
    for pebble in (1, 2):
        flow.arrive(pebble, {"files": ["a", "b"]})
    flow.end("1.0/W/1")
    if merged:
        flow.end("1.0/M/1")
    ledger = Ledger()
    for pebble in (1, 2):
        ledger.add(Held(pebble, "test", 1, "In", 1))
    restraint = Restraint(Restrictions([flow.workflow], _Closed()), Gate(), ledger, flow.replayed())

    assert restraint.held(flow.tasks["1.1/W/1"]) is None
    assert restraint.held(flow.tasks["2.1/W/1"]) is not None


class _Door(_Closed):
    """A board on which the door's value can be changed."""

    def __init__(self) -> None:
        self.now = 9

    def value(self, channel: str, parameter: str) -> Any:
        """Return the value as it is."""
        return self.now


def _restrained(flow: Flow, board: _Closed, gate: Gate, pebbles: int) -> Restraint:
    ledger = Ledger()
    for pebble in range(1, pebbles + 1):
        ledger.add(Held(pebble, "test", 1, "In", 1))
    return Restraint(Restrictions([flow.workflow], board), gate, ledger, flow.engine)


@pytest.mark.parametrize("items", [[], ["a"], "no list"])
def test_what_settles_by_itself_does_not_let_a_pebble_in(items: Any) -> None:
    """Nothing to merge, parts that are skipped, a node that cannot be built: no worker had the pebble."""
    files = Argument(OutputRef("In", "files"))
    source = node("In", restrictions=(Restriction("W", "x", "<", "1"),))
    split = engine_node("W", "In", split_on="f", args={"f": files})
    between = engine_node("D", "W", deferred=True)
    merge = engine_node("M", "D", merge=True)
    flow = Flow(source, split, between, merge, engine_node("Then", "In"))
    flow.arrive(1, {"files": items})
    restraint = _restrained(flow, _Closed(), Gate(), 1)

    assert restraint.held(flow.tasks["1/Then/1"]) is not None


def test_a_pebble_that_was_let_in_takes_its_other_tasks_along() -> None:
    """They were held behind those of an older pebble of another node's queue; the door is closed again by then."""
    source = node("In", restrictions=(Restriction("W", "x", "<", "1"),))
    flow = Flow(source, engine_node("A", "In", priority=90), engine_node("B", "In"))
    gate, board, taken = Gate(), _Door(), list[str]()
    for pebble in (1, 2):
        flow.arrive(pebble)
    restraint = _restrained(flow, board, gate, 2)
    for name in ("1/B/1", "2/A/1", "2/B/1"):
        gate.enter(flow.tasks[name])

    def offer(task: Task) -> Any:
        found = restraint.held(task)
        if found is None:
            taken.append(task.id)
        # Somebody else takes what the restriction left free.
        board.now = 9
        return found or True

    gate.hand_out(offer)
    assert taken == []
    board.now = 0
    gate.hand_out(offer)

    assert taken == ["2/A/1", "2/B/1"]
