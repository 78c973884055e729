"""The order of steps when small files come by the batch: locks around all, contents before names, names at last."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.files import small_reading
from cryocloud_core.files.disk import Disk
from cryocloud_core.files.hands import Hands
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.small_reading import BATCH_FILES
from cryocloud_core.sdk.url import Url
from tests.files.hostile import FailingDisk, Killed, place, quick_folder
from tests.files.small_transfer import FullDisk, held_locks, private_files, right, small_layer, wanted_of, world_of


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


class StopError(Exception):
    """What the task is stopped with."""


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 14), st.sampled_from(["full", "dies", "stopped", "nothing"]), st.integers(0, 120), st.booleans())
def test_wherever_overlapping_batches_end_every_place_is_empty_or_right(
    count: int, end: str, at: int, inside: bool
) -> None:
    """Batches of three: whatever step is the last, what has its name is whole, and nothing else is left or locked."""
    with quick_folder() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(small_reading, "BATCH_FILES", 3)
        world, temp = world_of(count), folder / "temp"
        wanted = wanted_of(world, temp / "cc" / "mem" if inside else folder / "out")
        disk = {"full": FullDisk(at), "dies": FailingDisk(at)}.get(end, Disk())
        layer, done, is_over = small_layer(world, temp, disk), set[Url](), False
        layer.check = stop_after(at) if end == "stopped" else lambda: None
        try:
            done = layer.fetch_small(wanted)
        except (Killed, StopError):
            is_over = True
        assert done <= right(world, wanted) == {url for url, path in wanted.items() if os.path.lexists(path)}
        assert is_over or end == "full" or done == set(wanted)
        assert held_locks(temp, list(wanted.values())) == []
        assert end == "dies" or private_files(folder) == []
        layer.release_all()
        _all_is_used_again_or_fetched(small_layer(world, temp), wanted)
        assert right(world, wanted) == set(wanted)


def stop_after(looks: int) -> Any:
    """Return a `check` that stops the task after so many looks, and at each from then on."""
    left = [looks]

    def check() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise StopError

    return check


def _all_is_used_again_or_fetched(layer: Layer, wanted: dict[Url, Path]) -> None:
    for url, path in wanted.items():
        layer.fetch(url, path, sparing=True)


def test_of_two_files_with_one_place_the_first_comes(tmp_path: Path) -> None:
    """A disk may take two names for one, `a` and `A`: what has its name is never replaced by another file's content."""
    world = world_of(4)
    wanted = wanted_of(world, tmp_path / "out")
    wanted[place("/l/3")] = wanted[place("/l/2")]
    layer = small_layer(world, tmp_path / "temp")

    assert layer.fetch_small(wanted) == right(world, wanted) == {place(f"/l/{at}") for at in range(3)}
    assert layer.fetch(place("/l/2"), wanted[place("/l/2")]).read_bytes() == world.contents["/l/2"]
    assert world.reads == []
    assert private_files(tmp_path) == []


def test_folders_that_a_sweep_takes_away_meanwhile_are_made_again(tmp_path: Path) -> None:
    """An older copy was all that lay in them: it goes while new ones come, and those come in spite of it."""
    world = world_of(6)
    wanted = wanted_of(world, tmp_path / "temp" / "cc" / "mem")
    old = small_layer(world, tmp_path / "temp")
    old.fetch(place("/l/3"), wanted.pop(place("/l/3")))
    old.release_all()

    class Swept(Disk):
        def settle_all(self, paths: Sequence[Path]) -> None:
            super().settle_all(paths)
            small_layer(world, tmp_path / "temp", cache_max_bytes=1, cache_keep_s=0.0, sweep_every_s=0.0).sweep()

    assert small_layer(world, tmp_path / "temp", Swept()).fetch_small(wanted) == set(wanted) == right(world, wanted)


@pytest.mark.parametrize("slow", [1, 2], ids=["contents", "names"])
def test_a_task_that_is_told_to_stop_does_not_wait_for_a_slow_disk(slow: int, tmp_path: Path) -> None:
    """Which may be busy for minutes with what others wrote."""
    thaw, is_slow = threading.Event(), threading.Event()

    @define(eq=False)
    class Slow(Disk):
        calls: int = 0

        def settle_all(self, paths: Sequence[Path]) -> None:
            self.calls += 1
            if self.calls == slow:
                is_slow.set()
                thaw.wait(60)
            super().settle_all(paths)

    def check() -> None:
        if is_slow.is_set():
            raise StopError

    world = world_of(5)
    wanted = wanted_of(world, tmp_path / "out")
    layer = small_layer(world, tmp_path / "temp", Slow())
    layer.check = check
    with pytest.raises(StopError):
        layer.fetch_small(wanted)
    assert not thaw.is_set()
    assert private_files(tmp_path) == []
    assert held_locks(tmp_path / "temp", list(wanted.values())) == []
    thaw.set()
    layer.settle(60)


def test_a_process_that_may_have_no_more_threads_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is anything left locked, nor under a private name."""
    begun: list[object] = []
    real = Hands.do

    def do(self: Hands, work: Any) -> None:
        begun.append(work)
        if len(begun) == 2:  # the first one reads, the second makes durable what was read
            raise RuntimeError("can't start new thread")
        real(self, work)

    monkeypatch.setattr(Hands, "do", do)
    world = world_of(3)
    wanted = wanted_of(world, tmp_path / "out")
    with pytest.raises(RuntimeError):
        small_layer(world, tmp_path / "temp").fetch_small(wanted)
    assert private_files(tmp_path) == []
    assert held_locks(tmp_path / "temp", list(wanted.values())) == []
