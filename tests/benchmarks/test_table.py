"""The table of the benchmarks: what is judged, what is shown, what is kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import WORKLOADS
from benchmarks.figures import Figure, Goal, number, quantile
from benchmarks.table import Report, show

ROOT = Path(__file__).resolve().parents[2]
RATE = Figure("W1", "2500 pebbles", 7000.0, "tasks/s", 14000.0, "process pool", Goal(0.6, "ratio", least=True))
BENCH = [sys.executable, "-m", "benchmarks"]


def test_a_ratio_below_its_goal_is_not_met() -> None:
    """Half the pool's rate does not meet a goal of 0.6."""
    assert RATE.ratio == 0.5
    assert RATE.is_met is False


def test_a_value_is_judged_by_itself() -> None:
    """A goal on the value does not look at the rival."""
    assert Figure("W3", "p50", 9.0, "ms", 0.1, "commit", Goal(10.0)).is_met is True
    assert Figure("W3", "p50", 11.0, "ms", 100.0, "commit", Goal(10.0)).is_met is False


def test_without_a_goal_nothing_is_met() -> None:
    """A figure without a goal is only told."""
    assert Figure("W2", "journal", 1.0, "B").is_met is None


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0"), (0.4567, "0.457"), (12.34, "12.3"), (12345.6, "12 346")])
def test_numbers_show_three_digits_that_matter(value: float, shown: str) -> None:
    """Thousands stand apart, digits beyond the third are noise."""
    assert number(value) == shown


def test_a_quantile_is_one_of_the_values() -> None:
    """The 99th percentile of a hundred is the last but none."""
    values = [float(each) for each in range(100)]

    assert quantile(values, 0.5) == 50.0
    assert quantile(values, 0.99) == 99.0


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    """What was kept is what is read."""
    report = Report({"cores": "2"}, [RATE], ["W2 (split): broken"])
    report.save(tmp_path / "figures.json")

    assert Report.load(tmp_path / "figures.json") == report


def test_the_table_shows_what_was_before(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside each figure stand its earlier value and ratio, and what differs of the machine."""
    old = Figure("W1", "2500 pebbles", 5000.0, "tasks/s", 12500.0, "process pool")
    show(Report({"cores": "2", "version": "b"}, [RATE]), Report({"cores": "2", "version": "a"}, [old]))

    shown = capsys.readouterr().out
    assert "before: version a\n" in shown
    line = next(line for line in shown.splitlines() if "2500 pebbles" in line)
    assert line.split() == [
        *("W1", "2500", "pebbles", "7", "000", "tasks/s", "14", "000", "process", "pool", "0.50"),
        *("5", "000", "tasks/s", "0.40", "≥", "0.6x", "no"),
    ]


def test_what_could_not_be_measured_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A failed workload is a line below the table."""
    show(Report({}, [], ["W2 (split): the head ended with 1"]))

    assert "not measured: W2 (split): the head ended with 1" in capsys.readouterr().out


def test_an_unknown_workload_is_refused() -> None:
    """The message names those that there are."""
    answer = subprocess.run([*BENCH, "--only", "W9"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert answer.returncode == 2
    assert "unknown W9; known are W1, W2" in answer.stderr


def test_every_module_of_a_workload_is_there() -> None:
    """No name leads nowhere."""
    modules = [module for several in WORKLOADS.values() for module in several]

    assert all((ROOT / "benchmarks" / f"{module}.py").is_file() for module in modules)
