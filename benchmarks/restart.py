"""W5: how soon a head that was killed hands out work again.

Laws: the journal is made by a real head, which is killed with -9 while its last tasks hang; the time runs from the
launch of the next head to the begin of its first task, so it holds the start of Python and of the workers as well;
beside it stands the same with a fresh state directory. `--keep DIR` makes the journals once and uses copies of them.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, Goal, Size, middle
from benchmarks.launch import ask, count, finish, first_begin, kill, run, start, until

#: finished pebbles, unfinished ones, parts of a region, starts of which the median is told
SIZES: dict[Size, tuple[int, int, int, int]] = {
    "full": (99_000, 1_000, 100_000, 3),
    "quick": (9_000, 1_000, 10_000, 3),
    "tiny": (20, 5, 20, 1),
}
_EVENTS_OPEN = "SELECT count(*) FROM events JOIN pebbles USING (pebble) WHERE state = 'open'"
_UNFINISHED = "SELECT count(*) FROM pebbles WHERE state IN ('open', 'owing')"


def measure(size: Size, keep: Path | None = None) -> Iterator[Figure]:
    """Measure restarts over many pebbles, and in the middle of a region."""
    closed, unfinished, parts, rounds = SIZES[size]
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        fresh = middle([fresh_ms(folder / f"fresh{number}") for number in range(rounds)])
        made = keep or folder
        pebbles = made / f"pebbles-{closed}-{unfinished}"
        if not pebbles.exists():
            make_pebbles(pebbles, closed, unfinished)
        took, events = restart_ms(pebbles, folder, rounds, "held.json", f"--pebbles={unfinished}", "--hold-from=0")
        name = f"restart, {closed + unfinished} pebbles, {unfinished} unfinished: first task"
        yield Figure("W5", name, took, "ms", fresh, "fresh start", Goal(2000.0))
        region = made / f"region-{parts}"
        if not region.exists():
            make_region(region, parts)
        took, events = restart_ms(region, folder, rounds, "held_split.json", f"--parts={parts}", hold(parts))
        yield Figure("W5", f"restart in a region of {parts} parts: first task", took, "ms", fresh, "fresh start")
        yield Figure("W5", f"each of its {events} events", (took - fresh) * 1000 / events, "us", goal=Goal(30.0))


def hold(parts: int) -> str:
    """Return the option that lets half of the parts end and the others hang."""
    return f"--hold-from={parts // 2}"


def fresh_ms(state: Path) -> float:
    """Return the milliseconds from the launch to the first task without anything to take over."""
    began = time.time()
    run("chain.json", state, "--pebbles=1")
    return (first_begin(state) - began) * 1000


def make_pebbles(state: Path, closed: int, unfinished: int) -> None:
    """Leave a journal of finished pebbles, and of unfinished ones with only their last node to go."""
    making = state.with_name(state.name + ".making")
    shutil.rmtree(making, ignore_errors=True)
    run("held.json", making, f"--pebbles={closed}", f"--hold-from={closed}", f"--until={making / 'go'}")
    words = [f"--pebbles={unfinished}", "--hold-from=0", f"--until={making / 'go'}"]
    head = start("held.json", making, *words)
    until(lambda: count(making, _EVENTS_OPEN) >= 4 * unfinished, head, making)
    kill(head)
    making.rename(state)


def make_region(state: Path, parts: int) -> None:
    """Leave a journal of one pebble half of whose parts have ended."""
    making = state.with_name(state.name + ".making")
    shutil.rmtree(making, ignore_errors=True)
    words = [f"--parts={parts}", hold(parts), f"--until={making / 'go'}"]
    head = start("held_split.json", making, *words)
    until(lambda: count(making, _EVENTS_OPEN) >= 2 + parts // 2, head, making)
    kill(head)
    making.rename(state)


def restart_ms(made: Path, folder: Path, rounds: int, flow: str, *words: str) -> tuple[float, int]:
    """Return the median milliseconds from a launch to its first task, and how many events it had to take over."""
    took, events = [], 0
    for number in range(rounds):
        state = folder / f"again{number}"
        state.mkdir(mode=0o700)
        for file in made.glob("journal.db*"):
            shutil.copy(file, state)
        events = count(state, _EVENTS_OPEN)
        awaited = _awaited(state)
        awaited.parent.mkdir(exist_ok=True, parents=True)
        awaited.touch()
        began = time.time()
        finish(start(flow, state, *words, f"--until={awaited}"), state)
        took.append((first_begin(state) - began) * 1000)
        left = count(state, _UNFINISHED)
        if left:
            raise RuntimeError(f"{left} pebbles are unfinished after the restart")
        shutil.rmtree(state)
    return middle(took), events


def _awaited(state: Path) -> Path:
    """Return the file that the tasks of the killed head waited for: a pebble keeps the options it was born with."""
    rows = ask(state, "SELECT json_extract(options, '$.until') FROM contexts ORDER BY number DESC LIMIT 1")
    return Path(str(rows[0][0]))
