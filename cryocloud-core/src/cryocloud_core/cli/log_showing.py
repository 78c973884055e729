"""What `cryocloud log` prints: records as lines, coloured on a terminal, plain in a pipe, or as JSON.

Laws: a record is one line, and one further line, indented, for each further line of its text; every text is made
plain first; on a terminal a long line goes on under its own text, in a pipe it is whole.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from cryocloud_core.cli.followed import pause
from cryocloud_core.cli.moments import day_and_clock, full, moment
from cryocloud_core.cli.places import nothing_fits, places
from cryocloud_core.cli.text import cells, plain
from cryocloud_core.errors import OptionError
from cryocloud_core.head.log_search import Follower, Wanted, last_records
from cryocloud_core.sdk.observed import LogRecord
from cryocloud_core.url_secrets import covered, covered_data

#: a terminal this wide shows the worker too
WIDE: Final = 120
#: cells of a line's text below which it is not wrapped under itself
NARROW: Final = 50
#: cells before the further lines of a text
INDENT: Final = 4
STYLES: Final = {"DEBUG": "dim", "INFO": "", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}

Print = Callable[[LogRecord], None]


def show_log(flags: Mapping[str, Any]) -> int:
    """Print what is wanted and return the exit code. Raises OptionError, StateError."""
    directories, words = places(flags["words"] or (), flags["state_dir"])
    wanted = wanted_of(flags, words)
    show = printer(is_json=flags["json"], many=len(directories) > 1)
    followers = [Follower(directory, wanted) for directory in directories] if flags["follow"] else []
    found = last_records(directories, wanted, flags["lines"])
    for record in found:
        show(record)
    if not found and flags["lines"] and not followers and not flags["json"]:
        print(nothing_fits("record", directories), file=sys.stderr)
    try:
        while followers:
            pause()
            fresh = [record for follower in followers for record in follower.fresh()]
            for record in sorted(fresh, key=lambda record: record.at):
                show(record)
    except KeyboardInterrupt:
        return 130
    return 0


def wanted_of(flags: Mapping[str, Any], words: tuple[str, ...]) -> Wanted:
    """Return what the flags ask for. Raises OptionError."""
    pebble = flags["pebble"]
    parts = None if pebble is None else re.fullmatch(r"<?(\d+)(\.\d+)?>?", pebble.strip())
    if pebble is not None and parts is None:
        raise OptionError(f"is no pebble's id: {pebble!r}", subject="--pebble", remedy="write 42, or 42.1 for a part")
    return Wanted(
        words,
        level=None if flags["level"] is None else flags["level"].value,
        since=None if flags["since"] is None else moment(flags["since"]),
        pebble=None if parts is None else int(parts[1]),
        task=f"{parts[1]}{parts[2]}/" if parts is not None and parts[2] else None,
        node=flags["node"],
        worker=flags["worker"],
        grep=None if flags["grep"] is None else _pattern(flags["grep"]),
    )


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise OptionError(f"is no regular expression: {error}", subject="--grep") from error


def printer(*, is_json: bool, many: bool) -> Print:
    """Return what prints a record where stdout goes; `many`: records of several runs are told apart."""
    if is_json:
        return lambda record: print(json.dumps(covered_data(attrs.asdict(record))))
    if sys.stdout.isatty():
        return _coloured(many=many)

    def show(record: LogRecord) -> None:
        head, lines = parts_of(record, full(record.at), many=many, worker=True)
        print("\n    ".join([f"{head}{lines[0]}", *lines[1:]]))

    return show


def _coloured(*, many: bool) -> Print:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)

    def show(record: LogRecord) -> None:
        width = shutil.get_terminal_size().columns
        head, lines = parts_of(record, day_and_clock(record.at), many=many, worker=width >= WIDE)
        style = STYLES.get(record.level, "")
        for number, line in enumerate(wrapped(head, lines, width)):
            front = len(head) if number == 0 else 0
            shown = Text(line, style=style, no_wrap=True, overflow="ignore")
            shown.stylize("not bold dim" if style != "dim" else "", 0, min(front, 14))
            console.print(shown, soft_wrap=True)

    return show


def parts_of(record: LogRecord, at: str, *, many: bool, worker: bool) -> tuple[str, list[str]]:
    """Return the head of a record's first line, and the lines of its text, all plain."""
    pebble = f"<{_pebble(record)}> " if record.pebble else ""
    flow = f"{plain(record.workflow)}/" if many and record.workflow else ""
    place = plain(record.node or ("" if record.pebble else record.logger))
    by = f" {plain(record.worker)}" if worker and record.worker else ""
    where = f"{flow}{place}{by}".strip()
    lines = [plain(line) for line in covered(record.text).split("\n")] or [""]
    return f"{at} {plain(record.level):<8} {pebble}{where}{': ' if where else ''}", lines


def _pebble(record: LogRecord) -> str:
    """Return a pebble's id, with the part that the record's task is about."""
    part = re.match(r"\d+\.\d+", record.task)
    return part[0] if part else str(record.pebble)


def wrapped(head: str, lines: list[str], width: int) -> Iterator[str]:
    """Yield a record's lines in at most `width` cells, its text under itself where there is room for that."""
    front = head
    indent = cells(head) if width - cells(head) >= NARROW else INDENT
    for line in lines:
        rest = line
        while True:
            taken = _taken(rest, width - cells(front))
            yield front + rest[:taken]
            rest, front = rest[taken:], " " * indent
            if not rest:
                break
        front, indent = " " * INDENT, INDENT


def _taken(text: str, room: int) -> int:
    """Return how many characters go on a line with so many cells: up to a blank where there is one, at least one."""
    if cells(text) <= room:
        return len(text)
    most = len(text)
    while most > 1 and cells(text[:most]) > room:
        most = min(most - 1, max(1, most - (cells(text[:most]) - room) // 2))
    blank = text.rfind(" ", 0, most)
    return blank + 1 if blank > most // 2 else most
