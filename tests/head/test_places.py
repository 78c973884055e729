"""Tasks bound to machines: they wait for theirs, hold nobody up, and start when it appears."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from desk import Desk, Feed, chain, literal, make_head, node, until

from cryocloud_core.graph.refs import PARENT, Argument, StatRef
from cryocloud_core.graph.workflow import Placement, Workflow
from cryocloud_core.head import watch
from cryocloud_core.sdk.observed import LogRecord
from cryocloud_core.sdk.scheduler import WorkerInfo
from cryocloud_core.task import Task


class Hall(Desk):
    """A desk with workers on several machines, which come and go."""

    def __init__(self, work: Any, *machines: str, slots: int = 4) -> None:
        super().__init__(work, slots)
        self.machines = machines

    def workers(self) -> list[WorkerInfo]:
        """Return one worker a machine."""
        return [WorkerInfo(f"w-{name}", name, "normal", "idle") for name in self.machines]

    def appear(self, machine: str) -> None:
        """A worker on another machine is there."""
        self.machines = (*self.machines, machine)
        assert self.reports is not None
        self.reports.room()


def pinned(machine: Any, **more: Any) -> Workflow:
    """Return a workflow with one node bound to a machine and, beside it, one that is not."""
    nodes = {"In": node("In"), "Bound": node("Bound", "In", placement=Placement(machine=literal(machine)), **more)}
    return Workflow("flow", "bound", {**nodes, "Free": node("Free", "In")})


def test_a_task_waits_for_its_machine_and_holds_nobody_up(tmp_path: Path) -> None:
    """The reason is told; it starts as soon as a worker there appears."""

    async def play() -> None:
        hall = Hall(lambda _: {}, "m1", slots=1)
        head = make_head(pinned(["m8", "m9"]), tmp_path, hall, {"In": Feed([{}] * 3)})
        going = asyncio.create_task(head.run())
        await until(lambda: len(hall.offered) == 3)
        assert {task.node for task in hall.offered} == {"Free"}
        await until(lambda: head.view().blocked)
        (blocked,) = head.view().blocked
        assert (blocked.node, blocked.count) == ("Bound", 3)
        assert blocked.why == "no normal worker is on a machine named 'm8' or 'm9'"
        hall.appear("m7")
        await asyncio.sleep(0.05)
        assert len(hall.offered) == 3
        hall.appear("m9")
        assert await going == 0
        assert [task.machines for task in hall.offered[3:]] == [("m8", "m9")] * 3

    asyncio.run(play())


def test_a_limit_does_not_count_tasks_that_wait_for_a_machine(tmp_path: Path) -> None:
    """They take no place from tasks of the same node that can run."""

    async def play() -> None:
        flow = pinned("?", max_parallel=1)
        where = Placement(machine=Argument(StatRef("Free", "node")))
        flow.nodes["Bound"] = evolve(flow.nodes["Bound"], placement=where, parents=("Free",))
        hall = Hall(lambda _: {}, "m1")
        head = make_head(flow, tmp_path, hall, {"In": Feed([{}] * 2)})
        going = asyncio.create_task(head.run())
        # A desk tells "desk" as the machine of every task: nobody is there by that name.
        await until(lambda: [b.count for b in head.view().blocked] == [2])
        hall.appear("desk")
        assert await going == 0

    asyncio.run(play())


def test_a_minute_without_the_machine_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, with the name that nobody has; giving the pebble up ends the wait."""
    monkeypatch.setattr(watch, "PATIENCE_S", 0.0)
    said: list[LogRecord] = []

    async def play() -> None:
        head = make_head(
            pinned("m9"),
            tmp_path,
            Hall(lambda _: {}, "m1"),
            {"In": Feed([{}])},
            listener=lambda told: said.append(told) if isinstance(told, LogRecord) else None,
        )
        going = asyncio.create_task(head.run())
        await until(lambda: any("named 'm9'" in each.text for each in said))
        head.cancel()
        assert await going == 1
        assert head.view().blocked == ()

    asyncio.run(play())
    (warning,) = [each for each in said if "named 'm9'" in each.text]
    assert (warning.level, warning.node) == ("WARNING", "Bound")
    assert "no normal worker is on a machine named 'm9'" in warning.text


def test_nodes_that_name_no_machine_go_where_the_run_says(tmp_path: Path) -> None:
    """`--node`: not those that name one, not those on the head."""
    flow = pinned("m2")
    flow.nodes["Head"] = node("Head", "In", placement=Placement(on_head=True))

    class Both(Hall):
        def workers(self) -> list[WorkerInfo]:
            return [*super().workers(), WorkerInfo("h", "desk", "head", "idle")]

    hall = Both(lambda _: {}, "m1", "m2")
    asyncio.run(make_head(flow, tmp_path, hall, {"In": Feed([{}])}, node="m1").run())

    assert {task.node: task.machines for task in hall.offered} == {"Free": ("m1",), "Bound": ("m2",), "Head": ()}


def test_every_machine_is_asked_for_once_and_remembered(tmp_path: Path) -> None:
    """A start after the answer goes on with the machines of the answer, whoever is there by then."""
    flow = chain(2, placement=Placement(machine=Argument(StatRef(PARENT, "node"), has_default=True, default="all")))
    flow.nodes["N1"] = evolve(flow.nodes["N1"], placement=Placement(machine=literal("all")), outputs={"n": ""})
    flow.nodes["N2"] = evolve(flow.nodes["N2"], placement=Placement())

    async def first_start() -> None:
        async def work(_: Task) -> Any:
            await asyncio.sleep(3600)

        hall = Hall(work, "m2", "m1")
        head = make_head(flow, tmp_path, hall, {"In": Feed([{}])}, grace_s=0)
        going = asyncio.create_task(head.run())
        await until(lambda: len(head.view().active) == 2)
        head.suspend()
        await going
        assert [(task.id, task.machines) for task in hall.offered] == [("1.0/N1/1", ("m1",)), ("1.1/N1/1", ("m2",))]

    asyncio.run(first_start())
    hall = Hall(lambda task: {"n": task.id}, "m1", "m2", "m3")
    head = make_head(flow, tmp_path, hall, {"In": Feed([])})

    assert asyncio.run(head.run()) == 0
    assert [task.id for task in hall.offered] == ["1.0/N1/1", "1.1/N1/1", "1/N2/1"]
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        answers = connection.execute("SELECT body FROM events WHERE body LIKE '%Answered%'").fetchall()
    assert len(answers) == 1
    assert '"machines":["m1","m2"]' in answers[0][0]


def test_a_start_before_the_answer_asks_again(tmp_path: Path) -> None:
    """The question is owed: nothing is lost with the head that should have answered."""
    flow = chain(1, placement=Placement(machine=literal("all")))

    class Silent(Hall):
        def serving(self, kind: str, module: str) -> tuple[str, ...]:
            head.suspend()
            head.suspend()
            raise RuntimeError(f"{kind} {module}")

    head = make_head(flow, tmp_path, Silent(lambda _: {}), {"In": Feed([{}])})
    with pytest.raises(RuntimeError):
        asyncio.run(head.run())
    hall = Hall(lambda _: {}, "m5")

    assert asyncio.run(make_head(flow, tmp_path, hall, {"In": Feed([])}).run()) == 0
    assert [task.machines for task in hall.offered] == [("m5",)]
