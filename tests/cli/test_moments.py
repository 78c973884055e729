"""Moments as people type them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from cryocloud_core.cli.moments import day_and_clock, full, moment
from cryocloud_core.errors import OptionError

#: 2026-01-01 12:00:00 UTC
NOON = 1_767_268_800.0


@pytest.fixture(autouse=True)
def _in_oslo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", NOON - 90),
        ("30s", NOON - 30),
        ("10m", NOON - 600),
        ("1.5h", NOON - 5400),
        ("2 d", NOON - 172_800),
        ("1w", NOON - 604_800),
        ("12:30", NOON - 1800),
        ("9:05", NOON - 3600 * 4 + 300),
        ("12:30:15", NOON - 1785),
        ("2026-01-01", NOON - 13 * 3600),
        ("2026-01-01T12:00", NOON - 3600),
        ("2026-01-01 12:00:00", NOON - 3600),
        ("2026-01-01T12:00:00Z", NOON),
        ("2026-01-01T12:00:00+02:00", NOON - 7200),
    ],
)
def test_moments_are_read(text: str, expected: float) -> None:
    """So long ago, today at, or a date; local time unless a zone is given."""
    assert moment(text, NOON) == expected


@pytest.mark.parametrize("text", ["", "soon", "-5m", "10y", "25:00", "2026-13-01", "99999-01-01", "1e5"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """With what can be written instead."""
    with pytest.raises(OptionError, match=r"--since: is no moment.*write 10m"):
        moment(text, NOON)


def test_lines_begin_with_local_time() -> None:
    """Short on a terminal, to the millisecond in a pipe, never with a second too few after rounding."""
    assert day_and_clock(NOON) == "01-01 13:00:00"
    assert full(NOON + 0.9996) == "2026-01-01 13:00:01.000"
    assert full(NOON + 0.25) == "2026-01-01 13:00:00.250"
