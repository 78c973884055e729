"""What a run publishes of itself, looked at while it goes on and after it."""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from desk import Desk, Feed, chain, make_head, nothing, until

from cryocloud_core.errors import StartError
from cryocloud_core.head.board import StatusBoard
from cryocloud_core.head.counters import Counters
from cryocloud_core.head.metrics import METRICS, Sample, samples_of, text_of
from cryocloud_core.head.publishing import HEAD, NODE, WORKER, Publisher
from cryocloud_core.head.status_search import order, present
from cryocloud_core.sdk.scheduler import WorkerInfo
from cryocloud_core.task import Code, Declined, Failed, Lost, Stats, Succeeded, Task

MACHINE = "NodeController.desk"


def values(directory: Path) -> dict[str, Any]:
    """Return what is stored, by channel and parameter."""
    return {f"{each.channel}:{each.parameter}": each.value for each in present([directory])}


def counts(directory: Path, node: str, flow: str = "flow") -> tuple[Any, ...]:
    """Return a node's pending, processing, completed and failed."""
    stored = values(directory)
    return tuple(stored.get(f"{flow}:{node}.{which}") for which in ("pending", "processing", "completed", "failed"))


def half_bad(task: Task) -> Any:
    """Fail for every second pebble."""
    if task.pebble % 2 == 0:
        raise ValueError("even")
    return {}


def test_counters_are_published_while_a_run_goes_on_and_when_it_is_over(tmp_path: Path) -> None:
    """Waiting and running tasks, then what they came to; the channel's spaces are underscores."""
    gate = asyncio.Event()

    async def work(_task: Task) -> None:
        await gate.wait()

    async def go() -> int:
        head = make_head(chain(1, "My flow"), tmp_path, Desk(work, slots=2), {"In": Feed([{"n": n} for n in range(5)])})
        running = asyncio.create_task(head.run())
        await until(lambda: (tmp_path / "status.db").exists() and counts(tmp_path, "N1", "My_flow")[:2] == (3, 2))
        assert values(tmp_path)["My_flow.HeadNode:state"] == "Running"
        gate.set()
        return await running

    assert asyncio.run(go()) == 0
    assert counts(tmp_path, "N1", "My_flow") == (0, 0, 5, 0)
    assert counts(tmp_path, "In", "My_flow")[2] == 5
    stored = values(tmp_path)
    assert stored["My_flow.HeadNode:state"] == "Done"
    assert stored["My_flow.HeadNode:total_steps"] == 1
    assert stored[f"{MACHINE}:state"] == "Stopped"
    assert not any(name.startswith("My_flow:.") for name in stored)


def test_totals_go_on_over_runs_until_they_are_reset(tmp_path: Path) -> None:
    """Failed and completed count on over runs; --reset-counters begins anew."""

    def go(**settings: Any) -> tuple[Any, ...]:
        feed = Feed([{"n": n} for n in range(4)])
        asyncio.run(make_head(chain(1), tmp_path, Desk(half_bad), {"In": feed}, **settings).run())
        return counts(tmp_path, "N1")

    assert go() == (0, 0, 2, 2)
    assert go() == (0, 0, 4, 4)
    assert go(reset_counters=True) == (0, 0, 2, 2)
    assert go() == (0, 0, 4, 4)


def test_what_waits_is_counted_anew_at_a_start(tmp_path: Path) -> None:
    """After a suspension nothing runs any more, and what is owed waits again."""

    async def stop_in_the_middle() -> None:
        async def work(_task: Task) -> None:
            await asyncio.sleep(60)

        head = make_head(chain(1), tmp_path, Desk(work, slots=1), {"In": Feed([{}] * 3)}, grace_s=0.01)
        running = asyncio.create_task(head.run())
        await until(lambda: (tmp_path / "status.db").exists() and counts(tmp_path, "N1")[:2] == (2, 1))
        head.suspend()
        await running
        assert values(tmp_path)["flow.HeadNode:state"] == "Stopped"

    asyncio.run(stop_in_the_middle())
    asyncio.run(make_head(chain(1), tmp_path, Desk(nothing), {"In": Feed([])}).run())

    assert counts(tmp_path, "N1") == (0, 0, 3, 0)


