"""What a restart brings back: killed heads, changed workflows, replays that differ."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from desk import Desk, Feed, chain, literal, make_head, nothing, until
from killed_head import PEBBLES

from cryocloud_core.engine.engine import Engine
from cryocloud_core.errors import ResumeRefused
from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.head.head import Head
from cryocloud_core.task import Task, TaskId

SCRIPT = Path(__file__).with_name("killed_head.py")


def rows(state_dir: Path, query: str) -> list[Any]:
    """Return what the journal holds."""
    with closing(sqlite3.connect(state_dir / "journal.db")) as connection:
        return connection.execute(query).fetchall()


def start_killed(state_dir: Path, evidence: Path, point: str, count: int) -> int:
    """Run the head that kills itself; return its exit code."""
    command = [sys.executable, SCRIPT, state_dir, evidence, point, str(count)]
    return subprocess.run(command, check=False, timeout=60).returncode


def ended_tasks(state_dir: Path) -> set[str]:
    """Return the tasks whose end the journal has."""
    bodies = rows(state_dir, "SELECT body FROM events WHERE body LIKE '%TaskEnded%'") if state_dir.exists() else []
    return {json.loads(row[0])["task"] for row in bodies}


@pytest.mark.system
def test_a_head_killed_at_any_commit_finishes_everything_once(tmp_path: Path) -> None:
    """Fourteen kills around commits and hand-outs: every pebble ends once, no committed end is repeated."""
    state, evidence = tmp_path / "state", tmp_path / "evidence"
    counts = (1, 3, 2, 5)
    points = [f"{side}_{what}" for side in ("before", "after") for what in ("write", "perform")]
    kills = 0
    for count in counts:
        for point in points:
            committed = ended_tasks(state) if (state / "journal.db").exists() and kills > 2 else set()
            lines_before = len(evidence.read_text().splitlines()) if evidence.exists() else 0
            code = start_killed(state, evidence, point, count)
            kills += code == -signal.SIGKILL
            lines = evidence.read_text().splitlines() if evidence.exists() else []
            began = {line.split()[1] for line in lines[lines_before:] if line.startswith("began")}
            assert not began & committed
    assert kills >= 10
    assert start_killed(state, evidence, "none", 0) == 0

    assert rows(state, "SELECT count(*), count(DISTINCT nonce) FROM pebbles") == [(PEBBLES, PEBBLES)]
    assert set(rows(state, "SELECT state, result FROM pebbles")) == {("closed", "success")}
    ends = Counter(
        json.loads(body)["task"] for (body,) in rows(state, "SELECT body FROM events") if "TaskEnded" in body
    )
    assert set(ends.values()) == {1}
    expected = {f"{p}/{n}/1" for p in range(1, PEBBLES + 1) for n in ("N1", "N2", "N3", "Side", "Late")}
    assert expected <= set(ends)
    assert dict(rows(state, "SELECT node, sum(completed) FROM counters GROUP BY node")) == dict.fromkeys(
        ("In", "N1", "N2", "N3", "Side", "Late"), PEBBLES
    )
    attempts: dict[str, list[int]] = {}
    for line in evidence.read_text().splitlines():
        what, task, attempt = line.split()
        if what == "began":
            name = TaskId.parse(task)
            attempts.setdefault(f"{name.pebble}/{name.node}", []).append(int(attempt))
    assert all(seen == sorted(set(seen)) for seen in attempts.values())


# --- a run that was stopped in the middle, then started in some other way ------------------------------


def stopped_run(state_dir: Path, flow: Workflow, pebbles: int = 3) -> None:
    """Run until every pebble is in its second node, then stop."""

    async def work(task: Task) -> None:
        if task.node == "N2":
            await asyncio.sleep(60)

    async def run() -> None:
        head = make_head(flow, state_dir, Desk(work, slots=pebbles), {"In": Feed([{"n": 1}] * pebbles)}, grace_s=0)
        running = asyncio.create_task(head.run())
        await until(lambda: sum(view.node == "N2" for view in head.view().active) == pebbles)
        head.suspend(signal.SIGINT)
        assert await running == 130

    asyncio.run(run())


def again(state_dir: Path, flow: Workflow, **settings: Any) -> tuple[int, Desk, Head, Feed]:
    """Start once more and run to the end."""
    desk, feed = Desk(nothing), Feed([{"n": 1}] * 3)
    head = make_head(flow, state_dir, desk, {"In": feed}, **settings)
    return asyncio.run(head.run()), desk, head, feed


def changed(flow: Workflow, **nodes: Any) -> Workflow:
    """Return a workflow with other nodes; None removes one."""
    return evolve(flow, nodes={k: v for k, v in {**flow.nodes, **nodes}.items() if v is not None})


def test_a_run_that_goes_on_counts_what_was_done_before_and_tells_how_much(tmp_path: Path) -> None:
    """One of three was done before the stop, one was given up, the third ends now."""

    async def work(task: Task) -> None:
        if task.pebble > 1:
            await asyncio.sleep(60)

    async def run() -> None:
        head = make_head(chain(1), tmp_path, Desk(work), {"In": Feed([{"n": 1}] * 3)}, grace_s=0)
        running = asyncio.create_task(head.run())
        await until(lambda: head.view().pebbles_done == 1 and len(head.view().active) == 2)
        head.cancel(2)
        await until(lambda: head.view().pebbles_done == 2)
        assert head.view().pebbles_earlier == 0
        head.suspend(signal.SIGINT)
        await running

    asyncio.run(run())
    code, _, head, _ = again(tmp_path, chain(1))
    view = head.view()
    assert (view.pebbles_done, view.pebbles_failed, view.pebbles_cancelled, view.pebbles_earlier) == (3, 0, 1, 2)
    assert code == 1


def test_a_changed_workflow_is_refused_saying_what_differs(tmp_path: Path) -> None:
    """Nodes that are new, gone or different are named, with what can be done; nothing is changed."""
    flow = chain(3)
    stopped_run(tmp_path, flow)
    other = changed(flow, N3=None, N2=evolve(flow.nodes["N2"], args={"m": literal(1)}, priority=7))
    before = rows(tmp_path, "SELECT count(*) FROM events")

    with pytest.raises(ResumeRefused) as refused:
        again(tmp_path, other)
    said = str(refused.value)
    assert "node 'N3' is gone" in said
    assert "node 'N2' has other args (m, n), priority" in said
    assert "--resume=continue" in said
    assert refused.value.exit_code == 3
    assert rows(tmp_path, "SELECT count(*) FROM events") == before

    code, desk, head, _ = again(tmp_path, flow)
    assert code == 0
    assert "going on with 3 pebbles" in head.opening
    assert {task.attempt for task in desk.offered if task.node == "N2"} == {2}


def test_what_is_no_change_is_not_refused(tmp_path: Path) -> None:
    """Descriptions do not make another version of a workflow."""
    flow = chain(3)
    stopped_run(tmp_path, flow)

    assert again(tmp_path, evolve(flow, description="said better"))[0] == 0


def test_resume_continue_goes_on_in_the_new_workflow(tmp_path: Path) -> None:
    """Nodes that settled keep their state, all others run as the new graph says."""
    flow = chain(3)
    stopped_run(tmp_path, flow)
    code, desk, _, feed = again(tmp_path, changed(flow, N3=None), resume="continue")

    assert code == 0
    assert {task.node for task in desk.offered} == {"N2"}
    assert feed.starts == 0
    assert set(rows(tmp_path, "SELECT state, result FROM pebbles")) == {("closed", "success")}


def test_resume_continue_refuses_when_a_node_that_ran_is_gone(tmp_path: Path) -> None:
    """The reason and how many pebbles it concerns are told."""
    flow = chain(3)
    stopped_run(tmp_path, flow)
    other = changed(flow, N1=None, N2=evolve(flow.nodes["N2"], parents=("In",)))

    with pytest.raises(ResumeRefused, match=r"'N1'.*3 pebbles"):
        again(tmp_path, other, resume="continue")


def test_resume_drop_gives_the_old_pebbles_up_and_starts_anew(tmp_path: Path) -> None:
    """Old pebbles end as dropped, the input is started again, only new pebbles count."""
    flow = chain(3)
    stopped_run(tmp_path, flow)
    code, desk, head, feed = again(tmp_path, changed(flow, N3=None), resume="drop")

    assert (code, feed.starts) == (0, 1)
    assert {task.pebble for task in desk.offered} == {4, 5, 6}
    assert [row[0] for row in rows(tmp_path, "SELECT result FROM pebbles ORDER BY pebble")] == (
        ["dropped"] * 3 + ["success"] * 3
    )
    assert (head.view().pebbles_done, head.view().pebbles_open) == (3, 0)


def test_fresh_abandons_what_was_unfinished_and_runs_anew(tmp_path: Path) -> None:
    """Abandoned pebbles stay in the journal, never come back, and do not make the new run fail."""
    flow = chain(3)
    stopped_run(tmp_path, flow)
    code, desk, head, _ = again(tmp_path, flow, fresh=True)

    assert code == 0
    assert {task.pebble for task in desk.offered} == {4, 5, 6}
    assert "3 unfinished pebbles of earlier runs are abandoned" in head.opening
    assert rows(tmp_path, "SELECT result, count(*) FROM pebbles GROUP BY result") == [("abandoned", 3), ("success", 3)]
    assert again(tmp_path, flow)[2].opening == ""


def test_options_of_unfinished_pebbles_stay_and_new_ones_get_the_new(tmp_path: Path) -> None:
    """A pebble keeps the options it was born with over a restart."""
    from cryocloud_core.graph.refs import Argument, OptionRef

    base = chain(3)
    flow = changed(base, N3=evolve(base.nodes["N3"], args={"o": Argument(OptionRef("o"))}))

    async def work(task: Task) -> None:
        if task.node == "N2":
            await asyncio.sleep(60)

    async def stopped() -> None:
        head = make_head(flow, tmp_path, Desk(work), {"In": Feed([{"n": 1}])}, grace_s=0, options={"o": "old"})
        running = asyncio.create_task(head.run())
        await until(lambda: any(view.node == "N2" for view in head.view().active))
        head.suspend()
        await running

    asyncio.run(stopped())
    _, desk, _, _ = again(tmp_path, flow, options={"o": "new"})
    assert [task.args for task in desk.offered if task.node == "N3"] == [{"o": "old"}]


def test_a_pebble_whose_replay_differs_is_set_aside_with_its_story(tmp_path: Path) -> None:
    """It is kept in the journal and shown, the exit is 1, the others go on; the next start leaves it alone."""
    flow = chain(3)
    stopped_run(tmp_path, flow)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        connection.execute("UPDATE events SET started = '[\"2/Other/1\"]' WHERE pebble = 2 AND started IS NOT NULL")
        connection.commit()
    code, _, head, _ = again(tmp_path, flow)

    assert code == 1
    assert rows(tmp_path, "SELECT pebble, state, result FROM pebbles ORDER BY pebble") == [
        (1, "closed", "success"),
        (2, "quarantined", "error"),
        (3, "closed", "success"),
    ]
    assert "2/Other/1" in head.closing[0]
    assert "PebbleArrived" in head.closing[0]
    assert again(tmp_path, flow)[0] == 0
    assert rows(tmp_path, "SELECT state FROM pebbles WHERE pebble = 2") == [("quarantined",)]


def break_body(body: str) -> str:
    """Return an event that cannot be read."""
    return body.replace('"type"', '"kind"')


@pytest.mark.parametrize("spoil", [break_body, lambda _body: "{"])
def test_an_event_that_cannot_be_read_costs_its_pebble_only(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    """A damaged row sets one pebble aside."""
    flow = chain(3)
    stopped_run(tmp_path, flow)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        (body,) = connection.execute("SELECT body FROM events WHERE pebble = 3 ORDER BY seq DESC").fetchone()
        connection.execute("UPDATE events SET body = ? WHERE body = ?", (spoil(body), body))
        connection.commit()

    assert again(tmp_path, flow)[0] == 1
    assert rows(tmp_path, "SELECT state FROM pebbles ORDER BY pebble") == [("closed",), ("closed",), ("quarantined",)]


def test_pebbles_of_a_workflow_that_is_not_run_wait_and_are_told_of(tmp_path: Path) -> None:
    """Running another workflow in the same state directory leaves them as they are."""
    stopped_run(tmp_path, chain(3))
    desk = Desk(nothing)
    head = make_head(chain(1, name="other"), tmp_path, desk, {"In": Feed([{"n": 1}])}, path=Path("/flows/other.json"))

    assert asyncio.run(head.run()) == 0
    assert {task.workflow for task in desk.offered} == {"other"}
    assert any("3 pebbles of workflow 'flow' wait here" in record.text for record in head.view().log)
    assert again(tmp_path, chain(3))[0] == 0


def test_a_debt_of_cleaning_is_paid_by_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pebble that was closed owing a clean-up is taken up again, outside the counts of the new run."""
    from cryocloud_core.engine import turn
    from cryocloud_core.graph.refs import Argument
    from cryocloud_core.task import Failed, Preparation, StagingKind

    monkeypatch.setattr(turn, "CLEAN_UP_LIMIT_S", 0.05)
    flow = chain(1, args={"t": Argument(literal("/tmp").source, preparation=Preparation(StagingKind.TEMPDIR))})

    def busy(task: Task) -> Any:
        return Failed("busy") if task.module == "cryocloud:clean_up" else {}

    head = make_head(flow, tmp_path, Desk(busy), {"In": Feed([{"n": 1}])})
    assert asyncio.run(head.run()) == 0
    assert rows(tmp_path, "SELECT state, result FROM pebbles") == [("owing", "success")]

    async def pay() -> int:
        head = make_head(flow, tmp_path, Desk(nothing), {"In": Feed([], stays=True)})
        running = asyncio.create_task(head.run())
        await until(lambda: rows(tmp_path, "SELECT state FROM pebbles") == [("closed",)])
        assert (head.view().pebbles_open, head.view().pebbles_done) == (0, 0)
        head.suspend()
        return await running

    assert asyncio.run(pay()) == 130


def test_a_replay_costs_only_the_unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finished pebbles are not replayed."""
    flow = chain(3)
    assert again(tmp_path, flow)[0] == 0
    applied: list[int] = []
    apply = Engine.apply
    monkeypatch.setattr(Engine, "apply", lambda self, event, context: applied.append(1) or apply(self, event, context))

    desk = Desk(nothing)
    assert asyncio.run(make_head(flow, tmp_path, desk, {"In": Feed([])}).run()) == 0
    assert applied == []
