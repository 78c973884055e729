"""Sweeps where a module closed a directory of a copy: root would not notice, so nobody looks."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.files.archives import MARKER, PRIVATE_PREFIX
from cryocloud_core.files.strangers import strange_in, wait_out
from cryocloud_core.files.unpacked import Stamp
from tests.files.hostile import World, layer_of, place

NOBODY = 65534
QUICK: dict[str, Any] = {"sweep_every_s": 0.0, "cache_keep_s": 0.0, "cache_max_bytes": 1}


def _sweep(base: Path, world: World, mode: int) -> None:
    """Fetch a tree, a file that was unpacked and one that was not, close a directory of each of the first, sweep."""
    layer = layer_of(world, base / "temp", **QUICK)
    layer.fetch_tree(place("/d/"), base / "d")
    made = base / "made"
    (made / "below").mkdir(parents=True)
    (made / "below" / "file").touch()
    layer.fetch(place("/f"), base / "f")
    Stamp.of(base / "f").write(made)
    layer.belongs(made, base / "f")
    layer.fetch(place("/g"), base / "g")
    for at, name in enumerate("dfg"):
        os.utime(layer._books.meta(base / name), (at + 1000, at + 1000))
    layer.release_all()
    for folder in (base / "d" / "sub", made / "below"):
        folder.chmod(mode)
    for _ in range(2):
        layer.sweep()
        is_closed = mode in (0o000, 0o600)  # it may hold what the module put there before
        assert [(base / name).exists() for name in ("d", "made", "g")] == [is_closed, is_closed, False]
    assert [path for path in base.iterdir() if path.name.startswith(PRIVATE_PREFIX)] == []


def _sweep_as_nobody(base: Path, world: World, mode: int) -> None:
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    _sweep(base, world, mode)


@pytest.mark.parametrize("mode", [0o000, 0o600, 0o500])
def test_what_cannot_be_looked_into_does_not_keep_the_others(mode: int, tmp_path: Path) -> None:
    """It stays if it cannot be looked into, and goes whatever its modes if it can; all others go."""
    world = World()
    for path in ("/d/sub/a", "/d/b", "/f", "/g"):
        world.place(path, b"content")
    _sweep(tmp_path / "warm", world, 0o755)  # who becomes nobody may not be able to load modules
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        base = Path(folder)
        if os.geteuid() == 0:
            os.chown(base, NOBODY, -1)
        child = multiprocessing.get_context("fork").Process(target=_sweep_as_nobody, args=(base, world, mode))
        child.start()
        child.join()
        for each in base.rglob("*"):
            if each.is_dir() and not each.is_symlink():
                each.chmod(0o700)
        assert child.exitcode == 0


def test_a_copy_that_is_taken_away_while_it_is_looked_through_holds_nothing(tmp_path: Path) -> None:
    """One of two in a copy goes after the first was looked into: nothing is said of it."""
    (tmp_path / "a.zip").touch()
    for name in ("x", "x/1", "x/2"):
        (tmp_path / name).mkdir()
    for name in ("x/1", "x/2", "x"):
        Stamp.of(tmp_path / "a.zip").write(tmp_path / name)
    later = (tmp_path / "x" / MARKER).stat().st_ctime_ns
    wait_out(later)
    for name in ("1", "2"):
        (tmp_path / "x" / name / "strange").touch()
    found = strange_in(tmp_path / "x")
    assert next(found) == tmp_path / "x" / "1" / "strange"
    shutil.rmtree(tmp_path / "x" / "2")
    assert list(found) == []