def test_somebody_sets_a_value_while_a_head_runs(tmp_path: Path) -> None:
    """The head reads it from then on; what it publishes itself it sets right."""

    async def go() -> None:
        head = make_head(chain(1), tmp_path, Desk(nothing), {"In": Feed([{}], stays=True)})
        running = asyncio.create_task(head.run())
        await until(lambda: (tmp_path / "status.db").exists() and counts(tmp_path, "N1")[2] == 1)
        assert head._running is not None
        board = head._running.status.board
        order(tmp_path, "Site", "limit", 5, 1.0)
        order(tmp_path, "flow", "N1.completed", 77, 1.0)
        await until(lambda: board.value("Site", "limit") == 5)
        assert board.value("flow", "N1.completed") == 1
        await until(lambda: counts(tmp_path, "N1")[2] == 1)
        head.suspend()
        await running

    asyncio.run(go())
    assert values(tmp_path)["Site:limit"] == 5


def test_the_board_answers_with_this_moments_counters(tmp_path: Path) -> None:
    """What restrictions read is as it is at the hand-out, not as it was at the last look."""
    seen: list[Any] = []

    async def go() -> None:
        def work(_task: Task) -> None:
            board = head._running.status.board  # type: ignore[union-attr]
            seen.append((board.value("flow", "N1.processing"), board.known("flow", "N9.pending")))

        head = make_head(chain(1), tmp_path, Desk(work, slots=1), {"In": Feed([{}] * 3)})
        await head.run()

    asyncio.run(go())
    assert seen == [(1, False)] * 3


def test_metrics_are_served_and_a_taken_port_refuses_the_start(tmp_path: Path) -> None:
    """The text format on loopback; the port is named when it cannot be had."""

    async def go() -> str:
        head = make_head(chain(1), tmp_path / "a", Desk(nothing), {"In": Feed([{}], stays=True)}, metrics_port=0)
        running = asyncio.create_task(head.run())
        await until(lambda: head._running is not None and head._running.status._server is not None)
        server = head._running.status._server  # type: ignore[union-attr]
        await until(lambda: server is not None and server.port > 0 and head.view().pebbles_done == 1)
        await asyncio.sleep(0.6)
        assert server is not None
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(server.url, timeout=5).read().decode())
        other = make_head(chain(1), tmp_path / "b", Desk(nothing), {"In": Feed([])}, metrics_port=server.port)
        with pytest.raises(StartError, match=f"--metrics-port: port {server.port}"):
            await other.run()
        head.suspend()
        await running
        return text

    text = asyncio.run(go())
    assert '# TYPE cryocloud_node_completed_total counter\ncryocloud_node_completed_total{workflow="flow"' in text
    assert 'cryocloud_node_completed_total{workflow="flow",node="N1"} 1\n' in text


# --- made by hand ------------------------------------------------------------------------------------


class Hall:
    """Workers as a test wants them."""

    def __init__(self, *infos: WorkerInfo) -> None:
        self.infos = list(infos)

    def workers(self) -> list[WorkerInfo]:
        """Return the workers."""
        return self.infos


def task(number: int = 1, node: str = "N1") -> Task:
    """Return a task."""
    return Task(f"{number}/{node}/1", number, node, "wind", "flow", Code(reference="x"), "n")


@pytest.fixture
def desk() -> tuple[StatusBoard, Counters, Hall, Publisher]:
    """Give a publisher over one normal worker."""
    board, counters, hall = StatusBoard(), Counters(), Hall(WorkerInfo("Worker-h_0", "h", "normal", "idle"))
    counters.add_workflow(chain(2))
    return board, counters, hall, Publisher(board, counters, hall)  # type: ignore[arg-type]


