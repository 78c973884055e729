"""Text from anywhere is shown harmlessly and measured exactly."""

from __future__ import annotations

import unicodedata

import pytest
import wcwidth
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.cli.text import cells, count, cut, duration, first_line, fit, plain, rate

anything = st.text(st.characters(codec=None))


@given(anything)
def test_plain_text_has_nothing_that_acts(text: str) -> None:
    """No control, format, surrogate or unassigned character survives, and plain text stays as it is."""
    shown = plain(text)

    categories = {unicodedata.category(character) for character in shown}
    assert categories & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} == set()
    assert plain(shown) == shown


@given(anything)
def test_width_is_what_terminals_make_of_it(text: str) -> None:
    """Two independent tables agree on the width of every plain text."""
    shown = plain(text)

    assert cells(shown) == sum(wcwidth.wcwidth(character) for character in shown)


@given(anything, st.integers(0, 30), st.booleans())
def test_fit_fills_exactly(text: str, width: int, right: bool) -> None:
    """A fitted text takes exactly the cells asked for; a cut one ends in an ellipsis."""
    shown = plain(text)

    assert cells(fit(shown, width, right=right)) == width
    if width and cells(shown) > width:
        assert cut(shown, width).endswith("…")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("wind.py", "wind.py"),
        ("[red]x[/red]", "[red]x[/red]"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\u202egnp", r"\u202egnp"),
        ("k\udce5pe", r"k\xe5pe"),
        ("\U000e0001", r"\U000e0001"),
        ("a\u3000b", "a b"),
        ("日本 مرحبا", "日本 مرحبا"),
    ],
)
def test_plain_examples(text: str, shown: str) -> None:
    """Letters of every script stay, what acts is written out."""
    assert plain(text) == shown


def test_first_line_says_that_there_is_more() -> None:
    """Only the first line with text is shown, and an ellipsis when others follow."""
    assert first_line("\n  a\x1b\n\nb\n") == r"a\x1b …"
    assert first_line("one\n") == "one"
    assert first_line(" \n") == ""


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-3, "0:00"), (7.9, "0:07"), (750, "12:30"), (11_100, "3:05:00"), (2 * 86_400 + 10_800, "2d 03:00")],
)
def test_durations(seconds: float, shown: str) -> None:
    """Spans read like a clock."""
    assert duration(seconds) == shown


@given(st.integers(0, 10**18))
def test_counts_stay_short(number: int) -> None:
    """No count takes more than six cells."""
    assert len(count(number)) <= 6


@pytest.mark.parametrize(
    ("per_second", "shown"),
    [
        (0, "0 tasks/h"),
        (1 / 3600, "1 tasks/h"),
        (0.05, "3.0 tasks/min"),
        (2.43, "2.4 tasks/s"),
        (11_900, "11900 tasks/s"),
    ],
)
def test_rates(per_second: float, shown: str) -> None:
    """A rate is told in a unit that leaves a figure to read."""
    assert rate(per_second) == shown
