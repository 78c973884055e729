"""The head is killed: nothing below it lives on, and the next head makes sure before it takes tasks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.errors import StartError
from cryocloud_core.schedulers.pool import Pool
from cryocloud_core.task import Lost, Succeeded
from cryocloud_core.worker.kernel import boot_id, children, descendants, is_alive, start_time
from cryocloud_core.worker.remains import FILE_NAME, MARKER, Note, Remains

#: a head of its own: starts a scheduler in a directory and runs the module given as its second argument
HEAD = """
import asyncio, pathlib, sys
from cryocloud_core.schedulers.local import LocalScheduler
from cryocloud_core.sdk.scheduler import SchedulerSettings
from cryocloud_core.task import Code, Task

class Ear:
    def __getattr__(self, name):
        return lambda *args: None

async def main():
    state, module, file = map(pathlib.Path, sys.argv[1:])
    scheduler = LocalScheduler()
    await scheduler.start(Ear(), SchedulerSettings(state, "here", workers=1))
    assert scheduler.offer(Task("1/N/1", 1, "N", "m", "w", Code(path=str(module)), "n", {"file": str(file)}))
    print("up", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
#: a child in its own session, and an orphan in its own session without any environment
FAMILY = """
import os, subprocess, time
def process_task(worker, task):
    file = task["args"]["file"]
    child = subprocess.Popen(["setsid", "sleep", "60"])
    subprocess.run(["env", "-i", "setsid", "sh", "-c", f"(sh -c 'echo $$ > {file}.part; exec sleep 60') & sleep 0.1"])
    pid = int(open(file + ".part").read())
    with open(file + ".part", "w") as out:
        out.write(f"{os.getpid()} {child.pid} {pid}")
    os.rename(file + ".part", file)
    while True:
        pass
"""


class Family:
    """A head in a process of its own whose module has descendants."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        module = folder / "family.py"
        module.write_text(FAMILY)
        self.file = folder / "pids"
        argv = [sys.executable, "-c", HEAD, str(self.state), str(module), str(self.file)]
        self.head = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)
        deadline = time.monotonic() + 20
        while not self.file.exists():
            assert time.monotonic() < deadline, "the family did not start"
            time.sleep(0.01)
        (self.keeper,) = children(self.head.pid)
        self.members = [int(word) for word in self.file.read_text().split()]
        self.all = [self.keeper, *descendants(self.keeper), *self.members]
        assert all(is_alive(pid) for pid in self.all)

    def close(self) -> None:
        """End what a failing test left."""
        self.head.kill()
        self.head.wait()
        assert self.head.stdout is not None
        self.head.stdout.close()
        for pid in self.all:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    """Give a running head with a task that has descendants."""
    made = Family(tmp_path)
    yield made
    made.close()


def all_gone(pids: list[int], timeout_s: float = 5.0) -> list[int]:
    """Wait until none of these is alive; return those that still are."""
    deadline = time.monotonic() + timeout_s
    while alive := [pid for pid in pids if is_alive(pid)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.005)
    return alive


def test_when_the_head_is_killed_nothing_below_it_lives_on(family: Family) -> None:
    """Keeper, worker, child and orphan, though the module spins and two of them left every group of ours."""
    family.head.kill()
    assert all_gone(family.all) == []


def test_the_next_head_waits_for_the_end_of_the_last_ones_keeper(family: Family) -> None:
    """Started at once after the kill, it takes no task while anything is alive."""
    os.kill(family.keeper, signal.SIGSTOP)
    family.head.kill()
    family.head.wait()
    waking = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -CONT {family.keeper}"])

    Remains.read(family.state).clear()
    assert [pid for pid in family.all if is_alive(pid)] == []
    waking.wait()


def test_the_next_head_kills_what_a_killed_keeper_could_not(family: Family) -> None:
    """Head and keeper are killed at once: the worker dies with its parent, the marked child is found."""
    os.kill(family.keeper, signal.SIGSTOP)
    family.head.kill()
    os.kill(family.keeper, signal.SIGKILL)
    worker, child, _ = family.members
    assert all_gone([family.keeper, worker]) == []
    assert is_alive(child)

    killed = Remains.read(family.state).clear()
    assert child in killed
    assert not is_alive(child)


#: what a process got from the one it was forked from: open sockets and pipes, signal handlers, session
INHERITED = """
import os, signal
def process_task(worker, task):
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    ends = [os.readlink(link) for link in links if os.path.lexists(link)]
    return {
        "sockets": sum(end.startswith("socket:") for end in ends),
        "pipes": len({end for end in ends if end.startswith("pipe:")}),
        "handlers": [signal.getsignal(number) is signal.SIG_DFL for number in (signal.SIGCHLD, signal.SIGUSR1)],
        "wakeup": signal.set_wakeup_fd(-1),
        "leads": os.getsid(0) == os.getpid(),
        "marker": b"CRYOCLOUD_STATE=" in open("/proc/self/environ", "rb").read(),
    }
"""


def test_a_worker_has_nothing_of_its_keeper_and_of_other_workers(opened: Callable[..., Any]) -> None:
    """One socket, its own; the two pipes of its output; no handler of the keeper's; a session and the marker."""
    floor = opened(workers=3)
    floor.ear.wait(lambda: all(info.state == "idle" for info in floor.scheduler.workers()))

    for _ in range(3):
        found = floor.run(INHERITED).outcome.outputs
        assert found == {
            "sockets": 1,
            "pipes": 2,
            "handlers": [True, True],
            "wakeup": -1,
            "leads": True,
            "marker": True,
        }


def test_a_killed_keeper_is_replaced_with_all_its_workers(opened: Callable[..., Any], tmp_path: Path) -> None:
    """The task that ran is lost, its marked descendants are dead when that is told, the next task runs."""
    floor = opened(workers=1)
    source = """
    import os, subprocess, time
    def process_task(worker, task):
        child = subprocess.Popen(["setsid", "sleep", "60"])
        with open(task["args"]["file"], "w") as file:
            file.write(str(child.pid) + " ")
        time.sleep(60)
    """
    task = floor.submit(floor.task(source, {"file": str(tmp_path / "pid")}))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().endswith(" "):
        time.sleep(0.01)
    keeper = json.loads((floor.settings.state_dir / FILE_NAME).read_text())["keeper"][0]
    os.kill(keeper, signal.SIGKILL)

    end = floor.end_of(task)
    assert isinstance(end.outcome, Lost)
    assert not is_alive(int((tmp_path / "pid").read_text()))
    assert floor.run("def process_task(worker, task):\n    return {}\n").outcome == Succeeded({})


def test_a_keeper_that_cannot_be_replaced_is_told_as_a_broken_callback(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are no workers any more: a run that did not hear of it would wait for ever. A stop still ends."""
    floor = opened(workers=1)
    told: list[dict[str, Any]] = []
    floor.loop.set_exception_handler(lambda _, context: told.append(context))

    def refuse(_pool: Pool) -> None:
        raise StartError("cannot start worker processes: Resource temporarily unavailable")

    monkeypatch.setattr(Pool, "_start_keeper", refuse)
    os.kill(floor.scheduler._pool._keeping.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while not any("handle" in context for context in told) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert [type(context["exception"]) for context in told if "handle" in context] == [StartError]
    floor.wait_for(floor.scheduler.stop(0.0))


def test_stop_leaves_nothing_alive_and_reports_nothing_it_killed(opened: Callable[..., Any]) -> None:
    """Tasks that were killed stay owed; those that ended in the grace are told."""
    floor = opened(workers=2)
    quick = floor.submit(
        floor.task("import time\ndef process_task(worker, task):\n    time.sleep(0.3)\n    return {}\n")
    )
    slow = floor.submit(floor.task("import time\ndef process_task(worker, task):\n    time.sleep(60)\n"))
    floor.begin_of(quick)
    floor.begin_of(slow)
    (keeper,) = [pid for pid in children(os.getpid()) if b"worker.keeper" in _command(pid)]
    below = [keeper, *descendants(keeper)]
    floor.stop(0.8)

    assert [pid for pid in below if is_alive(pid)] == []
    assert [end.task for end in floor.ear.ends] == [quick.id]
    assert Remains.read(floor.settings.state_dir).note.processes == ()


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_process_with_the_pid_but_another_start_is_not_killed(tmp_path: Path) -> None:
    """Pids are used again; so are they after a boot."""
    stranger = subprocess.Popen(["sleep", "60"])
    start = start_time(stranger.pid)
    for boot, noted in ((boot_id(), start + 1), ("another boot", start)):
        remains = Remains(tmp_path / FILE_NAME, Note("marker", boot, None, ((stranger.pid, noted),)))
        assert remains.clear() == []
    assert is_alive(stranger.pid)

    assert Remains(tmp_path / FILE_NAME, Note("m", boot_id(), None, ((stranger.pid, start),))).clear() == [stranger.pid]
    stranger.wait()


def test_only_the_own_marker_is_killed(tmp_path: Path) -> None:
    """Two state directories do not touch each other."""
    others = [
        subprocess.Popen(["sleep", "60"], env={**os.environ, MARKER: marker}) for marker in ("mine", "theirs", "mine2")
    ]
    Remains(tmp_path / FILE_NAME, Note("mine")).clear()

    assert [is_alive(process.pid) for process in others] == [False, True, True]
    for process in others:
        process.kill()
        process.wait()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"marker": 1}', '{"keeper": null, "processes": [[1]]}'])
def test_a_note_that_cannot_be_read_is_an_empty_one(text: str, tmp_path: Path) -> None:
    """A power failure may have cut it short; nothing of it is alive then."""
    (tmp_path / FILE_NAME).write_text(text)

    remains = Remains.read(tmp_path)
    assert remains.note.processes == ()
    assert len(remains.note.marker) == 32
    remains.write((1, 2), ((3, 4),))
    assert Remains.read(tmp_path).note == remains.note
