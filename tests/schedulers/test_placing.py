"""Who runs where: kinds of workers, tasks that wait at a worker, what comes back from there."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.schedulers.pace import PREFETCH, PREFETCH_TINY, SAMPLES, SHORT_S, TINY_S, Pace
from cryocloud_core.task import Succeeded, Task

NOOP = "def process_task(worker, task):\n    return {}\n"
SLEEP = "import time\ndef process_task(worker, task):\n    time.sleep(task['args']['s'])\n    return {}\n"


def offer_all(floor: Any, tasks: list[Task]) -> list[bool]:
    """Offer tasks in one turn of the loop, as a head does."""
    taken: list[bool] = floor.call(lambda: [floor.scheduler.offer(task) for task in tasks])
    return taken


def make_short(floor: Any, node: str = "S", seconds: float = 0.002) -> Any:
    """Run a node often enough that it is known to be short, and return the code of a sleeping module."""
    code = floor.module(SLEEP)
    for _ in range(SAMPLES):
        floor.run(code, {"s": seconds}, node=node)
    return code


@given(st.lists(st.sampled_from([0.0, TINY_S / 2, TINY_S, SHORT_S / 2, SHORT_S, 1.0]), max_size=100))
def test_a_node_is_short_by_the_median_of_its_last_tasks(runtimes: list[float]) -> None:
    """And not before there are 32 of them; how short it is says how many may wait."""
    pace = Pace()
    for runtime in runtimes:
        pace.note(runtime)

    last = sorted(runtimes[-SAMPLES:])
    if len(last) < SAMPLES or last[15] >= SHORT_S:
        assert pace.queue == 0
    elif last[16] < TINY_S:
        assert pace.queue == PREFETCH_TINY
    elif last[15] >= TINY_S and last[16] < SHORT_S:
        assert pace.queue == PREFETCH


def test_workers_and_their_names(opened: Callable[..., Any]) -> None:
    """One name per normal and gpu worker; a gpu worker sees its own device."""
    floor = opened(workers=2, gpus=1)
    source = "import os\ndef process_task(worker, task):\n    return {'gpu': os.environ.get('CUDA_VISIBLE_DEVICES')}\n"
    floor.run(source)
    names = [(info.name, info.kind, info.machine) for info in floor.call(floor.scheduler.workers)]
    end = floor.run(source, kind="gpu")

    assert names == [
        ("GpuWorker-here_0", "gpu", "here"),
        ("Worker-here_0", "normal", "here"),
        ("Worker-here_1", "normal", "here"),
    ]
    assert end.outcome == Succeeded({"gpu": "0"})
    assert end.stats.worker == "GpuWorker-here_0"
    assert [floor.scheduler.unserved(kind) for kind in ("normal", "admin", "gpu")] == ["", "", ""]


def test_kinds_that_nobody_serves(opened: Callable[..., Any]) -> None:
    """Without --gpus a gpu task is refused for good, and the reason can be shown."""
    floor = opened(workers=1, admin_workers=0)

    assert not offer_all(floor, [floor.task(NOOP, kind="gpu")])[0]
    assert "no GPU worker" in floor.scheduler.unserved("gpu")
    assert "no admin worker" in floor.scheduler.unserved("admin")
    assert not offer_all(floor, [floor.task(NOOP, machines=("elsewhere",))])[0]
    assert floor.run(NOOP, machines=("elsewhere", "here")).outcome == Succeeded({})


def test_admin_workers_are_started_on_demand_under_one_name(opened: Callable[..., Any]) -> None:
    """As many as are wanted at a time, up to the limit."""
    floor = opened(workers=1, admin_workers=2)
    code = floor.module(SLEEP)
    assert [info.kind for info in floor.call(floor.scheduler.workers)] == ["normal"]
    tasks = [floor.task(code, {"s": 0.3}, kind="admin") for _ in range(3)]

    assert offer_all(floor, tasks) == [True, True, False]
    infos = floor.call(floor.scheduler.workers)
    assert [info.name for info in infos if info.kind == "admin"] == ["AdminWorker-here"] * 2
    assert [floor.end_of(task).stats.worker for task in tasks[:2]] == ["AdminWorker-here"] * 2
    assert offer_all(floor, [tasks[2]]) == [True]


def test_a_task_is_taken_once(opened: Callable[..., Any]) -> None:
    """A second offer of the same id is refused while the first is open."""
    floor = opened(workers=2)
    task = floor.task(SLEEP, {"s": 0.2})

    assert offer_all(floor, [task, task]) == [True, False]
    floor.end_of(task)
    assert len(floor.ear.begun) == 1


def test_nodes_that_are_not_short_wait_in_the_head(opened: Callable[..., Any]) -> None:
    """One task per worker; `room` is told when there is some."""
    floor = opened(workers=1)
    code = floor.module(SLEEP)
    tasks = [floor.task(code, {"s": 0}, node="L") for _ in range(5)]

    assert offer_all(floor, tasks) == [True, False, False, False, False]
    for task in tasks[1:]:
        floor.submit(task)
    assert [floor.end_of(task).outcome for task in tasks] == [Succeeded({})] * 5


def test_short_tasks_wait_at_their_worker_up_to_sixteen(opened: Callable[..., Any]) -> None:
    """One runs and sixteen wait; each is begun when the worker begins it; a long one does not wait among them."""
    floor = opened(workers=1)
    code = make_short(floor)
    tasks = [floor.task(code, {"s": 0.01}, node="S") for _ in range(20)]
    long_one = floor.task(code, {"s": 0}, node="L")

    taken = offer_all(floor, [*tasks, long_one])
    assert taken == [True] * 16 + [False] * 5
    ends = [floor.end_of(task) for task in tasks[:16]]
    begun = [at for _, _, at in floor.ear.begun[-16:]]
    assert begun == sorted(begun)
    assert begun[-1] - begun[0] > 0.1
    assert all(0.01 <= end.stats.runtime_s < 0.1 for end in ends)


def test_more_tiny_tasks_wait_at_their_worker(opened: Callable[..., Any]) -> None:
    """Sixty-four instead of sixteen, and each is run once, in the order in which they were taken."""
    floor = opened(workers=1)
    code = make_short(floor, seconds=0)
    tasks = [floor.task(code, {"s": 0}, node="S") for _ in range(70)]

    assert offer_all(floor, tasks) == [True] * PREFETCH_TINY + [False] * 6
    for task in tasks[:PREFETCH_TINY]:
        floor.end_of(task)
    assert [task for task, _, _ in floor.ear.begun[-PREFETCH_TINY:]] == [task.id for task in tasks[:PREFETCH_TINY]]


def test_nothing_waits_behind_a_long_task(opened: Callable[..., Any]) -> None:
    """A short one would be held up."""
    floor = opened(workers=1)
    code = make_short(floor)
    long_one = floor.task(code, {"s": 0.2}, node="L")

    assert offer_all(floor, [long_one, floor.task(code, {"s": 0}, node="S")]) == [True, False]
    floor.end_of(long_one)


def test_an_idle_worker_takes_what_waits_at_another(opened: Callable[..., Any]) -> None:
    """A short node's task that turns out long holds up nobody for long."""
    floor = opened(workers=2)
    floor.ear.wait(lambda: all(info.state == "idle" for info in floor.scheduler.workers()))
    code = make_short(floor)
    tasks = [floor.task(code, {"s": 1.5 if n == 0 else 0.001}, node="S") for n in range(20)]

    assert all(offer_all(floor, tasks))
    began = time.monotonic()
    for task in tasks[1:]:
        floor.end_of(task)
    assert time.monotonic() - began < 1.0
    floor.end_of(tasks[0])
    assert len([task for task, _, _ in floor.ear.begun if task in {t.id for t in tasks}]) == 20


