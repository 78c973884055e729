"""The result cache: what counts as the same, when a result is used again, who waits for whom, what is kept."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from desk import Desk, Feed, chain, literal, make_head, node, until
from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.graph.refs import Argument, Literal, OutputRef
from cryocloud_core.graph.workflow import CacheRule, Workflow
from cryocloud_core.head import cache as cache_module
from cryocloud_core.head.cache import Entry, Hit, Miss, key_of
from cryocloud_core.head.head import Head
from cryocloud_core.head.retention import Retention
from cryocloud_core.head.schema import prepare
from cryocloud_core.sdk.observed import TaskSeen
from cryocloud_core.task import Code, Failed, Preparation, StagingKind, Succeeded, Task

RULE = CacheRule(("n",))


def task(**more: Any) -> Task:
    """Return a task."""
    return Task(
        **{"id": "1/A/1", "pebble": 1, "node": "A", "module": "m", "workflow": "w", "nonce": "x"}
        | {"code": Code("m"), "args": {"n": 1, "o": 2}, **more}
    )


def run(
    state_dir: Path, work: Callable[[Task], Any], infos: list[Any], *, rule: CacheRule = RULE, **more: Any
) -> tuple[Desk, Head]:
    """Run pebbles through one cached node and return the scheduler and the head."""
    desk = Desk(work, slots=more.pop("slots", 4))
    flow = chain(1, cache=rule, **more.pop("node", {}))
    head = make_head(flow, state_dir, desk, {"In": Feed(infos)}, **more)
    asyncio.run(head.run())
    return desk, head


def outputs_of(state_dir: Path) -> list[Any]:
    """Return what the journal says that tasks returned."""
    with closing(sqlite3.connect(state_dir / "journal.db")) as connection:
        bodies = [json.loads(body) for (body,) in connection.execute("SELECT body FROM events ORDER BY seq")]
    return [body["outcome"].get("outputs") for body in bodies if body["type"] == "TaskEnded"]


# --- what is the same ---------------------------------------------------------------------------------


def test_tasks_are_the_same_by_module_code_loop_and_listed_arguments() -> None:
    """Nothing else counts: not the node, not the pebble, not an argument that is not listed."""
    same = [task(id="2/B/1", pebble=2, node="B", priority=1), task(args={"o": 9, "n": 1}), task(workdir="/x")]
    other = [task(module="q"), task(code=Code(path="/m.py")), task(loop="n"), task(args={"n": 2}), task(args={})]
    key = key_of(task(), RULE)

    assert {key_of(each, RULE) for each in same} == {key}
    assert key not in {key_of(each, RULE) for each in other}
    assert key_of(task(args={}), RULE) == key_of(task(args={"n": None}), RULE)


@given(st.dictionaries(st.text(max_size=2), st.none() | st.booleans() | st.integers(), max_size=4))
@settings(max_examples=40)
def test_the_order_of_arguments_does_not_count_and_their_types_do(args: dict[str, Any]) -> None:
    """Maps may be written in any order; 1 is not true and not the text 1."""
    rule = CacheRule(tuple(args))

    assert key_of(task(args=args), rule) == key_of(task(args=dict(reversed(args.items()))), rule)
    assert key_of(task(args={**args, "n": 1}), CacheRule((*args, "n"))) != key_of(
        task(args={**args, "n": True}), CacheRule((*args, "n"))
    )


def test_a_result_ends_after_its_own_time_and_after_the_time_of_who_asks() -> None:
    """Seconds from when it was made; a big number is a moment; nothing said is for ever."""
    made = Entry(1000.0, 1060.0, "m", "w", {}, {})
    endless = evolve(made, expires_at=None)

    assert made.holds(RULE, 1059.9)
    assert not made.holds(RULE, 1060.0)
    assert endless.holds(RULE, 9e9)
    assert endless.holds(CacheRule((), 10), 1009.0)
    assert not endless.holds(CacheRule((), 10), 1010.0)
    assert endless.holds(CacheRule((), 2e9), 1.9e9)
    assert not endless.holds(CacheRule((), 2e9), 2e9)


def test_a_result_with_files_goes_to_the_machine_where_they_lie() -> None:
    """Elsewhere it is no use; a node that is bound to another machine makes it anew."""
    entry = Entry(1.0, None, "m1", "w", {"dst": "/f"}, {"/f": 3})
    miss = Miss("key", CacheRule((), files=("dst",)), entry)

    there = miss.prepared(task(), ("m1", "m2"))
    assert (there.machines, there.reuse and there.reuse.known) == (("m1",), True)
    for ready, machines in ((task(), ("m2",)), (task(machines=("m2",)), ("m1", "m2"))):
        elsewhere = miss.prepared(ready, machines)
        assert elsewhere.machines == ready.machines
        assert elsewhere.reuse is not None
        assert not elsewhere.reuse.known
    assert Miss("key", CacheRule((), files=("dst",), lookup=True)).prepared(task(), ("m1",)).reuse is None
    assert Hit(entry).stats(task()).node == "m1"


# --- used again ---------------------------------------------------------------------------------------


def test_the_second_pebble_with_the_same_argument_is_not_run(tmp_path: Path) -> None:
    """It gets the same outputs, ends with a time of zero, and its task is no work."""
    told: list[Any] = []
    infos = [{"n": 1}, {"n": 2}, {"n": 1}, {"n": 1}]
    desk, head = run(tmp_path, lambda each: {"got": each.args["n"]}, infos, slots=1, listener=told.append)

    assert sorted(each.args["n"] for each in desk.offered) == [1, 2]
    assert sorted(each["got"] for each in outputs_of(tmp_path)) == [1, 1, 1, 2]
    assert head.view().pebbles_done == 4
    assert [node.completed for node in head.view().nodes if node.name == "N1"] == [4]
    seen = [each for each in told if isinstance(each, TaskSeen)]
    assert [each.outcome for each in seen] == ["success"] * 4
    assert sorted(each.runtime_s > 0 for each in seen) == [False, False, True, True]
    assert {each.worker for each in seen} == {"desk-1"}


def test_a_later_run_uses_it_until_it_expires(tmp_path: Path) -> None:
    """The results lie in the state directory, each with its time."""

    def run_again(rule: CacheRule = RULE, **more: Any) -> int:
        return len(run(tmp_path, lambda _: {}, [{"n": 1}], rule=rule, **more)[0].offered)

    assert [run_again() for _ in range(2)] == [1, 0]
    assert run_again(CacheRule(("n",), 3600.0)) == 0
    assert [run_again(CacheRule(("n",), 1e-9)) for _ in range(2)] == [1, 1]
    assert run_again(CacheRule(("n",), 3600.0)) == 1
    assert [run_again(CacheRule(("n",), 1e-9)), run_again()] == [1, 1]
    assert run_again(CacheRule(("n",), 1e-9)) == 1
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
        assert connection.execute("SELECT count(*) FROM cached").fetchone() == (1,)
        Retention(1e9, 10**6).step(connection, ())
        assert connection.execute("SELECT count(*) FROM cached").fetchone() == (0,)


def test_nothing_is_looked_up_or_kept_when_it_is_off(tmp_path: Path) -> None:
    """`nocache` runs everything and leaves what is kept alone."""
    assert len(run(tmp_path, lambda _: {}, [{"n": 1}] * 2, nocache=True)[0].offered) == 2
    assert len(run(tmp_path, lambda _: {"a": 1}, [{"n": 1}])[0].offered) == 1
    assert len(run(tmp_path, lambda _: {"a": 2}, [{"n": 1}], nocache=True)[0].offered) == 1
    run(tmp_path, lambda _: {"a": 3}, [{"n": 1}])

    assert outputs_of(tmp_path)[-1] == {"a": 1}


def test_a_lookup_only_node_keeps_nothing(tmp_path: Path) -> None:
    """It consults what others kept."""
    looks = CacheRule(("n",), lookup=True)

    assert len(run(tmp_path, lambda _: {}, [{"n": 1}] * 2, rule=looks, slots=1)[0].offered) == 2
    run(tmp_path, lambda _: {}, [{"n": 1}])
    assert run(tmp_path, lambda _: {}, [{"n": 1}], rule=looks)[0].offered == []


def test_nobody_waits_for_a_task_whose_result_is_not_kept(tmp_path: Path) -> None:
    """Two nodes that only look run side by side."""

    async def play() -> None:
        async def work(_: Task) -> Any:
            await until(lambda: len(desk.offered) == 2)
            return {}

        desk = Desk(work, slots=4)
        looks = CacheRule(("n",), lookup=True)
        assert await make_head(chain(1, cache=looks), tmp_path, desk, {"In": Feed([{"n": 1}] * 2)}).run() == 0

    asyncio.run(play())


def test_using_a_result_does_not_make_it_younger(tmp_path: Path) -> None:
    """Its time counts from when it was made."""

    def made_at() -> Any:
        with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
            return connection.execute("SELECT at FROM cached").fetchall()

    run(tmp_path, lambda _: {}, [{"n": 1}])
    first = made_at()
    assert run(tmp_path, lambda _: {}, [{"n": 1}])[0].offered == []
    assert made_at() == first


def test_a_failure_is_not_kept_and_the_next_one_tries(tmp_path: Path) -> None:
    """Equal tasks waited for it; each runs in its turn."""
    ends = iter([Failed("once"), {"a": 1}])
    desk, head = run(tmp_path, lambda _: next(ends), [{"n": 1}] * 3)

    assert len(desk.offered) == 2
    assert (head.view().pebbles_done, head.view().pebbles_failed) == (3, 1)


def test_an_argument_that_a_module_lists_but_a_node_makes_a_tempdir_is_not_cached(tmp_path: Path) -> None:
    """A tempdir is another one for every pebble, whatever its base."""
    tempdir = Argument(Literal("/tmp"), preparation=Preparation(StagingKind.TEMPDIR))
    desk, _ = run(tmp_path, lambda _: {}, [{"n": 1}] * 2, node={"args": {"n": tempdir}})

    assert len([each for each in desk.offered if each.node == "N1"]) == 2


def test_big_values_are_used_again_whole(tmp_path: Path) -> None:
    """And kept once among the pebbles' big values."""
    big = "x" * 100_000
    args = {"n": Argument(OutputRef("N1", "big"))}
    flow = chain(1, cache=RULE)
    flow.nodes["Last"] = node("Last", "N1", args=args)
    desk = Desk(lambda each: {"big": big} if each.node == "N1" else {}, slots=1)
    asyncio.run(make_head(flow, tmp_path, desk, {"In": Feed([{"n": 1}] * 2)}).run())

    assert [each.args["n"] for each in desk.offered if each.node == "Last"] == [big, big]
    assert len([each for each in desk.offered if each.node == "N1"]) == 1


