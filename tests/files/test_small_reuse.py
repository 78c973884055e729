"""Lists of files that are here: asked about by the batch, used again where nothing changed, and nowhere else."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from cryocloud_core.files.bookkeeping import Books, settled
from cryocloud_core.files.moving import Moving, Step
from cryocloud_core.files.place_locks import PlaceLocks
from cryocloud_core.files.small_reading import BATCH_FILES
from cryocloud_core.sdk.transfer import RemoteFile, Transfer
from cryocloud_core.sdk.url import Url
from tests.files.hostile import place
from tests.files.small_transfer import SideBySide, SmallWorld, held_locks, right, small_layer, wanted_of, world_of

COUNT = 10


@pytest.fixture
def world() -> SmallWorld:
    """Give a world with a few files."""
    return world_of(COUNT)


@pytest.fixture
def wanted(world: SmallWorld, tmp_path: Path) -> dict[Url, Path]:
    """Give the places of its files, which an earlier task brought."""
    wanted = wanted_of(world, tmp_path / "out")
    layer = small_layer(world, tmp_path / "temp")
    assert layer.fetch_small(wanted) == set(wanted)
    layer.release_all()
    world.asked.clear()
    return wanted


def test_what_is_current_is_asked_about_and_not_brought(
    world: SmallWorld, wanted: dict[Url, Path], tmp_path: Path
) -> None:
    """One call for all; each is told of as used again, and in use."""
    told: list[Moving] = []
    layer = small_layer(world, tmp_path / "temp")
    layer.told = told.append
    assert layer.fetch_small(wanted) == set(wanted)

    assert [sorted(paths) for paths in world.looked] == [sorted(world.contents)]
    assert (world.asked, world.reads) == ([], [])
    assert [each.step for each in told[:2]] == [Step.ASKED, Step.OVER], "whoever looks sees whom we wait for"
    reused = [each for each in told if each.step is Step.REUSED]
    assert {each.url: each.done_bytes for each in reused} == {url: path.stat().st_size for url, path in wanted.items()}
    sweeper = small_layer(world, tmp_path / "temp", cache_max_bytes=1, cache_keep_s=0.0, sweep_every_s=0.0)
    sweeper.sweep()
    assert right(world, wanted) == set(wanted)
    layer.release_all()
    sweeper.sweep()
    assert not any(path.exists() for url, path in wanted.items() if len(world.contents[url.path]) > 1)


@pytest.mark.parametrize(
    "lie", ["left out", "other version", "nothing told", "directory", "stranger", "error", "refused", "reset", "freeze"]
)
def test_what_is_not_surely_current_is_left(
    lie: str, world: SmallWorld, wanted: dict[Url, Path], tmp_path: Path
) -> None:
    """Whatever goes wrong with one: it is neither used again nor touched, and whoever fetches it alone sees to it."""
    world.lies["/l/5"] = lie
    layer = small_layer(world, tmp_path / "temp", retries=0)
    done = layer.fetch_small(wanted)
    world.thaw.set()

    spoilt = place("/l/5")
    ends = lie in ("error", "refused", "reset", "freeze")
    assert done == {url for url in wanted if not ends or int(url.name) < 5} - {spoilt}
    assert right(world, wanted) == set(wanted)
    assert held_locks(tmp_path / "temp", list(wanted.values())) == []
    for url, path in wanted.items():
        layer.fetch(url, path, sparing=True)
    assert right(world, wanted) == set(wanted)
    assert (world.asked, world.reads) == ([], []), "the way for one file finds each of them current"


def test_a_file_that_changed_there_or_here_is_brought_anew(
    world: SmallWorld, wanted: dict[Url, Path], tmp_path: Path
) -> None:
    """By whoever fetches one: its copy may be another task's."""
    world.place("/l/1", b"newer")
    wanted[place("/l/2")].write_bytes(b"a module changed it")
    wanted[place("/l/3")].unlink()
    layer = small_layer(world, tmp_path / "temp")

    assert layer.fetch_small(wanted) == set(wanted) - {place(f"/l/{at}") for at in (1, 2, 3)}
    assert ["/l/2" in paths for paths in world.looked] == [False]
    for at in (1, 2, 3):
        layer.fetch(place(f"/l/{at}"), wanted[place(f"/l/{at}")])
    assert right(world, wanted) == set(wanted)


