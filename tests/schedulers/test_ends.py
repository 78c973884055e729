"""Tasks that do not end by themselves, and what is left alive: nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.task import Cancelled, Lost, Succeeded, TimedOut
from cryocloud_core.worker.kernel import is_alive

LISTENS = """
import time
def process_task(worker, task, cancel_event):
    print("up", flush=True)
    while not cancel_event.is_set():
        time.sleep(0.01)
    return {"told": True}
"""
DEAF = """
import time
def process_task(worker, task):
    print("up", flush=True)
    time.sleep(60)
"""
STUBBORN = """
import time
def process_task(worker, task, cancel_event):
    print("up", flush=True)
    time.sleep(60)
"""
#: starts a child in its own group, and a grandchild that left session and parent; both would live for a minute
FAMILY = """
import os, subprocess, time
def process_task(worker, task):
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    script = "setsid sh -c 'echo $$ > $0; exec sleep 60' " + task["args"]["file"] + " &"
    subprocess.run(["sh", "-c", script])
    while not os.path.exists(task["args"]["file"]) or not open(task["args"]["file"]).read():
        time.sleep(0.01)
    with open(task["args"]["file"], "a") as file:
        file.write(f"{child.pid} {os.getpid()}\\n")
    WHAT
    return {}
"""


def family(what: str) -> str:
    """Return the source of a module with descendants, and what it does then."""
    return FAMILY.replace("WHAT", what)


def pids_in(path: Path) -> list[int]:
    """Wait until the family has written its pids, and return them: grandchild, child, worker."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        words = path.read_text().split() if path.exists() else []
        if len(words) == 3:
            return [int(word) for word in words]
        time.sleep(0.01)
    raise AssertionError(f"no family in {path}")


def gone(pids: list[int], timeout_s: float = 5.0) -> bool:
    """Return True once none of these is alive."""
    deadline = time.monotonic() + timeout_s
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def started(floor: Any, source: str, **fields: Any) -> Any:
    """Submit a task and return it once its module is being called."""
    task = floor.submit(floor.task(source, **fields))
    floor.ear.wait(lambda: any(r.task == task.id and r.text == "up" for r in floor.ear.records))
    return task


def test_a_module_that_listens_is_told(floor: Any) -> None:
    """It returned normally after the cancel, and is cancelled nevertheless; its worker lives."""
    task = started(floor, LISTENS)
    pid = floor.call(floor.scheduler.workers)[0].pid
    floor.call(floor.scheduler.cancel, task.id, "a person said so")

    end = floor.end_of(task)
    assert end.outcome == Cancelled("a person said so")
    assert end.stats is not None
    assert floor.call(floor.scheduler.workers)[0].pid == pid


@pytest.mark.parametrize(("source", "patience"), [(DEAF, 0.4), (STUBBORN, 3.0)])
def test_a_module_that_does_not_listen_is_killed(source: str, patience: float, floor: Any) -> None:
    """Without a third parameter at once, with one after the grace (0.5 s here)."""
    task = started(floor, source)
    began = time.monotonic()
    floor.call(floor.scheduler.cancel, task.id, "enough")

    assert floor.end_of(task).outcome == Cancelled("enough")
    took = time.monotonic() - began
    assert took < patience
    assert (took >= 0.5) == (source is STUBBORN)
    assert isinstance(floor.run("def process_task(worker, task):\n    return {}\n").outcome, Succeeded)


@pytest.mark.parametrize("source", [LISTENS, DEAF, STUBBORN])
def test_a_time_limit_is_an_end_of_its_own(source: str, floor: Any) -> None:
    """Counted from the begin, whatever the module does about it."""
    end = floor.run(source, timeout_s=0.2)

    assert end.outcome == TimedOut("time limit of 0.2 s passed")
    assert end.stats is not None
    # On a busy machine the head may hear of the begin before the worker's own clock has started.
    assert 0.15 <= end.stats.runtime_s < 3


def test_a_task_within_its_limit_is_left_alone(floor: Any) -> None:
    """And the next one is not hit by its timer."""
    source = "import time\ndef process_task(worker, task):\n    time.sleep(0.15)\n    return {}\n"
    assert isinstance(floor.run(source, timeout_s=0.3).outcome, Succeeded)
    assert isinstance(floor.run(source).outcome, Succeeded)
    assert isinstance(floor.run(source).outcome, Succeeded)


