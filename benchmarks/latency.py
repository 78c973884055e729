"""W1 latency: how long one pebble takes through four nodes while nothing else is going on.

Laws: the time runs from before the input hands the pebble over until an observer hears of its end, which is after the
last commit; the yardstick is a commit of one row with the same guarantees on the same disk, taken between the
pebbles; the pool's four hops one after the other stand beside it.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.chain import HOPS
from benchmarks.figures import Figure, Goal, Size, quantile
from benchmarks.launch import FLOWS, WORKERS
from benchmarks.pool import hop
from cryocloud_core.api import run
from cryocloud_core.api.running import Nobody
from cryocloud_core.head.settings import RunSettings, Told
from cryocloud_core.sdk.observed import PebbleSeen

SIZES: dict[Size, int] = {"full": 1000, "quick": 300, "tiny": 5}
#: the first pebbles are left out: they find nothing warm
COLD = 20


class Ends(Nobody):
    """Notes when it hears that a pebble is closed."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    def told(self, record: Told) -> None:
        """Hear of one thing that happened."""
        if isinstance(record, PebbleSeen) and record.result:
            self.at[record.pebble] = time.perf_counter()


def measure(size: Size) -> Iterator[Figure]:
    """Measure the median and the 99th percentile, each beside the same of a commit."""
    count = SIZES[size]
    ours, commits = chain_ms(count)
    pool = pool_ms(count)
    for name, part, room_ms in (("p50", 0.5, 4.0), ("p99", 0.99, 10.0)):
        value, commit = quantile(ours, part), quantile(commits, part)
        goal = Goal(5 * commit + room_ms)
        yield Figure("W1", f"one pebble, {HOPS} hops, {name}", value, "ms", commit, "one commit", goal)
    yield Figure("W1", f"one pebble, {HOPS} hops, p50", quantile(ours, 0.5), "ms", quantile(pool, 0.5), "process pool")


def chain_ms(count: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each pebble, and of a commit before each."""
    with tempfile.TemporaryDirectory() as directory:
        folder, ends = Path(directory), Ends()
        options = {"pebbles": str(count), "notes": str(folder / "notes.json")}
        settings = RunSettings(state_dir=folder / "state", workers=WORKERS)
        run(FLOWS / "spaced.json", options, settings, watcher=ends)
        notes = json.loads((folder / "notes.json").read_text())
    took = [(ends.at[int(pebble)] - began) * 1e3 for pebble, began in notes["sent"].items()]
    cold = min(COLD, count - 1)
    return took[cold:], [commit * 1e3 for commit in notes["commits"][cold:]]


def pool_ms(count: int) -> list[float]:
    """Return the milliseconds of four hops through an idle pool."""
    took = []
    with ProcessPoolExecutor(WORKERS) as pool:
        list(pool.map(hop, ({"n": n} for n in range(100))))
        for number in range(count):
            time.sleep(0.01)
            began, values = time.perf_counter(), {"n": number}
            for _ in range(HOPS):
                values = pool.submit(hop, values).result()
            took.append((time.perf_counter() - began) * 1e3)
    return took
