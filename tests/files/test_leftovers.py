"""What killed sweeps and killed batches left is found a day later, wherever it lies."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from cryocloud_core.files.archives import PRIVATE_PREFIX
from cryocloud_core.files.disk import Disk
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.service import FileService
from cryocloud_core.files.small_reading import BATCH_FILES
from cryocloud_core.files.sweeping import LEFTOVER_S
from tests.files.folder_transfer import put, staged, zipped
from tests.files.hostile import Killed, World, layer_of, place
from tests.files.small_transfer import private_files, small_layer, wanted_of, world_of

PATIENCE_S = 20.0
QUICK: dict[str, Any] = {"sweep_every_s": 0.0, "cache_keep_s": 0.0}


def sweep_tomorrow(layer: Layer) -> None:
    """Sweep when all that was left today is old."""
    tomorrow = time.time() + LEFTOVER_S + 60
    Layer(layer.transfers, layer.settings, clock=type(layer.clock)(wall=lambda: tomorrow)).sweep()


class DeadlyDisk(Disk):
    """A disk whose user is killed when it begins to remove something."""

    def remove(self, path: Path) -> None:
        """Die."""
        raise Killed


def test_what_a_killed_sweep_put_aside_goes(tmp_path: Path) -> None:
    """Also where nothing was fetched to since its folder was last found without leftovers."""
    world, out, made = World(), tmp_path / "out", tmp_path / "made" / "f"
    for path in ("/f", "/d/a", "/d/b"):
        world.place(path, b"content")
    layer = layer_of(world, tmp_path / "temp", **QUICK)
    layer.fetch_tree(place("/d/"), out / "d")
    layer.fetch(place("/f"), out / "f")
    made.mkdir(parents=True)
    layer.belongs(made, out / "f")
    layer.release_all()
    layer.sweep()
    for _ in range(2):
        with pytest.raises(Killed):
            layer_of(world, tmp_path / "temp", DeadlyDisk(), cache_max_bytes=1, **QUICK).sweep()
    left = [*out.iterdir(), *made.parent.iterdir()]
    assert [path.name.startswith(PRIVATE_PREFIX) for path in left] == [True] * 3

    sweep_tomorrow(layer)
    assert [*out.iterdir(), *made.parent.iterdir()] == []


@define(eq=False)
class SweptDisk(Disk):
    """A disk that is swept when the first batch is in place; its user is killed in the second."""

    sweep: Callable[[], None]
    saved: int = 0

    def save(self, path: Path, data: bytes) -> os.stat_result:
        """Write a file, or die."""
        self.saved += 1
        self._live()
        return super().save(path, data)

    def unlink(self, path: Path) -> None:
        """Remove a file; the dead do not."""
        self._live()
        super().unlink(path)

    def settle_all(self, paths: Sequence[Path]) -> None:
        """Wait for the disk, then sweep it."""
        super().settle_all(paths)
        self.sweep()

    def _live(self) -> None:
        if self.saved > BATCH_FILES + 3:
            raise Killed


def test_what_a_killed_batch_left_goes(tmp_path: Path) -> None:
    """Also where a sweep found nothing to wait for in its folder between two batches."""
    world = world_of(2 * BATCH_FILES)
    wanted = wanted_of(world, tmp_path / "out")
    layer = small_layer(world, tmp_path / "temp", **QUICK)
    with pytest.raises(Killed):
        small_layer(world, tmp_path / "temp", SweptDisk(layer.sweep), **QUICK).fetch_small(wanted)
    assert len(private_files(tmp_path / "out")) == BATCH_FILES + 3  # one batch was not named yet

    sweep_tomorrow(layer)
    assert private_files(tmp_path / "out") == []


def _unpack(machine: Callable[..., FileService]) -> None:
    staged(machine(), "s3://store/in/a.zip", unzip=True)


def test_what_a_killed_task_unpacked_goes_with_the_archive(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it died before it could say of what that was made."""
    put(servers, "store/in/a.zip", zipped(one="1"))
    real = Layer.belongs

    def dying(layer: Layer, path: Path, target: Path) -> None:
        os._exit(9) if path.exists() else real(layer, path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Layer, "belongs", dying)
        child = multiprocessing.get_context("fork").Process(target=_unpack, args=(machine,))
        child.start()
        child.join(PATIENCE_S)
    assert child.exitcode == 9
    assert {path.name for path in (tmp_path / "tmp/cc/unpacked").rglob("*")} >= {"a", "a.zip", "one"}

    machine(cache_max_bytes=1, cache_sweep_every=0, cache_keep=0).remote.layer.sweep()
    assert not (tmp_path / "tmp/cc/unpacked").exists()
