"""W1: four nodes in a chain that do nothing, every transition durable, beside a bare process pool.

Laws: both sides have two warm workers; ours counts from the first arrival to the last pebble's end, read from the
journal; the two take turns, and what is told is the median of the ratios of neighbours, because the machine's speed
changes while one measures.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from benchmarks.figures import Figure, Goal, Size, middle
from benchmarks.launch import WORKERS, ask, run
from benchmarks.pool import pool_rate

HOPS = 4
#: pebbles that come first, so that workers and the judgement which nodes are short are warm
WARM = 100
#: pebbles of the short and of the long run, turns
SIZES: dict[Size, tuple[int, int, int]] = {"full": (2_500, 25_000, 3), "quick": (2_500, 10_000, 3), "tiny": (20, 40, 1)}


@frozen
class Turn:
    """Tasks per second of the chain and of the pool, one right after the other."""

    ours: float
    pool: float


def measure(size: Size) -> Iterator[Figure]:
    """Measure tasks per second at two lengths, in turns."""
    short, long, turns = SIZES[size]
    at: dict[int, list[Turn]] = {short: [], long: []}
    for _ in range(turns):
        for pebbles, measured in at.items():
            measured.append(Turn(chain_rate(pebbles), pool_rate(pebbles, HOPS, WORKERS)))
    for pebbles, measured in at.items():
        rate, ratio = middle([turn.ours for turn in measured]), middle([turn.ours / turn.pool for turn in measured])
        goal = Goal(0.6, "ratio", least=True)
        yield Figure("W1", f"{pebbles} pebbles, {HOPS} hops", rate, "tasks/s", rate / ratio, "process pool", goal)
    slower = middle([after.ours / before.ours for before, after in zip(at[short], at[long], strict=True)])
    rate = middle([turn.ours for turn in at[long]])
    name, goal = f"{long} pebbles beside {short}", Goal(0.8, "ratio", least=True)
    yield Figure("W1", name, rate, "tasks/s", rate / slower, f"{short} pebbles", goal)


def chain_rate(pebbles: int) -> float:
    """Return the tasks per second of one run of the chain."""
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory) / "state"
        run("chain.json", state, f"--pebbles={pebbles}", f"--warm={WARM}")
        spans = ask(state, "SELECT min(arrived_at), max(finished_at) FROM pebbles WHERE pebble > ?", WARM)
    began, ended = (float(str(each)) for each in spans[0])
    return pebbles * HOPS / (ended - began)
