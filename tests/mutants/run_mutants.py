"""Mutants of the engine: make a small change, run the engine's tests, tell which changes nobody noticed.

Laws: the tree that is changed is a copy; the sample follows from the printed seed; a mutant that hangs is killed and
counts as noticed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import frozen
from sites import Site, changed, sites

ROOT = Path(__file__).parents[2]
CORE = ROOT / "cryocloud-core" / "src"
ENGINE = Path("cryocloud_core") / "engine"
QUICK = ["tests/engine", "--ignore=tests/engine/test_laws.py", "--ignore=tests/engine/test_split_laws.py"]
SLOW = ["tests/engine/test_laws.py", "tests/engine/test_split_laws.py", "tests/testing/test_simulation.py"]


@frozen
class Mutant:
    """One change of one file."""

    file: str
    site: Site

    def __str__(self) -> str:
        """Return where it is and what it does."""
        return f"{self.file}:{self.site.line} {self.site.what}"


def sample(count: int, seed: int) -> list[Mutant]:
    """Return so many mutants of the engine, drawn by chance."""
    every = [
        Mutant(path.name, site)
        for path in sorted((CORE / ENGINE).glob("*.py"))
        for site in sites(path.read_text(encoding="utf-8"))
    ]
    return random.Random(seed).sample(every, min(count, len(every)))


def is_noticed(mutant: Mutant) -> bool:
    """Return True when a test fails or does not end."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "src"
        shutil.copytree(CORE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / ENGINE / mutant.file
        path.write_text(changed(path.read_text(encoding="utf-8"), mutant.site), encoding="utf-8")
        return not (_passes(copy, QUICK) and _passes(copy, SLOW))


def _passes(copy: Path, tests: list[str]) -> bool:
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False, timeout=150)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Print the survivors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    mutants = sample(given.count, given.seed)
    _say(f"seed {given.seed}: {len(mutants)} mutants")
    survivors = []
    with ThreadPoolExecutor(given.processes) as pool:
        for mutant, noticed in zip(mutants, pool.map(is_noticed, mutants), strict=True):
            if not noticed:
                survivors.append(mutant)
                _say(f"not noticed: {mutant}")
    _say(f"{len(mutants) - len(survivors)} of {len(mutants)} noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