def test_stop_job_is_a_way_to_be_told(floor: Any) -> None:
    """A module without cancel event but with the hook has its grace."""
    source = """
    import time
    stopped = []
    def stop_job():
        stopped.append(1)
    def process_task(worker, task):
        print("up", flush=True)
        while not stopped:
            time.sleep(0.01)
        print("stopped", flush=True)
        return {}
    """
    task = started(floor, source)
    floor.call(floor.scheduler.cancel, task.id, "x")

    end = floor.end_of(task)
    assert end.outcome == Cancelled("x")
    assert "stopped" in [record.text for record in floor.logs_of(end)]


def test_a_module_that_holds_the_interpreter_is_killed(floor: Any) -> None:
    """C code that never lets go of the lock: nothing in the worker can run, so the head kills it."""
    source = """
    import ctypes
    def process_task(worker, task, cancel_event):
        print("up", flush=True)
        ctypes.PyDLL(None).sleep(60)
    """
    task = floor.submit(floor.task(source))
    floor.begin_of(task)
    floor.call(floor.scheduler.cancel, task.id, "x")

    assert floor.end_of(task).outcome == Cancelled("x")


def test_children_that_outlive_their_task_are_killed_before_it_ends(floor: Any, tmp_path: Path) -> None:
    """Also the grandchild that called setsid and lost its parent; the worker itself goes on."""
    end = floor.run(family("pass"), {"file": str(tmp_path / "pids")})

    grandchild, child, worker = pids_in(tmp_path / "pids")
    assert end.outcome == Succeeded({})
    assert not is_alive(grandchild)
    assert not is_alive(child)
    assert is_alive(worker)
    assert any("outlived the task" in record.text for record in floor.logs_of(end))


def test_output_of_a_grandchild_that_keeps_the_pipe_holds_nothing_up(floor: Any) -> None:
    """The task ends although its pipe has another writer until the moment it is killed."""
    source = """
    import subprocess
    def process_task(worker, task):
        subprocess.run(["sh", "-c", "setsid sh -c 'echo late; sleep 60' & sleep 0.1"])
        return {}
    """
    began = time.monotonic()
    end = floor.run(source)

    assert end.outcome == Succeeded({})
    assert time.monotonic() - began < 5
    assert "late" in [record.text for record in floor.logs_of(end)]


@pytest.mark.parametrize(
    ("what", "outcome"),
    [("os._exit(0)", Lost), ("time.sleep(60)", TimedOut), ("os.kill(os.getpid(), 9)", Lost)],
)
def test_a_dead_worker_leaves_no_descendants(what: str, outcome: type, floor: Any, tmp_path: Path) -> None:
    """When the end is told they are dead, so a repeat never meets them."""
    task = floor.submit(floor.task(family(what), {"file": str(tmp_path / "pids")}, timeout_s=2.0))

    end = floor.end_of(task)
    alive = [pid for pid in pids_in(tmp_path / "pids") if is_alive(pid)]
    assert isinstance(end.outcome, outcome)
    assert alive == []


def test_descendants_without_any_trace_of_ours_die_too(floor: Any, tmp_path: Path) -> None:
    """An empty environment and an own session do not hide a process from the worker that inherits it."""
    source = """
    import os, subprocess, time
    def process_task(worker, task):
        subprocess.run(["env", "-i", "setsid", "sh", "-c", "(echo $$ > " + task["args"]["file"] + "; sleep 60) &"])
        while not os.path.exists(task["args"]["file"]):
            time.sleep(0.01)
        os._exit(1)
    """
    end = floor.run(source, {"file": str(tmp_path / "pid")})

    assert isinstance(end.outcome, Lost)
    left = [p for p in Path("/proc").iterdir() if p.name.isdecimal() and _is_sleep_60(p)]
    assert left == []


def _is_sleep_60(process: Path) -> bool:
    try:
        return (process / "cmdline").read_bytes() == b"sleep\x0060\x00" and is_alive(int(process.name))
    except OSError:
        return False


