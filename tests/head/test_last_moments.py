"""A run ends by itself whatever the last thing is that happens in it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from desk import Desk, Feed, chain, literal, make_head, node, nothing, until

from cryocloud_core.engine import turn
from cryocloud_core.graph.refs import Argument
from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.sdk.observed import PebbleSeen
from cryocloud_core.task import Failed, Preparation, StagingKind

if TYPE_CHECKING:
    from pathlib import Path

    from cryocloud_core.head.head import Head
    from cryocloud_core.sdk.scheduler import Reports, SchedulerSettings
    from cryocloud_core.task import Task


def finished(head: Head, seconds: float = 10.0) -> int:
    """Run a head and return its exit code; fail when it does not end."""
    return asyncio.run(asyncio.wait_for(head.run(), seconds))


def test_a_run_ends_after_an_event_that_comes_too_late_for_its_last_pebble(tmp_path: Path) -> None:
    """Somebody cancels the pebble while it is closing: nothing is written of that, and nothing else will happen."""
    heads: list[Head] = []

    def listen(record: Any) -> None:
        if isinstance(record, PebbleSeen) and record.result:
            running: Any = heads[0]._running
            running.cancel([record.pebble])

    heads.append(make_head(chain(1), tmp_path, Desk(nothing), {"In": Feed([{}])}, listener=listen))

    assert finished(heads[0]) == 0


def test_a_run_that_is_drained_before_it_is_up_ends(tmp_path: Path) -> None:
    """No input is started then, and no pebble is there that could end it."""

    class Slow(Desk):
        async def start(self, reports: Reports, settings: SchedulerSettings) -> None:
            running: Any = head._running
            running.drain()
            await asyncio.sleep(0.2)
            await super().start(reports, settings)

    feed = Feed([{}])
    head = make_head(chain(1), tmp_path, Slow(nothing), {"In": feed})

    assert finished(head) == 0
    assert feed.starts == 0


def test_waiters_are_told_that_nobody_comes_although_a_closed_pebble_owes_its_clean_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tempdir that cannot be removed does not let the others wait for ever."""
    monkeypatch.setattr(turn, "CLEAN_UP_LIMIT_S", 0.05)
    tempdir = Argument(literal("/tmp").source, preparation=Preparation(StagingKind.TEMPDIR))
    nodes = {
        "A": node("A"),
        "B": node("B"),
        "WA": node("WA", "A"),
        "WB": node("WB", "B", run_on=frozenset()),
        "T": node("T", "B", args={"t": tempdir}),
        "Sync": node("Sync", "WA", "WB", module="communicate", args={"msgid": literal("x")}),
    }

    def work(task: Task) -> Any:
        return Failed("busy") if task.module == "cryocloud:clean_up" else {}

    head = make_head(Workflow("flow", "", nodes), tmp_path, Desk(work), {"A": Feed([{}]), "B": Feed([{}])})

    assert finished(head) == 1
    assert any("no partner for msgid" in line for line in head.closing)


@pytest.mark.parametrize("broken", ["look", "end"])
def test_a_bug_in_what_the_head_does_beside_ends_the_run(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head that looks no more at what waits, or does not finish to drain, would wait for ever without a word."""

    async def go() -> None:
        head = make_head(chain(1), tmp_path, Desk(nothing), {"In": Feed([{}], stays=True)})
        running = asyncio.create_task(head.run())
        await until(lambda: head.view().pebbles_done == 1)
        inside: Any = head._running
        if broken == "look":
            monkeypatch.setattr(inside.watch, "look", lambda: 1 / 0)
        else:
            monkeypatch.setattr(inside._feeds, "wait", lambda _seconds: 1 / 0)
            inside.drain()
        await asyncio.wait({running}, timeout=10)
        assert running.done()
        with pytest.raises(ZeroDivisionError):
            await running

    asyncio.run(go())
