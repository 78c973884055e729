"""How a head starts, how its inputs end, how it is stopped, and who watches it."""

from __future__ import annotations

import asyncio
import resource
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from desk import Config, Desk, Feed, chain, make_head, node, nothing, until

from cryocloud_core.engine.commands import NodeSettled
from cryocloud_core.errors import LockedError, StateError
from cryocloud_core.graph.refs import Argument, OptionRef
from cryocloud_core.graph.workflow import Placement, Retry, WorkerKind, Workflow
from cryocloud_core.head.batch import Batch
from cryocloud_core.head.head import Head
from cryocloud_core.head.journal import Journal
from cryocloud_core.head.lock import StateLock
from cryocloud_core.head.settings import RunSettings
from cryocloud_core.head.story import Story
from cryocloud_core.sdk.observed import LogRecord, PebbleSeen, RunSeen, TaskSeen
from cryocloud_core.task import Failed, Task


def rows(state_dir: Path, query: str) -> list[Any]:
    """Return what the journal holds."""
    with closing(sqlite3.connect(state_dir / "journal.db")) as connection:
        return connection.execute(query).fetchall()


def numbers(count: int) -> list[dict[str, int]]:
    """Return what an input reports."""
    return [{"n": n} for n in range(count)]


# --- inputs -------------------------------------------------------------------------------------------


class Broken(Feed):
    """An input that raises, before or after it has reported something."""

    def start(self, handler: Any, args: dict[str, Any], stop_event: Any) -> None:
        """Report, then raise."""
        super().start(handler, args, stop_event)
        raise SystemExit("the directory is gone")


@pytest.mark.parametrize(("reports", "code"), [(0, 3), (2, 1)])
def test_an_input_that_raises_ends_the_run_cleanly(tmp_path: Path, reports: int, code: int) -> None:
    """Exit 3 when the run was not up yet; else what was accepted is finished and the exit is 1."""
    desk = Desk(nothing)
    head = make_head(chain(1), tmp_path, desk, {"In": Broken(numbers(reports))})

    assert asyncio.run(head.run()) == code
    assert len(desk.offered) == reports
    assert head.closing == ("input In: the directory is gone",)


def test_a_permanent_input_keeps_the_run_alive_until_it_is_stopped(tmp_path: Path) -> None:
    """SIGTERM ends a permanent run with 143, whatever its pebbles came to."""
    feed = Feed(numbers(2), stays=True)
    flow = Workflow("flow", "", {"In": node("In", permanent=True), "A": node("A", "In")})

    async def run() -> int:
        head = make_head(flow, tmp_path, Desk(nothing), {"In": feed})
        running = asyncio.create_task(head.run())
        await until(lambda: head.view().pebbles_done == 2)
        assert head.view().state == "running"
        head.suspend(signal.SIGTERM)
        code = await running
        assert head.closing == ("stopped; no pebble waits, the next start goes on with what arrives",)
        return code

    assert asyncio.run(run()) == 143


def test_once_lets_a_permanent_input_end_the_run(tmp_path: Path) -> None:
    """With `once` a permanent input that returns ends the run like any other."""
    flow = Workflow("flow", "", {"In": node("In", permanent=True), "A": node("A", "In")})

    assert asyncio.run(make_head(flow, tmp_path, Desk(nothing), {"In": Feed(numbers(1))}, once=True).run()) == 0


def test_keys_known_from_an_earlier_run_are_dropped_unless_the_inputs_are_forced(tmp_path: Path) -> None:
    """The same keyed files make no second pebbles in a new run."""
    for force, expected in ((False, 3), (False, 3), (True, 6)):
        head = make_head(chain(1), tmp_path, Desk(nothing), {"In": Feed(numbers(3), keyed=True)}, force_inputs=force)
        assert asyncio.run(head.run()) == 0
        assert rows(tmp_path, "SELECT count(*) FROM pebbles") == [(expected,)]


# --- stopping -----------------------------------------------------------------------------------------


def test_a_suspended_run_goes_on_with_the_next_start(tmp_path: Path) -> None:
    """Nothing new is handed out after a signal; the next start finishes exactly what was left."""
    feed = Feed(numbers(6))
    first, second = Desk(None), Desk(nothing)  # type: ignore[arg-type]

    async def run() -> tuple[int, tuple[str, ...]]:
        head = make_head(chain(2), tmp_path, first, {"In": feed})

        async def work(task: Task) -> dict[str, Any]:
            if task.id == "3/N2/1":
                head.suspend(signal.SIGINT)
            await asyncio.sleep(0.02)
            return {}

        first.work = work
        first.slots = 1
        return await head.run(), head.closing

    code, closing = asyncio.run(run())
    assert code == 130
    open_before = rows(tmp_path, "SELECT count(*) FROM pebbles WHERE state = 'open'")[0][0]
    count = "1 pebble" if open_before == 1 else f"{open_before} pebbles"
    what = f"{count} {'waits' if open_before == 1 else 'wait'}"
    assert closing[-1] == f"stopped; {what}, the next start goes on (--fresh to start anew)"

    head = make_head(chain(2), tmp_path, second, {"In": feed})
    assert asyncio.run(head.run()) == 0
    assert f"going on with {count}" in head.opening
    assert feed.starts == 1
    ended = Counter(task.id for task in [*first.offered, *second.offered])
    assert set(ended) == {f"{p}/N{n}/1" for p in range(1, 7) for n in (1, 2)}
    assert set(ended.values()) == {1}
    assert head.view().pebbles_done == 6


