"""Checkpoints in the journal: a restart passes a folded region's events over, and is never worse off for it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from desk import Desk, Feed, make_head, node, until

from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import TaskEnded
from cryocloud_core.graph.refs import Argument, OutputRef
from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.head import checkpoints, recovery
from cryocloud_core.head.checkpoints import WORTH
from cryocloud_core.head.head import Head
from cryocloud_core.head.retelling import retell
from cryocloud_core.task import Failed, Task, TaskId

PARTS = WORTH + 20


def ref(name: str) -> Argument:
    """Return a reference to `Node.key`."""
    source, _, key = name.partition(".")
    return Argument(OutputRef(source, key))


def flow() -> Workflow:
    """Return In -> W (split) -> M (merge) -> Z, which reads the lists, -> End."""
    nodes = [
        node("In"),
        node("W", "In", args={"f": ref("In.files")}, split_on="f"),
        node("M", "W", merge=True, args={"x": ref("W.x")}),
        node("Z", "M", args={"w": ref("W.x"), "m": ref("M.y"), "on": Argument(OutputRef("W", "never"), True, "-")}),
        node("End", "Z"),
    ]
    return Workflow("flow", "a split", {each.name: each for each in nodes})


def work(task: Task) -> Any:
    """Return what tells the part; the last part fails to return its value."""
    part = TaskId.parse(task.id).part
    if task.node == "W":
        return {} if part == PARTS - 1 else {"x": [part, "ö\udc80"]}
    return {"y": part, "big": "b" * 70_000} if task.node == "M" and part == 3 else {"y": part}


def rows(state_dir: Path, query: str) -> list[Any]:
    """Return what the journal holds."""
    with closing(sqlite3.connect(state_dir / "journal.db")) as connection:
        return connection.execute(query).fetchall()


def change(state_dir: Path, statement: str, *values: Any) -> None:
    """Change the journal."""
    with closing(sqlite3.connect(state_dir / "journal.db")) as connection, connection:
        connection.execute(statement, values)


def stopped(
    state_dir: Path,
    wanted: Workflow,
    work: Any = work,
    *,
    at: tuple[str, ...] = ("Z",),
    pebbles: int = 1,
    parts: int = PARTS,
    **settings: Any,
) -> None:
    """Run until every pebble is in these nodes, then stop."""

    async def hold(task: Task) -> Any:
        if task.node in at:
            await asyncio.sleep(60)
        return work(task)

    async def run() -> None:
        feed = Feed([{"files": list(range(parts))}] * pebbles)
        head = make_head(wanted, state_dir, Desk(hold, slots=16), {"In": feed}, grace_s=0, **settings)
        running = asyncio.create_task(head.run())
        await until(lambda: sorted(view.node for view in head.view().active) == sorted(at * pebbles))
        head.suspend()
        await running

    asyncio.run(run())


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the list that the tasks whose end any engine applies are written to."""
    ended: list[str] = []
    apply = Engine.apply

    def noted(engine: Engine, event: Any, context: Any) -> Any:
        if isinstance(event, TaskEnded):
            ended.append(event.task)
        return apply(engine, event, context)

    monkeypatch.setattr(Engine, "apply", noted)
    return ended


def again(state_dir: Path, wanted: Workflow | None = None, **settings: Any) -> tuple[int, Desk, Head]:
    """Start once more and run to the end."""
    desk = Desk(work, slots=16)
    head = make_head(wanted or flow(), state_dir, desk, {"In": Feed([])}, **settings)
    return asyncio.run(head.run()), desk, head


def parts_in(tasks: list[str]) -> int:
    """Return how many of these tasks are parts'."""
    return sum(TaskId.parse(task).part is not None for task in tasks)


def args_of_z(desk: Desk) -> dict[str, Any]:
    """Return the arguments with which the node behind the merge was offered again."""
    tasks: list[Task] = [task for task in desk.offered if task.node == "Z"]
    assert [task.attempt for task in tasks] == [2]
    return tasks[0].args


