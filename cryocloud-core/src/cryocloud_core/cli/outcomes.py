"""What became of the sources of `cryocloud stage`, as it is printed for people and for programs.

Laws: paths alone go to stdout, what failed to stderr; what is the same for several sources people read once, with how
many it is about; programs have an object for each source.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Self

from attrs import field, frozen

from cryocloud_core.cli.text import plain
from cryocloud_core.errors import CryoCloudError, StagingError
from cryocloud_core.url_secrets import shown_url


@frozen
class Outcome:
    """What became of one source: its local paths, or why there are none. The source is as it may be shown."""

    source: str
    paths: list[str] = field(factory=list)
    error: CryoCloudError | None = None
    #: an interrupt came before its end, which people are told once for all
    is_cut: bool = False

    @classmethod
    def cut_short(cls, source: str) -> Self:
        """Return what became of a source that was interrupted."""
        shown = shown_url(source)
        return cls(shown, error=StagingError("interrupted", subject=shown), is_cut=True)

    @property
    def as_json(self) -> dict[str, Any]:
        """The object for programs."""
        failed = {} if self.error is None else {"error": str(self.error)}
        return {"url": self.source, "paths": self.paths, **failed}


def print_outcomes(outcomes: list[Outcome], *, as_json: bool) -> int:
    """Print what came, and a line for all that did not; return the exit code."""
    errors = [outcome.error for outcome in outcomes if outcome.error is not None and not outcome.is_cut]
    if as_json:
        print_objects([outcome.as_json for outcome in outcomes])
    else:
        print_lines([path for outcome in outcomes for path in outcome.paths])
    for line in _told(outcomes):
        print(plain(line), file=sys.stderr)
    codes = {error.exit_code for error in errors}
    return max(codes, default=0) if len(codes) < 2 else 1


def _told(outcomes: list[Outcome]) -> list[str]:
    """Return a line for each thing that failed, however many sources it is about."""
    alike: dict[str, list[Outcome]] = {}
    for each in outcomes:
        if each.error is not None and not each.is_cut:
            # What is about a source itself names it; of what is not, the source is only the place.
            is_alone = each.error.subject == each.source
            said = str(each.error) if is_alone else str(each.error).removeprefix(f"{each.source}: ")
            alike.setdefault(said, []).append(each)
    return [_line(said, *about) for said, about in alike.items()]


def _line(said: str, first: Outcome, *others: Outcome) -> str:
    if others:
        return f"{said} ({len(others) + 1} sources, the first is {first.source})"
    return str(first.error)


def print_objects(objects: list[dict[str, Any]]) -> None:
    """Print objects for programs, one a line."""
    for each in objects:
        print(json.dumps(each), flush=True)


def print_lines(lines: list[str]) -> None:
    """Print paths and URLs, one a line."""
    if sys.stdout.isatty():
        for line in lines:
            print(plain(line))
        return
    # A name may hold bytes that are no text: a program that reads it gets them as they are.
    sys.stdout.flush()
    sys.stdout.buffer.write(b"".join(os.fsencode(line) + b"\n" for line in lines))
    sys.stdout.buffer.flush()
