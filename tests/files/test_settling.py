"""Settling thousands of targets at once: the same names as one by one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.files.bookkeeping import Settling, settled

PART = st.sampled_from(["a", "b", "link", "up", "far", "loop", "none", ".", "..", "", "x.nc"])
PARTS = st.lists(st.lists(PART, min_size=1, max_size=5), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def maze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory full of links."""
    maze = tmp_path_factory.mktemp("maze")
    for folder in ("a/a/b", "a/b", "b/a"):
        (maze / folder).mkdir(parents=True)
    for name, leads in (("link", "a/b"), ("up", ".."), ("far", str(maze / "b")), ("loop", "loop"), ("a/link", "../b")):
        (maze / name).symlink_to(leads)
    return maze


@settings(deadline=None)
@given(PARTS)
def test_thousands_are_settled_as_one_is(maze: Path, targets: list[list[str]]) -> None:
    """Whatever the directories above are: links, links that lead nowhere, dots, nothing."""
    settle = Settling()
    for parts in targets:
        target = maze.joinpath(*parts)
        assert settle(target) == settled(target)


def test_a_relative_target_is_settled(maze: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From where the process is."""
    monkeypatch.chdir(maze)
    for text in ("x", "a/x", "link/x", "a/a/b/x"):
        assert Settling()(Path(text)) == settled(Path(text))
        assert os.path.isabs(Settling()(Path(text)))  # noqa: PTH117
