"""Making durable where a system has fewer calls for it: macOS has neither `fdatasync` nor `syncfs`."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from cryocloud_core.files import durable
from cryocloud_core.files.archives import unpack_into
from cryocloud_core.files.contents import FLUSH_BYTES
from cryocloud_core.files.durable import FEW_FILES
from cryocloud_core.files.tree import UnpackLimits
from tests.files.hostile import World, layer_of, place
from tests.files.small_transfer import SmallWorld, small_layer


@pytest.fixture(autouse=True)
def fewer_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the calls away that only Linux has."""
    monkeypatch.delattr(os, "fdatasync", raising=False)
    monkeypatch.setattr(durable, "libc", object)


def test_files_and_trees_arrive(tmp_path: Path) -> None:
    """One file; a tree and a list of more files than are synced one by one."""
    world = World()
    world.place("/f", b"content")
    assert layer_of(world, tmp_path / "temp").fetch(place("/f"), tmp_path / "f").read_bytes() == b"content"

    small = SmallWorld()
    for at in range(FEW_FILES + 1):
        small.place(f"/d/{at}", b"%d" % at)
    layer = small_layer(small, tmp_path / "small")
    tree = layer.fetch_tree(place("/d"), tmp_path / "tree")
    assert {path.name for path in tree.iterdir()} == {str(at) for at in range(FEW_FILES + 1)}
    wanted = {place(path): tmp_path / "list" / path[3:] for path in small.contents}
    assert layer.fetch_small(wanted) == set(wanted)
    layer.release_all()


def test_archives_are_unpacked(tmp_path: Path) -> None:
    """A member that is large enough to be flushed by itself."""
    (tmp_path / "a").write_bytes(bytes(FLUSH_BYTES))
    (tmp_path / "out").mkdir()
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "a", "a")
    found = unpack_into(tmp_path / "a.tar", tmp_path / "out", UnpackLimits(), lambda: None)
    assert found == [str(tmp_path / "out" / "a")]
