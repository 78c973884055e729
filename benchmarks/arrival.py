"""W3: how long after a file is there its first task runs.

Laws: the clock starts right before the rename, or before the writer closes the file, and stops when the worker begins
the task, as the journal tells; files come one at a time, so each finds idle workers; in the quiet mode the quiet time
itself is taken off.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.figures import Figure, Goal, Size, quantile
from benchmarks.launch import ask, count, start, until

#: files by rename, files in the quiet mode
SIZES: dict[Size, tuple[int, int]] = {"full": (400, 100), "quick": (150, 40), "tiny": (3, 2)}
#: the first files are left out: they find nothing warm
COLD = 5
QUIET_S = 1.0
PAUSE_S = 0.05
_ARRIVED = "SELECT count(*) FROM pebbles WHERE state = 'closed'"
_NAMES = "SELECT pebble, json_extract(body, '$.values.relpath') FROM events WHERE body LIKE '%PebbleArrived%'"
_BEGINS = "SELECT pebble, json_extract(body, '$.stats.began_at') FROM events WHERE body LIKE '%TaskEnded%'"


def measure(size: Size) -> Iterator[Figure]:
    """Measure renames and closes with `closed`, then the quiet mode."""
    renamed, quiet = SIZES[size]
    for way, bring in (("rename", by_rename), ("close", by_close)):
        took = latencies_ms(renamed, bring, "--closed=true")
        yield Figure("W3", f"{way} to first task, closed, p50", quantile(took, 0.5), "ms", goal=Goal(10.0))
        yield Figure("W3", f"{way} to first task, closed, p99", quantile(took, 0.99), "ms", goal=Goal(50.0))
    late = [ms - 1000 * QUIET_S for ms in latencies_ms(quiet, by_rename, f"--stabilize={QUIET_S:g}")]
    yield Figure("W3", "rename to first task beyond the quiet time, p50", quantile(late, 0.5), "ms", goal=Goal(50.0))
    yield Figure("W3", "rename to first task beyond the quiet time, p99", quantile(late, 0.99), "ms", goal=Goal(50.0))


def by_rename(outside: Path, target: Path) -> float:
    """Move a complete file in; return when, in seconds UTC."""
    made = outside / target.name
    made.write_bytes(b"x" * 1000)
    began = time.time()
    made.rename(target)
    return began


def by_close(_outside: Path, target: Path) -> float:
    """Write a file in place; return when it was about to be closed."""
    with target.open("wb") as file:
        file.write(b"x" * 1000)
        file.flush()
        return time.time()


def latencies_ms(files: int, bring: Callable[[Path, Path], float], *words: str) -> list[float]:
    """Return the milliseconds of each file but the first ones."""
    cold = min(COLD, files - 1)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        state, watched, outside = folder / "state", folder / "in", folder / "outside"
        watched.mkdir()
        outside.mkdir()
        head = start("arrival.json", state, f"--in={watched}", *words)
        by_rename(outside, watched / "warm")
        until(lambda: count(state, _ARRIVED) == 1, head, state)
        time.sleep(1.0)
        brought = {}
        for number in range(files):
            brought[str(number)] = bring(outside, watched / str(number))
            time.sleep(PAUSE_S)
        until(lambda: count(state, _ARRIVED) == files + 1, head, state)
        head.send_signal(signal.SIGINT)
        head.wait()
        begins = begins_by_name(state)
    return [(begins[name] - at) * 1000 for name, at in brought.items()][cold:]


def begins_by_name(state: Path) -> dict[str, float]:
    """Return when the task of each file began, in seconds UTC."""
    begins = {str(pebble): float(str(at)) for pebble, at in ask(state, _BEGINS)}
    return {str(name): begins[str(pebble)] for pebble, name in ask(state, _NAMES)}
