"""Copies: when one is used again, whose it is, who keeps it, and what a sweep takes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.errors import RemoteFileMissing, StagingError, TransferError
from cryocloud_core.files import sweeping
from cryocloud_core.files.archives import MARKER, PRIVATE_PREFIX
from cryocloud_core.files.disk import Disk
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.locks import FileLock
from cryocloud_core.files.place_locks import PlaceLocks
from cryocloud_core.files.replacing import OccupiedError
from cryocloud_core.files.sweeping import LEFTOVER_S
from tests.files.hostile import Mischief, World, layer_of, place

DAY = LEFTOVER_S + 60


@pytest.fixture
def world() -> World:
    """Give a place with two files and a directory."""
    made = World()
    for path in ("/f", "/g", "/d/a", "/d/b"):
        made.place(path, path.encode() * 100)
    return made


def fresh(world: World, tmp_path: Path, disk: Disk | None = None, **settings: Any) -> Layer:
    """Return the layer of a new task on the same machine."""
    return layer_of(world, tmp_path / "temp", disk, sweep_every_s=0.0, **{"cache_keep_s": 0.0, **settings})


def reads(world: World) -> int:
    """Return how many reads there were so far."""
    return len(world.reads)


def test_an_untouched_copy_of_an_unchanged_file_is_used_again(world: World, tmp_path: Path) -> None:
    """The second task asks, and reads nothing."""
    for _ in range(2):
        fresh(world, tmp_path).fetch(place("/f"), tmp_path / "f")

    assert reads(world) == 1


@pytest.mark.parametrize("change", ["remote", "size", "local", "replaced", "gone", "other URL", "no book"])
def test_a_copy_that_may_be_wrong_is_fetched_again(world: World, tmp_path: Path, change: str) -> None:
    """A change here or there, another source, or books that are lost: the copy becomes what the other side has."""
    target, url = tmp_path / "f", place("/f")
    fresh(world, tmp_path).fetch(url, target)
    match change:
        case "remote" | "size":
            world.place("/f", b"n" * (200 if change == "remote" else 5))
        case "local":
            target.write_bytes(b"x" * 200)
        case "replaced":
            (tmp_path / "x").write_bytes(target.read_bytes())
            os.utime(tmp_path / "x", ns=(target.stat().st_mtime_ns,) * 2)
            (tmp_path / "x").rename(target)
        case "gone":
            target.unlink()
        case "other URL":
            url = place("/g")
        case "no book":
            next((tmp_path / "temp" / "cc" / "meta").glob("*.json")).write_text("{")
    fresh(world, tmp_path).fetch(url, target)

    assert target.read_bytes() == world.contents[url.path]
    assert reads(world) == 2


def test_without_a_validator_a_copy_is_fetched_again(world: World, tmp_path: Path) -> None:
    """The same size alone says nothing; a checksum does."""
    world.tells_validator = False
    for tells, expected in ((False, 2), (True, 3)):
        world.tells_checksum = tells
        for _ in range(2):
            fresh(world, tmp_path).fetch(place("/f"), tmp_path / "f")

        assert reads(world) == expected


def test_trust_in_local_copies_asks_nobody(world: World, tmp_path: Path) -> None:
    """With the setting a copy is used though the other side is gone."""
    fresh(world, tmp_path).fetch(place("/f"), tmp_path / "f")
    world.contents.clear()

    assert fresh(world, tmp_path, trust_local=True).fetch(place("/f"), tmp_path / "f") == tmp_path / "f"
    with pytest.raises(RemoteFileMissing):
        fresh(world, tmp_path).fetch(place("/f"), tmp_path / "f")


def test_a_path_through_a_link_is_the_same_copy(world: World, tmp_path: Path) -> None:
    """Two names of one directory are one place."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    fresh(world, tmp_path).fetch(place("/f"), tmp_path / "real" / "f")
    fresh(world, tmp_path).fetch(place("/f"), tmp_path / "link" / "f")

    assert reads(world) == 1


