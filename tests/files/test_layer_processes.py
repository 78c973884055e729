"""The layer over real processes: killed in mid-transfer, several that want the same file, copies in use elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import define

from tests.files.paced_transfer import layer

pytestmark = pytest.mark.system
MIB = 1024 * 1024
ROOT = Path(__file__).resolve().parents[2]


@define
class Stage:
    """A store, a log, a temporary directory; `start` begins a process that fetches."""

    folder: Path
    running: list[subprocess.Popen[str]]

    def start(self, what: str, target: str = "f", rest: float = 0.0) -> subprocess.Popen[str]:
        """Start a process that fetches, tells it on stdout and stays until its stdin is closed."""
        names = [str(self.folder / name) for name in ("store", "temp", "log")]
        names += [str(rest), what, str(self.folder / target)]
        command = [sys.executable, "-m", "tests.files.paced_transfer", *names]
        started = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.running.append(started)
        return started

    def log(self, pid: int | None = None) -> list[str]:
        """Return the lines of one process, or of all."""
        lines = (self.folder / "log").read_text().splitlines() if (self.folder / "log").exists() else []
        return [line.partition(" ")[2] for line in lines if pid is None or line.startswith(f"{pid} ")]

    def sent(self, pid: int | None = None) -> int:
        """Return the bytes that were handed out to one process, or to all."""
        return sum(int(line.split()[1]) for line in self.log(pid) if line.startswith("read"))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Give a stage; its processes end with the test."""
    (tmp_path / "store").mkdir()
    made = Stage(tmp_path, [])
    yield made
    for process in made.running:
        process.kill()
        process.communicate()


def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens soon."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_little_of_a_large_file_is_sent_again_after_a_kill(stage: Stage, tmp_path: Path) -> None:
    """SIGKILL in the middle of a ranged download of 80 MB: the next process sends less than a tenth again."""
    data = os.urandom(80 * MIB)
    (tmp_path / "store" / "big").write_bytes(data)
    victim = stage.start("big", rest=0.005)
    until(lambda: stage.sent() > 45 * MIB)
    victim.kill()
    victim.wait()
    assert not (tmp_path / "f").exists()
    second = stage.start("big")
    assert second.stdout is not None
    assert second.stdout.readline() == "fetched\n"

    assert (tmp_path / "f").read_bytes() == data
    assert stage.sent() < 1.1 * len(data)


def test_one_of_several_processes_fetches_and_the_others_reuse(stage: Stage, tmp_path: Path) -> None:
    """Four that want the same file at once: its bytes come once."""
    (tmp_path / "store" / "f").write_bytes(os.urandom(4 * MIB))
    for process in [stage.start("f", rest=0.02) for _ in range(4)]:
        assert process.stdout is not None
        assert process.stdout.readline() == "fetched\n"

    assert stage.sent() == 4 * MIB


def test_who_waits_goes_on_where_a_killed_one_was(stage: Stage, tmp_path: Path) -> None:
    """The waiting process takes over the part of the one that died."""
    data = os.urandom(20 * MIB)
    (tmp_path / "store" / "f").write_bytes(data)
    first = stage.start("f", rest=0.02)
    until(lambda: stage.sent(first.pid) > 10 * MIB)
    second = stage.start("f")
    time.sleep(0.3)
    assert stage.sent(second.pid) == 0
    first.kill()
    assert second.stdout is not None
    assert second.stdout.readline() == "fetched\n"

    assert (tmp_path / "f").read_bytes() == data
    assert stage.sent(second.pid) < 12 * MIB


def test_a_copy_is_not_swept_while_another_process_uses_it(stage: Stage, tmp_path: Path) -> None:
    """The user holds it until its end, killed or not; then it goes."""
    (tmp_path / "store" / "f").write_bytes(b"data")
    user = stage.start("f")
    assert user.stdout is not None
    user.stdout.readline()
    sweeper = layer(str(tmp_path / "store"), str(tmp_path / "temp"), str(tmp_path / "log"), 0)
    from attrs import evolve

    full = type(sweeper)(
        sweeper.transfers, evolve(sweeper.settings, cache_max_bytes=1, sweep_every_s=0.0, cache_keep_s=0.0)
    )
    full.sweep()
    assert (tmp_path / "f").exists()
    user.kill()
    user.wait()
    full.sweep()

    assert not (tmp_path / "f").exists()


FULL_DISK = """
import subprocess, sys
from pathlib import Path
from tests.files.paced_transfer import layer
from cryocloud_core.errors import StagingError
from cryocloud_core.sdk.url import Url
folder, mute = Path(sys.argv[1]), sys.argv[2] == "mute"
small = folder / "small"
small.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], check=True)
(small / "f").write_text("old")
ours = layer(str(folder / "store"), str(folder / "temp"), str(folder / "log"), 0, mute=mute)
try:
    ours.fetch(Url.parse("paced://host/f"), small / "f")
except StagingError as error:
    print(error)
print((small / "f").read_text(), sum(path.stat().st_size for path in small.glob(".cc-*.part")))
subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
ours.fetch(Url.parse("paced://host/f"), small / "f")
print((small / "f").read_bytes() == (folder / "store" / "f").read_bytes(), len(list(small.iterdir())))
"""


@pytest.mark.parametrize("kind", ["told", "mute"])
def test_a_full_disk_is_told_and_costs_nothing_that_was_there(stage: Stage, tmp_path: Path, kind: str) -> None:
    """A disk of 4 MB and a file of 8: at once where the size is known, else when it is full; then it goes on."""
    (tmp_path / "store" / "f").write_bytes(os.urandom(8 * MIB))
    command = ["unshare", "--mount", sys.executable, "-c", FULL_DISK, str(tmp_path), kind]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    if "Operation not permitted" in done.stderr or "permission denied" in done.stderr:
        pytest.skip("only root may mount a small disk")
    error, left, end = done.stdout.splitlines()

    assert error.startswith("paced://host/f: ")
    assert error.endswith(
        "make room on that disk, set CryoCloud.Worker.cache_max_share lower, or .tempdir to a larger disk"
    )
    assert ("needs 8,388,608 bytes" in error) == (kind == "told")
    assert left.startswith("old ")
    assert (int(left.split()[1]) > 3 * MIB) == (kind == "mute")
    assert end == "True 1"
    assert stage.sent() < 10 * MIB


def test_a_tree_goes_on_after_a_kill(stage: Stage, tmp_path: Path) -> None:
    """Files that were complete are not fetched again, and the tree was never seen half."""
    (tmp_path / "store" / "d" / "sub").mkdir(parents=True)
    contents = {f"{'sub/' * (n % 2)}{n}": os.urandom(MIB // 4) for n in range(60)}
    for name, data in contents.items():
        (tmp_path / "store" / "d" / name).write_bytes(data)
    first = stage.start("d", rest=0.02)
    until(lambda: stage.sent() > 7 * MIB)
    first.kill()
    first.wait()
    assert not (tmp_path / "f").exists()
    second = stage.start("d")
    assert second.stdout is not None
    assert second.stdout.readline() == "fetched\n"

    found = {str(p.relative_to(tmp_path / "f")): p.read_bytes() for p in (tmp_path / "f").rglob("*") if p.is_file()}
    assert found == contents
    assert stage.sent() < 18 * MIB
