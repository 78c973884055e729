"""The story of a pebble from its journal alone: finished, closed at once, set aside, secret, of another format."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from desk import Config, Desk, Feed, chain, make_head, node, nothing

from cryocloud_core.errors import PebbleNotFound, StateError
from cryocloud_core.graph.condition import Compare, Condition, Text, Value
from cryocloud_core.graph.refs import Argument, ConfigRef, OptionRef, OutputRef
from cryocloud_core.graph.workflow import Option, Workflow
from cryocloud_core.head.retelling import Story, retell
from cryocloud_core.head.schema import VERSION
from cryocloud_core.secrets import MARK, Secret
from cryocloud_core.task import Task
from cryocloud_core.wire import to_json

SECRET = "hunter2-is-secret"


def run(flow: Workflow, state_dir: Path, work: Any = nothing, infos: Any = ({"n": 1},), **more: Any) -> int:
    """Run a workflow to its end."""
    return asyncio.run(make_head(flow, state_dir, Desk(work), {"In": Feed(list(infos))}, **more).run())


def test_a_finished_pebble_is_told_whole(tmp_path: Path) -> None:
    """Attempts, workers, errors and arguments are there after the run, beside other pebbles."""

    def work(task: Task) -> None:
        if task.pebble == 2 and task.node == "N1":
            raise RuntimeError("no such band\nsecond line")

    assert run(chain(2), tmp_path, work, [{"n": 1}, {"n": 2}]) == 1
    first, second = retell(tmp_path, 1), retell(tmp_path, 2)

    assert (first.state, first.told.result, first.told.phase, first.broken) == ("closed", "success", "closed", "")
    assert first.finished_at is not None
    assert first.told.wait is None
    states = [[run.state for run in story.told.nodes] for story in (first, second)]
    assert states == [["success"] * 3, ["success", "error", "blocked"]]
    failed = second.told.nodes[1]
    assert failed.attempts[0].worker == "desk-1"
    assert failed.error == second.told.error == "no such band\nsecond line"
    assert [(each.name, each.value, each.source) for each in failed.args] == [("n", 2, "In.n")]
    assert second.told.nodes[2].why == "N1 was error; runOn success"


def test_what_nodes_returned_is_told_without_secrets(tmp_path: Path) -> None:
    """As it stands in the journal, a handle as dots; a part that no split has is said not to be there."""
    infos = [{"n": 1, "key": {"cryocloud.secret": {"env": "NO_SUCH"}}}]
    assert run(chain(1), tmp_path, infos=infos) == 0

    assert retell(tmp_path, 1).told.nodes[0].outputs == {"n": 1, "key": "•••"}
    with pytest.raises(PebbleNotFound, match=r"pebble 1: has no part 3; parts are counted from 0"):
        retell(tmp_path, 1, 3)


def test_a_pebble_that_closed_with_its_first_event_is_told(tmp_path: Path) -> None:
    """A workflow that is one input: nothing ever ran."""
    assert run(Workflow("flow", "", {"In": node("In")}), tmp_path) == 0

    assert [(each.node, each.state) for each in retell(tmp_path, 1).told.nodes] == [("In", "success")]


def test_secrets_are_dots_wherever_they_come_up(tmp_path: Path) -> None:
    """As an option, as a setting, in a condition, and in what a module says when it fails."""
    (tmp_path / "password").write_text(SECRET)
    handle = Secret({MARK: {"file": str(tmp_path / "password")}})
    seen = Condition("x", Compare(Value(ConfigRef("Db.password")), "!=", Text("x")))
    args = {
        "o": Argument(OptionRef("token")),
        "c": Argument(ConfigRef("Db.password")),
        "n": Argument(OutputRef("In", "n")),
    }
    nodes = {"In": node("In"), "A": node("A", "In", args=args, run_if=seen)}
    flow = Workflow("flow", "", nodes, {"token": Option("token", secret=True)})

    def work(task: Task) -> None:
        raise RuntimeError(f"cannot log in with {task.args['o']} or {task.args['c']}")

    state = tmp_path / "state"
    config = Config(**{"Db.password": handle})
    assert run(flow, state, work, config=config, options={"token": SECRET[::-1]}) == 1
    story = retell(state, 1)

    told = story.told.nodes[1]
    assert [each.value for each in told.args] == ["•••", "•••", 1]
    assert told.why == "In was success; runOn success; runIf x holds: config Db.password = •••"
    assert told.error == story.told.error == told.attempts[0].error == "cannot log in with ••• or •••"
    text = to_json(story, Story)
    assert SECRET not in text
    assert SECRET[::-1] not in text


def test_what_a_replay_cannot_follow_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    """An event that cannot be read any more: the story ends there and says so."""
    assert run(chain(2), tmp_path) == 0
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
        last = connection.execute("SELECT max(seq) FROM events").fetchone()[0]
        connection.execute('UPDATE events SET body = \'{"type": "Nonsense"}\' WHERE seq = ?', (last,))
        connection.execute("UPDATE pebbles SET state = 'quarantined', error = 'its story'")
    story = retell(tmp_path, 1)

    assert story.state == "quarantined"
    assert story.broken
    assert story.told.error == "its story"
    assert [each.state for each in story.told.nodes] == ["success", "success", "running"]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """No journal, no pebble at all, no such pebble, another format."""
    with pytest.raises(StateError, match="there is no journal here"):
        retell(tmp_path, 1)
    assert not (tmp_path / "journal.db").exists()

    assert run(chain(1), tmp_path, infos=()) == 0
    with pytest.raises(PebbleNotFound, match="no pebble has arrived yet"):
        retell(tmp_path, 1)
    assert run(chain(1), tmp_path) == 0
    with pytest.raises(PebbleNotFound, match="which has pebbles 1 to 1"):
        retell(tmp_path, 7)

    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (VERSION + 1,))
    with pytest.raises(StateError, match="use the newer version"):
        retell(tmp_path, 1)


def test_a_pebble_of_an_edited_workflow_is_told_in_the_graph_it_went_on_in(tmp_path: Path) -> None:
    """It stopped in one graph and ended in another: the replay meets both."""

    async def hang(task: Task) -> None:
        if task.node == "N2":
            await asyncio.sleep(60)

    async def stopped() -> None:
        head = make_head(chain(2), tmp_path, Desk(hang), {"In": Feed([{"n": 1}])})
        running = asyncio.create_task(head.run())
        while not any(task.node == "N2" for task in head.view().active):  # noqa: ASYNC110 - a view has no event
            await asyncio.sleep(0.01)
        head.suspend()
        await running

    asyncio.run(stopped())
    edited = chain(2)
    edited = evolve(edited, nodes={**edited.nodes, "Z": node("Z", "N2")})
    assert run(edited, tmp_path, infos=(), resume="continue") == 0

    assert [each.node for each in retell(tmp_path, 1).told.nodes] == ["In", "N1", "N2", "Z"]
    assert [each.number for each in retell(tmp_path, 1).told.nodes[2].attempts] == [1, 2]
