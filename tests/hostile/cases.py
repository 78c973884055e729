"""One case: an object or a list of them, what its server offers, what goes wrong; and the judgement of what comes.

Laws: a case follows from its seed alone; under a final name stands nothing, what was there before, or one whole
version that the server had while it was asked; once the server behaves, the next fetch brings the current version; a
case is over within its time.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from cryocloud_core.errors import TaskError
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.sweeping import LEFTOVER_S
from cryocloud_core.files.terms import Clock
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
#: what does not end the reading of a list
_PASSING = (
    Fault.CHANGE,
    Fault.CHANGE_MIDWAY,
    Fault.CHANGE_MIDWAY,
    Fault.LESS,
    Fault.HTML,
    Fault.S3_ERROR,
    Fault.MISSING,
)
_SETTINGS = {"timeout": IDLE_S, "connect_timeout": 2.0}
#: those of the process, as in a worker: an answer that was given up ends when it ends; with libcurl and without
TRANSFERS = {fast: Transfers(Routes({"http": _WEB}, {"HTTP": {**_SETTINGS, "fast": fast}})) for fast in (True, False)}


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
    #: how many objects beside it are wanted in one list, which is read side by side first
    others: int = 0
    #: whether that list is read with libcurl
    fast: bool = True

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
        size = chance.choice(_SIZES)
        kill = chance.uniform(0.0, 1.0) if chance.random() < 0.03 else None
        parallel, had_before = chance.random() < 0.5, chance.random() < 0.3
        others = chance.choice((0, 0, 1, 4, 12))
        if others and chance.random() < 0.5:
            faults = [(chance.choice(_PASSING), share) for _, share in faults]
        if not checksum:
            unproven = _NEEDS_CHECKSUM if validator else _NEEDS_VALIDATOR
            faults = [(Fault.CUT if fault in unproven else fault, share) for fault, share in faults]
        for _ in range(2 * others):  # most of many answers are right
            faults.insert(chance.randint(0, len(faults)), (Fault.NONE, 0.0))
        fast = chance.random() < 0.7
        return cls(seed, size, offers, tuple(faults), parallel, had_before, kill, others, fast)

    def wanted(self, server: HostileServer, folder: Path) -> dict[str, Path]:
        """Return what is to be fetched to where, the one that may be there before first."""
        names = ["object.bin", *(f"other{number}.bin" for number in range(self.others))]
        return {server.url_of(name): folder / "out" / name for name in names}

    def __str__(self) -> str:
        """Return the case in a line."""
        faults = ", ".join(f"{fault.value}@{share:.2f}" for fault, share in self.faults)
        told = f"{1 + self.others} of {self.size} bytes, {self.offers}, parallel {self.parallel}"
        return f"seed {self.seed}: {told}, {faults}, {'libcurl' if self.fast else 'aiohttp'}"


def close_transfers() -> None:
    """Let go of all connections."""
    for transfers in TRANSFERS.values():
        transfers.close()


@frozen
class Verdict:
    """How a case went: empty `wrong` is good."""

    case: Case
    wrong: str
    seconds: float
    failed: bool


def fetch(wanted: Mapping[str, Path], tempdir: Path, *, parallel: bool, fast: bool) -> set[Path]:
    """Fetch with a layer that is quick to lose patience, several side by side first; return what did not come."""
    layer = Layer(
        TRANSFERS[fast],
        LayerSettings(
            tempdir=tempdir,
            retries=3,
            retry_wait_s=0.01,
            retry_wait_max_s=0.05,
            idle_timeout_s=IDLE_S,
            transfer_timeout_s=20.0,
            parallel_min_bytes=_PARALLEL_FROM if parallel else 1 << 40,
        ),
    )
    places = {Url.parse(url): target for url, target in wanted.items()}
    failed = set()
    for url in set(places) - layer.fetch_small(places):
        try:
            layer.fetch(url, places[url])
        except TaskError:
            failed.add(places[url])
    return failed


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
    wanted, out = case.wanted(server, folder), folder / "out"
    out.mkdir()
    first = next(iter(wanted.values()))
    if case.had_before:
        first.write_bytes(BEFORE)
    if case.kill_after_s is not None:
        _killed(case, wanted, folder)
        wrong = _unsound(wanted, server, case, set(wanted.values()))
        if wrong:
            return False, f"after the kill: {wrong}"
    failed = fetch(wanted, folder / "tmp", parallel=case.parallel, fast=case.fast)
    wrong = _unsound(wanted, server, case, failed)
    if wrong:
        return bool(failed), wrong
    server.behave()
    if fetch(wanted, folder / "tmp", parallel=case.parallel, fast=case.fast):
        return bool(failed), "when the server behaves: not everything comes"
    if any(target.read_bytes() != server.version.content for target in wanted.values()):
        return bool(failed), "when the server behaves: not the current version"
    if case.kill_after_s is not None:
        _sweep_in_a_day(folder / "tmp")
    left = [path.name for path in out.iterdir() if path not in wanted.values()]
    return bool(failed), f"left behind: {left}" if left else ""


def _unsound(wanted: Mapping[str, Path], server: HostileServer, case: Case, failed: set[Path]) -> str:
    """Return what is wrong with what stands under the final names, empty when nothing is."""
    first = next(iter(wanted.values()))
    found = (
        _judged(path, server, had=case.had_before and path == first, failed=path in failed) for path in wanted.values()
    )
    return next(filter(None, found), "")


def _judged(target: Path, server: HostileServer, *, had: bool, failed: bool) -> str:
    if not target.exists():
        return "" if failed and not had else "there is nothing under the final name"
    content = target.read_bytes()
    if failed and had and content == BEFORE:
        return ""
    if any(content == version.content for version in server.versions):
        return ""
    return f"a wrong file of {len(content)} bytes under the final name"


def _sweep_in_a_day(tempdir: Path) -> None:
    """Sweep as it is done a day after a process was killed; what is a copy stays."""
    clock = Clock(wall=lambda: time.time() + LEFTOVER_S + 60)
    Layer(TRANSFERS[True], LayerSettings(tempdir, cache_max_share=1.0, sweep_every_s=0.0), clock=clock).sweep()


def _killed(case: Case, wanted: Mapping[str, Path], folder: Path) -> None:
    """Fetch in a process of its own and kill that in the middle."""
    said = json.dumps({url: str(target) for url, target in wanted.items()})
    how = [str(folder / "tmp"), str(case.parallel), str(case.fast)]
    words = [sys.executable, "-m", "tests.hostile.fetching", said, *how]
    process = subprocess.Popen(
        words, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ)
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(case.kill_after_s or 0.0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