def test_a_worker_shows_what_it_is_in_and_what_it_was_in_last(desk: Any) -> None:
    """Module, job and progress while it works; the time it took afterwards."""
    board, counters, hall, publisher = desk
    counters.queued(task())
    counters.began(task(), "Worker-h_0", 5.0)
    counters.status("1/N1/1", {"progress": 33.33, "state": "Preparing files"})
    hall.infos = [WorkerInfo("Worker-h_0", "h", "normal", "busy", task="1/N1/1")]
    publisher.look(6.0, "Running")
    busy = board.channel("Worker-h_0")
    counters.ended(task())
    publisher.ended(task(), Succeeded(), Stats("h", "Worker-h_0", runtime_s=2.5))
    hall.infos = [WorkerInfo("Worker-h_0", "h", "normal", "idle")]
    publisher.look(7.0, "Running")

    assert set(busy) == set(WORKER)
    wanted = {"state": "Preparing files", "module": "wind", "current_job": "1/N1/1", "progress": 33.3, "host": "h"}
    assert wanted.items() <= busy.items()
    after = {"state": "Idle", "module": "wind", "current_job": None, "progress": 100.0, "last_processing_time": 2.5}
    assert after.items() <= board.channel("Worker-h_0").items()


@pytest.mark.parametrize(
    ("outcome", "state", "said"),
    [
        (Failed("no band"), "Failed", "no band"),
        (Lost("h", "was killed"), "Failed", "was killed"),
        (Declined("no idl here", "h"), "Import error", "no idl here"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_worker_shows_how_its_last_task_failed(desk: Any, outcome: Any, state: str, said: str) -> None:
    """State, count and text of errors stay until the next task."""
    board, _, _, publisher = desk
    for _ in range(2):
        publisher.ended(task(), outcome, Stats("h", "Worker-h_0"))
    publisher.look(1.0, "Running")

    expected = {"state": state, "num_errors": 2, "last_error": said}
    assert expected.items() <= board.channel("Worker-h_0").items()


def test_a_worker_that_is_gone_has_stopped(desk: Any) -> None:
    """Also one of an earlier start."""
    board, _, hall, publisher = desk
    publisher.inherit(["Worker-old_0"])
    publisher.look(1.0, "Running")
    hall.infos = []
    publisher.look(2.0, "Running")

    assert board.value("Worker-h_0", "state") == board.value("Worker-old_0", "state") == "Stopped"


def test_admin_workers_of_one_machine_share_a_channel(desk: Any) -> None:
    """The one that works speaks for them."""
    board, _, hall, publisher = desk
    hall.infos = [
        WorkerInfo("AdminWorker-h", "h", "admin", "busy", task="1/N1/1"),
        WorkerInfo("AdminWorker-h", "h", "admin", "idle"),
    ]
    publisher.look(1.0, "Running")

    assert board.value("AdminWorker-h", "current_job") == "1/N1/1"


def test_what_modules_set_is_published_beside_our_own(desk: Any) -> None:
    """A module cannot put a state of its own in the place of ours."""
    board, _, _, publisher = desk
    publisher.said("Worker-h_0", {"scenes": 4, "num_errors": 99, "state": "x"}, 1.0)
    publisher.look(2.0, "Running")

    channel = board.channel("Worker-h_0")
    assert (channel["scenes"], channel["num_errors"], channel["state"]) == (4, 0, "Idle")


def test_the_head_tells_how_long_it_will_take(desk: Any) -> None:
    """Means of what ended, shared by the workers that can take more; nothing before the first end."""
    board, counters, hall, publisher = desk
    hall.infos = [WorkerInfo(f"Worker-h_{n}", "h", "normal", "idle") for n in range(2)]
    counters.node("flow", "In").ends[0] = 10
    publisher.look(0.0, "Initializing")
    first = board.channel("flow.HeadNode")
    assert first["state"] == "Initializing"
    assert (first["eta_total"], first["avg_task_time_step"]) == (None, None)
    for seconds, node in ((2.0, "N1"), (4.0, "N1"), (6.0, "N2")):
        publisher.ended(task(1, node), Succeeded(), Stats("h", "Worker-h_0", runtime_s=seconds))
    counters.node("flow", "N1").pending, counters.node("flow", "N1").ends[0] = 4, 2
    counters.node("flow", "N2").ends[0] = 1
    publisher.look(1.0, "Running")

    assert board.channel("flow.HeadNode") == {
        "state": "Running",
        "total_steps": 2,
        "avg_task_time_step": 4.0,
        "avg_task_time_total": 9.0,
        "eta_step": 4 * 3.0 / 2,
        "eta_total": round((8 * 3.0 + 9 * 6.0) / 2, 1),
    }
    assert set(board.channel("flow.HeadNode")) == set(HEAD)


def test_a_node_that_runs_in_parts_tells_nothing_of_pebbles_to_come(desk: Any) -> None:
    """Three ends of one pebble's parts do not mean that seven of ten pebbles are still to pass."""
    board, counters, _, publisher = desk
    whole = chain(2, name="flow")
    parts = evolve(whole.nodes["N1"], split_on="n", merge=True)
    counters.add_workflow(evolve(whole, nodes={**whole.nodes, "N1": parts}))
    counters.node("flow", "In").ends[0] = 10
    for name, ends in (("N1", 3), ("N2", 1)):
        publisher.ended(task(1, name), Succeeded(), Stats("h", "Worker-h_0", runtime_s=2.0))
        counters.node("flow", name).ends[0] = ends
    counters.node("flow", "N1").pending = 2
    publisher.look(1.0, "Running")

    assert board.channel("flow.HeadNode")["eta_total"] == (2 + 9) * 2.0


def test_no_published_number_is_negative(desk: Any) -> None:
    """Whatever the counters are told."""
    board, counters, _, publisher = desk
    counters.node("flow", "N1").pending = -3
    publisher.begin("flow", {})
    publisher.look(1.0, "Running")

    assert board.value("flow", "N1.pending") == board.channel("flow")["N1.pending"] == 0
    assert {name.rpartition(".")[2] for name in board.channel("flow")} == set(NODE)


# --- metrics -----------------------------------------------------------------------------------------


def test_metrics_carry_types_and_labels(desk: Any) -> None:
    """Every number of the board that has a metric, each metric once under its type; texts are left out."""
    board, _, _, publisher = desk
    publisher.said("Worker-h_0", {"scenes": 4, "name": "x", "nan": float("nan")}, 1.0)
    board.put("NodeController.h", "root.free", 5, 1.0)
    board.put("NodeController.h", "root.percent", 7.5, 1.0)
    board.put("NodeController.h", "cpu.idle", 1.5, 1.0)
    board.put("other", "N1.pending", 9, 1.0)
    publisher.look(2.0, "Running")
    text = text_of(samples_of(board, ["flow"]))

    for line in (
        'cryocloud_node_pending{workflow="flow",node="N1"} 0',
        'cryocloud_head_running{workflow="flow"} 1',
        'cryocloud_worker_value{worker="Worker-h_0",machine="h",parameter="scenes"} 4',
        'cryocloud_disk_bytes{machine="h",disk="root",figure="free"} 5',
        'cryocloud_disk_used_percent{machine="h",disk="root"} 7.5',
        'cryocloud_machine_value{machine="h",parameter="cpu.idle"} 1.5',
        'cryocloud_worker_errors_total{worker="Worker-h_0",machine="h"} 0',
    ):
        assert f"{line}\n" in text
    assert "other" not in text
    assert "nan" not in text
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
    assert {line.partition("{")[0] for line in text.splitlines() if not line.startswith("#")} == set(types)


def test_labels_hold_any_text() -> None:
    """Quotes, line ends and odd bytes of a node's name stay inside the label."""
    hostile = 'a"b\\c\nd\udc80'
    text = text_of([Sample("cryocloud_node_pending", {"workflow": "w", "node": hostile}, 1.0)])

    assert text.splitlines()[-1] == r'cryocloud_node_pending{workflow="w",node="a\"b\\c\nd\\udc80"} 1'
    text.encode()


def test_every_metric_can_be_told() -> None:
    """No entry of the table is dead: a board with everything yields every metric."""
    board, counters = StatusBoard(), Counters()
    counters.add_workflow(chain(1))
    publisher = Publisher(board, counters, Hall(WorkerInfo("Worker-h_0", "h", "normal", "idle")))  # type: ignore[arg-type]
    publisher.ended(task(), Succeeded(), Stats("h", "Worker-h_0", runtime_s=1.0))
    publisher.said("Worker-h_0", {"scenes": 1}, 0.0)
    for parameter in ("cpu.user", "root.free", "root.percent"):
        board.put("NodeController.h", parameter, 1, 0.0)
    publisher.look(1.0, "Running")

    assert {sample.metric for sample in samples_of(board, ["flow"])} == set(METRICS)
