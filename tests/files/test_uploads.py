"""Sending files: whole, verified, not twice, and never one that changes meanwhile."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.errors import CryoCloudError, RemoteFileMissing, StagingError, TransferError
from cryocloud_core.files.moving import Moving
from tests.files.hostile import Mischief, World, layer_of, place

DATA = os.urandom(10_000)


@pytest.fixture
def world() -> World:
    """Give an empty place."""
    return World()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Give a file of 10 kB."""
    path = tmp_path / "source"
    path.write_bytes(DATA)
    return path


def test_a_file_is_sent_once(world: World, source: Path, tmp_path: Path) -> None:
    """What is there with the same content is not sent again, another content is replaced."""
    world.place("/x", b"other")
    for _ in range(2):
        layer_of(world, tmp_path / "temp").put(source, place("/x"))

    assert world.contents["/x"] == DATA
    assert world.puts == ["/x"]


def test_how_much_is_to_be_sent_is_told_from_the_start(world: World, source: Path, tmp_path: Path) -> None:
    """So that whoever looks sees a part of the whole."""
    told: list[Moving] = []
    layer = layer_of(world, tmp_path / "temp")
    layer.told = told.append
    layer.put(source, place("/x"))

    assert {moving.size_bytes for moving in told} == {len(DATA)}
    assert (told[0].done_bytes, told[-1].done_bytes) == (0, len(DATA))


def test_a_side_that_tells_no_checksum_gets_it_again(world: World, source: Path, tmp_path: Path) -> None:
    """The same size alone is no proof."""
    world.tells_checksum = False
    for _ in range(2):
        layer_of(world, tmp_path / "temp").put(source, place("/x"))

    assert world.puts == ["/x", "/x"]


@pytest.mark.parametrize("kind", ["cut", "truncate", "flip", "freeze", "busy", "bug"])
def test_an_upload_that_went_wrong_is_repeated(world: World, source: Path, tmp_path: Path, kind: str) -> None:
    """Cut, truncated, turned over, frozen, busy: in the end the other side has exactly the file."""
    world.mischief = deque([Mischief("none"), Mischief(kind, 5000), Mischief(kind, 1000)])
    if kind not in ("busy", "freeze"):
        world.mischief.popleft()
    layer_of(world, tmp_path / "temp").put(source, place("/x"))
    world.thaw.set()

    assert world.contents["/x"] == DATA


def test_a_truncated_upload_is_noticed_by_its_size_alone(world: World, source: Path, tmp_path: Path) -> None:
    """Also where there is no checksum; repeated so often, the error says both sizes."""
    world.tells_checksum = False
    world.mischief = deque([Mischief("truncate", 5000)] * 50)
    with pytest.raises(TransferError, match="has 5000 bytes there after 10000 were sent"):
        layer_of(world, tmp_path / "temp").put(source, place("/x"))


def test_a_file_that_changes_while_it_is_sent_is_not_put(world: World, source: Path, tmp_path: Path) -> None:
    """The other side keeps what it had; no repeat helps before the writer is done."""
    world.place("/x", b"good")
    world.mischief = deque([Mischief("grow", 5000)])
    with pytest.raises(TransferError, match="was changed while it was sent") as told:
        layer_of(world, tmp_path / "temp").put(source, place("/x"))

    assert world.contents["/x"] == b"good"
    assert not told.value.repeat


def test_a_directory_is_sent_file_by_file(world: World, tmp_path: Path) -> None:
    """With names of all kinds, links to files and directories followed, unfinished data left out."""
    root = tmp_path / "out"
    (root / "sub").mkdir(parents=True)
    for name in ("a b", "sub/#?%é", ".hidden", ".cc-1.part"):
        (root / name).write_text(name)
    (root / "link").symlink_to(root / "a b")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "y").write_text("y")
    (root / "dir").symlink_to(tmp_path / "elsewhere")
    told: list[Moving] = []
    layer = layer_of(world, tmp_path / "temp")
    layer.told = told.append
    layer.put(root, place("/up/"))

    names = {"a b": "a b", "sub/#?%é": "sub/#?%é", ".hidden": ".hidden", "link": "a b", "dir/y": "y"}
    assert world.contents == {f"/up/{name}": text.encode() for name, text in names.items()}
    assert (told[-1].files_done, told[-1].done_bytes) == (5, told[-1].size_bytes)


@pytest.mark.parametrize("kind", ["missing", "empty", "fifo", "loop"])
def test_what_cannot_be_sent_is_told(world: World, tmp_path: Path, kind: str) -> None:
    """Nothing there, nothing in it, no regular file, a directory inside itself."""
    root = tmp_path / "out"
    if kind != "missing":
        root.mkdir()
    if kind == "fifo":
        os.mkfifo(root / "pipe")
    if kind == "loop":
        (root / "f").write_text("f")
        (root / "again").symlink_to(root)
    with pytest.raises(StagingError, match="cannot be sent: "):
        layer_of(world, tmp_path / "temp").put(root, place("/x"))


def test_removing_is_repeated_but_a_missing_file_is_told(world: World, tmp_path: Path) -> None:
    """A lost answer does not make a removed file missing; one that was never there is."""
    world.place("/x", b"x")
    world.mischief = deque([Mischief("busy", 0, 1)])
    layer = layer_of(world, tmp_path / "temp")
    layer.remove(place("/x"))

    assert "/x" not in world.contents
    with pytest.raises(RemoteFileMissing):
        layer.remove(place("/x"))


KINDS = ("cut", "truncate", "flip", "freeze", "frozen", "busy", "refuse", "bug", "missing", "grow")
ONE = st.builds(Mischief, st.sampled_from(KINDS), st.integers(0, 12_000), st.integers(0, 30).map(float))


@settings(max_examples=80, deadline=None)
@given(st.lists(ONE, max_size=6))
def test_a_put_that_returns_has_put_the_file(tmp_path_factory: pytest.TempPathFactory, wanted: list[Mischief]) -> None:
    """Whatever goes wrong: returned means there, with the content the file has."""
    folder = tmp_path_factory.mktemp("put")
    world, source = World(mischief=deque(wanted)), folder / "source"
    source.write_bytes(DATA)
    try:
        layer_of(world, folder / "temp").put(source, place("/x"))
    except CryoCloudError:
        return
    finally:
        world.thaw.set()

    assert world.contents["/x"] == source.read_bytes()