def test_a_killed_worker_costs_one_task_and_the_waiting_are_placed_again(opened: Callable[..., Any]) -> None:
    """Twelve short tasks wait at the only worker when it is killed: one is lost, eleven run, none twice."""
    floor = opened(workers=1)
    code = floor.module("def process_task(worker, task):\n    return {}\n", "short")
    for _ in range(33):
        floor.run(code, node="S")
    slow = floor.module("""
    import os, time
    def process_task(worker, task):
        with open(task["args"]["file"], "a") as file:
            file.write(task["id"] + "\\n")
        time.sleep(0.1 if task["args"]["first"] else 0)
        return {}
    """)
    evidence = floor.folder / "evidence"
    tasks = [floor.task(slow, {"file": str(evidence), "first": n == 0}, node="S") for n in range(12)]

    def all_at_once() -> list[bool]:
        return [floor.scheduler.offer(task) for task in tasks]

    assert all(floor.call(all_at_once))
    while not evidence.exists() or not evidence.read_text():
        time.sleep(0.005)
    os.kill(floor.call(floor.scheduler.workers)[0].pid, signal.SIGKILL)

    ends = [floor.end_of(task).outcome for task in tasks]
    assert isinstance(ends[0], Lost)
    assert ends[1:] == [Succeeded({})] * 11
    ran = evidence.read_text().split()
    assert sorted(ran) == sorted(set(ran))
    assert set(ran) == {task.id for task in tasks}


def test_cancel_before_the_begin(opened: Callable[..., Any]) -> None:
    """A task that waits at a worker never runs; one that nobody has is no error."""
    floor = opened(workers=1)
    code = floor.module("def process_task(worker, task):\n    return {}\n")
    for _ in range(33):
        floor.run(code, node="S")
    slow = "import time\ndef process_task(worker, task):\n    time.sleep(0.3)\n    return {}\n"
    running, waiting = floor.task(slow, node="S"), floor.task(code, node="S")

    assert floor.call(lambda: [floor.scheduler.offer(running), floor.scheduler.offer(waiting)]) == [True, True]
    floor.begin_of(running)
    floor.call(floor.scheduler.cancel, waiting.id, "not needed")
    floor.call(floor.scheduler.cancel, "9/none/1", "unknown")
    assert floor.end_of(waiting).outcome == Cancelled("not needed")
    assert isinstance(floor.end_of(running).outcome, Succeeded)
    assert waiting.id not in [task for task, _, _ in floor.ear.begun]


def test_a_cancel_that_crosses_the_begin_has_its_grace_too(opened: Callable[..., Any]) -> None:
    """The worker has begun, the head has not heard of it: a module that ignores the cancel is killed all the same."""
    floor = opened(workers=1, cancel_grace_s=0.2)
    floor.run("def process_task(worker, task):\n    return {}\n")
    task = floor.task("import time\ndef process_task(worker, task, cancel):\n    time.sleep(60)\n    return {}\n")

    async def offer_and_cancel() -> None:
        assert floor.scheduler.offer(task)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(0.3)  # noqa: ASYNC251 - the head is busy while the worker begins
        assert not floor.ear.begun[1:]
        floor.scheduler.cancel(task.id, "x")

    floor.wait_for(offer_and_cancel())
    assert floor.end_of(task).outcome == Cancelled("x")
    assert [begun for begun, _, _ in floor.ear.begun][1:] == [task.id]


def test_a_cancel_while_files_are_prepared(floor: Any, tmp_path: Path) -> None:
    """Unpacking stops within a moment and leaves nothing."""
    import zipfile

    from cryocloud_core.task import Preparation, Staging, StagingKind

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(30_000):
            archive.writestr(f"f{number}", b"")
    preparation = Staging("src", Preparation(StagingKind.FILE, unzip=True))
    task = floor.submit(floor.task(DEAF, {"src": str(tmp_path / "a.zip")}, staging=(preparation,)))
    floor.begin_of(task)
    time.sleep(0.1)
    floor.call(floor.scheduler.cancel, task.id, "x")

    assert floor.end_of(task).outcome == Cancelled("x")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_worker_that_cannot_start_says_why_and_is_tried_again(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A broken installation is an ERROR in the log, not a silent wait; the task waits unharmed until it is mended."""
    broken = tmp_path / "broken" / "cattrs"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('a broken install')")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    floor = opened(workers=1)
    task = floor.submit(floor.task("def process_task(worker, task):\n    return {}\n"))
    floor.ear.wait(lambda: any("a broken install" in r.text and r.level == "ERROR" for r in floor.ear.records))
    shutil.rmtree(broken)

    assert floor.end_of(task).outcome == Succeeded({})
    assert len(floor.ear.begun) == 1
