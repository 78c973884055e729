"""A head from its first arrival to its exit code, with everything but the workers real."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from desk import Config, Desk, Feed, chain, literal, make_head, node, nothing, until

from cryocloud_core.engine.engine import Engine
from cryocloud_core.graph.refs import Argument, ConfigRef, OptionRef, OutputRef
from cryocloud_core.graph.workflow import Option, Retry, Workflow
from cryocloud_core.task import Failed, Preparation, StagingKind, Succeeded, Task


def rows(state_dir: Path, query: str) -> list[Any]:
    """Return what the journal holds."""
    with closing(sqlite3.connect(state_dir / "journal.db")) as connection:
        return connection.execute(query).fetchall()


def numbers(count: int) -> list[dict[str, int]]:
    """Return what an input reports."""
    return [{"n": n} for n in range(count)]


def test_every_pebble_goes_through_every_node_once(tmp_path: Path) -> None:
    """Ten pebbles, three nodes: thirty tasks, all counted, all closed, exit 0."""
    desk = Desk(lambda task: {"n": task.args["n"]})
    head = make_head(chain(3), tmp_path, desk, {"In": Feed(numbers(10))})

    assert asyncio.run(head.run()) == 0
    assert Counter(task.id for task in desk.offered) == Counter(f"{p}/N{n}/1" for p in range(1, 11) for n in (1, 2, 3))
    view = head.view()
    assert [(v.name, v.pending, v.processing, v.completed) for v in view.nodes] == [
        ("In", 0, 0, 10),
        ("N1", 0, 0, 10),
        ("N2", 0, 0, 10),
        ("N3", 0, 0, 10),
    ]
    assert (view.pebbles_open, view.pebbles_done, view.pebbles_failed, view.state) == (0, 10, 0, "stopped")
    assert head.closing == ()
    assert set(rows(tmp_path, "SELECT state, result FROM pebbles")) == {("closed", "success")}


def test_nothing_is_offered_before_its_event_is_on_disk(tmp_path: Path) -> None:
    """When a task reaches the scheduler another process already finds it in the journal."""
    found: list[bool] = []

    def work(task: Task) -> None:
        started = rows(tmp_path, "SELECT started FROM events WHERE started IS NOT NULL")
        found.append(any(f'"{task.id}"' in row[0] for row in started))

    assert asyncio.run(make_head(chain(3), tmp_path, Desk(work), {"In": Feed(numbers(5))}).run()) == 0
    assert found == [True] * 15


def test_a_failed_node_makes_exit_1_and_one_line(tmp_path: Path) -> None:
    """The last lines name pebble, node, result and the first line of the error."""

    def work(task: Task) -> Any:
        return Failed("it broke\nbadly") if task.node == "N1" and task.pebble == 2 else {}

    head = make_head(chain(2), tmp_path, Desk(work), {"In": Feed(numbers(3))})

    assert asyncio.run(head.run()) == 1
    assert head.closing == ("pebble 2: N1: error: it broke",)
    assert head.view().pebbles_failed == 1
    assert rows(tmp_path, "SELECT pebble, result, error FROM pebbles WHERE result <> 'success'") == [
        (2, "error", "it broke\nbadly")
    ]


def test_a_run_without_pebbles_ends_well(tmp_path: Path) -> None:
    """An input that reports nothing ends the run with exit 0."""
    assert asyncio.run(make_head(chain(1), tmp_path, Desk(nothing), {"In": Feed([])}).run()) == 0


def test_a_retry_waits_and_the_next_attempt_counts_up(tmp_path: Path) -> None:
    """A node that fails once and has a repeat runs twice, and the pebble is a success."""

    def work(task: Task) -> Any:
        return Failed("not yet") if task.attempt == 1 else {}

    desk = Desk(work)
    head = make_head(chain(1, retry=Retry(2, delay_s=0.05)), tmp_path, desk, {"In": Feed(numbers(1))})

    assert asyncio.run(head.run()) == 0
    assert [(task.id, task.attempt) for task in desk.offered] == [("1/N1/1", 1), ("1/N1/2", 2)]


def test_max_parallel_and_priority_are_kept(tmp_path: Path) -> None:
    """No more tasks of a node run at once than it allows."""
    most: list[int] = []
    running = 0

    async def work(_task: Task) -> None:
        nonlocal running
        running += 1
        most.append(running)
        await asyncio.sleep(0.002)
        running -= 1

    head = make_head(chain(1, max_parallel=2), tmp_path, Desk(work, slots=8), {"In": Feed(numbers(20))})

    assert asyncio.run(head.run()) == 0
    assert max(most) == 2


def test_a_higher_priority_takes_the_place_of_what_waits_at_a_worker(tmp_path: Path) -> None:
    """Tasks queued at a worker are taken back when something more urgent finds no room."""
    low, high = node("Low", "In", priority=0), node("High", "Low", priority=90)
    flow = Workflow("flow", "", {"In": node("In"), "Low": low, "High": high})
    order: list[str] = []

    async def work(task: Task) -> None:
        order.append(task.node)
        await asyncio.sleep(0.01)

    head = make_head(flow, tmp_path, Desk(work, slots=1, queue=4), {"In": Feed(numbers(6))})

    assert asyncio.run(head.run()) == 0
    # A worker may begin one more `Low` by itself while the `High` of the one before is being committed.
    assert order.count("High") == 6
    assert max(order[:n].count("Low") - order[:n].count("High") for n in range(len(order))) == 2


def test_options_and_configuration_reach_the_tasks_and_are_kept_as_contexts(tmp_path: Path) -> None:
    """A pebble sees its options for ever, and the configuration as it is when a task is built."""
    args = {"o": Argument(OptionRef("o")), "c": Argument(ConfigRef("Root.c"))}
    flow = Workflow("flow", "", {"In": node("In"), "A": node("A", "In", args=args), "B": node("B", "A", args=args)})
    config = Config(**{"Root.c": 1, "Root.other": 5})

    async def work(task: Task) -> None:
        if task.node == "A":
            config.change("Root.c", 2)
            await asyncio.sleep(0.3)

    desk = Desk(work)
    head = make_head(flow, tmp_path, desk, {"In": Feed([{}])}, config=config, options={"o": "x"})

    assert asyncio.run(head.run()) == 0
    assert [task.args for task in desk.offered] == [{"o": "x", "c": 1}, {"o": "x", "c": 2}]
    assert rows(tmp_path, "SELECT number, options, config FROM contexts") == [
        (1, '{"o": "x"}', '{"Root.c": 1}'),
        (2, '{"o": "x"}', '{"Root.c": 2}'),
    ]


def test_an_input_gets_its_arguments(tmp_path: Path) -> None:
    """Literals, options and configuration are resolved for inputs, with the node's own name."""
    args = {
        "a": literal([1]),
        "o": Argument(OptionRef("o")),
        "d": Argument(OptionRef("no"), has_default=True, default=3),
    }
    feed = Feed([])
    flow = Workflow("flow", "", {"In": node("In", args=args)})

    asyncio.run(make_head(flow, tmp_path, Desk(nothing), {"In": feed}, options={"o": "x"}).run())
    assert feed.args == {"a": [1], "o": "x", "d": 3, "__name__": "In"}


