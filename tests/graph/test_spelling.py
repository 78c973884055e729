"""How names are compared, guessed and shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.graph.spelling import edits, folded, hint, nearest, printable, shown


@pytest.mark.parametrize(
    ("left", "right", "apart"),
    [("src", "src", 0), ("srcc", "src", 1), ("scr", "src", 1), ("src", "sorc", 1), ("abc", "adx", 2), ("a", "abcd", 3)],
)
def test_slips_of_the_hand_count_once(left: str, right: str, apart: int) -> None:
    """A letter too many, one too few, another one, two swapped."""
    assert edits(left, right) == edits(right, left) == apart


def test_the_nearest_name_is_guessed_and_far_ones_are_not() -> None:
    """The first of several equally near ones; short names are not near to everything."""
    assert nearest("downstreamof", ["dependsOn", "downstreamOf"]) == "downstreamOf"
    assert nearest("fullpat", ["relpath", "fullpaths", "fullpath"]) == "fullpath"
    assert nearest("wind", ["wine", "wing"]) == "wine"
    assert nearest("colour", ["module", "name"]) is None
    assert nearest("x", ["n", "dst"]) is None
    assert hint("srcc", ["src"]) == ' (did you mean "src"?)'
    assert hint("zzzz", ["src"]) == ""


def test_folding_ignores_case_and_joints() -> None:
    """`Max-Parallel`, `maxParallel` and `max_parallel` are one."""
    assert folded("Max-Parallel") == folded("maxParallel") == folded("max_parallel") == "maxparallel"


@given(st.text())
def test_whatever_is_shown_is_printable(text: str) -> None:
    """No escape code and no line break reaches a terminal."""
    assert printable(text).isprintable()
    assert shown(text).isprintable()
    assert len(shown({"key": text})) <= 60


def test_a_long_value_is_cut() -> None:
    """The cut shows."""
    assert shown("a" * 58) == '"' + "a" * 58 + '"'
    assert shown("a" * 59) == '"' + "a" * 58 + "…"
