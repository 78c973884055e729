"""Record a journal: `python tests/replay/record.py NAME` writes `NAME.sql` beside this file.

A recording is made once, when the journal's format or the engine's laws grow, and is never made again: the
test in this folder replays every one of them with the code of today.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "head"))

from desk import Config, Desk, Feed, literal, make_head, node, until

from cryocloud_core.graph.condition import Compare, Condition, Text, Value
from cryocloud_core.graph.refs import PARENT, Argument, ConfigRef, OptionRef, OutputRef
from cryocloud_core.graph.workflow import CacheRule, NodeKind, Option, Placement, Retry, Workflow
from cryocloud_core.task import Failed, Preparation, StagingKind, Task

#: what the nodes of each pebble do before the head is stopped: `hold` never ends
PLAN: dict[int, dict[str, Any]] = {
    1: {},
    2: {"Work": "hold"},
    3: {"Work": Failed("try again")},
    4: {"Work": Failed("for good", permanent=True), "Mail": "hold"},
    5: {"Late": "hold"},
    6: {"Choose": {"kind": "b"}, "B": "hold"},
    7: {"Read": {"big": "x" * 70_000, "small": [1, {"k": None}]}, "Choose": "hold"},
}


def recorded_flow() -> Workflow:
    """Return a workflow with repeats, conditions, a join, a deferred node, a handler, a tempdir and all machines."""
    tempdir = Argument(literal("/tmp").source, preparation=Preparation(StagingKind.TEMPDIR, id="shared"))
    kind = OutputRef("Choose", "kind")
    args = {"big": Argument(OutputRef("Read", "big")), "o": Argument(OptionRef("o")), "t": tempdir}
    failed = frozenset({"error"})
    n = Argument(OutputRef("In", "n"))
    nodes = [
        node("In", outputs={"n": "a number"}),
        node("Read", "In", args={"n": Argument(OutputRef("In", "n")), "c": Argument(ConfigRef("Root.c"))}),
        node("Work", "Read", args=args, retry=Retry(3, delay_s=20.0, jitter=0.2)),
        node("Choose", "Read"),
        node("Every", "Read", placement=Placement(machine=literal("all")), cache=CacheRule(("n",)), args={"n": n}),
        node("A", "Choose", run_if=Condition("a", Compare(Value(kind), "==", Text("a")))),
        node("B", "Choose", run_if=Condition("b", Compare(Value(kind), "==", Text("b")))),
        node("Join", "A", "B", "Work", run_on=frozenset({"success", "error"})),
        node("Late", "Work", deferred=True, run_on=frozenset({"success", "error"})),
        node(
            "Mail",
            kind=NodeKind.GLOBAL,
            args={"text": Argument(OutputRef(PARENT, "error"))},
            run_on=failed,
        ),
    ]
    return Workflow("recorded", "for replays", {each.name: each for each in nodes}, {"o": Option("o")})


async def record(state_dir: Path) -> None:
    """Run until every pebble is as far as it comes, then stop."""
    config = Config(**{"Root.c": 1})

    async def work(task: Task) -> Any:
        outcome = PLAN.get(task.pebble, {}).get(task.node, {"kind": "a"} if task.node == "Choose" else {})
        if task.pebble == 5 and task.node == "Read":
            config.change("Root.c", {"changed": True})
        if outcome == "hold":
            await asyncio.sleep(3600)
        return outcome

    desk = Desk(work, slots=16)
    infos = [{"n": number, "odd": "ö\udc80\0"} for number in PLAN]
    head = make_head(
        recorded_flow(), state_dir, desk, {"In": Feed(infos)}, config=config, options={"o": "born with"}, grace_s=0
    )
    running = asyncio.create_task(head.run())
    await until(lambda: {(v.pebble, v.node) for v in head.view().active} >= {(2, "Work"), (4, "Mail"), (5, "Late")})
    await until(lambda: {(v.pebble, v.node) for v in head.view().active} >= {(6, "B"), (7, "Choose")})
    await until(lambda: head.view().pebbles_done == 1)
    head.suspend()
    await running


def main(name: str) -> None:
    """Write the recording as SQL text."""
    target = Path(__file__).with_name(f"{name}.sql")
    if target.exists():
        sys.exit(f"{target} is there: a recording is never made again, give the new one another name")
    with tempfile.TemporaryDirectory() as state_dir:
        asyncio.run(record(Path(state_dir)))
        with closing(sqlite3.connect(Path(state_dir) / "journal.db")) as connection:
            target.write_text("\n".join(connection.iterdump()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
