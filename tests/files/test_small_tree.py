"""Directories of small files, brought by the batch: the tree is whole and right, whatever some answers are."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.errors import StagingError, TransferError
from cryocloud_core.files.moving import Moving
from cryocloud_core.sdk.transfer import SMALL_BYTES
from tests.files.hostile import FailingDisk, Killed, Mischief, place, quick_folder
from tests.files.small_transfer import (
    ENDS,
    GOOD,
    UNSEEN,
    WRONG,
    FullDisk,
    SmallWorld,
    held_locks,
    private_files,
    small_layer,
)


def world_of(contents: dict[str, bytes], **more: object) -> SmallWorld:
    """Return a world with a directory `/d`."""
    world = SmallWorld(**more)  # type: ignore[arg-type]
    for name, data in contents.items():
        world.place(f"/d/{name}", data)
    return world


def contents_of(count: int) -> dict[str, bytes]:
    """Return so many small files in some directories."""
    return {f"{'sub/' * (at % 3)}{at}": f"the content of {at}".encode() * at for at in range(count)}


def found_in(folder: Path) -> dict[str, bytes]:
    """Return every file below a directory."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", [*GOOD, *WRONG, *ENDS])
@pytest.mark.parametrize("listed", ["size", "checksum", "nothing"])
def test_whatever_one_answer_is_the_tree_is_right(kind: str, listed: str, tmp_path: Path) -> None:
    """What came wrong is fetched alone, and only that; what the listing tells counts where the answer tells less."""
    contents = contents_of(12)
    world = world_of(contents, lists_size=listed != "nothing", lists_checksum=listed == "checksum")
    world.tells_checksum = False
    name = list(contents)[5]
    world.spoils[f"/d/{name}"] = kind
    told: list[Moving] = []
    layer = small_layer(world, tmp_path / "temp")
    layer.told = told.append
    layer.fetch_tree(place("/d"), tmp_path / "out" / "d")
    world.thaw.set()
    unseen = kind in UNSEEN and listed != "checksum"

    found = found_in(tmp_path / "out" / "d")
    assert found.keys() == contents.keys()
    assert [each for each in contents if found[each] != contents[each]] == ([name] if unseen else [])
    assert {path for path, _, _ in world.reads} >= ({f"/d/{name}"} if kind in WRONG and not unseen else set())
    assert len(world.reads) <= (12 if kind in ENDS else 1)
    assert private_files(tmp_path / "out") == []
    assert held_locks(tmp_path / "temp", [tmp_path / "out" / "d"]) == []
    assert told[-1].files_done == 12
    world.reads.clear()
    world.asked.clear()
    layer.fetch_tree(place("/d"), tmp_path / "out" / "d")
    assert (world.reads, world.asked) == ([], []) or listed == "nothing"


def test_small_files_come_side_by_side_and_large_ones_alone(tmp_path: Path) -> None:
    """Those that the listing tells to be larger are not asked for with the others."""
    contents = contents_of(6) | {"large": os.urandom(SMALL_BYTES + 1)}
    world = world_of(contents)
    small_layer(world, tmp_path / "temp").fetch_tree(place("/d"), tmp_path / "d")

    assert found_in(tmp_path / "d") == contents
    assert [sorted(paths) for paths in world.asked] == [sorted(f"/d/{name}" for name in contents_of(6))]
    assert {path for path, _, _ in world.reads} == {"/d/large"}


@pytest.mark.parametrize("lists_size", [True, False])
def test_what_a_failed_try_left_of_a_small_file_does_not_get_into_the_tree(lists_size: bool, tmp_path: Path) -> None:
    """A part of a file that was fetched alone, and is read side by side the next time, is gone in the end."""
    contents = {f"{at}": os.urandom(3000) for at in range(4)}
    world = world_of(contents, lists_size=lists_size)
    world.spoils = dict.fromkeys(world.contents, "left out")
    world.mischief = deque([Mischief("none"), Mischief("cut", 1500), Mischief("refuse")])
    with pytest.raises(TransferError):
        small_layer(world, tmp_path / "temp", transfers_per_host=1).fetch_tree(place("/d"), tmp_path / "out" / "d")
    assert [path for path in private_files(tmp_path / "out") if path.suffix == ".part"]
    world.mischief.clear()
    world.spoils.clear()
    small_layer(world, tmp_path / "temp").fetch_tree(place("/d"), tmp_path / "out" / "d")

    assert found_in(tmp_path / "out" / "d") == contents
    assert private_files(tmp_path / "out") == []


KINDS = st.sampled_from([*GOOD * 3, *WRONG, *ENDS])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from((0, 1, 50, 3000)), KINDS), min_size=2, max_size=10),
    st.none() | st.integers(0, 70),
    st.booleans(),
    st.booleans(),
)
def test_whatever_goes_wrong_the_tree_is_whole_or_not_there(
    files: list[tuple[int, str]], fails: int | None, dies: bool, lists_size: bool
) -> None:
    """A disk that is full, or a process that dies, at any step; the next try brings it, and nothing stays beside it.

    A process that dies over its last step leaves its journal to the sweep.
    """
    with quick_folder() as folder:
        contents = {f"{'sub/' * (at % 2)}{at}": os.urandom(size) for at, (size, _) in enumerate(files)}
        world = world_of(contents, lists_size=lists_size)
        world.spoils = {f"/d/{name}": kind for name, (_, kind) in zip(contents, files, strict=True)}
        target, disk = folder / "out" / "d", FailingDisk(fails) if dies else FullDisk(fails)
        layer = small_layer(world, folder / "temp", disk, transfers_per_host=1)
        with contextlib.suppress(Killed, StagingError):
            layer.fetch_tree(place("/d"), target)
        layer.release_all()
        world.thaw.set()
        was_there = target.exists()
        assert not was_there or found_in(target) == contents
        assert held_locks(folder / "temp", [target]) == []
        small_layer(world, folder / "temp").fetch_tree(place("/d"), target)
        assert found_in(target) == contents
        left = [path for path in private_files(folder / "out") if not (was_there and path.suffix == ".done")]
        assert left == []


def test_a_try_goes_on_with_what_an_earlier_one_noted(tmp_path: Path) -> None:
    """Files that came before a process died are not asked for again."""
    contents = contents_of(20)
    world = world_of(contents)

    class Dying(FailingDisk):
        def add_line(self, descriptor: int, data: object, path: Path) -> None:
            super().add_line(descriptor, data, path)
            if world.given == 11:
                raise Killed

    with pytest.raises(Killed):
        small_layer(world, tmp_path / "temp", Dying()).fetch_tree(place("/d"), tmp_path / "d")
    first, *_ = world.asked
    world.asked.clear()
    small_layer(world, tmp_path / "temp").fetch_tree(place("/d"), tmp_path / "d")

    assert found_in(tmp_path / "d") == contents
    assert world.asked == [first[11:]]
