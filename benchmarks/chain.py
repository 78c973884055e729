"""W1: four nodes in a chain that do nothing, every transition durable, beside a bare process pool.

Laws: both sides have two warm workers; ours counts from the first arrival to the last pebble's end, read from the
journal; the two take turns, and what is told is the median of the ratios of neighbours, because the machine's speed
changes while one measures.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, Goal, Size, middle
from benchmarks.launch import WORKERS, ask, run
from benchmarks.pool import pool_rate

HOPS = 4
#: pebbles that come first, so that workers and the judgement which nodes are short are warm
WARM = 100
#: pebbles of the short and of the long run, turns of either
SIZES: dict[Size, tuple[int, int, int]] = {"full": (2_500, 25_000, 5), "quick": (2_500, 10_000, 3), "tiny": (20, 40, 1)}


def measure(size: Size) -> Iterator[Figure]:
    """Measure tasks per second at two lengths."""
    short, long, turns = SIZES[size]
    ours, pool = in_turns(short, turns)
    yield _beside_pool(short, ours, pool)
    long_ours, long_pool = in_turns(long, max(1, turns // 2))
    yield _beside_pool(long, long_ours, long_pool)
    name, goal = f"{long} pebbles beside {short}", Goal(0.8, "ratio", least=True)
    yield Figure("W1", name, middle(long_ours), "tasks/s", middle(ours), f"{short} pebbles", goal)


def in_turns(pebbles: int, turns: int) -> tuple[list[float], list[float]]:
    """Return the rates of ours and of the pool, measured in turns."""
    ours, pool = [], []
    for _ in range(turns):
        ours.append(chain_rate(pebbles))
        pool.append(pool_rate(pebbles, HOPS, WORKERS))
    return ours, pool


def chain_rate(pebbles: int) -> float:
    """Return the tasks per second of one run of the chain."""
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory) / "state"
        run("chain.json", state, f"--pebbles={pebbles}", f"--warm={WARM}")
        spans = ask(state, "SELECT min(arrived_at), max(finished_at) FROM pebbles WHERE pebble > ?", WARM)
    began, ended = (float(str(each)) for each in spans[0])
    return pebbles * HOPS / (ended - began)


def _beside_pool(pebbles: int, ours: list[float], pool: list[float]) -> Figure:
    """Return a figure whose ratio is the median of the ratios of neighbours."""
    ratio = middle([one / other for one, other in zip(ours, pool, strict=True)])
    rate = middle(ours)
    goal = Goal(0.6, "ratio", least=True)
    return Figure("W1", f"{pebbles} pebbles, {HOPS} hops", rate, "tasks/s", rate / ratio, "process pool", goal)