def test_what_was_made_of_a_copy_is_current_with_it(world: World, tmp_path: Path) -> None:
    """An archive may go once it is unpacked; what was unpacked is current until the other side changes."""
    layer, made = fresh(world, tmp_path), tmp_path / "unpacked"
    layer.fetch(place("/f"), tmp_path / "f")
    made.mkdir()
    (made / "x").write_text("x")
    layer.belongs(made, tmp_path / "f")
    (tmp_path / "f").unlink()

    assert layer.is_current(place("/f"), tmp_path / "f")
    assert not layer.is_current(place("/g"), tmp_path / "f")
    assert layer.source_of(made / "x") == place("/f")
    world.place("/f", b"new")
    assert not layer.is_current(place("/f"), tmp_path / "f")


def test_what_was_made_of_an_earlier_version_is_not_current(world: World, tmp_path: Path) -> None:
    """A newer archive that was fetched and lost before it was unpacked does not vouch for the old contents."""
    layer, made = fresh(world, tmp_path), tmp_path / "unpacked"
    layer.fetch(place("/f"), tmp_path / "f")
    made.mkdir()
    layer.belongs(made, tmp_path / "f")
    world.place("/f", b"new")
    layer.fetch(place("/f"), tmp_path / "f")
    (tmp_path / "f").unlink()

    assert not layer.is_current(place("/f"), tmp_path / "f")


def test_sources_of_what_is_not_ours(world: World, tmp_path: Path) -> None:
    """A file that took a copy's place is the user's; a file in a fetched tree is part of a copy."""
    layer = fresh(world, tmp_path)
    layer.fetch(place("/f"), tmp_path / "f")
    layer.fetch_tree(place("/d/"), tmp_path / "d")

    assert layer.source_of(tmp_path / "f") == place("/f")
    assert layer.source_of(tmp_path / "d" / "a") == place("/d/")
    assert layer.source_of(tmp_path / "other") is None
    (tmp_path / "f").write_text("mine")
    assert layer.source_of(tmp_path / "f") is None


def test_a_sweep_takes_the_longest_unused_first(world: World, tmp_path: Path) -> None:
    """Until the copies are within the limit; the books of what went go too."""
    for at, name in enumerate(("f", "g")):
        layer = fresh(world, tmp_path, cache_max_bytes=300)
        layer.fetch(place(f"/{name}"), tmp_path / name)
        layer.release_all()
        os.utime(layer._books.meta(tmp_path / name), (at + 1000, at + 1000))
    layer.in_use(tmp_path / "f")
    layer.release_all()
    layer.sweep()

    assert (tmp_path / "f").exists()
    assert not (tmp_path / "g").exists()
    assert len(list((tmp_path / "temp" / "cc" / "meta").glob("*.json"))) == 1


def test_a_sweep_leaves_what_is_used_touched_or_unknown(world: World, tmp_path: Path) -> None:
    """Copies of a running task, files that the user changed, and files that are none of ours stay."""
    user, layer = fresh(world, tmp_path), fresh(world, tmp_path, cache_max_bytes=1)
    user.fetch(place("/f"), tmp_path / "f")
    layer.fetch(place("/g"), tmp_path / "g")
    layer.release_all()
    (tmp_path / "g").write_text("mine now")
    (tmp_path / "stranger").write_text("x" * 1000)
    layer.sweep()

    assert [(tmp_path / name).exists() for name in ("f", "g", "stranger")] == [True, True, True]
    user.release_all()
    layer.sweep()
    assert [(tmp_path / name).exists() for name in ("f", "g", "stranger")] == [False, True, True]


def test_a_copy_that_is_being_fetched_again_is_not_swept(world: World, tmp_path: Path) -> None:
    """Who holds the target's lock is about to use it."""
    layer = fresh(world, tmp_path, cache_max_bytes=1)
    layer.fetch(place("/f"), tmp_path / "f")
    layer.release_all()
    with PlaceLocks(layer._books) as locks:
        assert locks.take_now(tmp_path / "f")
        layer.sweep()
    assert (tmp_path / "f").exists()


class FullDisk(Disk):
    """A disk that is full until something was removed."""

    def used_share(self, folder: Path) -> float:
        """Tell."""
        return 0.95 if (folder / "f").exists() else 0.5


