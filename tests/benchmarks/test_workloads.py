"""Every workload measures something on tiny sizes; how much it is, is no test's affair."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: module -> the names of its figures that must be there, cut where sizes begin to matter
FIGURES = {
    "chain": ("20 pebbles, 4 hops", "40 pebbles, 4 hops", "40 pebbles beside 20"),
    "latency": ("one pebble, 4 hops, p50", "one pebble, 4 hops, p99"),
    "split": ("20 parts: time a task", "memory a part", "60 parts: journal a part", "60 parts, killed in the middle"),
    "arrival": ("rename to first task, closed", "close to first task", "rename to first task beyond the quiet time"),
    "restart": ("restart, 25 pebbles, 5 unfinished", "restart in a region of 20 parts", "each of its"),
    "memory": ("head and workers", "growth of the head"),
    "transfers": ("1 MB from S3", "3 x 64 KiB from S3", "1 MB to S3", "1 MB over http", "3 x 64 KiB over http"),
    "unpacking": ("unpack zip", "unpack tar.gz"),
    "idle": ("idle, 10 files watched",),
    "launching": ("cryocloud --help", "launch to first task"),
}

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


@pytest.mark.parametrize("module", FIGURES)
def test_a_workload_yields_its_figures(module: str) -> None:
    """Each figure that the module promises comes out as a number."""
    command = [sys.executable, "-m", "benchmarks.one", module, "--size", "tiny"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=150)

    assert answer.returncode == 0, answer.stderr
    figures = [json.loads(line) for line in answer.stdout.splitlines()]
    for name in FIGURES[module]:
        found = [each for each in figures if each["name"].startswith(name)]
        assert found, f"no figure is called {name!r}"
        assert all(math.isfinite(each["value"]) for each in found)


def test_the_command_prints_the_table_and_keeps_it(tmp_path: Path) -> None:
    """One command measures, shows and keeps the figures of the workloads that were asked for."""
    command = [sys.executable, "-m", "benchmarks", "--tiny", "--only", "start", "--out", str(tmp_path / "kept.json")]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=150)

    assert answer.returncode == 0, answer.stderr
    assert "cores " in answer.stdout
    assert "launch to first task" in answer.stdout
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert [each["name"] for each in kept["figures"]] == ["cryocloud --help", "launch to first task"]
