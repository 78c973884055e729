"""What `cryocloud pebbles` prints: one line a pebble, the open ones with where they are, or JSON lines.

Laws: the journal is what is told; a running head only adds where open pebbles are; every text is made plain first.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from cryocloud_core.cli.listing import IN_A_PIPE, table
from cryocloud_core.cli.moments import day_and_clock
from cryocloud_core.cli.one_run import one_run
from cryocloud_core.cli.text import duration, first_line
from cryocloud_core.errors import CryoCloudError, UsageError
from cryocloud_core.head.asking import ask
from cryocloud_core.head.pebble_search import Listed, PebbleRow, list_pebbles
from cryocloud_core.url_secrets import covered, covered_data

#: pebbles that are shown unless more are asked for
USUALLY: Final = 50

At = dict[int, dict[str, Any]]


def show_pebbles(flags: Mapping[str, Any]) -> int:
    """Print the list and return the exit code. Raises UsageError, StateError, DocumentError."""
    which = [word for word, flag in (("all", "every"), ("failed", "failed"), ("open", "only_open")) if flags[flag]]
    if len(which) > 1:
        raise UsageError(f"--{which[0]} and --{which[1]} exclude each other")
    run = one_run([flags["workflow"]] if flags["workflow"] else [], flags["state_dir"])
    asked = "".join(which)
    most = flags["lines"] or (None if asked == "all" else USUALLY)
    listed = list_pebbles(run.directory, which=asked, workflow=run.workflow, most=most)
    at, runs = _at(run.directory) if listed.open else ({}, True)
    if flags["json"]:
        for row in listed.rows:
            print(json.dumps(covered_data({**attrs.asdict(row), "at": at.get(row.pebble, {}).get("at", [])})))
        return 0
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else IN_A_PIPE
    print("\n".join(lines_of(listed, at, width, runs=runs)))
    return 0


def _at(directory: Any) -> tuple[At, bool]:
    """Return where the head says open pebbles are, and whether one runs."""
    try:
        answer = ask(directory, "pebbles", 5.0)
    except CryoCloudError as error:
        print(f"where open pebbles are is not known: {error}", file=sys.stderr)
        return {}, True
    return {each["pebble"]: each for each in (answer or {}).get("pebbles", [])}, answer is not None


def lines_of(listed: Listed, at: At, width: int, *, runs: bool, now: float | None = None) -> Iterator[str]:
    """Yield the table and the line of sums; `runs` is False when no head does."""
    moment = time.time() if now is None else now
    several = len({row.workflow for row in listed.rows}) > 1
    head = ("pebble", *(("workflow",) if several else ()), "input", "state", "arrived", "took", "")
    rows = [_cells(row, at.get(row.pebble, {}), moment, several=several) for row in listed.rows]
    if rows:
        yield from table(head, rows, width)
    waiting = "" if runs or not listed.open else "; no head runs, the next start goes on with them"
    cancelled = f", {listed.cancelled} cancelled" if listed.cancelled else ""
    yield f"{listed.open} open, {listed.done} done, {listed.failed} of them failed{cancelled}{waiting}"


def _cells(row: PebbleRow, at: dict[str, Any], now: float, *, several: bool) -> tuple[str, ...]:
    told = row.state if row.state in ("open", "quarantined") else row.result
    took = duration((row.finished_at or now) - row.arrived_at)
    again = f"retry of {row.retry_of}; " if row.retry_of else ""
    return (
        str(row.pebble),
        *((row.workflow,) if several else ()),
        row.input,
        told,
        day_and_clock(row.arrived_at),
        took,
        f"{again}{first_line(covered(row.error)) if row.error not in ('', told) else _at_text(at)}".rstrip("; "),
    )


def _at_text(at: dict[str, Any]) -> str:
    nodes = at.get("at", [])
    if not nodes:
        phase = at.get("phase", "")
        return "its tempdirs are removed" if phase in ("cleaning", "owing") else ""
    more = f" and {at['tasks'] - len(nodes)} more" if at["tasks"] > len(nodes) else ""
    return f"at {', '.join(nodes)}{more}"
