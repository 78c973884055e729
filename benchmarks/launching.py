"""Cold start: how long a command takes that only helps, and how soon a run's first task begins.

Laws: medians of several starts, with the files in the page cache; the yardstick is Python itself starting and doing
nothing, in turns with ours.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, Goal, Size, middle
from benchmarks.launch import CRYOCLOUD
from benchmarks.restart import fresh_ms

ROUNDS: dict[Size, int] = {"full": 21, "quick": 9, "tiny": 1}


def measure(size: Size) -> Iterator[Figure]:
    """Measure `--help`, and a whole launch."""
    rounds = ROUNDS[size]
    helps, bare, launches = [], [], []
    with tempfile.TemporaryDirectory() as directory:
        for number in range(rounds):
            helps.append(command_ms(str(CRYOCLOUD), "--help"))
            bare.append(command_ms(sys.executable, "-c", "pass"))
            launches.append(fresh_ms(Path(directory) / str(number)))
    python = middle(bare)
    yield Figure("start", "cryocloud --help", middle(helps), "ms", python, "python -c pass", Goal(160.0))
    yield Figure("start", "launch to first task", middle(launches), "ms", python, "python -c pass", Goal(500.0))


def command_ms(*command: str) -> float:
    """Return the milliseconds of a whole command."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1e3
