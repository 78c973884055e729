"""The table of all figures, and beside an earlier one's.

Laws: a terminal gets colours, a file plain text of the same words; whatever is missing is a dash, never a zero.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from attrs import frozen
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure, number

_PLAIN_WIDTH = 150


@frozen
class Report:
    """One call of the command: what was measured on which machine, and what could not be."""

    machine: Mapping[str, str]
    figures: Sequence[Figure]
    failed: Sequence[str] = ()

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        data = {"machine": self.machine, "figures": [each.to_data() for each in self.figures], "failed": self.failed}
        path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Report:
        """Read what `save` wrote. Raises OSError, ValueError, KeyError."""
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls(data["machine"], [Figure.from_data(each) for each in data["figures"]], data["failed"])


def show(report: Report, before: Report | None = None) -> None:
    """Print the machine, the figures, and what they were before."""
    width = None if sys.stdout.isatty() else max(_PLAIN_WIDTH, shutil.get_terminal_size().columns)
    console = Console(width=width, highlight=False)
    facts = "  ".join(f"{name} {value}" for name, value in report.machine.items())
    console.print(facts, markup=False, soft_wrap=True)
    if before is not None:
        changed = {name: value for name, value in before.machine.items() if report.machine.get(name) != value}
        told = "  ".join(f"{name} {value}" for name, value in changed.items()) or "the same"
        console.print(f"before: {told}", markup=False, soft_wrap=True)
    console.print(_table(report.figures, before.figures if before is not None else None))
    for line in report.failed:
        console.print(f"not measured: {line}", style="red", markup=False)


def _table(figures: Iterable[Figure], before: Iterable[Figure] | None) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, where in _COLUMNS if before is None else (*_COLUMNS[:5], *_BEFORE, *_COLUMNS[5:]):
        table.add_column(name, justify="left" if where == "left" else "right", no_wrap=True)
    earlier = None if before is None else {_key(each): each for each in before}
    for each in figures:
        rival = f"{number(each.rival)}  {each.rival_name}" if each.rival is not None else "-"
        cells = [each.workload, each.name, f"{number(each.value)} {each.unit}", rival, _ratio(each)]
        if earlier is not None:
            old = earlier.get(_key(each))
            cells += ["-", "-"] if old is None else [f"{number(old.value)} {old.unit}", _ratio(old)]
        table.add_row(*cells, str(each.goal) if each.goal else "-", _verdict(each))
    return table


_COLUMNS = (
    ("", "left"),
    ("workload", "left"),
    ("ours", "right"),
    ("in the same run", "right"),
    ("ratio", "right"),
    ("goal", "right"),
    ("met", "left"),
)
_BEFORE = (("before", "right"), ("ratio before", "right"))


def _key(figure: Figure) -> tuple[str, str, str]:
    return figure.workload, figure.name, figure.rival_name


def _ratio(figure: Figure) -> str:
    return "-" if figure.ratio is None else f"{figure.ratio:.2f}"


def _verdict(figure: Figure) -> str:
    if figure.is_met is None:
        return "-"
    return "[green]yes[/]" if figure.is_met else "[bold red]no[/]"
