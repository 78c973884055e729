"""W2: one pebble split many ways and merged in order, by a real head with real workers.

Laws: the time runs from the end of the task that made the list to the end of the pebble, read from the journal, so it
holds the split, two tasks for each part, the merge and the check that the merged list is whole and in order; the
chain of W1 is measured in the same run, and one task of it is the yardstick.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from benchmarks.chain import chain_rate
from benchmarks.figures import Figure, Goal, Size, middle
from benchmarks.launch import ask, finish, start
from benchmarks.memory import process_bytes, watched
from benchmarks.restart import fresh_ms, hold, make_region, restart_ms

#: numbers of parts, pebbles of the chain beside them and how often it is measured
SIZES: dict[Size, tuple[tuple[int, ...], int, int]] = {
    "full": ((1_000, 10_000, 100_000), 2_500, 3),
    "quick": ((1_000, 10_000), 2_500, 3),
    "tiny": ((20, 60), 20, 1),
}
#: a part is worked on and merged
TASKS_A_PART = 2
_SPAN = """
    SELECT (SELECT json_extract(body, '$.at') FROM events WHERE json_extract(body, '$.task') LIKE '%/List/1'),
        finished_at FROM pebbles
"""
_EVENTS = "SELECT sum(length(body) + coalesce(length(started), 0)) FROM events"


@frozen
class Split:
    """One run: microseconds a task, the head's highest memory, the journal's size on disk, bytes of its events."""

    parts: int
    task_us: float
    peak_bytes: int
    journal_bytes: int
    event_bytes: int


def measure(size: Size) -> Iterator[Figure]:
    """Measure each number of parts beside the chain, then what a part costs, then restarts in the middle."""
    numbers, pebbles, turns = SIZES[size]
    runs = []
    for parts in numbers:
        chain_us = middle([1e6 / chain_rate(pebbles) for _ in range(turns)])
        runs.append(split(parts))
        goal = Goal(1.0, "ratio")
        yield Figure("W2", f"{parts} parts: time a task", runs[-1].task_us, "us", chain_us, "a task of W1", goal)
    few, many = runs[0], runs[-1]
    name = f"{many.parts} parts beside {few.parts}: time a task"
    yield Figure("W2", name, many.task_us, "us", few.task_us, f"{few.parts} parts", Goal(1.2, "ratio"))
    grown = (many.peak_bytes - few.peak_bytes) / (many.parts - few.parts)
    yield Figure("W2", f"memory a part, {many.parts} parts", grown, "B", goal=Goal(1000.0))
    for each in runs:
        size_of = each.journal_bytes / each.parts
        yield Figure(
            "W2", f"{each.parts} parts: journal a part", size_of, "B", each.event_bytes / each.parts, "its events"
        )
    yield from _restarts(numbers)


def split(parts: int) -> Split:
    """Run it once."""
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory) / "state"
        head = start("split.json", state, f"--parts={parts}")
        peak = max(watched(head, lambda: process_bytes(head.pid)), default=0)
        finish(head, state)
        began, ended = (float(str(each)) for each in ask(state, _SPAN)[0])
        events = int(str(ask(state, _EVENTS)[0][0]))
        journal = sum(file.stat().st_size for file in state.glob("journal.db*"))
    return Split(parts, (ended - began) * 1e6 / (parts * TASKS_A_PART), peak, journal, events)


def _restarts(numbers: tuple[int, ...]) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        fresh = fresh_ms(folder / "fresh")
        for parts in numbers:
            made = folder / f"region-{parts}"
            make_region(made, parts)
            took, _ = restart_ms(made, folder, 1, "held_split.json", f"--parts={parts}", hold(parts))
            yield Figure("W2", f"{parts} parts, killed in the middle: first task", took, "ms", fresh, "fresh start")