def test_a_replay_needs_no_cache(tmp_path: Path) -> None:
    """What was used again is in the journal: the pebble goes on after it with the cache gone."""
    flow = chain(2)
    flow.nodes["N1"] = evolve(flow.nodes["N1"], cache=RULE)
    flow.nodes["N2"] = evolve(flow.nodes["N2"], args={"x": Argument(OutputRef("N1", "got"))})

    async def first_start() -> None:
        async def work(each: Task) -> Any:
            if each.node == "N2" and each.pebble == 2:
                await asyncio.sleep(3600)
            return {"got": f"{each.pebble}"}

        head = make_head(flow, tmp_path, Desk(work, slots=1), {"In": Feed([{"n": 1}] * 2)}, grace_s=0)
        running = asyncio.create_task(head.run())
        await until(lambda: any((v.pebble, v.node) == (2, "N2") for v in head.view().active))
        head.suspend()
        await running

    asyncio.run(first_start())
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
        connection.execute("DELETE FROM cached")
    desk = Desk(lambda _: {})
    head = make_head(flow, tmp_path, desk, {"In": Feed([])})

    assert asyncio.run(head.run()) == 0
    assert [(each.id, each.args) for each in desk.offered] == [("2/N2/1", {"x": "1"})]


# --- one runs, the others wait ------------------------------------------------------------------------