def test_big_outputs_are_kept_once_and_come_back_whole(tmp_path: Path) -> None:
    """A value over 64 KiB, and one that looks like a reference, reach the next node as they were."""
    big = {"text": "x" * 100_000, "like": [{"$blob": "0" * 64, "size": 1}], "small": 1}
    args = {key: Argument(OutputRef("A", key)) for key in big}
    flow = Workflow("flow", "", {"In": node("In"), "A": node("A", "In"), "B": node("B", "A", args=args)})
    desk = Desk(lambda task: big if task.node == "A" else {})
    head = make_head(flow, tmp_path, desk, {"In": Feed(numbers(3))})

    assert asyncio.run(head.run()) == 0
    assert [task.args for task in desk.offered if task.node == "B"] == [big] * 3
    assert rows(tmp_path, "SELECT count(*) FROM blobs") == [(2,)]
    assert max(len(row[0]) for row in rows(tmp_path, "SELECT body FROM events")) < 5_000


def test_tempdirs_are_cleaned_by_an_admin_task_that_is_repeated_until_it_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clean-up names nonce, bases and machine, runs beside all counters, and the pebble closes after it."""
    monkeypatch.setattr("cryocloud_core.head.cleaning._FIRST_WAIT_S", 0.01)
    args = {"t": Argument(literal("/tmp").source, preparation=Preparation(StagingKind.TEMPDIR))}
    tries: list[Task] = []

    def work(task: Task) -> Any:
        if task.module != "cryocloud:clean_up":
            return {}
        tries.append(task)
        return Failed("busy") if len(tries) == 1 else {}

    head = make_head(chain(1, args=args), tmp_path, Desk(work), {"In": Feed(numbers(1))})

    assert asyncio.run(head.run()) == 0
    assert [(task.kind, task.machines, task.args["bases"]) for task in tries] == [("admin", ("desk",), ["/tmp"])] * 2
    nonce = rows(tmp_path, "SELECT nonce FROM pebbles")[0][0]
    assert {task.args["nonce"] for task in tries} == {nonce}
    assert [view.name for view in head.view().nodes] == ["In", "N1"]


def test_a_pebble_the_engine_fails_on_is_set_aside_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its story is logged and kept, the exit code is 1, its tasks are cancelled, all other pebbles finish."""
    apply = Engine.apply

    def bad(self: Engine, event: Any, context: Any) -> Any:
        if event.pebble == 2 and getattr(event, "task", "") == "2/N1/1":
            raise KeyError("a bug")
        return apply(self, event, context)

    monkeypatch.setattr(Engine, "apply", bad)
    head = make_head(chain(2), tmp_path, Desk(nothing), {"In": Feed(numbers(4))})

    assert asyncio.run(head.run()) == 1
    assert dict(rows(tmp_path, "SELECT state, count(*) FROM pebbles GROUP BY state")) == {"closed": 3, "quarantined": 1}
    assert "KeyError" in head.closing[0]
    assert any("a bug" in record.text and "Traceback" in record.text for record in head.view().log)
    assert sum(view.pending + view.processing for view in head.view().nodes) == 0


