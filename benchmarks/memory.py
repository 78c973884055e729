"""W6: the memory of a head and all below it, after a chain and as finished pebbles add up.

Laws: memory is the proportional set size: pages that processes share are counted once; it is read while the run goes
on; growth is that of the head alone, between two moments of a run that is given pebbles no faster than it finishes
them, so that about as many are open at both.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.figures import Figure, Goal, Size, middle
from benchmarks.launch import count, finish, start

#: pebbles of the short run, and of the long one
SIZES: dict[Size, tuple[int, int]] = {"full": (2_500, 102_500), "quick": (2_500, 22_500), "tiny": (500, 3_000)}
PAUSE_S = 0.1
#: pebbles a second of the long run: well below what any machine of today finishes
RATE = 1_000
T = TypeVar("T")
_DONE = "SELECT count(*) FROM pebbles WHERE state = 'closed'"


def measure(size: Size) -> Iterator[Figure]:
    """Measure the memory after W1, and how much the head grows."""
    short, long = SIZES[size]
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory) / "short"
        head = start("chain.json", state, f"--pebbles={short}")
        total = max(watched(head, lambda: family_bytes(head.pid)), default=0)
        finish(head, state)
        yield Figure("W6", f"head and workers, {short} pebbles", total / 1e6, "MB", goal=Goal(120.0))
        grown = growth_bytes(Path(directory) / "long", short, long)
        name = f"growth of the head over {long - short} finished pebbles"
        yield Figure("W6", name, grown / 1e6, "MB", goal=Goal(2.0))


def growth_bytes(state: Path, early: int, pebbles: int) -> float:
    """Return by how much the head's memory grew between so many finished pebbles and all."""
    head = start("chain.json", state, f"--pebbles={pebbles}", f"--rate={RATE}")
    seen = watched(head, lambda: (count(state, _DONE), process_bytes(head.pid)))
    finish(head, state)
    width = (pebbles - early) / 10
    before = [size for done, size in seen if early <= done <= early + width and size]
    after = [size for done, size in seen if done >= pebbles - width and size]
    if not before or not after:
        raise RuntimeError("the run was too short to be looked at twice")
    return middle(after) - middle(before)


def watched(head: subprocess.Popen[bytes], look: Callable[[], T]) -> list[T]:
    """Return what was seen while a head ran."""
    seen = []
    while head.poll() is None:
        seen.append(look())
        time.sleep(PAUSE_S)
    return seen


def process_bytes(pid: int) -> int:
    """Return the memory of one process, 0 once it has gone."""
    try:
        return int(psutil.Process(pid).memory_full_info().pss)
    except psutil.Error:
        return 0


def family_bytes(pid: int) -> int:
    """Return the memory of a process and of all below it, 0 once one of them has gone."""
    try:
        head = psutil.Process(pid)
        return sum(int(each.memory_full_info().pss) for each in (head, *head.children(recursive=True)))
    except psutil.Error:
        return 0
