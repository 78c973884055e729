"""Lists of small files brought by the batch: what is right arrives, what is wrong is left, nothing stays behind."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.errors import StagingError, TransferError
from cryocloud_core.files.bookkeeping import Books, settled
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.moving import Moving
from cryocloud_core.files.place_locks import PlaceLocks
from cryocloud_core.files.small_reading import BATCH_FILES
from cryocloud_core.files.sweeping import LEFTOVER_S
from cryocloud_core.files.terms import Clock
from cryocloud_core.sdk.transfer import SMALL_BYTES
from cryocloud_core.sdk.url import Url
from tests.files.hostile import FailingDisk, Killed, Mischief, place, quick_folder
from tests.files.small_transfer import (
    ENDS,
    GOOD,
    UNSEEN,
    WRONG_ALONE,
    FullDisk,
    SmallWorld,
    held_locks,
    private_files,
    right,
    small_layer,
    wanted_of,
    world_of,
)


def test_small_files_come_by_the_batch_and_count_as_copies(tmp_path: Path) -> None:
    """One call for all; afterwards each is used again without a byte, and in use until it is let go of."""
    world = world_of(20)
    wanted = wanted_of(world, tmp_path / "out")
    layer = small_layer(world, tmp_path / "temp")
    told: list[Moving] = []
    layer.told = told.append

    assert layer.fetch_small(wanted) == set(wanted) == right(world, wanted)
    sweeper = small_layer(world, tmp_path / "temp", cache_max_bytes=1, cache_keep_s=0.0, sweep_every_s=0.0)
    sweeper.sweep()
    assert right(world, wanted) == set(wanted)
    assert [len(paths) for paths in world.asked] == [20]
    assert (told[-1].files_done, told[-1].came, told[-1].files) == (20, 20, 20)
    assert told[-1].done_bytes == sum(map(len, world.contents.values()))
    for url, path in wanted.items():
        assert layer.fetch(url, path, sparing=True) == path
        assert layer.source_of(path) == url
    assert world.reads == []
    layer.release_all()
    sweeper.sweep()
    assert not any(path.exists() for url, path in wanted.items() if len(world.contents[url.path]) > 1)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens soon."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_more_than_a_batch_comes_in_several(tmp_path: Path) -> None:
    """Each batch is of another call, and all arrive."""
    world = world_of(2 * BATCH_FILES + 3)
    wanted = wanted_of(world, tmp_path / "out")

    assert small_layer(world, tmp_path / "temp").fetch_small(wanted) == set(wanted) == right(world, wanted)
    assert [len(paths) for paths in world.asked] == [BATCH_FILES, BATCH_FILES, 3]


@pytest.mark.parametrize("kind", [*GOOD, *WRONG_ALONE, *ENDS])
@pytest.mark.parametrize("checksum", [True, False], ids=["checksum", "no checksum"])
def test_whatever_one_answer_is_what_is_right_arrives_and_nothing_else(
    kind: str, checksum: bool, tmp_path: Path
) -> None:
    """Of ten files the sixth is answered so: it comes if it is right, else it is fetched alone; nothing stays."""
    world = world_of(10, tells_checksum=checksum, spoils={"/l/5": kind})
    world.place("/l/5", b"the sixth file")
    wanted = wanted_of(world, tmp_path / "out")
    layer = small_layer(world, tmp_path / "temp")
    done = layer.fetch_small(wanted)
    world.thaw.set()
    unseen = kind in UNSEEN and not checksum
    spoilt = place("/l/5")

    expected = set(wanted) - ({spoilt} if kind in WRONG_ALONE and not unseen else set())
    if kind in ENDS:
        expected = {url for url in wanted if int(url.name) < 5}
    assert done == expected
    assert right(world, wanted) == expected - ({spoilt} if unseen else set())
    assert {url for url, path in wanted.items() if path.exists()} == done
    assert private_files(tmp_path) == []
    assert held_locks(tmp_path / "temp", list(wanted.values())) == []
    until(lambda: world.ended == len(world.asked) == 1)
    if not unseen:
        for url, path in wanted.items():
            layer.fetch(url, path, sparing=True)
        assert right(world, wanted) == set(wanted)
        assert {path for path, _, _ in world.reads} == {url.path for url in set(wanted) - done}


def test_what_is_not_small_or_not_there_is_left(tmp_path: Path) -> None:
    """A larger file and a missing one do not come, and do not keep the others."""
    world = world_of(5)
    wanted = wanted_of(world, tmp_path / "out") | {place("/l/none"): tmp_path / "out" / "l" / "none"}
    world.place("/l/1", os.urandom(SMALL_BYTES + 1))
    done = small_layer(world, tmp_path / "temp").fetch_small(wanted)

    assert done == set(wanted) - {place("/l/1"), place("/l/none")}
    assert not (tmp_path / "out" / "l" / "none").exists()


def test_a_batch_of_which_nothing_comes_is_the_last(tmp_path: Path) -> None:
    """A server with large files alone is not asked for all of them twice."""
    world = world_of(3 * BATCH_FILES)
    world.spoils = dict.fromkeys(world.contents, "left out")

    assert small_layer(world, tmp_path / "temp").fetch_small(wanted_of(world, tmp_path / "out")) == set()
    assert len(world.asked) == 1


def test_a_task_that_is_told_to_stop_leaves_nothing(tmp_path: Path) -> None:
    """What `check` raises in the middle comes out; what came has no name, the call is over, the locks are free."""

    class StopError(Exception):
        pass

    world = world_of(30)
    wanted = wanted_of(world, tmp_path / "out")
    layer = small_layer(world, tmp_path / "temp")

    def check() -> None:
        if world.given > 10:
            raise StopError

    layer.check = check
    with pytest.raises(StopError):
        layer.fetch_small(wanted)
    assert not any(path.exists() for path in wanted.values())
    assert private_files(tmp_path) == []
    assert held_locks(tmp_path / "temp", list(wanted.values())) == []


def test_a_place_that_somebody_has_locked_is_nobodys_business(tmp_path: Path) -> None:
    """It is neither waited for nor asked for, nor is one at which something lies; the others come."""
    world = world_of(6)
    wanted = wanted_of(world, tmp_path / "out")
    (tmp_path / "out" / "l").mkdir(parents=True)
    (tmp_path / "out" / "l" / "1").write_bytes(b"somebody's")
    (tmp_path / "out" / "l" / "2").symlink_to("nowhere")
    with PlaceLocks(Books(tmp_path / "temp")) as locks:
        assert locks.take_now(settled(tmp_path / "out" / "l" / "3"))
        done = small_layer(world, tmp_path / "temp").fetch_small(wanted)

    assert done == {place(f"/l/{at}") for at in (0, 4, 5)}
    assert world.asked == [["/l/0", "/l/4", "/l/5"]]
    assert (tmp_path / "out" / "l" / "1").read_bytes() == b"somebody's"
    assert (tmp_path / "out" / "l" / "2").is_symlink()
    assert not (tmp_path / "out" / "l" / "3").exists()


def test_what_an_earlier_try_began_is_gone_on_with_alone(tmp_path: Path) -> None:
    """Its bytes are not asked for again, and nothing of it lies there in the end."""
    world = world_of(4)
    world.place("/l/2", os.urandom(3000))
    wanted = wanted_of(world, tmp_path / "out")
    layer = small_layer(world, tmp_path / "temp")
    world.mischief = deque([Mischief("cut", 2000), Mischief("refuse")])
    with pytest.raises(TransferError):
        layer.fetch(place("/l/2"), wanted[place("/l/2")])

    assert layer.fetch_small(wanted) == set(wanted) - {place("/l/2")}
    layer.fetch(place("/l/2"), wanted[place("/l/2")])
    assert world.reads[-1] == ("/l/2", 2000, None)
    assert right(world, wanted) == set(wanted)
    assert private_files(tmp_path / "out") == []


def test_what_the_books_speak_of_is_left(tmp_path: Path) -> None:
    """A copy that is gone from its place may have things made of it: whoever fetches one file sees to them."""
    world = world_of(4)
    wanted = wanted_of(world, tmp_path / "out")
    layer = small_layer(world, tmp_path / "temp")
    layer.fetch_small(wanted)
    gone = place("/l/2")
    (made := tmp_path / "out" / "made").write_bytes(b"of it")
    layer.belongs(made, wanted[gone])
    for path in wanted.values():
        path.unlink()
    world.asked.clear()

    assert layer.fetch_small(wanted) == set()
    layer.fetch(gone, wanted[gone])
    assert layer.source_of(made) == gone


def test_what_a_killed_process_left_is_swept_after_a_day(tmp_path: Path) -> None:
    """Beside a place outside our own directory, and in the one for files that are coming; not before."""

    class Dying(FailingDisk):
        def settle_all(self, paths: Sequence[Path]) -> None:
            self.steps_left = 0
            raise Killed

    world = world_of(10)
    for folder in (tmp_path / "temp" / "cc" / "mem", tmp_path / "out"):
        with pytest.raises(Killed):
            small_layer(world, tmp_path / "temp", Dying()).fetch_small(wanted_of(world, folder))
    left = private_files(tmp_path)
    assert len(left) == 20
    sweeper = small_layer(world, tmp_path / "temp", sweep_every_s=0.0)
    sweeper.sweep()
    assert private_files(tmp_path) == left
    tomorrow = Clock(wall=lambda: time.time() + LEFTOVER_S + 60)
    Layer(sweeper.transfers, sweeper.settings, clock=tomorrow).sweep()
    assert private_files(tmp_path) == []


KINDS = st.sampled_from([*GOOD * 3, *WRONG_ALONE, *ENDS])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from((0, 1, 50, 3000)), KINDS), min_size=2, max_size=10),
    st.none() | st.integers(0, 70),
    st.booleans(),
    st.booleans(),
)
def test_whatever_goes_wrong_every_place_is_empty_or_right(
    files: list[tuple[int, str]], fails: int | None, dies: bool, inside: bool
) -> None:
    """A disk that is full, or a process that dies, at any step, among answers of every kind: then all comes alone."""
    with quick_folder() as folder:
        world = SmallWorld()
        for at, (size, kind) in enumerate(files):
            world.place(f"/l/{at}", os.urandom(size))
            world.spoils[f"/l/{at}"] = kind
        temp = folder / "temp"
        wanted = wanted_of(world, temp / "cc" / "mem" if inside else folder / "out")
        disk = FailingDisk(fails) if dies else FullDisk(fails)
        layer, is_dead, done = small_layer(world, temp, disk), False, set[Url]()
        try:
            done = layer.fetch_small(wanted)
        except Killed:
            is_dead = True
        assert done <= right(world, wanted) == {url for url, path in wanted.items() if os.path.lexists(path)}
        assert held_locks(temp, list(wanted.values())) == []
        if not is_dead:
            assert private_files(folder) == []
        layer.release_all()
        world.thaw.set()
        _all_come_alone(world, wanted, temp)
        assert _unnoted(temp, folder) == []


def _all_come_alone(world: SmallWorld, wanted: dict[Url, Path], temp: Path) -> None:
    world.spoils.clear()
    layer = small_layer(world, temp)
    for url, path in wanted.items():
        layer.fetch(url, path, sparing=path.is_relative_to(temp))
    assert right(world, wanted) == set(wanted)


def _unnoted(temp: Path, folder: Path) -> list[Path]:
    """Return what lies under private names in directories that no sweep looks into."""
    notes = [Path(os.fsdecode(note.read_bytes())) for note in Books(temp).folder("visited").iterdir()]
    looked_into = {settled(note) for note in notes}
    found = [path for path in private_files(folder) if settled(path.parent) not in looked_into]
    return [path for path in found if path.parent != temp / "cc" / "meta"]


def test_a_full_disk_is_told_by_whoever_fetches_one_file(tmp_path: Path) -> None:
    """The batch gives up without a word and leaves nothing; the same step alone says what is wrong."""
    world = world_of(10)
    wanted = wanted_of(world, tmp_path / "out")
    disk = FailingDisk(room=200)
    layer = small_layer(world, tmp_path / "temp", disk)

    assert layer.fetch_small(wanted) == set()
    assert private_files(tmp_path) == []
    assert not any(path.exists() for path in wanted.values())
    disk.room = 0
    with pytest.raises(StagingError, match="No space left"):
        layer.fetch(place("/l/3"), wanted[place("/l/3")])