def test_what_is_here_and_what_is_not_come_together(world: SmallWorld, wanted: dict[Url, Path], tmp_path: Path) -> None:
    """What is here is asked about, the rest is brought, each once."""
    for at in range(40, 45):
        world.place(f"/l/{at}", os.urandom(50))
    wanted |= wanted_of(world, tmp_path / "out")
    assert small_layer(world, tmp_path / "temp").fetch_small(wanted) == set(wanted) == right(world, wanted)
    assert ([len(paths) for paths in world.looked], [len(paths) for paths in world.asked]) == ([COUNT], [5])


def test_a_place_that_somebody_has_is_left(world: SmallWorld, wanted: dict[Url, Path], tmp_path: Path) -> None:
    """Whoever writes it may change it."""
    with PlaceLocks(Books(tmp_path / "temp")) as locks:
        assert locks.take_now(settled(wanted[place("/l/4")]))
        done = small_layer(world, tmp_path / "temp").fetch_small(wanted)
    assert done == set(wanted) - {place("/l/4")}


def test_who_trusts_what_is_here_asks_nobody(world: SmallWorld, wanted: dict[Url, Path], tmp_path: Path) -> None:
    """As the setting says."""
    assert small_layer(world, tmp_path / "temp", trust_local=True).fetch_small(wanted) == set(wanted)
    assert (world.looked, world.asked) == ([], [])


def test_a_long_list_is_asked_about_by_the_batch_and_given_up_soon(tmp_path: Path) -> None:
    """A server that tells of nothing in a whole batch is not asked about the next."""
    world = world_of(2 * BATCH_FILES)
    wanted = wanted_of(world, tmp_path / "out")
    small_layer(world, tmp_path / "temp").fetch_small(wanted)
    assert small_layer(world, tmp_path / "temp").fetch_small(wanted) == set(wanted)
    assert [len(paths) for paths in world.looked] == [BATCH_FILES, BATCH_FILES]

    world.lies = dict.fromkeys(world.contents, "left out")
    assert small_layer(world, tmp_path / "temp").fetch_small(wanted) == set()
    assert len(world.looked) == 3


def test_a_task_that_is_told_to_stop_stops(world: SmallWorld, wanted: dict[Url, Path], tmp_path: Path) -> None:
    """What `check` raises comes out, and no place stays locked."""
    layer = small_layer(world, tmp_path / "temp")

    def check() -> None:
        if world.looked:
            raise KeyError

    layer.check = check
    with pytest.raises(KeyError):
        layer.fetch_small(wanted)
    assert held_locks(tmp_path / "temp", list(wanted.values())) == []


def test_an_answer_that_never_comes_keeps_no_process_from_ending(
    world: SmallWorld, wanted: dict[Url, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transfer that asks about one file at a time is asked in threads that are left behind."""
    asked, thaw = threading.Event(), threading.Event()

    def stat(_: Transfer, url: Url) -> RemoteFile:
        asked.set()
        thaw.wait(60)
        return RemoteFile(str(url))

    monkeypatch.setattr(SideBySide, "stat_many", Transfer.stat_many)
    monkeypatch.setattr(SideBySide, "stat", stat)
    layer = small_layer(world, tmp_path / "temp")

    def check() -> None:
        if asked.is_set():
            raise KeyError

    layer.check = check
    with pytest.raises(KeyError):
        layer.fetch_small(wanted)
    assert asking()
    assert all(thread.daemon for thread in asking())
    thaw.set()
    deadline = time.monotonic() + 20
    while asking():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def asking() -> list[threading.Thread]:
    """Return the threads that ask, also those that only begin."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("cc-stat")]
