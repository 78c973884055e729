"""Signals that ask a program to stop: which of them are one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.interrupts import MOMENT_S, Strokes


@given(st.lists(st.floats(0, 3 * MOMENT_S), min_size=1, max_size=20))
def test_signals_of_a_moment_are_one(pauses: list[float]) -> None:
    """The first is new; another is if a moment has gone by since the last that was."""
    at = 1.0
    strokes = Strokes(lambda: at)
    last = float("-inf")
    for pause in pauses:
        at += pause
        assert strokes.is_new() == (at - last >= MOMENT_S)
        last = at if at - last >= MOMENT_S else last
