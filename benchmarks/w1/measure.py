"""W1: four nodes that do nothing in a chain, every transition durable, as a ratio to a bare process pool in the same run.

Laws: both sides use two worker processes and hand a small map from hop to hop; the pool has no graph, no journal and
no statistics, so it is the most that two processes can do here; only ratios are worth comparing between machines.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HOPS = 4
WORKERS = 2


def hop(values: dict[str, Any]) -> dict[str, Any]:
    """Do what the module `nothing` does."""
    return {"n": values["n"]}


def pool_rate(pebbles: int) -> float:
    """Return tasks per second of a bare process pool, each hop submitted by the callback of the one before."""
    with ProcessPoolExecutor(WORKERS) as pool:
        list(pool.map(hop, ({"n": n} for n in range(100))))
        left, done = threading.Semaphore(0), pebbles

        def submit(values: dict[str, Any], hops: int) -> None:
            def ended(future: Future[dict[str, Any]]) -> None:
                if hops > 1:
                    submit(future.result(), hops - 1)
                else:
                    left.release()

            pool.submit(hop, values).add_done_callback(ended)

        began = time.perf_counter()
        for n in range(pebbles):
            submit({"n": n}, HOPS)
        for _ in range(done):
            left.acquire()
        return pebbles * HOPS / (time.perf_counter() - began)


def our_rate(pebbles: int, profile: Path | None = None) -> float:
    """Return tasks per second of `cryocloud run`, from the first arrival to the last pebble's end, read from the journal."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, *(["-m", "cProfile", "-o", str(profile)] if profile else [])]
        command += [str(Path(sys.executable).with_name("cryocloud")), "run", str(HERE / "workflow.json")]
        command += [f"--pebbles={pebbles}", f"--workers={WORKERS}", "--state-dir", directory]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with sqlite3.connect(Path(directory) / "journal.db") as journal:
            count, began, ended = journal.execute(
                "SELECT count(*), min(arrived_at), max(finished_at) FROM pebbles WHERE result = 'success'"
            ).fetchone()
    assert count == pebbles, f"{count} of {pebbles} pebbles succeeded"
    return float(pebbles * HOPS / (ended - began))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pebbles", type=int, nargs="*", default=[2500])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", type=Path, help="write a cProfile of the head here")
    given = parser.parse_args()
    print(f"{'pebbles':>8} {'pool tasks/s':>13} {'ours tasks/s':>13} {'ratio':>6}")
    for pebbles in given.pebbles:
        for _ in range(given.rounds):
            pool, ours = pool_rate(pebbles), our_rate(pebbles, given.profile)
            print(f"{pebbles:8} {pool:13.0f} {ours:13.0f} {ours / pool:6.2f}")


if __name__ == "__main__":
    main()
