"""W4, archives: unpacking zip and tar.gz beside `unzip`, `tar` and `pigz`, each followed by `sync`.

Laws: the data compress as measurements do, to about a half; ours runs in a process of its own whose start is not
timed; ours and the rivals take turns, three times, the quickest counts.
"""

from __future__ import annotations

import array
import importlib.util
import math
import random
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from attrs import evolve

from benchmarks.figures import Figure, Goal, Size
from benchmarks.programs import Cost, best, cost, found

MIB = 1024 * 1024
#: bytes of one member, how many, rounds
SIZES: dict[Size, tuple[int, int, int]] = {
    "full": (10 * MIB, 50, 3),
    "quick": (10 * MIB, 10, 2),
    "tiny": (100_000, 3, 1),
}
_OURS = (
    "import sys, time, os, pathlib\n"
    "from cryocloud_core.files.archives import unpack_into\n"
    "from cryocloud_core.files.tree import UnpackLimits\n"
    "target = pathlib.Path(sys.argv[2]); target.mkdir()\n"
    "began = time.perf_counter()\n"
    "unpack_into(pathlib.Path(sys.argv[1]), target, UnpackLimits(), lambda: None)\n"
    "print(time.perf_counter() - began)\n"
)


def measure(size: Size) -> Iterator[Figure]:
    """Measure both kinds of archive."""
    member, members, rounds = SIZES[size]
    is_fast = importlib.util.find_spec("isal") is not None
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "data").mkdir()
        for number in range(members):
            (folder / "data" / f"band{number:02d}.raw").write_bytes(terrain(member, number))
        with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((folder / "data").iterdir()):
                archive.write(path, path.name)
        with tarfile.open(folder / "a.tar.gz", "w:gz", compresslevel=6) as tar:
            tar.add(folder / "data", "data")
        for name, rivals in (("a.zip", _zips()), ("a.tar.gz", _tars())):
            yield from _measured(folder / name, dict(rivals), member * members, rounds, is_fast=is_fast)


def terrain(size: int, seed: int) -> bytes:
    """Return 16-bit heights along slow waves with noise in the last bits."""
    chance = random.Random(seed)
    row = [int(2000 + 900 * math.sin(at / 300)) for at in range(4096)]
    line = array.array("H", (height + chance.getrandbits(4) for height in row)).tobytes()
    lines = [array.array("H", (height + chance.getrandbits(4) for height in row)).tobytes() for _ in range(64)]
    return b"".join(chance.choice(lines) for _ in range(size // len(line) + 1))[:size]


def _zips() -> Iterator[tuple[str, list[str]]]:
    if (unzip := found("unzip")) is not None:
        yield "unzip", [unzip, "-q", "{archive}", "-d", "{target}"]


def _tars() -> Iterator[tuple[str, list[str]]]:
    if (tar := found("tar")) is not None:
        yield "tar", [tar, "-xzf", "{archive}", "-C", "{target}"]
        if (pigz := found("pigz")) is not None:
            yield "pigz", [tar, "-I", pigz, "-xf", "{archive}", "-C", "{target}"]


def _measured(
    archive: Path, rivals: dict[str, list[str]], size: int, rounds: int, *, is_fast: bool
) -> Iterator[Figure]:
    ours: list[Cost] = []
    others: dict[str, list[Cost]] = {}
    for _ in range(rounds):
        ours.append(_ours(archive))
        for name, words in rivals.items():
            others.setdefault(name, []).append(_theirs(archive, words))
    mine = best(ours)
    goals = {"unzip": Goal(2.0 if is_fast else 1.5, "ratio", least=True), "tar": Goal(1.0, "ratio", least=True)}
    what = f"unpack {archive.suffix[1:] if archive.suffix == '.zip' else 'tar.gz'}{', with isal' if is_fast else ''}"
    if not others:
        yield Figure("W4", what, size / MIB / mine.seconds, "MiB/s")
    for name, costs in others.items():
        there = best(costs)
        goal = goals.get(name)
        yield Figure("W4", what, size / MIB / mine.seconds, "MiB/s", size / MIB / there.seconds, name, goal)
        yield Figure("W4", f"{what}: CPU", mine.cpu_s, "s", there.cpu_s, name)
        yield Figure("W4", f"{what}: memory", mine.memory_bytes / MIB, "MiB", there.memory_bytes / MIB, name)


def _ours(archive: Path) -> Cost:
    target, told = archive.with_name("target"), archive.with_name("seconds")
    used = cost(["sh", "-c", f'"$@" > "{told}"', "sh", sys.executable, "-c", _OURS, str(archive), str(target)])
    shutil.rmtree(target)
    return evolve(used, seconds=float(told.read_text()))


def _theirs(archive: Path, words: list[str]) -> Cost:
    target = archive.with_name("target")
    target.mkdir()
    used = cost(
        ["sh", "-c", '"$@"; sync -f "$0"', str(target), *(w.format(archive=archive, target=target) for w in words)]
    )
    shutil.rmtree(target)
    return used