def test_a_higher_priority_calls_waiting_tasks_back(opened: Callable[..., Any]) -> None:
    """It runs before those that waited at the worker, which then run as well, once each."""
    floor = opened(workers=1)
    code = make_short(floor)
    low = [floor.task(code, {"s": 0.05}, node="S", priority=10) for _ in range(12)]
    high = floor.task(code, {"s": 0}, node="L", priority=90)

    assert all(offer_all(floor, low))
    floor.begin_of(low[0])
    floor.submit(high)
    floor.end_of(high)
    begun_before = [task for task, _, _ in floor.ear.begun].index(high.id) - SAMPLES
    assert begun_before <= 3
    assert [floor.end_of(task).outcome for task in low] == [Succeeded({})] * 12


def test_recall_gives_back_what_no_worker_has(opened: Callable[..., Any]) -> None:
    """True only when the task will neither run nor be reported."""
    floor = opened(workers=1)
    code = make_short(floor)
    running, waiting = (floor.task(code, {"s": 0.2}, node="S") for _ in range(2))

    def offered_and_recalled() -> list[bool]:
        floor.scheduler.offer(running)
        floor.scheduler.offer(waiting)
        return [floor.scheduler.recall(waiting.id), floor.scheduler.recall(waiting.id)]

    assert floor.call(offered_and_recalled) == [True, False]
    floor.begin_of(running)
    assert floor.call(floor.scheduler.recall, running.id) is False
    floor.end_of(running)
    time.sleep(0.1)
    assert waiting.id not in [end.task for end in floor.ear.ends]


