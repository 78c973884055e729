"""Bringing one file: ranges at a time, what is sent again, what is noticed, and what an error leaves."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.errors import RemoteFileMissing, StagingError, TransferError
from cryocloud_core.files.moving import Moving
from cryocloud_core.sdk.transfer import Incoming
from cryocloud_core.sdk.url import Url
from tests.files.hostile import FailingDisk, Memory, Mischief, World, layer_of, place

DATA = os.urandom(200_000)
FAILURES = ("cut", "reset", "short", "freeze", "busy", "bug")


@pytest.fixture
def world() -> World:
    """Give a place with one file of 200 kB, which is read as ranges, told completely."""
    made = World()
    made.place("/f", DATA)
    return made


def files_in(folder: Path) -> list[str]:
    """Return what lies in a directory."""
    return sorted(path.name for path in folder.iterdir())


def test_a_large_file_is_read_as_ranges_that_cover_it_once(world: World, tmp_path: Path) -> None:
    """Pieces lie side by side, none is asked for twice, every byte is sent once."""
    layer_of(world, tmp_path / "temp").fetch(place("/f"), tmp_path / "out" / "f")
    asked = sorted((start, stop or len(DATA)) for _, start, stop in world.reads)

    assert (tmp_path / "out" / "f").read_bytes() == DATA
    assert len(asked) > 3
    assert [start for start, _ in asked] == [0, *[stop for _, stop in asked[:-1]]]
    assert world.sent == len(DATA)


@pytest.mark.parametrize("reason", ["small", "no ranges", "one stream", "no validator", "setting"])
def test_one_stream_where_several_do_not_pay(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    """A small file, a side without ranges or validator, and who says so, get one plain read."""
    from attrs import evolve

    changes = {"no ranges": {"ranges": False}, "one stream": {"streams": 1}}.get(reason, {})
    monkeypatch.setattr(Memory, "abilities", evolve(Memory.abilities, **changes))
    world.tells_validator = reason != "no validator"
    chosen = {"small": {"parallel_min_bytes": 10**6}, "setting": {"streams": 1}}.get(reason, {})
    layer_of(world, tmp_path / "temp", **chosen).fetch(place("/f"), tmp_path / "f")

    assert world.reads == [("/f", 0, None)]
    assert (tmp_path / "f").read_bytes() == DATA


@settings(max_examples=60, deadline=None)
@given(st.lists(st.builds(Mischief, st.sampled_from(FAILURES), st.integers(0, 60_000)), max_size=4))
def test_little_is_sent_again_after_failures(tmp_path_factory: pytest.TempPathFactory, wanted: list[Mischief]) -> None:
    """A failure costs at most the chunks that were on their way in each stream."""
    folder, world = tmp_path_factory.mktemp("again"), World(mischief=deque(wanted))
    world.place("/f", DATA)
    layer_of(world, folder / "temp").fetch(place("/f"), folder / "f")
    world.thaw.set()

    assert (folder / "f").read_bytes() == DATA
    assert world.sent <= len(DATA) * 1.1


def test_ignored_ranges_are_noticed_and_the_file_comes_as_one(world: World, tmp_path: Path) -> None:
    """A side that answers a range with everything is read from the start, once."""
    world.mischief = deque([Mischief("ignored")] * 3)
    layer_of(world, tmp_path / "temp").fetch(place("/f"), tmp_path / "f")

    assert (tmp_path / "f").read_bytes() == DATA
    assert world.reads[-1] == ("/f", 0, None)
    assert world.sent < 1.2 * len(DATA)


def test_a_changed_file_is_noticed_though_the_other_side_looks_at_no_validator(world: World, tmp_path: Path) -> None:
    """Every answer is compared with the version that was begun with, whatever was asked."""
    world.heeds_validator, world.tells_checksum = False, False
    world.mischief = deque([Mischief("cut", 70_000), Mischief("changed", 0, len(DATA))])
    layer_of(world, tmp_path / "temp", streams=1).fetch(place("/f"), tmp_path / "f")

    assert (tmp_path / "f").read_bytes() == world.contents["/f"] != DATA


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("refuses", [False, True])
def test_a_file_that_changes_meanwhile_comes_in_its_new_version(
    world: World, tmp_path: Path, streams: int, refuses: bool
) -> None:
    """Whether the other side refuses the old one or answers with the new one from its start."""
    world.refuses_others = refuses
    world.mischief = deque([Mischief("cut", 20_000), Mischief("changed", 0, 150_000)])
    layer_of(world, tmp_path / "temp", streams=streams).fetch(place("/f"), tmp_path / "f")

    assert (tmp_path / "f").read_bytes() == world.contents["/f"] != DATA


@pytest.mark.parametrize("size", [1, 100_000, 300_000])
def test_a_new_version_that_comes_from_its_start_is_taken_from_there(world: World, tmp_path: Path, size: int) -> None:
    """Shorter or longer than the old one: the answer that tells of it is read to its own end."""
    world.mischief = deque([Mischief("cut", 70_000), Mischief("changed", 0, size)])
    layer_of(world, tmp_path / "temp", streams=1).fetch(place("/f"), tmp_path / "f")

    assert (tmp_path / "f").read_bytes() == world.contents["/f"]
    assert len(world.reads) == 2


def test_a_file_of_unknown_size_that_gets_shorter_leaves_no_tail(world: World, tmp_path: Path) -> None:
    """A side that tells nothing but a validator, and that wrongly: what came before is not behind the new end."""
    world.tells_size = world.tells_checksum = False
    world.mischief = deque([Mischief("cut", 70_000), Mischief("shorter", 0, 50_000)])
    layer_of(world, tmp_path / "temp").fetch(place("/f"), tmp_path / "f")

    assert (tmp_path / "f").read_bytes() == world.contents["/f"]
    assert len(world.contents["/f"]) == 50_000


@pytest.mark.parametrize("streams", [1, 3])
def test_a_side_that_always_ends_early_is_given_up(world: World, tmp_path: Path, streams: int) -> None:
    """Without a word of why: after the repeats there is an error with both figures."""
    world.mischief = deque([Mischief("short", 0)] * 300)
    with pytest.raises(TransferError, match=r"ended after \d+ of \d+ bytes"):
        layer_of(world, tmp_path / "temp", streams=streams).fetch(place("/f"), tmp_path / "f")

    assert len(world.reads) <= 5 * streams


def test_a_resumed_file_that_comes_from_its_start_is_taken_from_there(world: World, tmp_path: Path) -> None:
    """After a cut the answer begins at byte 0 in place of the gap: nothing is put at a wrong place."""
    world.mischief = deque([Mischief("cut", 70_000), Mischief("ignored")])
    layer_of(world, tmp_path / "temp", streams=1).fetch(place("/f"), tmp_path / "f")

    assert (tmp_path / "f").read_bytes() == DATA
    assert [start for _, start, _ in world.reads] == [0, 70_000]


def test_a_full_disk_is_told_at_once_and_keeps_what_can_be_resumed(world: World, tmp_path: Path) -> None:
    """One error with a remedy and the URL, the old content untouched, and the next try goes on."""
    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(StagingError, match=r"^mem://host/f: .*No space left on device; make room") as told:
        layer_of(world, tmp_path / "temp", FailingDisk(room=90_000)).fetch(place("/f"), tmp_path / "f")

    assert not isinstance(told.value, TransferError)
    assert (tmp_path / "f").read_bytes() == b"old"
    sent = world.sent
    layer_of(world, tmp_path / "temp").fetch(place("/f"), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == DATA
    assert world.sent - sent < len(DATA)


def test_a_wrong_checksum_is_never_kept(world: World, tmp_path: Path) -> None:
    """A file whose bytes turn over the line each time ends as an error that shows both checksums."""
    world.mischief = deque([Mischief("flip", 5)] * 200)
    with pytest.raises(TransferError, match=r"came with sha256:[0-9a-f]{64} instead of sha256:") as told:
        layer_of(world, tmp_path / "temp").fetch(place("/f"), tmp_path / "out" / "f")

    assert told.value.repeat
    assert files_in(tmp_path / "out") == []


@pytest.mark.parametrize("kind", ["page", "junk", "refuse", "missing"])
def test_answers_that_are_no_file_leave_nothing(world: World, tmp_path: Path, kind: str) -> None:
    """Neither the target nor anything of ours is left beside it."""
    world.mischief = deque([Mischief(kind, 0, 7)] * 100)
    with pytest.raises(TransferError):
        layer_of(world, tmp_path / "temp", streams=1).fetch(place("/f"), tmp_path / "out" / "f")

    assert files_in(tmp_path / "out") == []


def test_a_web_page_with_the_right_checksum_is_the_file(world: World, tmp_path: Path) -> None:
    """What is stored as a page under another name is that page when a checksum says so, else it is refused."""
    world.media_type = "text/html"
    layer_of(world, tmp_path / "temp").fetch(place("/f"), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == DATA
    world.tells_checksum = False
    with pytest.raises(TransferError, match="web page"):
        layer_of(world, tmp_path / "temp2").fetch(place("/f"), tmp_path / "g")


def test_an_error_document_is_told_with_its_code(world: World, tmp_path: Path) -> None:
    """A 200 whose content is the error of an object store."""
    world.place("/f", b"<Error><Code>SlowDown</Code></Error>")
    world.media_type, world.tells_checksum = "application/xml", False
    with pytest.raises(TransferError, match="the error SlowDown"):
        layer_of(world, tmp_path / "temp").fetch(place("/f"), tmp_path / "f")


def test_a_missing_file_takes_the_unfinished_one_with_it(world: World, tmp_path: Path) -> None:
    """What is gone on the other side cannot be resumed."""
    world.mischief = deque([Mischief("cut", 5000), Mischief("missing")])
    with pytest.raises(RemoteFileMissing):
        layer_of(world, tmp_path / "temp", streams=1).fetch(place("/f"), tmp_path / "out" / "f")

    assert files_in(tmp_path / "out") == []


def test_progress_never_counts_a_byte_twice(world: World, tmp_path: Path) -> None:
    """Resumed, forgotten and repeated bytes end in exactly the size, told last with the file complete."""
    world.mischief = deque([Mischief("cut", 3000), Mischief("flip", 9), Mischief("ignored"), Mischief("cut", 1)])
    told: list[Moving] = []
    layer = layer_of(world, tmp_path / "temp")
    layer.told = told.append
    layer.fetch(place("/f"), tmp_path / "f")

    assert all(0 <= moving.done_bytes <= len(DATA) for moving in told)
    assert (told[-1].done_bytes, told[-1].size_bytes, told[-1].files_done) == (len(DATA), len(DATA), 1)


def test_a_stop_ends_a_fetch_within_a_second_though_the_other_side_is_frozen(tmp_path: Path) -> None:
    """In real time, with streams that hear nothing; what came is kept for the next try."""
    from cryocloud_core.files.terms import Clock

    world, stop = World(), threading.Event()
    world.place("/f", DATA)
    world.mischief = deque([Mischief("freeze", 9000)] * 3)
    layer = layer_of(world, tmp_path / "temp", idle_timeout_s=100.0)

    def check() -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    layer = type(layer)(layer.transfers, layer.settings, check, clock=Clock())
    began: list[float] = []

    def stop_soon() -> None:
        time.sleep(0.3)
        began.append(time.monotonic())
        stop.set()

    threading.Thread(target=stop_soon).start()
    with pytest.raises(KeyboardInterrupt):
        layer.fetch(place("/f"), tmp_path / "out" / "f")

    assert time.monotonic() - began[0] < 1
    assert [name[-5:] for name in files_in(tmp_path / "out")] == [".json", ".part"]
    world.thaw.set()


def test_a_read_that_only_says_that_nothing_came_ends(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up as a silent one is, and nobody goes on to listen to it."""
    closed = []

    def read(self: Memory, url: Url, *_: object) -> Incoming:
        def chunks() -> Iterator[bytes]:
            while True:
                world.clock.pass_time(0.5)
                time.sleep(0.001)
                yield b""

        return Incoming(world.told(url), chunks(), close=lambda: closed.append(url))

    monkeypatch.setattr(Memory, "read", read)
    with pytest.raises(TransferError, match="nothing moved"):
        layer_of(world, tmp_path / "temp", retries=1, streams=1).fetch(place("/f"), tmp_path / "f")
    until = time.monotonic() + 20
    while len(closed) < 2:
        assert time.monotonic() < until
        time.sleep(0.01)
