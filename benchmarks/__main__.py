"""All workloads in one table: `python -m benchmarks [--only W1,W5] [--quick] [--out FILE] [--against FILE]`.

Laws: each workload is measured in a process of its own, one after the other; one that fails is told and the others go
on; a new workload is one module with `measure(size)` that yields figures, and one line in `WORKLOADS`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.machine import ROOT, facts
from benchmarks.table import Report, show

#: what `--only` takes -> the modules, in the order of the table
WORKLOADS: dict[str, tuple[str, ...]] = {
    "W1": ("chain", "latency"),
    "W2": ("split",),
    "W3": ("arrival",),
    "W4": ("transfers", "unpacking"),
    "W5": ("restart",),
    "W6": ("memory",),
    "idle": ("idle",),
    "start": ("launching",),
}
TIMEOUT_S = 3600.0


class FailedError(Exception):
    """A workload could not be measured; its last line says why."""


def main() -> int:
    """Measure, print the table, keep the figures; return 1 when a workload could not be measured."""
    given = _arguments()
    report = Report(facts(), [], [])
    figures, failed = [], []
    for name in given.only:
        for module in WORKLOADS[name]:
            print(f"measuring {name} ({module}) …", file=sys.stderr, flush=True)
            try:
                figures += list(measured(module, given.size, given.keep))
            except FailedError as error:
                failed.append(f"{name} ({module}): {error}")
    report = Report(report.machine, figures, failed)
    show(report, Report.load(given.against) if given.against else None)
    if given.out:
        report.save(given.out)
    return 1 if failed else 0


def measured(module: str, size: str, keep: Path | None) -> Iterator[Figure]:
    """Yield a workload's figures, measured in a process of its own. Raises FailedError."""
    command = [sys.executable, "-m", "benchmarks.one", module, "--size", size]
    if keep is not None:
        command += ["--keep", str(keep)]
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise FailedError(f"it took longer than {TIMEOUT_S:g} s") from error
    if answer.returncode != 0:
        raise FailedError(answer.stderr.strip()[-2000:] or f"it ended with {answer.returncode}")
    for line in answer.stdout.splitlines():
        if line.startswith("{"):
            yield Figure.from_data(json.loads(line))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    known = ",".join(WORKLOADS)
    parser.add_argument("--only", type=_names, default=list(WORKLOADS), metavar="NAMES", help=f"of {known}; else all")
    parser.add_argument("--quick", dest="size", action="store_const", const="quick", help="a look in a few minutes")
    parser.add_argument("--tiny", dest="size", action="store_const", const="tiny", help="only whether it works")
    parser.add_argument("--out", type=Path, metavar="FILE", help="keep the figures here, as JSON")
    parser.add_argument("--against", type=_file, metavar="FILE", help="show what an earlier --out holds beside them")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the journals of W5, which take minutes to make")
    parser.set_defaults(size="full")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"unknown {', '.join(unknown) or 'nothing'}; known are {', '.join(WORKLOADS)}")
    return names


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text} is no file")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main())
