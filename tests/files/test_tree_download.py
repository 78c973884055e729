"""Fetching directories: whole or not at all, resumed file by file, used again only if nothing in them changed."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.errors import CryoCloudError, RemoteFileMissing, TransferError
from cryocloud_core.files import tree_download
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.moving import Moving
from cryocloud_core.files.terms import Clock
from cryocloud_core.sdk.transfer import Incoming
from tests.files.hostile import FailingDisk, Killed, Memory, Mischief, World, layer_of, place

CONTENTS = {"a": b"1" * 10, "b c": b"", "sub/é": b"2" * 5000, "sub/deep/z": b"3" * 20_000, "sub/#?%": b"4"}


def world_of(contents: dict[str, bytes]) -> World:
    """Return a world with a directory `/d`."""
    made = World()
    for name, data in contents.items():
        made.place(f"/d/{name}", data)
    return made


def found_in(folder: Path) -> dict[str, bytes]:
    """Return every file below a directory."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_tree_is_what_lies_below(tmp_path: Path) -> None:
    """All files with their names, nothing else, and nothing beside it."""
    layer_of(world_of(CONTENTS), tmp_path / "temp").fetch_tree(place("/d"), tmp_path / "out" / "d")

    assert found_in(tmp_path / "out" / "d") == CONTENTS
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["d"]


def test_an_empty_prefix_is_missing(tmp_path: Path) -> None:
    """Where there is no file there is no directory."""
    for url in ("/none", "/none/"):
        with pytest.raises(RemoteFileMissing, match="no file below"):
            layer_of(world_of(CONTENTS), tmp_path / "temp").fetch_tree(place(url), tmp_path / "d")


def test_an_unchanged_tree_is_used_again_a_changed_one_is_not(tmp_path: Path) -> None:
    """A change, a new file, a lost one there, or one that is gone here: the tree is fetched again, whole."""
    world, target = world_of(CONTENTS), tmp_path / "d"

    def reads() -> int:
        before = len(world.reads)
        layer = layer_of(world, tmp_path / "temp")
        layer.fetch_tree(place("/d"), target)
        layer.release_all()
        assert found_in(target) == {p.removeprefix("/d/"): data for p, data in world.contents.items()}
        return len(world.reads) - before

    assert reads() > 0
    assert reads() == 0
    for change in (
        lambda: world.place("/d/a", b"new"),
        lambda: world.place("/d/new", b"x"),
        lambda: world.contents.pop("/d/a"),
        (target / "sub" / "deep" / "z").unlink,
        (target / "new").unlink,
    ):
        change()
        assert reads() > 0
        assert reads() == 0


def test_an_interrupted_tree_goes_on_with_what_is_still_listed(tmp_path: Path) -> None:
    """Complete files are kept if they are listed unchanged; a changed one comes again, a lost one is not there."""
    names = [f"{n:02}" for n in range(20)]
    world = world_of({name: os.urandom(2000) for name in names})
    world.mischief = deque([*[Mischief("none")] * 12, *[Mischief("refuse")] * 8])
    with pytest.raises(TransferError):
        layer_of(world, tmp_path / "temp", transfers_per_host=1).fetch_tree(place("/d"), tmp_path / "d")
    assert not (tmp_path / "d").exists()
    world.mischief.clear()
    world.place("/d/00", b"changed")
    del world.contents["/d/01"]
    before = len(world.reads)
    layer_of(world, tmp_path / "temp").fetch_tree(place("/d"), tmp_path / "d")

    assert found_in(tmp_path / "d") == {p.removeprefix("/d/"): data for p, data in world.contents.items()}
    assert {path for path, _, _ in world.reads[before:]} == {"/d/00", *(f"/d/{name}" for name in names[11:])}


def test_complete_files_do_not_outlive_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not flushed when the machine stopped may have the right size and the wrong bytes: it comes again."""
    world = world_of({f"{n}": b"x" * 2000 for n in range(9)})
    world.mischief = deque([*[Mischief("none")] * 5, *[Mischief("refuse")] * 8])
    with pytest.raises(TransferError):
        layer_of(world, tmp_path / "temp", transfers_per_host=1).fetch_tree(place("/d"), tmp_path / "d")
    monkeypatch.setattr(tree_download, "boot_id", lambda: "another")
    world.mischief.clear()
    world.reads.clear()
    layer_of(world, tmp_path / "temp").fetch_tree(place("/d"), tmp_path / "d")

    assert len(world.reads) == 9


def test_many_files_come_at_a_time_but_not_more_than_the_host_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as there are slots are under way together, over two trees of one host as well."""
    world, real, lock = world_of({f"{n}": b"x" * 50 for n in range(24)}), Memory.read, threading.Lock()
    barrier, inside, most = threading.Barrier(4), 0, 0

    def read(self: Memory, *wanted: Any) -> Incoming:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        barrier.wait(20)
        with lock:
            inside -= 1
        return real(self, *wanted)

    monkeypatch.setattr(Memory, "read", read)
    made = layer_of(world, tmp_path / "temp", transfers_per_host=4)

    def fetch(name: str) -> None:
        Layer(made.transfers, made.settings, clock=Clock()).fetch_tree(place("/d"), tmp_path / name)

    threads = [threading.Thread(target=fetch, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert most == 4
    assert [len(found_in(tmp_path / name)) for name in "ab"] == [24, 24]


def test_progress_counts_bytes_and_files_of_the_whole_tree(tmp_path: Path) -> None:
    """The last thing told is everything."""
    told: list[Moving] = []
    layer = layer_of(world_of(CONTENTS), tmp_path / "temp")
    layer.told = told.append
    layer.fetch_tree(place("/d"), tmp_path / "d")
    size = sum(map(len, CONTENTS.values()))

    assert (told[-1].done_bytes, told[-1].size_bytes, told[-1].files_done, told[-1].files) == (size, size, 5, 5)


KINDS = ("cut", "short", "junk", "flip", "ignored", "freeze", "frozen", "busy", "refuse", "missing", "changed")
ONE = st.builds(Mischief, st.sampled_from(KINDS), st.integers(0, 3000), st.integers(0, 30).map(float))


@settings(max_examples=60, deadline=None)
@given(st.lists(ONE, max_size=6), st.none() | st.integers(0, 120), st.booleans())
def test_a_tree_is_whole_or_what_it_was(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[Mischief], dies: int | None, old: bool
) -> None:
    """Whatever goes wrong and wherever the process dies, the target is nothing, the old tree or a whole new one."""
    folder = tmp_path_factory.mktemp("tree")
    world, target = world_of({"a": b"old"}), folder / "d"
    if old:
        layer = layer_of(world, folder / "temp")
        layer.fetch_tree(place("/d"), target)
        layer.release_all()
    for name, data in CONTENTS.items():
        world.place(f"/d/{name}", data)
    world.mischief = deque(wanted)
    layer = layer_of(world, folder / "temp", FailingDisk(dies))
    with contextlib.suppress(CryoCloudError, Killed):
        layer.fetch_tree(place("/d"), target)
    layer.release_all()
    found = found_in(target) if target.exists() else None
    if found is not None and found != {"a": b"old"}:
        assert found.keys() == CONTENTS.keys()
        assert all(data in world.versions[f"/d/{name}"] for name, data in found.items())
    world.mischief.clear()
    world.thaw.set()
    layer_of(world, folder / "temp").fetch_tree(place("/d"), target)

    assert found_in(target) == {p.removeprefix("/d/"): data for p, data in world.contents.items()}