def test_a_task_that_does_not_end_in_its_grace_is_owed_and_told_its_second_attempt(tmp_path: Path) -> None:
    """A task killed by a stop is run again, with attempt 2; a restart counts against no repeat."""

    async def sleeps(_task: Task) -> None:
        await asyncio.sleep(60)

    async def stopped() -> int:
        head = make_head(chain(1, retry=Retry(1)), tmp_path, Desk(sleeps), {"In": Feed(numbers(1))}, grace_s=0.01)
        running = asyncio.create_task(head.run())
        await until(lambda: head.view().active)
        head.suspend(signal.SIGINT)
        return await running

    assert [asyncio.run(stopped()) for _ in range(2)] == [130, 130]
    attempts: list[tuple[str, int]] = []

    def work(task: Task) -> Any:
        attempts.append((task.id, task.attempt))
        return Failed("once") if len(attempts) == 1 else {}

    flow = chain(1, retry=Retry(1))
    assert asyncio.run(make_head(flow, tmp_path, Desk(work), {"In": Feed(numbers(1))}).run()) == 0
    assert attempts == [("1/N1/1", 3), ("1/N1/2", 4)]


def test_a_second_signal_does_not_wait_for_the_grace(tmp_path: Path) -> None:
    """Two signals end a head at once, with 130, and the task is still owed."""

    async def sleeps(_task: Task) -> None:
        await asyncio.sleep(60)

    async def run() -> int:
        head = make_head(chain(1), tmp_path, Desk(sleeps), {"In": Feed(numbers(1))}, grace_s=60)
        running = asyncio.create_task(head.run())
        await until(lambda: head.view().active)
        head.suspend(signal.SIGINT)
        await asyncio.sleep(0.05)
        assert head.view().state == "suspending"
        head.suspend(signal.SIGINT)
        return await asyncio.wait_for(running, 3)

    assert asyncio.run(run()) == 130
    assert rows(tmp_path, "SELECT state FROM pebbles") == [("open",)]


# --- starting -----------------------------------------------------------------------------------------


def test_a_second_head_is_refused_and_told_who_has_the_directory(tmp_path: Path) -> None:
    """The lock names the pid of its owner."""
    lock = StateLock.take(tmp_path)
    with pytest.raises(LockedError, match=r"pid \d+"):
        asyncio.run(make_head(chain(1), tmp_path, Desk(nothing), {"In": Feed([])}).run())
    lock.release()
    assert asyncio.run(make_head(chain(1), tmp_path, Desk(nothing), {"In": Feed([])}).run()) == 0


def test_one_name_from_two_files_is_refused_naming_both(tmp_path: Path) -> None:
    """A state directory does not mix the pebbles of two files that call themselves alike."""
    asyncio.run(make_head(chain(1), tmp_path, Desk(nothing), {"In": Feed([])}, path=Path("/a/flow.json")).run())
    with pytest.raises(StateError, match=r"/a/flow\.json.*/b/flow\.json"):
        asyncio.run(make_head(chain(1), tmp_path, Desk(nothing), {"In": Feed([])}, path=Path("/b/flow.json")).run())


# --- who watches --------------------------------------------------------------------------------------


def test_a_listener_hears_everything_in_order(tmp_path: Path) -> None:
    """Run, arrival, tasks, end of the pebble, end of the run; log lines between them."""
    heard: list[Any] = []
    head = make_head(chain(2), tmp_path, Desk(nothing), {"In": Feed(numbers(1))}, listener=heard.append)

    assert asyncio.run(head.run()) == 0
    told = [each for each in heard if not isinstance(each, LogRecord)]
    assert [type(each) for each in told] == [RunSeen, PebbleSeen, TaskSeen, TaskSeen, PebbleSeen, RunSeen]
    assert [each.node for each in told[2:4]] == ["N1", "N2"]
    assert (told[0].exit_code, told[-1].exit_code, told[-2].result) == (None, 0, "success")


def test_a_listener_that_hears_no_tasks_hears_all_else(tmp_path: Path) -> None:
    """The ends of tasks are most of what there is to tell, and a picture of nodes needs none of them."""
    heard: list[Any] = []
    feeds = {"In": Feed(numbers(1))}
    head = make_head(chain(2), tmp_path, Desk(nothing), feeds, listener=heard.append, hears_tasks=False)

    assert asyncio.run(head.run()) == 0
    told = [type(each) for each in heard if not isinstance(each, LogRecord)]
    assert told == [RunSeen, PebbleSeen, PebbleSeen, RunSeen]


