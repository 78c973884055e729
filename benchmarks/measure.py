"""W1 and W2: what the system itself costs, as a ratio to a bare process pool in the same run.

Laws: every transition is durable and all statistics are on; the rate runs from the first arrival to the last pebble's
end, read from the journal; both sides have two worker processes; the CPU figure counts head and workers without
their start, so it holds on a busy machine too.
"""

from __future__ import annotations

import argparse
import resource
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from attrs import frozen

from benchmarks.pool import pool_rate

HERE = Path(__file__).parent / "workflows"
CRYOCLOUD = Path(sys.executable).with_name("cryocloud")
WORKERS = 2


@frozen
class Figures:
    """One run of ours: tasks per second, and CPU microseconds for all of it (start included)."""

    rate: float
    cpu_us: float


def ours(workflow: str, option: str, tasks: int, profile: Path | None = None) -> Figures:
    """Run a workflow in a state directory of its own. Raises CalledProcessError when it does not end well."""
    with tempfile.TemporaryDirectory() as directory:
        front = [sys.executable, "-m", "cProfile", "-o", str(profile)] if profile else []
        command = [*front, str(CRYOCLOUD), "run", str(HERE / workflow), option, f"--workers={WORKERS}"]
        before = _cpu_us()
        subprocess.run([*command, "--state-dir", directory], check=True, stdout=subprocess.DEVNULL)
        cpu = _cpu_us() - before
        with sqlite3.connect(Path(directory) / "journal.db") as journal:
            began, ended = journal.execute("SELECT min(arrived_at), max(finished_at) FROM pebbles").fetchone()
    return Figures(tasks / (ended - began), cpu)


def _cpu_us() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used) * 1e6


def _line(name: str, chains: int, hops: int, figures: Figures, start_us: float) -> str:
    tasks = chains * hops
    before = _cpu_us()
    pool = pool_rate(chains, hops, WORKERS)
    pool_cpu = (_cpu_us() - before) / tasks
    cpu = (figures.cpu_us - start_us) / tasks
    return f"{name:22} {tasks:7} {pool:9.0f} {figures.rate:9.0f} {figures.rate / pool:6.2f} {pool_cpu:9.0f} {cpu:9.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pebbles", type=int, nargs="*", default=[2500])
    parser.add_argument("--parts", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--profile", type=Path, help="write a cProfile of the last head here")
    given = parser.parse_args()
    start_us = ours("chain.json", "--pebbles=1", 4).cpu_us
    print(f"{'':22} {'tasks':>7} {'pool /s':>9} {'ours /s':>9} {'ratio':>6} {'pool us':>9} {'ours us':>9}")
    for pebbles in given.pebbles:
        figures = ours("chain.json", f"--pebbles={pebbles}", pebbles * 4, given.profile)
        print(_line(f"W1 {pebbles} pebbles", pebbles, 4, figures, start_us))
    for parts in given.parts:
        figures = ours("split.json", f"--parts={parts}", parts * 2, given.profile)
        print(_line(f"W2 {parts} parts", parts, 2, figures, start_us))


if __name__ == "__main__":
    main()
