"""Clean-ups that are owed: offered machine by machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, Feed, chain, make_head, nothing, until

from cryocloud_core.engine.commands import CleanUp, Command
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import Context, Event, PebbleCancelled
from cryocloud_core.graph.refs import Argument, Literal
from cryocloud_core.head.cleaning import Cleaning
from cryocloud_core.task import Failed, Preparation, StagingKind, Succeeded, Task


class _Here(Desk):
    """Takes tasks for one machine only, as many as there are places."""

    def offer(self, task: Task) -> bool:
        if "here" not in task.machines or len(self.offered) >= self.slots:
            return False
        self.offered.append(task)
        return True


def test_a_machine_that_is_gone_holds_up_no_other_clean_up() -> None:
    """A head that came back under another name pays the debts that it can pay, the oldest first."""
    paid: list[Any] = []
    desk = _Here(nothing, slots=1)
    cleaning = Cleaning(desk, lambda *debt: paid.append(debt), lambda *_: None)
    for pebble, machine in ((1, "gone"), (2, "here"), (3, "gone"), (4, "here")):
        cleaning.owe(CleanUp(pebble, f"n{pebble}", machine, (None,)))
    for _ in range(2):
        cleaning.hand_out()
        assert len(desk.offered) == 1
        cleaning.ended(desk.offered.pop().id, Succeeded({}))
    cleaning.hand_out()

    assert paid == [(2, "here"), (4, "here")]
    assert len(cleaning) == 2


def test_a_clean_up_of_a_pebble_that_was_set_aside_may_fail_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pebble is gone by then: it is told all the same, and its tempdirs go in the end."""
    monkeypatch.setattr("cryocloud_core.head.cleaning._FIRST_WAIT_S", 0.01)
    apply = Engine.apply

    def bad(self: Engine, event: Event, context: Context) -> list[Command]:
        if isinstance(event, PebbleCancelled):
            raise KeyError("a bug")
        return apply(self, event, context)

    monkeypatch.setattr(Engine, "apply", bad)
    args = {"t": Argument(Literal("/tmp"), preparation=Preparation(StagingKind.TEMPDIR))}
    begun, may_end, tries = asyncio.Event(), asyncio.Event(), []

    async def work(task: Task) -> Any:
        if task.module != "cryocloud:clean_up":
            return {}
        tries.append(task)
        begun.set()
        await may_end.wait()
        return Failed("busy") if len(tries) == 1 else {}

    async def play() -> None:
        head = make_head(chain(1, args=args), tmp_path, Desk(work), {"In": Feed([{"n": 1}], stays=True)})
        going = asyncio.create_task(head.run())
        await begun.wait()
        head.cancel(1)
        await until(lambda: head.view().pebbles_failed == 1)
        may_end.set()
        await until(lambda: len(tries) == 2)
        (line,) = [each for each in head.view().log if "are still there" in each.text]
        assert (line.level, line.pebble) == ("WARNING", 1)
        assert line.text == "tempdirs on desk are still there (busy); tried again later"
        head.suspend()
        await going

    asyncio.run(play())
