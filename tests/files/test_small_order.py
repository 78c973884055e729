"""The order of steps when small files come by the batch: locks around all, contents before names, names at last."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from attrs import define, field

from cryocloud_core.files.disk import Disk
from cryocloud_core.files.small_reading import BATCH_FILES
from tests.files.small_transfer import held_locks, small_layer, wanted_of, world_of


def test_a_place_is_locked_from_before_it_is_asked_for_until_it_has_its_name(tmp_path: Path) -> None:
    """While anything is read, settled and named, nobody else can have any of them; names become durable at the end."""
    seen: list[int] = []

    @define(eq=False)
    class Looking(Disk):
        places: list[Path]

        def save(self, path: Path, data: bytes) -> os.stat_result:
            seen.append(len(held_locks(tmp_path / "temp", self.places)))
            return super().save(path, data)

        def rename(self, source: Path, target: Path, *, durable: bool = True) -> None:
            super().rename(source, target, durable=durable)
            seen.append(len(held_locks(tmp_path / "temp", self.places)))

        def settle_all(self, paths: Sequence[Path]) -> None:
            seen.append(len(held_locks(tmp_path / "temp", self.places)))
            super().settle_all(paths)

    world = world_of(7)
    wanted = wanted_of(world, tmp_path / "out")
    small_layer(world, tmp_path / "temp", Looking(list(wanted.values()))).fetch_small(wanted)

    assert seen == [*[7] * (7 + 1 + 7), 0]
    assert held_locks(tmp_path / "temp", list(wanted.values())) == []


@define(eq=False)
class OrderedDisk(Disk):
    """Says what was done before what had to be durable was."""

    settled: dict[Path, int] = field(factory=dict)
    #: directories in which a name is new, and not settled
    fresh: set[Path] = field(factory=set)
    wrong: list[str] = field(factory=list)

    def make_folder(self, path: Path) -> None:
        """Note the directories above each new one."""
        self.fresh |= {each.parent for each in (path, *path.parents) if not each.exists()}
        super().make_folder(path)

    def settle_all(self, paths: Sequence[Path]) -> None:
        """Note what is settled, as it is."""
        super().settle_all(paths)
        for path in paths:
            self.fresh.discard(path)
            self.settled[path.resolve()] = path.stat().st_mtime_ns

    def rename(self, source: Path, target: Path, *, durable: bool = True) -> None:
        """Look whether it was settled as it is, and stands in the books."""
        if self.settled.get(source.resolve()) != source.stat().st_mtime_ns:
            self.wrong.append(f"{target} gets its name before its content is durable")
        super().rename(source, target, durable=durable)
        self.fresh.add(target.parent)


@pytest.mark.parametrize("count", [3, BATCH_FILES + 20])
def test_contents_are_durable_before_any_gets_its_name_and_names_at_the_end(count: int, tmp_path: Path) -> None:
    """For few files and for many: each is settled, then named, then all directories in which anything is new."""
    world = world_of(count)
    for at in range(count):
        world.contents[f"/l/{at % 3}/deep/{at}"] = world.contents.pop(f"/l/{at}")
    world.versions = {path: [data] for path, data in world.contents.items()}
    disk = OrderedDisk()
    layer = small_layer(world, tmp_path / "temp", disk)

    assert len(layer.fetch_small(wanted_of(world, tmp_path / "out"))) == count
    assert disk.wrong == []
    assert disk.fresh == set()
