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

from cryocloud_core.graph.condition import Compare, Condition, Number, Text, Value
from cryocloud_core.graph.refs import PARENT, Argument, ConfigRef, OptionRef, OutputRef
from cryocloud_core.graph.workflow import (
    CacheRule,
    Node,
    NodeKind,
    Option,
    Placement,
    Restriction,
    Retry,
    Workflow,
)
from cryocloud_core.task import Failed, Preparation, StagingKind, Task, TaskId

#: what the nodes of each pebble (`Node` or `Node.part`) do before the head is stopped: `hold` never ends, `called off`
#: ends when it is told to, `wait` ends once the deferred node of the fifth pebble runs
PLAN: dict[int, dict[str, Any]] = {
    1: {},
    2: {"Work": "hold"},
    3: {"Work": Failed("try again")},
    4: {"Work": Failed("for good", permanent=True), "Mail": "hold"},
    5: {"Late": "hold"},
    6: {"Choose": {"kind": "b"}, "B": "hold"},
    7: {"Read": {"big": "x" * 70_000, "small": [1, {"k": None}]}, "Choose": "hold"},
    # a split under way: done, in its merge, in its own node, waiting for a repeat
    8: {"Fold.1": "hold", "Part.2": "hold", "Part.3": Failed("try again")},
    # folded in success, with parts beside the merge that outlive it
    9: {"Part": {"x": "a part"}, "Each": "hold", "Side.1": "hold"},
    # folded in error: one part failed, the others were called off
    10: {"Part.1": Failed("a part is broken", permanent=True), "Part.2": "called off", "Mail": "hold"},
    # two that have met, one whose partner is still on its way, that partner
    11: {},
    12: {"After": "hold"},
    13: {},
    14: {"Right": "hold"},
    # held by a restriction while another pebble's node runs
    15: {"Choose": "wait"},
    # on every machine
    16: {"Every.0": "hold"},
    # folded, and nothing of its many parts is left: a checkpoint stands for them
    17: {"Part": {"x": "a part"}, "Fold.1": {"y": [1]}, "Each": "hold"},
}
#: what a node returns where the plan says nothing
USUAL: dict[str, Any] = {"Choose": {"kind": "a"}, "Left": {"x": "from the left"}, "Right": {"x": "from the right"}}
#: what pebbles from the eighth on bring along
ITEMS = {8: ["a", "b", "c", "d"], 9: ["a", None], 10: ["a", "b", "c"], 17: list(range(40))}
PAIRS = {11: ("left", "one"), 12: ("right", "one"), 13: ("left", "two"), 14: ("right", "two")}


#: tasks that never end before the stop, and the pebbles that end
HELD = {(p, name.partition(".")[0]) for p, plan in PLAN.items() for name, end in plan.items() if end == "hold"}
DONE = 2


def recorded_flow() -> Workflow:
    """Return a workflow with everything whose course a journal keeps: repeats, conditions, joins, splits, meetings."""
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
    nodes += [*split_nodes(tempdir), *meeting_nodes()]
    return Workflow("recorded", "for replays", {each.name: each for each in nodes}, {"o": Option("o")})


def split_nodes(tempdir: Argument) -> list[Node]:
    """Return a split with a merge, a side branch, a loop behind it, and a node that is held back."""
    items = Argument(OutputRef("In", "items"), True, [])
    part = Argument(OutputRef("Part", "x"))
    only_the_fifteenth = Condition("n", Compare(Value(OutputRef("In", "n")), "==", Number(15.0, "15")))
    while_nobody_is_late = (Restriction("recorded", "Late.processing", "<", "1"),)
    return [
        node("Part", "Read", split_on="f", args={"f": items, "t": tempdir}, outputs={"x": ""}, retry=Retry(1, 20.0)),
        node("Side", "Part", args={"x": part}),
        node("Fold", "Part", merge=True, args={"x": part}, outputs={"y": ""}),
        node("Each", "Fold", loop="f", args={"f": Argument(OutputRef("Part", "x"), True, [])}),
        node("Held", "Choose", run_if=only_the_fifteenth, restrictions=while_nobody_is_late),
    ]


def meeting_nodes() -> list[Node]:
    """Return a rendezvous of pebbles that come from the left and from the right."""

    def side(name: str) -> Condition:
        return Condition(name, Compare(Value(OutputRef("In", "side")), "==", Text(name)))

    both = {"left": Argument(OutputRef("Left", "x")), "right": Argument(OutputRef("Right", "x"))}
    return [
        node("Left", "Read", run_if=side("left")),
        node("Right", "Read", run_if=side("right")),
        node("Meet", "Left", "Right", module="communicate", args={"msgid": Argument(OutputRef("In", "pair"))}),
        node("After", "Meet", args=both),
    ]


def brought(number: int) -> dict[str, Any]:
    """Return what a pebble brings along."""
    side, pair = PAIRS.get(number, (None, None))
    return {"n": number, "odd": "ö\udc80\0", "items": ITEMS.get(number, []), "side": side, "pair": pair}


async def record(state_dir: Path) -> None:
    """Run until every pebble is as far as it comes, then stop."""
    config = Config(**{"Root.c": 1})

    async def work(task: Task) -> Any:
        part = TaskId.parse(task.id).part
        plan = PLAN.get(task.pebble, {})
        usual = plan.get(task.node, USUAL.get(task.node, {}))
        outcome = usual if part is None else plan.get(f"{task.node}.{part}", usual)
        if task.pebble == 5 and task.node == "Read":
            config.change("Root.c", {"changed": True})
        if outcome in ("hold", "called off"):
            await asyncio.sleep(3600)
        if outcome == "wait":
            await until(lambda: "5/Late/1" in desk.running)
            return USUAL[task.node]
        return outcome

    desk = Desk(work, slots=64)
    infos = [brought(number) for number in PLAN]
    head = make_head(
        recorded_flow(), state_dir, desk, {"In": Feed(infos)}, config=config, options={"o": "born with"}, grace_s=0
    )
    running = asyncio.create_task(head.run())
    await until(lambda: {(v.pebble, v.node) for v in head.view().active} >= {(2, "Work"), (4, "Mail"), (5, "Late")})
    await until(lambda: {(v.pebble, v.node) for v in head.view().active} >= {(6, "B"), (7, "Choose")})
    await until(lambda: {(v.pebble, v.node) for v in head.view().active} >= HELD)
    await until(lambda: head.view().pebbles_done == DONE)
    await until(lambda: {b.node for b in head.view().blocked} >= {"Held", "Meet"})
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
