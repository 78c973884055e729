"""A head that kills itself with SIGKILL at the n-th passing of a point; started as a process by the tests.

usage: killed_head.py STATE_DIR EVIDENCE POINT COUNT
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from desk import Desk, Feed, chain, make_head, node

from cryocloud_core.graph.workflow import Retry, Workflow
from cryocloud_core.head.journal import Journal
from cryocloud_core.head.perform import Performer
from cryocloud_core.task import Failed, Task

PEBBLES = 20


def flow() -> Workflow:
    """Return a chain with repeats, a node that hangs off its middle, and a deferred one."""
    made = chain(3, retry=Retry(3, delay_s=0.02))
    late, side = node("Late", "N1", deferred=True), node("Side", "N1", run_on=frozenset({"success", "error"}))
    return Workflow(made.name, made.description, {**made.nodes, "Side": side, "Late": late})


def killing(count: int) -> Callable[[], None]:
    """Return what kills this process when it is called for the n-th time."""
    left = count

    def passed() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return passed


def set_trap(point: str, count: int) -> None:
    """Kill at a point: around a write to the journal, or around the performing of a batch."""
    owner, name = {"write": (Journal, "_write"), "perform": (Performer, "perform")}[point.partition("_")[2]]
    inner = getattr(owner, name)
    passed = killing(count)

    def trapped(*args: Any) -> Any:
        if point.startswith("before"):
            passed()
        result = inner(*args)
        if point.startswith("after"):
            passed()
        return result

    setattr(owner, name, trapped)


def main(state_dir: str, evidence: str, point: str, count: str) -> int:
    """Run the head; every task leaves a line when it begins and one when it ends."""
    notes = os.open(evidence, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def work(task: Task) -> Any:
        os.write(notes, f"began {task.id} {task.attempt}\n".encode())
        await asyncio.sleep(0.001)
        os.write(notes, f"ended {task.id} {task.attempt}\n".encode())
        return Failed("odd") if task.node == "N3" and task.attempt == 1 and task.pebble % 2 else {}

    if point != "none":
        set_trap(point, int(count))
    head = make_head(flow(), Path(state_dir), Desk(work), {"In": Feed([{"n": n} for n in range(PEBBLES)], keyed=True)})
    return asyncio.run(head.run())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
