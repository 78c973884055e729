"""Copying on this machine: whole, again over itself, and what becomes of links."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from cryocloud_core.errors import StagingError
from cryocloud_core.files.copying import copy_whole


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Give a directory with a file in a directory."""
    made = tmp_path / "source"
    (made / "v1").mkdir(parents=True)
    (made / "v1" / "f").write_text("precious")
    return made


def names(folder: Path) -> list[str]:
    """Return everything below a directory, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_link_that_means_the_same_in_the_copy_stays_one(source: Path, tmp_path: Path) -> None:
    """A relative one that stays inside, and one that leads nowhere."""
    (source / "latest").symlink_to("v1")
    (source / "v1" / "other").symlink_to("../v1/f")
    (source / "lost").symlink_to("/nowhere/at/all")
    (source / "circle").symlink_to("circle")

    copy = copy_whole(source, tmp_path / "copy")

    links = {name: str((copy / name).readlink()) for name in ("latest", "v1/other", "lost", "circle")}
    assert links == {"latest": "v1", "v1/other": "../v1/f", "lost": "/nowhere/at/all", "circle": "circle"}


@pytest.mark.parametrize("times", [1, 2])
def test_what_other_links_lead_to_is_copied(source: Path, tmp_path: Path, times: int) -> None:
    """Else the copy would be empty once the original is removed."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "g").write_text("far")
    (source / "absolute").symlink_to(source / "v1" / "f")
    (source / "out").symlink_to("../outside")

    for _ in range(times):
        copy_whole(source, tmp_path / "copy")
    shutil.rmtree(source)
    shutil.rmtree(outside)

    assert (tmp_path / "copy" / "absolute").read_text() == "precious"
    assert (tmp_path / "copy" / "out" / "g").read_text() == "far"


def test_a_copy_can_be_made_again_over_itself(source: Path, tmp_path: Path) -> None:
    """Links into the directory itself included; the original stays as it is."""
    for name, goal in (("self", "."), ("latest", "v1"), ("absolute", str(source / "v1"))):
        (source / name).symlink_to(goal)
    copy = copy_whole(source, tmp_path / "copy")
    first = names(copy)

    (source / "v1" / "f").write_text("newer")
    copy_whole(source, tmp_path / "copy")

    assert names(copy) == first
    assert (copy / "absolute" / "f").read_text() == (copy / "v1" / "f").read_text() == "newer"
    assert str((source / "absolute").readlink()) == str(source / "v1")


@pytest.mark.parametrize("place", ["backup", "v1/backup"])
def test_a_directory_is_not_copied_into_itself(source: Path, place: str) -> None:
    """That would never end; nothing is begun."""
    before = names(source)

    with pytest.raises(StagingError, match="into itself"):
        copy_whole(source, source / place)

    assert names(source) == before


@pytest.mark.parametrize("goal", ["..", "absolute"])
def test_links_that_lead_in_a_circle_are_told(source: Path, tmp_path: Path, goal: str) -> None:
    """Whatever they lead over; nothing half stays."""
    if goal == "absolute":
        other = tmp_path / "other"
        other.mkdir()
        (other / "back").symlink_to(source)
        goal = str(other)
    (source / "v1" / "up").symlink_to(goal if goal != ".." else "../..")

    with pytest.raises(StagingError, match="directory above"):
        copy_whole(source, tmp_path / "elsewhere" / "copy")

    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_first_of_many_things_that_fail_is_told(source: Path, tmp_path: Path) -> None:
    """In words, not as the list that the library raises."""
    (tmp_path / "copy").write_text("a file has the name")

    with pytest.raises(StagingError, match=r"cannot be copied to .*copy: [A-Z]"):
        copy_whole(source, tmp_path / "copy")


@pytest.mark.parametrize("what", ["", "v1/f"])
def test_a_full_disk_is_told_with_what_to_do(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A file or a directory; nothing of it stays."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StagingError, match=r"cannot be copied to .*: No space left on device; make room on that disk"):
        copy_whole(source / what, tmp_path / "out" / "copy")
    assert list((tmp_path / "out").iterdir()) == []