def test_a_disk_that_is_too_full_is_swept(world: World, tmp_path: Path) -> None:
    """By its used share, and only as far as needed; trees and what was made of copies go whole."""
    layer = fresh(world, tmp_path, FullDisk(), cache_max_share=0.9)
    layer.fetch_tree(place("/d/"), tmp_path / "d")
    made = tmp_path / "made"
    made.mkdir()
    layer.fetch(place("/f"), tmp_path / "f")
    layer.belongs(made, tmp_path / "f")
    layer.fetch(place("/g"), tmp_path / "g")
    for at, name in enumerate(("d", "f", "g")):
        os.utime(layer._books.meta(tmp_path / name), (at + 1000, at + 1000))
    layer.release_all()
    layer.sweep()

    assert [(tmp_path / name).exists() for name in ("d", "f", "made", "g")] == [False, False, False, True]
    assert fresh(world, tmp_path).fetch_tree(place("/d/"), tmp_path / "d").is_dir()


class StubbornDisk(Disk):
    """A disk on which one file cannot be renamed."""

    def rename(self, source: Path, target: Path, *, durable: bool = True) -> None:
        """Refuse, or do it."""
        if source.name == "f":
            raise StagingError("cannot be written here: Permission denied", subject=str(source))
        super().rename(source, target, durable=durable)


def test_a_copy_that_cannot_be_removed_does_not_keep_the_others(world: World, tmp_path: Path) -> None:
    """The rest is swept, and the error is told."""
    layer = fresh(world, tmp_path)
    for name in "fg":
        layer.fetch(place(f"/{name}"), tmp_path / name)
    layer.release_all()
    with pytest.raises(StagingError, match="Permission denied"):
        fresh(world, tmp_path, StubbornDisk(), cache_max_bytes=1).sweep()

    assert [(tmp_path / name).exists() for name in "fg"] == [True, False]


def test_empty_folders_of_our_own_go_with_their_last_copy(world: World, tmp_path: Path) -> None:
    """Below the temporary directory nothing is left of a swept copy; elsewhere folders are the user's."""
    layer = fresh(world, tmp_path, cache_max_bytes=1)
    layer.fetch(place("/f"), tmp_path / "temp" / "cc" / "s3" / "h" / "b" / "f")
    layer.fetch(place("/g"), tmp_path / "data" / "g")
    layer.release_all()
    layer.sweep()

    assert not (tmp_path / "temp" / "cc" / "s3").exists()
    assert list((tmp_path / "data").iterdir()) == []


def test_leftovers_of_dead_transfers_go_after_a_day(world: World, tmp_path: Path) -> None:
    """Parts, trees and sidecars that nothing happens to; what is younger, or open, or not ours stays."""
    layer = fresh(world, tmp_path)
    world.mischief.extend([Mischief("cut", 50), Mischief("refuse")])
    with pytest.raises(TransferError):
        layer.fetch(place("/f"), tmp_path / "out" / "f")
    (tmp_path / "out" / ".cc-1.tree" / "x").mkdir(parents=True)
    (tmp_path / "out" / "user.part").write_text("mine")
    layer.sweep()
    assert len(list((tmp_path / "out").iterdir())) == 4
    part = next((tmp_path / "out").glob(".cc-*.part"))
    holder = FileLock(part)
    assert holder.take_now()
    tomorrow = part.stat().st_ctime + DAY
    later = type(layer.clock)(wall=lambda: tomorrow)
    old = type(layer)(layer.transfers, layer.settings, clock=later)
    old.sweep()
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".json", ".part", ".part"]
    holder.release()
    old.sweep()

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["user.part"]


def test_sweeps_are_not_run_all_the_time(world: World, tmp_path: Path) -> None:
    """A machine is swept at most so often, however many tasks end."""
    layer = layer_of(world, tmp_path / "temp", cache_max_bytes=1)
    layer.sweep()
    layer.fetch(place("/f"), tmp_path / "f")
    layer.release_all()
    layer.sweep()

    assert (tmp_path / "f").exists()