def test_equal_tasks_wait_for_the_one_that_runs_and_hold_nobody_up(tmp_path: Path) -> None:
    """They use its result; a task with another argument goes past them; why they wait is told."""

    async def play() -> None:
        go = asyncio.Event()

        async def work(each: Task) -> Any:
            if each.args["n"] == 1:
                await go.wait()
            return {"from": each.pebble}

        desk = Desk(work, slots=4)
        infos = [{"n": 1}, {"n": 1}, {"n": 1}, {"n": 2}]
        head = make_head(chain(1, cache=RULE), tmp_path, desk, {"In": Feed(infos)})
        running = asyncio.create_task(head.run())
        await until(lambda: head.view().pebbles_done == 1)
        assert [(b.node, b.count, b.why) for b in head.view().blocked] == [("N1", 2, "an equal task runs: 1/N1/1")]
        go.set()
        assert await running == 0
        assert sorted(each.pebble for each in desk.offered) == [1, 4]

    asyncio.run(play())
    assert sorted(each["from"] for each in outputs_of(tmp_path)) == [1, 1, 1, 4]


def test_a_task_waits_only_so_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it runs itself."""
    monkeypatch.setattr(cache_module, "WAIT_S", 0.05)

    async def play() -> None:
        async def work(each: Task) -> Any:
            await until(lambda: len(desk.offered) == 2)
            return {"from": each.pebble}

        desk = Desk(work, slots=4)
        head = make_head(chain(1, cache=RULE), tmp_path, desk, {"In": Feed([{"n": 1}] * 2)})
        assert await head.run() == 0

    asyncio.run(play())
    assert sorted(each["from"] for each in outputs_of(tmp_path)) == [1, 2]


@pytest.mark.parametrize("given_up", [1, 2])
def test_giving_up_one_of_equal_tasks_does_not_harm_the_other(tmp_path: Path, given_up: int) -> None:
    """Neither the one that runs nor the one that waits."""

    async def play() -> None:
        go = asyncio.Event()

        async def work(_: Task) -> Any:
            await go.wait()
            return {}

        desk = Desk(work, slots=4)
        head = make_head(chain(1, cache=RULE), tmp_path, desk, {"In": Feed([{"n": 1}] * 2)})
        running = asyncio.create_task(head.run())
        await until(lambda: head.view().blocked)
        head.cancel(given_up)
        await until(lambda: head.view().pebbles_done == 1)
        go.set()
        await running
        assert len(desk.offered) == (2 if given_up == 1 else 1)
        assert head.view().pebbles_done == 2

    asyncio.run(play())


def test_equal_nodes_of_one_pebble_run_once(tmp_path: Path) -> None:
    """Side by side too: the node does not count."""
    args: Mapping[str, Any] = {"n": literal([1, {"deep": None}])}
    nodes = {"In": node("In")}
    for name in ("A", "B"):
        nodes[name] = node(name, "In", module="m", code=Code("m"), cache=RULE, args=dict(args))
    desk = Desk(lambda _: {"a": 1})
    asyncio.run(make_head(Workflow("flow", "equal", nodes), tmp_path, desk, {"In": Feed([{}])}).run())

    assert len(desk.offered) == 1
    assert outputs_of(tmp_path) == [{"a": 1}, {"a": 1}]


# --- where it is kept ---------------------------------------------------------------------------------


def test_a_result_is_in_the_commit_of_its_end(tmp_path: Path) -> None:
    """Never the one without the other: the writer that fails at one leaves none of both."""

    async def play() -> None:
        desk = Desk(lambda _: Succeeded({"a": 1}))
        head = make_head(chain(1, cache=RULE), tmp_path, desk, {"In": Feed([{"n": 1}])})
        with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
            prepare(connection, tmp_path / "journal.db")
            connection.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN new.body LIKE '%TaskEnded%'"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        with pytest.raises(Exception, match="refused"):
            await head.run()

    asyncio.run(play())
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        assert connection.execute("SELECT count(*) FROM cached").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