def test_a_node_that_nobody_serves_is_shown_as_blocked(tmp_path: Path) -> None:
    """Tasks for a kind of worker that does not exist wait, and the view says why."""
    desk = Desk(nothing)
    desk.unserved_kinds["gpu"] = "no GPU worker"

    async def run() -> None:
        flow = chain(1, placement=Placement(kind=WorkerKind.GPU))
        head = make_head(flow, tmp_path, desk, {"In": Feed(numbers(3))})
        running = asyncio.create_task(head.run())
        await until(lambda: [(each.node, each.count) for each in head.view().blocked] == [("N1", 3)])
        assert head.view().blocked[0].why == "no GPU worker"
        head.suspend()
        await running

    asyncio.run(run())


# --- what nobody can be blamed for --------------------------------------------------------------------


def test_a_journal_beyond_repair_ends_the_run_and_the_next_start_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is performed that could not be written; the error names the file."""
    desk, write = Desk(nothing), Journal._write

    def spoiled(self: Journal, batch: Batch) -> None:
        if any("3/N1/1" in row for row in batch.events):
            raise sqlite3.DatabaseError("database disk image is malformed")
        write(self, batch)

    monkeypatch.setattr(Journal, "_write", spoiled)
    head = make_head(chain(2), tmp_path, desk, {"In": Feed(numbers(5), stays=True)})
    with pytest.raises(StateError, match=r"malformed.*|journal\.db"):
        asyncio.run(head.run())
    monkeypatch.undo()
    written = {row[0] for row in rows(tmp_path, "SELECT t.value FROM events, json_each(started) AS t")}
    assert {task.id for task in desk.offered} <= written

    head = make_head(chain(2), tmp_path, Desk(nothing), {"In": Feed(numbers(5))})
    assert asyncio.run(head.run()) == 0
    assert set(rows(tmp_path, "SELECT state, result FROM pebbles")) == {("closed", "success")}


def test_a_bug_in_the_head_itself_ends_the_run_instead_of_hanging_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes out with its traceback in the log; the next start goes on."""

    def wrong(_story: Story, command: NodeSettled) -> None:
        if command.node == "N2":
            raise AttributeError("a bug")

    monkeypatch.setattr(Story, "node_settled", wrong)
    head = make_head(chain(2), tmp_path, Desk(nothing), {"In": Feed(numbers(3))})
    with pytest.raises(AttributeError):
        asyncio.run(head.run())
    assert any(each.level == "CRITICAL" and "Traceback" in each.text for each in head.view().log)
    monkeypatch.undo()

    assert asyncio.run(make_head(chain(2), tmp_path, Desk(nothing), {"In": Feed(numbers(3), keyed=True)}).run()) == 0


def test_a_full_disk_pauses_the_run_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """The view says why it stands still, nothing is handed out meanwhile, and in the end nothing is missing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    desk = Desk(lambda task: {"much": "x" * 3_000})

    async def run() -> int:
        head = make_head(chain(3), tmp_path, desk, {"In": Feed(numbers(300))})
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
        try:
            running = asyncio.create_task(head.run())
            await until(lambda: head.view().state.startswith("paused"))
            await asyncio.sleep(0.1)
            offered = len(desk.offered)
            await asyncio.sleep(0.3)
            assert len(desk.offered) == offered < 900
            assert "journal" in head.view().state
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await until(lambda: head.view().state == "running")
        return await running

    assert asyncio.run(run()) == 0
    assert rows(tmp_path, "SELECT count(*) FROM events") == [(1200,)]
    assert len({task.id for task in desk.offered}) == len(desk.offered) == 900


def test_two_workflows_share_one_head(tmp_path: Path) -> None:
    """One journal, pebble ids unique in it, each workflow with its own options, run and counters."""
    option = {"o": Argument(OptionRef("o"))}
    flows = [chain(1, name=name, args=option) for name in ("one", "two")]
    desk = Desk(nothing)
    head = Head(
        [(flow, Path(f"/flows/{flow.name}.json")) for flow in flows],
        RunSettings(state_dir=tmp_path, machine="desk"),
        desk,
        config=Config(),
        options={"one": {"o": 1}, "two": {"o": 2}},
        load_input=lambda _code: Feed(numbers(3)),
        is_ours=lambda _path: False,
    )

    assert asyncio.run(head.run()) == 0
    assert sorted((task.workflow, task.args["o"]) for task in desk.offered) == [("one", 1)] * 3 + [("two", 2)] * 3
    assert len({task.pebble for task in desk.offered}) == 6
    assert [(view.workflow, view.completed) for view in head.view().nodes if view.name == "N1"] == [
        ("one", 3),
        ("two", 3),
    ]
    assert rows(tmp_path, "SELECT workflow, exit_code FROM runs") == [("one", 0), ("two", 0)]
