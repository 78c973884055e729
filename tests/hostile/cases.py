"""One case: an object, what its server offers, what goes wrong; and the judgement of what came of it.

Laws: a case follows from its seed alone; under the final name stands nothing, what was there before, or one whole
version that the server had while it was asked; once the server behaves, the next fetch brings the current version; a
case is over within its time.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from attrs import frozen

from cryocloud_core.errors import TaskError
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.url import Url
from tests.hostile.server import Fault, HostileServer, Offers

#: no case may take longer, seconds; a frozen answer is given up after IDLE_S
LIMIT_S = 60.0
IDLE_S = 0.4
BEFORE = b"what was there before"
_PARALLEL_FROM = 192 * 1024
_SIZES = (0, 1, 100, 5_000, 70_000, 300_000, 1_500_000)
#: what cannot be noticed where nothing honest is offered to hold against it
_NEEDS_CHECKSUM = frozenset({Fault.LESS})
_NEEDS_VALIDATOR = frozenset({Fault.LESS, Fault.CHANGE_MIDWAY})
_WEB = Route("http", "cryocloud_core.transfers.http:HttpTransfer", "HTTP")
#: one for the process, as in a worker: an answer that was given up ends when it ends
TRANSFERS = Transfers(Routes({"http": _WEB}, {"HTTP": {"timeout": IDLE_S, "connect_timeout": 2.0}}))


@frozen
class Case:
    """What happens, all of it drawn from `seed`."""

    seed: int
    size: int
    offers: Offers
    faults: tuple[tuple[Fault, float], ...]
    parallel: bool
    #: something lies under the final name
    had_before: bool
    #: kill -9 of the fetching process after so many seconds
    kill_after_s: float | None

    @classmethod
    def of(cls, seed: int) -> Case:
        """Draw a case."""
        chance = random.Random(seed)
        checksum, head = chance.random() < 0.4, chance.random() < 0.8
        chunked = chance.random() < 0.2
        length = chance.random() < 0.85 or not chunked
        validator = chance.random() < 0.75
        offers = Offers(length, validator, checksum, chance.random() < 0.75, head, chunked)
        faults = [
            (chance.choice(list(Fault)), chance.choice((0.0, chance.random(), chance.random(), 1.0)))
            for _ in range(chance.randint(1, 7))
        ]
        if not checksum:
            unproven = _NEEDS_CHECKSUM if validator else _NEEDS_VALIDATOR
            faults = [(Fault.CUT if fault in unproven else fault, share) for fault, share in faults]
        size = chance.choice(_SIZES)
        kill = chance.uniform(0.0, 1.0) if chance.random() < 0.03 else None
        return cls(seed, size, offers, tuple(faults), chance.random() < 0.5, chance.random() < 0.3, kill)

    def __str__(self) -> str:
        """Return the case in a line."""
        faults = ", ".join(f"{fault.value}@{share:.2f}" for fault, share in self.faults)
        return f"seed {self.seed}: {self.size} bytes, {self.offers}, parallel {self.parallel}, {faults}"


@frozen
class Verdict:
    """How a case went: empty `wrong` is good."""

    case: Case
    wrong: str
    seconds: float
    failed: bool


def fetch(url: str, target: Path, tempdir: Path, *, parallel: bool) -> None:
    """Fetch with a layer that is quick to lose patience. Raises TaskError."""
    settings = LayerSettings(
        tempdir=tempdir,
        retries=3,
        retry_wait_s=0.01,
        retry_wait_max_s=0.05,
        idle_timeout_s=IDLE_S,
        transfer_timeout_s=20.0,
        parallel_min_bytes=_PARALLEL_FROM if parallel else 1 << 40,
    )
    Layer(TRANSFERS, settings).fetch(Url.parse(url), target)


def play(case: Case, folder: Path) -> Verdict:
    """Play a case in an empty directory and judge it."""
    began = time.monotonic()
    server = HostileServer(case.seed, case.size, case.offers, list(case.faults))
    try:
        failed, wrong = _play(case, server, folder)
    finally:
        server.close()
    seconds = time.monotonic() - began
    return Verdict(case, wrong or (f"took {seconds:.0f} s" if seconds > LIMIT_S else ""), seconds, failed)


def _play(case: Case, server: HostileServer, folder: Path) -> tuple[bool, str]:
    target = folder / "out" / "object.bin"
    target.parent.mkdir()
    if case.had_before:
        target.write_bytes(BEFORE)
    if case.kill_after_s is not None:
        _killed(case, server.url, folder, target)
        wrong = _unsound(target, server, case)
        if wrong:
            return False, f"after the kill: {wrong}"
    failed = False
    try:
        fetch(server.url, target, folder / "tmp", parallel=case.parallel)
    except TaskError:
        failed = True
    wrong = _unsound(target, server, case, failed=failed)
    if wrong:
        return failed, wrong
    server.faults.clear()
    fetch(server.url, target, folder / "tmp", parallel=case.parallel)
    if target.read_bytes() != server.version.content:
        return failed, "when the server behaves: not the current version"
    left = [path.name for path in target.parent.iterdir() if path != target]
    return failed, f"left behind: {left}" if left else ""


def _unsound(target: Path, server: HostileServer, case: Case, *, failed: bool = True) -> str:
    """Return what is wrong with what stands under the final name, empty when nothing is."""
    if not target.exists():
        return "" if failed and not case.had_before else "there is nothing under the final name"
    content = target.read_bytes()
    if failed and case.had_before and content == BEFORE:
        return ""
    if any(content == version.content for version in server.versions):
        return ""
    return f"a wrong file of {len(content)} bytes under the final name"


def _killed(case: Case, url: str, folder: Path, target: Path) -> None:
    """Fetch in a process of its own and kill that in the middle."""
    words = [sys.executable, "-m", "tests.hostile.fetching", url, str(target), str(folder / "tmp"), str(case.parallel)]
    process = subprocess.Popen(
        words, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ)
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(case.kill_after_s or 0.0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
