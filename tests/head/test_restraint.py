"""Restrictions as a head keeps them: judged one task at a time, by what earlier hand-outs did."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from desk import Desk, Feed, make_head, node

from cryocloud_core.graph.workflow import Restriction, Workflow

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
