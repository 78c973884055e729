"""What `cryocloud status` prints: values by channel, one value that was asked for, changes as they come, a series.

Laws: a word with a colon asks for one value, with `=` behind it sets it; values are printed as JSON, texts without
their quotes; every text is made plain first; URLs are told without their secrets, but to a program that names a value.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

import attrs

from cryocloud_core.cli.followed import pause
from cryocloud_core.cli.listing import table, width
from cryocloud_core.cli.moments import day_and_clock, full, moment
from cryocloud_core.cli.places import nothing_fits, places
from cryocloud_core.cli.text import duration, plain
from cryocloud_core.errors import OptionError, UsageError
from cryocloud_core.graph.spelling import hint
from cryocloud_core.head.board import StatusValue, channel_of
from cryocloud_core.head.status_search import Follower, Wanted, abandoned, order, past, present
from cryocloud_core.url_secrets import covered, covered_data

_SET = re.compile(r"([^:=]+):([^=]+)=(.*)", re.DOTALL)


def show_status(flags: Mapping[str, Any]) -> int:
    """Do what the flags ask for and return the exit code. Raises OptionError, StateError, UsageError."""
    directories, words = places(_others(flags["words"]), flags["state_dir"])
    orders = [*(flags["set_value"] or ()), *(word for word in flags["words"] or () if _SET.fullmatch(word))]
    asked = [word for word in words if ":" in word]
    wanted = Wanted(
        tuple(word for word in words if ":" not in word),
        None if flags["channel"] is None else channel_of(flags["channel"]),
        None if flags["since"] is None else moment(flags["since"]),
    )
    for each in orders:
        set_value(directories, each)
    _say_who_is_gone(directories)
    if flags["series"] is not None:
        return write_series(flags["series"], past(directories, _with_asked(wanted, asked)))
    if asked:
        return show_asked(asked, present(directories, time.time()), is_json=flags["json"])
    if flags["follow"]:
        return follow([Follower(each, wanted) for each in directories], is_json=flags["json"])
    if not orders:
        values = list(filter(wanted.holds, present(directories, time.time())))
        show(values, is_json=flags["json"])
        if not values and not flags["json"]:
            print(nothing_fits("value", directories), file=sys.stderr)
    return 0


def _say_who_is_gone(directories: Sequence[Path]) -> None:
    """Say on stderr of which runs the values are old, because their heads ended without a word."""
    for each in abandoned(directories):
        print(f"{plain(each.name)}: no head runs, its values are the last it told", file=sys.stderr)


def _others(words: Sequence[str] | None) -> list[str]:
    return [word for word in words or () if not _SET.fullmatch(word)]


def _with_asked(wanted: Wanted, asked: list[str]) -> Wanted:
    return attrs.evolve(wanted, words=(*wanted.words, *asked))


def show(values: Sequence[StatusValue], *, is_json: bool) -> None:
    """Print values: on a terminal a section a channel, in a pipe one line each."""
    if is_json:
        for each in values:
            print(json_of(each))
    elif sys.stdout.isatty():
        for channel, group in groupby(values, key=lambda each: each.channel):
            print(plain(channel))
            print("\n".join(f"  {line}" for line in rows_of(list(group), width() - 2)))
    else:
        for each in values:
            print(f"{full(each.at)} {name_of(each)} = {shown(each.value)}")


def rows_of(values: Sequence[StatusValue], room: int) -> Iterator[str]:
    """Yield one channel's values as aligned lines: parameter, how long it has its value, the value."""
    now = time.time()
    rows = [(each.parameter, duration(now - each.at), shown(each.value)) for each in values]
    lines = table(("", "", ""), rows, room)
    next(lines)
    yield from lines


def show_asked(asked: Sequence[str], values: Sequence[StatusValue], *, is_json: bool) -> int:
    """Print the values that were asked for by name, each on a line; 1 when one is not known."""
    known = {name_of(each, escape=False): each for each in values}
    missing = 0
    for name in asked:
        channel, _, parameter = name.partition(":")
        found = known.get(f"{channel_of(channel)}:{parameter}")
        if found is None:
            missing = 1
            print(f"{plain(name)} is not known{plain(hint(name, known))}", file=sys.stderr)
        else:
            print(json_of(found, is_whole=True) if is_json else shown(found.value))
    return missing


def follow(followers: Sequence[Follower], *, is_json: bool) -> int:
    """Print changes as they come, until interrupted; return the exit code."""
    try:
        while True:
            for each in sorted((each for one in followers for each in one.fresh()), key=lambda each: each.at):
                if is_json:
                    print(json_of(each))
                else:
                    at = day_and_clock(each.at) if sys.stdout.isatty() else full(each.at)
                    print(f"{at} {name_of(each)} = {shown(each.value)}")
            pause()
    except KeyboardInterrupt:
        return 130


def write_series(path: Path, changes: Iterable[StatusValue]) -> int:
    """Write changes as CSV: ISO time, seconds UTC, channel, parameter, value. Raises UsageError."""
    try:
        with _opened(path) as file:
            writer = csv.writer(file)
            writer.writerow(["time", "at", "channel", "parameter", "value"])
            for each in changes:
                told = covered_data(each.value)
                value = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
                row = (each.channel, each.parameter, value)
                writer.writerow([full(each.at), f"{each.at:.6f}", *map(harmless, row)])
    except BrokenPipeError:
        # Whoever read stdout has left.
        raise
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", subject="--series", place=str(path)) from error
    return 0


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    is_number = re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", text, re.IGNORECASE) is not None
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not is_number else text


def _opened(path: Path) -> AbstractContextManager[TextIO]:
    if str(path) == "-":
        return nullcontext(sys.stdout)
    return path.open("w", encoding="utf-8", newline="")


def set_value(directories: Sequence[Path], text: str) -> None:
    """Set what `channel:parameter=value` says. Raises OptionError, UsageError, StateError."""
    found = _SET.fullmatch(text)
    if found is None:
        raise OptionError(f"sets nothing: {text!r}", subject="--set", remedy="write CHANNEL:PARAMETER=VALUE")
    channel, parameter, value = channel_of(found[1]), found[2], found[3]
    order(_home(directories, channel), channel, parameter, _value(value), time.time())


def _home(directories: Sequence[Path], channel: str) -> Path:
    """Return the one state directory where a channel's values belong. Raises UsageError."""
    if len(directories) == 1:
        return directories[0]
    homes = [each for each in directories if any(value.channel == channel for value in present([each]))]
    if len(homes) != 1:
        names = ", ".join(each.name for each in homes or directories)
        raise UsageError(
            f"{'several runs have' if homes else 'no run has'} this channel",
            subject=channel,
            remedy=f"name the workflow too ({names}), or its --state-dir",
        )
    return homes[0]


def _value(text: str) -> Any:
    """Return a value as JSON where it is a word, a number or a quoted text of JSON, else as the text it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, dict | list) or (isinstance(value, float) and value - value != 0) else value


def name_of(each: StatusValue, *, escape: bool = True) -> str:
    """Return `channel:parameter`."""
    name = f"{each.channel}:{each.parameter}"
    return plain(name) if escape else name


def shown(value: Any) -> str:
    """Return a value as a person reads it."""
    return plain(covered(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))


def json_of(each: StatusValue, *, is_whole: bool = False) -> str:
    """Return the line that tells a machine a value; only `is_whole` has the secrets of its URLs."""
    value = each.value if is_whole else covered_data(each.value)
    kept = {"channel": each.channel, "parameter": each.parameter, "value": value, "at": each.at}
    return json.dumps(kept | ({"expires_at": each.expires_at} if each.expires_at is not None else {}))
