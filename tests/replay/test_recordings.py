"""Journals of earlier versions: each is replayed as it was written, and goes on to its end."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "head"))

from desk import Config, Desk, Feed, make_head

from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.task import Task
from cryocloud_core.wire import from_json

RECORDINGS = sorted(Path(__file__).parent.glob("*.sql"))
#: tasks that the recordings left open
OPEN = {"2/Work/1", "4/Mail#1/1", "5/Late/1", "6/B/1", "7/Choose/1"}
OPEN |= {"8.1/Fold/1", "8.2/Part/1", "9.1/Side/1", "9/Each/1", "10/Mail#1/1", "12/After/1", "14/Right/1", "15/Held/1"}
OPEN |= {"16.0/Every/1", "17/Each/1"}
#: what nodes return
USUAL = {"Choose": {"kind": "b"}, "Right": {"x": "from the right"}, "Part": {"x": "made again"}}


def restored(recording: Path, state_dir: Path) -> Workflow:
    """Make a state directory of a recording and return the workflow in it."""
    with closing(sqlite3.connect(state_dir / "journal.db")) as connection:
        connection.executescript(recording.read_text(encoding="utf-8"))
        return from_json(connection.execute("SELECT body FROM workflows").fetchone()[0], Workflow)


def rows(state_dir: Path, query: str) -> list[Any]:
    """Return what the journal holds."""
    with closing(sqlite3.connect(state_dir / "journal.db")) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)
def test_a_recording_is_replayed_and_goes_on(recording: Path, tmp_path: Path) -> None:
    """No pebble is set aside, what was running is offered again with its values, everything comes to its end."""
    flow = restored(recording, tmp_path)
    tasks = {row[0] for row in rows(tmp_path, "SELECT task.value FROM events, json_each(started) AS task")}
    open_pebbles = rows(tmp_path, "SELECT count(*) FROM pebbles WHERE state = 'open'")[0][0]
    desk = Desk(lambda task: USUAL.get(task.node, {}))
    head = make_head(flow, tmp_path, desk, {"In": Feed([])}, config=Config(**{"Root.c": 1}))

    assert asyncio.run(head.run()) == 1
    assert f"going on with {open_pebbles} pebbles" in head.opening
    assert set(rows(tmp_path, "SELECT state FROM pebbles")) == {("closed",)}
    again = {task.id: task for task in desk.offered if task.id in tasks}
    assert set(again) == OPEN & tasks
    assert all(task.attempt == 2 for task in again.values())


def test_the_first_recording_keeps_what_it_knew(tmp_path: Path) -> None:
    """Big values, options at birth, timers that came due, the text of an error and results of the first start."""
    flow = restored(Path(__file__).with_name("first.sql"), tmp_path)
    desk = Desk(lambda task: USUAL.get(task.node, {}))
    asyncio.run(make_head(flow, tmp_path, desk, {"In": Feed([])}, options={"o": "given later"}).run())

    def offered(name: str) -> Task:
        return next(task for task in desk.offered if task.id == name)

    assert offered("2/Work/1").args == {"big": None, "o": "born with", "t": "/tmp"}
    assert offered("3/Work/2").attempt == 3
    assert offered("4/Mail#1/1").args == {"text": "for good"}
    assert dict(rows(tmp_path, "SELECT pebble, result FROM pebbles")) == {
        **dict.fromkeys((1, 2, 3, 5, 6, 7), "success"),
        4: "error",
    }


@pytest.mark.parametrize("walked", [False, True])
def test_the_recording_of_regions_keeps_what_it_knew(walked: bool, tmp_path: Path) -> None:
    """Lists of folded parts, with and without their checkpoint, what partners brought, the text of a part's failure."""
    flow = restored(Path(__file__).with_name("regions.sql"), tmp_path)
    assert rows(tmp_path, "SELECT pebble FROM checkpoints") == [(17,)]
    if walked:
        with closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
            connection.execute("DELETE FROM checkpoints")
    desk = Desk(lambda task: USUAL.get(task.node, {}))
    asyncio.run(make_head(flow, tmp_path, desk, {"In": Feed([])}).run())
    args = {task.id: task.args for task in desk.offered}

    assert args["17/Each/1"] == {"f": ["a part"] * 40}
    assert args["9/Each/1"] == {"f": ["a part", "a part"]}
    assert args["8.2/Part/1"]["f"] == "c"
    assert args["8.3/Fold/1"] == {"x": "made again"}
    assert args["8/Each/1"] == {"f": [None, None, "made again", "made again"]}
    assert args["10/Mail#1/1"] == {"text": "a part is broken"}
    assert args["12/After/1"] == {"left": "from the left", "right": "from the right"}
    # The one that came last goes on.
    assert args["14/After/1"] == {"left": "from the left", "right": "from the right"}
    assert "13/After/1" not in args
    assert dict(rows(tmp_path, "SELECT pebble, result FROM pebbles")) == {
        **dict.fromkeys(range(1, 18), "success"),
        **dict.fromkeys((4, 10), "error"),
    }
