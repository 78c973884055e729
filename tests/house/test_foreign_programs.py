"""The fixture `program`: a missing program is a skip for a person and a failure where CI demands it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Find = Callable[[str], str]


@pytest.fixture
def nothing_installed(program: Find, monkeypatch: pytest.MonkeyPatch) -> Find:
    """Give the fixture's function on a machine whose folders of programs are empty."""
    monkeypatch.setitem(program.__globals__, "SEARCH_PATH", "/nonexistent")
    return program


def test_a_missing_program_skips_and_says_which(nothing_installed: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a demand the test is skipped, naming the programs that were looked for."""
    monkeypatch.setenv("CRYOCLOUD_REQUIRE", "tmux")

    with pytest.raises(pytest.skip.Exception, match="ffmpeg: not installed: ffmpeg, ffprobe"):
        nothing_installed("ffmpeg")


def test_a_demanded_program_fails_when_it_is_missing(nothing_installed: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named in CRYOCLOUD_REQUIRE, the same absence is a failure."""
    monkeypatch.setenv("CRYOCLOUD_REQUIRE", "idl,ffmpeg")

    with pytest.raises(pytest.fail.Exception, match="CRYOCLOUD_REQUIRE demands it"):
        nothing_installed("ffmpeg")


def test_an_unknown_demand_is_refused(nothing_installed: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is misspelt would demand nothing, so it is an error."""
    monkeypatch.setenv("CRYOCLOUD_REQUIRE", "fmpeg")

    with pytest.raises(pytest.UsageError, match="fmpeg"):
        nothing_installed("ffmpeg")


def test_an_installed_program_is_given_by_its_path(program: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is there is answered with its absolute path."""
    monkeypatch.setitem(program.__globals__["PROGRAMS"], "shell", ("sh",))

    assert program("shell").endswith("/sh")