def test_a_restart_passes_over_the_parts_of_a_folded_region(
    tmp_path: Path, applied: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One event of it is applied; what is behind gets the same lists, big values and holes included."""
    # Steps that leave one value for the last.
    monkeypatch.setattr(checkpoints, "_GO", 7)
    stopped(tmp_path, flow())
    assert rows(tmp_path, "SELECT pebble, closes_at, format FROM checkpoints") == [(1, 2 * PARTS, 1)]
    applied.clear()
    code, desk, _ = again(tmp_path)

    assert code == 0
    assert parts_in(applied) == 1
    args = args_of_z(desk)
    assert args["w"] == [[part, "ö\udc80"] for part in range(PARTS - 1)] + [None]
    assert args["m"] == list(range(PARTS))
    assert args["on"] == "-"
    assert rows(tmp_path, "SELECT state, result FROM pebbles") == [("closed", "success")]


def test_walking_comes_to_the_same(tmp_path: Path, applied: list[str]) -> None:
    """Without a checkpoint, as in a journal of an earlier format, everything is applied and offered alike."""
    stopped(tmp_path, flow())
    change(tmp_path, "DROP TABLE checkpoints")
    change(tmp_path, "UPDATE meta SET value = '2' WHERE key = 'format'")
    applied.clear()
    _, desk, _ = again(tmp_path)

    assert (tmp_path / "journal.format-2.db").exists()
    assert parts_in(applied) == 2 * PARTS
    assert args_of_z(desk)["m"] == list(range(PARTS))


def test_a_region_that_was_walked_gets_its_checkpoint(tmp_path: Path, applied: list[str]) -> None:
    """The next restart does not walk it again."""
    stopped(tmp_path, flow())
    change(tmp_path, "DELETE FROM checkpoints")
    stopped(tmp_path, flow())
    assert rows(tmp_path, "SELECT closes_at FROM checkpoints") == [(2 * PARTS,)]
    applied.clear()

    assert again(tmp_path)[0] == 0
    assert parts_in(applied) == 1


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda _body: "{", False),
        (lambda body: body.replace('"split"', '"spilt"'), False),
        (lambda body: json.dumps({**json.loads(body), "folds_at": 7, "closes_at": 7}), True),
        (lambda body: json.dumps({**json.loads(body), "result": "nonsense"}), True),
        (lambda body: json.dumps({**json.loads(body), "columns": {}}), True),
        (lambda body: json.dumps({**json.loads(body), "opened_at": 1}), True),
        (lambda body: body.replace('{"y":[0,1,', '{"y":[1,'), True),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_passed_over(
    tmp_path: Path, applied: list[str], spoil: Callable[[str], str], told: bool
) -> None:
    """The pebble is walked and goes on; nothing is set aside; one that could be read and did not fit is told of."""
    stopped(tmp_path, flow())
    ((body,),) = rows(tmp_path, "SELECT body FROM checkpoints")
    change(tmp_path, "UPDATE checkpoints SET body = ?", spoil(body))
    applied.clear()
    code, desk, head = again(tmp_path)

    assert code == 0
    assert any("does not fit" in record.text for record in head.view().log) is told
    assert parts_in(applied) >= 2 * PARTS
    assert args_of_z(desk)["m"] == list(range(PARTS))


def test_a_checkpoint_of_another_format_is_not_read(tmp_path: Path, applied: list[str]) -> None:
    """What another version of the engine meant by it is not guessed."""
    stopped(tmp_path, flow())
    change(tmp_path, "UPDATE checkpoints SET format = 0")
    applied.clear()

    assert again(tmp_path)[0] == 0
    assert parts_in(applied) == 2 * PARTS


def test_a_small_region_gets_none(tmp_path: Path) -> None:
    """It is walked in less time than its checkpoint takes."""
    stopped(tmp_path, flow(), parts=WORTH // 2)
    assert rows(tmp_path, "SELECT * FROM checkpoints") == []

    stopped(tmp_path / "other", flow(), parts=WORTH // 2 + 1)
    assert len(rows(tmp_path / "other", "SELECT * FROM checkpoints")) == 1


def test_checkpoints_leave_with_their_pebble(tmp_path: Path) -> None:
    """Closed, or set aside."""
    stopped(tmp_path, flow(), pebbles=2)
    assert len(rows(tmp_path, "SELECT * FROM checkpoints")) == 2
    change(tmp_path, "UPDATE events SET started = '[\"2/Other/1\"]' WHERE pebble = 2 AND seq = 2")
    change(tmp_path, "UPDATE events SET body = '{' WHERE seq = (SELECT max(seq) FROM events WHERE pebble = 2)")

    assert again(tmp_path)[0] == 1
    assert rows(tmp_path, "SELECT state FROM pebbles ORDER BY pebble") == [("closed",), ("quarantined",)]
    assert rows(tmp_path, "SELECT * FROM checkpoints") == []


def test_parts_of_an_open_region_know_that_they_may_have_been_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when what a walk notes of settled parts is dropped on its way."""
    monkeypatch.setattr(recovery, "_MANY", 10)
    stopped(tmp_path, flow(), at=("M",) * 16)
    _, desk, _ = again(tmp_path)

    seen = [(task.node, task.attempt) for task in desk.offered]
    assert seen.count(("M", 2)) == PARTS
    assert [attempt for name, attempt in seen if name in ("Z", "End")] == [1, 1]


def test_a_newer_graph_goes_on_behind_a_checkpoint(tmp_path: Path, applied: list[str]) -> None:
    """The new node reads the lists; a start later both the fold and the new graph are there."""
    stopped(tmp_path, flow())
    newer = evolve(flow(), nodes={**flow().nodes, "New": node("New", "M", args={"w": ref("W.x")})})

    stopped(tmp_path, newer, at=("New", "Z"), resume="continue")
    applied.clear()
    code, desk, _ = again(tmp_path, newer)
    assert code == 0
    assert parts_in(applied) == 1
    (new,) = [task for task in desk.offered if task.node == "New"]
    assert len(new.args["w"]) == PARTS


def test_the_story_of_a_part_is_still_told(tmp_path: Path) -> None:
    """It is read from the events, which stay."""

    def fails(task: Task) -> Any:
        return Failed("no such band") if task.id == "1.5/W/1" else work(task)

    tolerant = flow()
    merge = evolve(tolerant.nodes["M"], run_on=frozenset({"success", "error"}))
    tolerant = evolve(tolerant, nodes={**tolerant.nodes, "M": merge})

    stopped(tmp_path, tolerant, fails)
    assert len(rows(tmp_path, "SELECT * FROM checkpoints")) == 1
    told = next(run for run in retell(tmp_path, 1).told.nodes if run.node == "W")
    assert told.parts is not None
    assert told.parts.counts == {"success": PARTS - 1, "error": 1}
    assert [(each.scope, each.error) for each in told.parts.failed] == [(".5", "no such band")]