def test_big_arguments_do_not_block_the_head(opened: Callable[..., Any]) -> None:
    """Megabytes go to a worker while the loop serves others."""
    floor = opened(workers=2)
    source = "def process_task(worker, task):\n    return {'n': len(task['args']['big'])}\n"
    code = floor.module(source)
    tasks = [floor.task(code, {"big": "x" * 20_000_000}) for _ in range(2)]

    assert all(offer_all(floor, tasks))
    assert [floor.end_of(task).outcome for task in tasks] == [Succeeded({"n": 20_000_000})] * 2


def test_samples_of_a_running_task_are_kept(opened: Callable[..., Any]) -> None:
    """A killed task's statistics are those of the last look, once a second."""
    floor = opened(workers=1)
    source = "import time\ndef process_task(worker, task):\n    x = bytearray(100_000_000)\n    time.sleep(60)\n"
    end = floor.run(source, timeout_s=2.2)

    assert end.stats.max_memory_bytes > 100_000_000
    assert end.stats.runtime_s == pytest.approx(2.2, abs=0.5)


def test_status_is_coalesced(opened: Callable[..., Any]) -> None:
    """Ten thousand changes are a few messages; the last value always arrives, before the end."""
    floor = opened(workers=1)
    source = """
    import time
    def process_task(worker, task):
        for n in range(10_000):
            worker.status["n"] = n
            if n % 1000 == 0:
                time.sleep(0.05)
        return {}
    """
    end = floor.run(source)
    values = [changed["n"] for task, _, changed in floor.ear.values if task == end.task]
    assert values[-1] == 9_999
    assert 2 < len(values) < 20


def test_any_configuration_reaches_the_worker(opened: Callable[..., Any]) -> None:
    """TOML has dates and infinities, JSON has not; nested values are found by their dotted name."""
    config = {"when": dt.date(2026, 1, 2), "big": float("inf"), "sub": {"deep": [1, "x"]}}
    floor = opened(workers=1, worker_config=config)
    source = (
        "def process_task(worker, task):\n    return {k: worker.cfg[k] for k in ('when', 'big', 'sub.deep', 'no.no')}\n"
    )

    outputs = floor.run(source).outcome.outputs
    assert outputs == {"when": "2026-01-02", "big": "inf", "sub.deep": [1, "x"], "no.no": None}


def test_a_head_that_stumbles_over_one_report_hears_the_next(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in the head's own code is told to the loop's handler and loses no outcome."""
    floor = opened(workers=1)
    told: list[str] = []
    floor.loop.set_exception_handler(lambda _, context: told.append(context["message"]))
    monkeypatch.setattr(type(floor.ear), "status", lambda *_: 1 / 0)
    source = "def process_task(worker, task):\n    worker.status['a'] = 1\n    return {}\n"

    assert floor.run(source).outcome == Succeeded({})
    assert told
    assert "status" in told[0]


def test_a_head_that_stumbles_over_an_end_hears_that_it_cannot_go_on(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is lost and its pebble would wait for ever: the loop is told as of a broken callback."""
    floor = opened(workers=1)
    told: list[dict[str, Any]] = []
    floor.loop.set_exception_handler(lambda _, context: told.append(context))
    monkeypatch.setattr(type(floor.ear), "ended", lambda *_: 1 / 0)
    floor.submit(floor.task("def process_task(worker, task):\n    return {}\n"))

    deadline = time.monotonic() + 10
    while not any("handle" in context for context in told) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [type(context["exception"]) for context in told if "handle" in context] == [ZeroDivisionError]