def test_cancelling_a_pebble_ends_its_tasks_and_makes_exit_1(tmp_path: Path) -> None:
    """A running task is told to stop, a waiting one is withdrawn; both pebbles are cancelled, which is no failure."""

    async def work(_task: Task) -> None:
        await asyncio.sleep(60)

    async def run() -> int:
        head = make_head(chain(1), tmp_path, Desk(work, slots=1), {"In": Feed(numbers(2))})
        running = asyncio.create_task(head.run())
        await until(lambda: head.view().active)
        assert head.cancel() == 2
        assert head.cancel(99) == 0
        code = await running
        view = head.view()
        assert (view.pebbles_done, view.pebbles_failed, view.pebbles_cancelled) == (2, 0, 2)
        assert [(node.failed, node.skipped) for node in view.nodes] == [(0, 0), (0, 2)]
        return code

    assert asyncio.run(run()) == 1
    assert rows(tmp_path, "SELECT result FROM pebbles") == [("cancelled",), ("cancelled",)]


def test_an_outcome_that_is_no_json_fails_its_task_only(tmp_path: Path) -> None:
    """A scheduler that lets a NaN through costs one node, not the run."""

    def work(task: Task) -> Any:
        return Succeeded({"x": float("nan")}) if task.pebble == 1 else {}

    head = make_head(chain(1), tmp_path, Desk(work), {"In": Feed(numbers(2))})

    assert asyncio.run(head.run()) == 1
    assert "no JSON" in head.closing[0]


def test_secrets_reach_their_task_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options and configuration that are secret are handles in the journal; an output cannot ask for a secret."""
    monkeypatch.setenv("DESK_TOKEN", "hush-config")
    stolen = {"cryocloud.secret": {"env": "DESK_TOKEN"}}
    args = {
        "o": Argument(OptionRef("password")),
        "c": Argument(ConfigRef("Root.token")),
        "x": Argument(OutputRef("In", "x")),
    }
    options = {"password": Option("password", secret=True)}
    flow = Workflow("flow", "", {"In": node("In"), "A": node("A", "In", args=args)}, options)
    desk = Desk(nothing)
    config = Config(**{"Root.token": stolen})
    head = make_head(
        flow, tmp_path, desk, {"In": Feed([{"x": stolen}])}, config=config, options={"password": "hush-option\n"}
    )

    assert asyncio.run(head.run()) == 0
    assert desk.offered[0].args == {"o": "hush-option\n", "c": "hush-config", "x": stolen}
    assert b"hush" not in b"".join(path.read_bytes() for path in tmp_path.glob("*.db*"))


def test_a_secret_that_is_gone_fails_the_task_that_needs_it(tmp_path: Path) -> None:
    """The error names the variable, and the run goes on."""
    args = {"c": Argument(ConfigRef("Root.token"))}
    flow = Workflow("flow", "", {"In": node("In"), "A": node("A", "In", args=args), "B": node("B", "In")})
    config = Config(**{"Root.token": {"cryocloud.secret": {"env": "DESK_NO_SUCH_VARIABLE"}}})
    head = make_head(flow, tmp_path, Desk(nothing), {"In": Feed(numbers(2))}, config=config)

    assert asyncio.run(head.run()) == 1
    assert len(head.closing) == 2
    assert "DESK_NO_SUCH_VARIABLE" in head.closing[0]