def test_a_directory_is_never_replaced_by_a_file(world: World, tmp_path: Path) -> None:
    """Nor a strange directory by a tree; the errors name target and URL."""
    (tmp_path / "f").mkdir()
    with pytest.raises(StagingError, match=r"^mem://host/f: .*/f: is a directory"):
        fresh(world, tmp_path).fetch(place("/f"), tmp_path / "f")
    with pytest.raises(StagingError, match="exists and is not a copy of ours"):
        fresh(world, tmp_path).fetch_tree(place("/d/"), tmp_path / "f")

    assert (tmp_path / "f").is_dir()


@pytest.mark.parametrize("change", ["added", "changed", "linked"])
def test_a_tree_that_holds_somebodys_files_is_neither_swept_nor_replaced(
    world: World, tmp_path: Path, change: str
) -> None:
    """A module wrote its result beside its input."""
    target = tmp_path / "d"
    first = fresh(world, tmp_path)
    first.fetch_tree(place("/d/"), target)
    first.release_all()
    match change:
        case "added":
            (target / "new").mkdir()
            (target / "new" / "result").write_text("result")
        case "changed":
            (target / "a").write_text("result")
        case "linked":
            (target / "result").symlink_to(tmp_path)
    before = sorted(target.rglob("*"))

    fresh(world, tmp_path, cache_max_bytes=1).sweep()
    world.place("/d/b", b"new")
    with pytest.raises(OccupiedError, match="holds files that others put there"):
        fresh(world, tmp_path).fetch_tree(place("/d/"), target)

    assert sorted(target.rglob("*")) == before


def test_a_tree_in_use_is_not_replaced(world: World, tmp_path: Path) -> None:
    """The files of one version stay together under a task's eyes."""
    target, user = tmp_path / "d", fresh(world, tmp_path)
    user.fetch_tree(place("/d/"), target)
    world.place("/d/b", b"new")

    with pytest.raises(OccupiedError, match="is being used"):
        fresh(world, tmp_path).fetch_tree(place("/d/"), target)
    assert (target / "b").read_bytes() != b"new"
    user.release_all()
    fresh(world, tmp_path).fetch_tree(place("/d/"), target)
    assert (target / "b").read_bytes() == b"new"


def test_what_we_unpacked_in_a_tree_goes_with_it(world: World, tmp_path: Path) -> None:
    """Neither that, nor what a dead process left, is somebody's."""
    target, layer = tmp_path / "d", fresh(world, tmp_path, cache_max_bytes=1)
    layer.fetch_tree(place("/d/"), target)
    layer.release_all()
    (target / "unpacked").mkdir()
    (target / "unpacked" / "x").write_text("x")
    (target / "unpacked" / MARKER).write_text("{}")
    (target / f"{PRIVATE_PREFIX}left").write_text("x")
    (target / "a").unlink()

    layer.sweep()
    assert not target.exists()


def test_a_sweep_passes_over_what_vanishes_meanwhile(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts get their names and books are forgotten all the time."""
    layer = fresh(world, tmp_path)
    layer.fetch(place("/f"), tmp_path / "f")
    (tmp_path / f"{PRIVATE_PREFIX}x.part").write_text("x")
    (tmp_path / "temp" / "cc" / "visited" / "cut").touch()

    def vanishes(folder: Path) -> list[Path]:
        found = private_in(folder)
        for path in found:
            path.unlink()
        return found

    private_in = sweeping._private_in
    monkeypatch.setattr(sweeping, "_private_in", vanishes)
    layer.sweep()
    assert not (tmp_path / "temp" / "cc" / "visited" / "cut").exists()


def test_a_copy_that_was_used_lately_stays_however_full_the_disk_is(world: World, tmp_path: Path) -> None:
    """The node that is next may have been handed its path; it goes once that is long ago."""
    layer = fresh(world, tmp_path, cache_max_bytes=1, cache_keep_s=60.0)
    layer.fetch(place("/f"), tmp_path / "f")
    layer.release_all()

    layer.sweep()
    assert (tmp_path / "f").exists()
    later = type(layer.clock)(wall=lambda: time.time() + 61)
    type(layer)(layer.transfers, layer.settings, clock=later).sweep()
    assert not (tmp_path / "f").exists()
