"""Single steps on this machine's disk, while others take directories away."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.errors import StagingError
from cryocloud_core.files.disk import Disk


@pytest.mark.parametrize("moment", ["before it is opened", "while it is made"])
def test_a_directory_that_is_swept_before_it_is_used_is_made_again(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copies that were in it made room; another comes now."""
    folder, sweeps = tmp_path / "in" / "deep", [3]

    def sweep() -> None:
        if sweeps[0] and folder.is_dir():
            sweeps[0] -= 1
            folder.rmdir()
            folder.parent.rmdir()

    def open_late(path: Any, *rest: Any, **more: Any) -> int:
        if Path(path) == (folder / "f" if moment == "before it is opened" else folder.parent):
            sweep()
        return real_open(path, *rest, **more)

    def make_late(path: Any, *rest: Any, **more: Any) -> None:
        if Path(path) == folder / "a":
            sweep()
        real_make(path, *rest, **more)

    real_open, real_make = os.open, os.mkdir
    monkeypatch.setattr(os, "open", open_late)
    monkeypatch.setattr(os, "mkdir", make_late)
    os.close(Disk().open(folder / "f"))
    assert not sweeps[0]
    (folder / "f").unlink()
    sweeps[0] = 3
    Disk().make_folder(folder / "a")
    assert (folder / "a").is_dir()
    assert not sweeps[0]


def test_what_cannot_be_made_at_all_is_told(tmp_path: Path) -> None:
    """A link to nowhere takes the place of a directory."""
    (tmp_path / "link").symlink_to(tmp_path / "none")

    for step in (Disk().open, Disk().make_folder):
        with pytest.raises(StagingError, match="cannot be written here"):
            step(tmp_path / "link" / "f")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_cannot_be_replaced_keeps_its_name(tmp_path: Path, kind: str) -> None:
    """The new one is gone meanwhile: the old one stands where it stood, and nothing beside it."""
    target = tmp_path / "target"
    target.mkdir() if kind == "folder" else target.write_text("old")
    with pytest.raises(StagingError):
        Disk().replace_tree(tmp_path / "gone", target)
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    fresh = tmp_path / "fresh"
    fresh.write_text("new")
    Disk().replace_tree(fresh, target)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("target", "new")]
