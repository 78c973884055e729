"""The worker as a process: what it loads, whom it dies with, how its parts behave alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.worker.kernel import children, is_alive
from cryocloud_core.worker.logs import Scribe
from cryocloud_core.worker.module import takes_cancel

HEAVY = {
    "asyncio",
    "aiohttp",
    "click",
    "cryocloud_core.api",
    "cryocloud_core.head",
    "fsspec",
    "numpy",
    "rich",
    "sqlite3",
    "ssl",
    "typer",
}


def test_a_worker_loads_nothing_it_does_not_need() -> None:
    """Its start is part of every run's start."""
    code = "import sys, cryocloud_core.worker.__main__, cryocloud_core.worker.ear; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert HEAVY & set(found.stdout.split()) == set()


def test_a_keeper_loads_hardly_anything() -> None:
    """It stands beside every run, all the time."""
    code = "import sys, cryocloud_core.worker.keeper; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert (HEAVY | {"attrs", "cattrs", "logging", "subprocess"}) & set(found.stdout.split()) == set()


def test_strays_are_found_and_reaped_however_deep() -> None:
    """A process that adopts orphans ends with no child, not even a zombie."""
    code = """
import os, subprocess
from cryocloud_core.worker.kernel import adopt_orphans, children
from cryocloud_core.worker.strays import has_children, kill_children
assert adopt_orphans()
assert not has_children()
kept = subprocess.Popen(["sleep", "60"])
subprocess.run(["sh", "-c", "for i in 1 2 3; do setsid sh -c 'sleep 60 & sleep 60' & done; sleep 0.2"])
assert has_children()
killed = kill_children(keep=[kept.pid])
assert len(killed) == 9, killed
assert children(os.getpid()) == [kept.pid]
kept.kill(); kept.wait()
assert not has_children()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)


def test_children_are_found_in_every_thread() -> None:
    """The kernel lists them by the thread that made them."""
    code = """
import os, subprocess, threading
from cryocloud_core.worker.kernel import children
made, done = [], threading.Event()
def make():
    made.append(subprocess.Popen(["sleep", "60"]))
    done.wait()
thread = threading.Thread(target=make)
thread.start()
while not made: pass
assert children(os.getpid()) == [made[0].pid]
done.set(); thread.join(); made[0].kill(); made[0].wait()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)


def test_a_zombie_is_not_alive() -> None:
    """Nor is what is gone."""
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid)
    assert child.pid in children(os.getpid())
    child.wait()
    assert not is_alive(child.pid)


def test_a_process_shows_itself_as_another_command() -> None:
    """What a list of processes shows, as long as there is room for it where the own command line lies."""
    code = """
from pathlib import Path
from cryocloud_core.worker.kernel import show_as
before = Path("/proc/self/cmdline").read_bytes()
assert show_as(["worker", "-P", "1"])
shown = Path("/proc/self/cmdline").read_bytes()
assert shown.rstrip(b"\\0").split(b"\\0") == [b"worker", b"-P", b"1"], shown
assert len(shown) == len(before)
assert not show_as(["x" * len(before)])
assert Path("/proc/self/cmdline").read_bytes() == shown
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)


def test_a_worker_dies_when_its_keeper_does_although_its_socket_stays_open(tmp_path: Path) -> None:
    """The parent-death signal does not wait for the module or the socket."""
    code = """
import os, socket, sys, time
ours, theirs = socket.socketpair()
argv = [sys.executable, "-P", "-m", "cryocloud_core.worker", "3", str(os.getpid())]
pid = os.posix_spawn(sys.executable, argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)])
holder = os.fork()
if not holder:
    time.sleep(60)
from cryocloud_core.worker.channel import pack
ours.send(pack([["hello", {"name": "w", "machine": "m", "config": {}, "log_level": "INFO"}]]))
assert ours.recv(100)
print(pid, holder, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker, holder = map(int, parent.stdout.readline().split())
    assert is_alive(worker)
    parent.kill()
    parent.wait()
    parent.stdout.close()

    deadline = time.monotonic() + 5
    while is_alive(worker) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not is_alive(worker)
    os.kill(holder, signal.SIGKILL)


def two(worker: object, task: object) -> None:
    """Take no cancel event."""


def three(worker: object, task: object, stop: object = None) -> None:
    """Take one."""


class Callable3:
    """A module's process_task may be an object."""

    def __call__(self, worker: object, task: object, stop: object) -> None:
        """Take one."""


@pytest.mark.parametrize(
    ("entry", "takes"),
    [
        (two, False),
        (three, True),
        (lambda *a: None, True),
        (lambda w, t, **k: None, False),
        (Callable3(), True),
        (print, True),
    ],
)
def test_who_takes_a_cancel_event(entry: Any, takes: bool) -> None:
    """The third positional parameter decides."""
    assert takes_cancel(entry) is takes


def test_a_log_line_is_cut() -> None:
    """At 64 KiB, with a mark."""
    records: list[Any] = []
    Scribe("w", records.extend).write("INFO", "x" * 100_000)

    assert len(records[0].text) < 66_000
    assert records[0].text.endswith("(cut)")
