"""dirwatcher on real directories: what arrives, what does not, restarts, disks that go away."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.testing.inputs import RecordingHandler, RunningInput, running
from cryocloud_modules_builtin import dirwatcher, scanning

QUIET_S = 0.1


@pytest.fixture
def polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without events, as on a network disk, and look more often than there."""
    monkeypatch.setattr(dirwatcher, "is_network_disk", lambda _path: True)
    monkeypatch.setattr(dirwatcher, "POLL_S", 0.05)


def once(src: Path, handler: RecordingHandler | None = None, **args: Any) -> RecordingHandler:
    """Report what is there, then return."""
    handler = handler or RecordingHandler()
    handler.once = True
    RunningInput(dirwatcher, handler, {"src": str(src), "stabilize": QUIET_S, **args}).join()
    return handler


def names(handler: RecordingHandler) -> list[str]:
    """Return the paths that arrived, below the watched directory, sorted."""
    return sorted(arrival.info["relpath"] for arrival in handler.arrivals)


def watching(src: Path, handler: RecordingHandler, **args: Any) -> Any:
    """Watch for the length of a block."""
    return running(dirwatcher, handler, {"src": str(src), "stabilize": QUIET_S, **args})


def wait_until_ready(handler: RecordingHandler) -> None:
    """Wait until the directory is watched."""
    deadline = time.monotonic() + 10
    while not handler.records.texts("INFO") and time.monotonic() < deadline:
        time.sleep(0.01)


def settle(handler: RecordingHandler, count: int) -> None:
    """Wait for arrivals, and long enough that one too many would have come."""
    handler.wait_for(count)
    time.sleep(4 * QUIET_S)
    assert len(handler.arrivals) == count, names(handler)


def test_what_is_there_is_reported_once_and_start_returns(src: Path) -> None:
    """With `once` existing files and directories arrive with all their outputs, then `start` returns."""
    (src / "a.zip").write_bytes(b"12345")
    (src / "product" / "sub").mkdir(parents=True)
    (src / "product" / "sub" / "x").write_bytes(b"123")
    (src / "product" / "y").write_bytes(b"12")
    os.utime(src / "a.zip", (1, 1000.5))
    os.utime(src / "product" / "y", (1, 2_000_000_000))

    handler = once(src)
    a, product = (arrival.info for arrival in handler.arrivals)
    full = str(src / "a.zip")
    assert a == {"fullpath": full, "relpath": "a.zip", "datasize": 5, "isdir": False, "mtime": 1000.5}
    assert (product["relpath"], product["datasize"], product["isdir"]) == ("product", 5, True)
    assert product["mtime"] == 2_000_000_000
    assert handler.waited_for == [1, 2]
    assert handler.arrivals[0].key == f"{full}|1"
    assert handler.arrivals[0].memo == {"path": full, "size": 5, "mtime": 1000.5, "generation": 1}


def test_once_on_an_empty_directory_returns(src: Path) -> None:
    """Nothing there is no reason to wait."""
    assert once(src).arrivals == []


def test_recursive_reports_files_at_any_depth_and_no_directories(src: Path) -> None:
    """Hidden directories and loops of links are not entered."""
    for path in ["top", "d/e/deep", ".hidden/x", "d/.part"]:
        (src / path).parent.mkdir(parents=True, exist_ok=True)
        (src / path).write_text(path)
    (src / "d" / "loop").symlink_to(src)

    assert names(once(src, recursive="true")) == ["d/e/deep", "top"]


@pytest.mark.parametrize("recursive", [False, True])
def test_our_own_files_and_dotfiles_are_not_there(src: Path, *, recursive: bool) -> None:
    """What was unpacked beside the input, half-fetched files and dotfiles make no pebbles."""
    (src / "a").mkdir()
    (src / "a" / ".cc_unpacked").write_text("{}")
    (src / "a" / "content").write_text("x")
    (src / ".cc-123").mkdir()
    (src / ".cc-123" / "x").write_text("x")
    (src / ".a.zip.part").write_text("x")
    (src / "a.zip").write_text("x")

    assert names(once(src, recursive=recursive)) == ["a.zip"]


def test_links_to_files_are_followed_and_dangling_ones_ignored(src: Path, tmp_path: Path) -> None:
    """A link counts as what it points to; pipes are no files."""
    (tmp_path / "real").write_bytes(b"1234")
    (src / "link").symlink_to(tmp_path / "real")
    (src / "dangling").symlink_to(tmp_path / "nothing")
    os.mkfifo(src / "pipe")

    assert [arrival.info["datasize"] for arrival in once(src).arrivals] == [4]


def test_any_name_survives(src: Path, hostile: str) -> None:
    """Names come through as the system has them, also through a restart."""
    (src / hostile).write_text("x")
    handler = once(src)

    assert [arrival.info["fullpath"] for arrival in handler.arrivals] == [f"{src}/{hostile}"]
    assert Path(handler.arrivals[0].info["fullpath"]).read_text() == "x"
    assert once(src, handler.restarted()).arrivals == []


def test_patterns_choose_by_name_or_by_path(src: Path) -> None:
    """A pattern with a slash is held against the path below src."""
    for path in ["a.zip", "b.tif", "d/c.zip", "e/c.zip"]:
        (src / path).parent.mkdir(exist_ok=True)
        (src / path).write_text("x")

    assert names(once(src, recursive=True, pattern="*.zip")) == ["a.zip", "d/c.zip", "e/c.zip"]
    assert names(once(src, recursive=True, pattern=["d/*", "*.tif"])) == ["b.tif", "d/c.zip"]


@pytest.mark.parametrize("mode", ["events", "polling"])
def test_files_that_arrive_are_reported(
    src: Path, handler: RecordingHandler, mode: str, request: pytest.FixtureRequest
) -> None:
    """A written file, one renamed in with an old time, and a directory arrive once; a growing one when it rests."""
    if mode == "polling":
        request.getfixturevalue("polling")
    with watching(src, handler, stabilize=0.3):
        (src / "written").write_text("x")
        outside = src.parent / "outside"
        outside.write_text("x")
        os.utime(outside, (1, 1))
        outside.rename(src / "renamed")
        (src / "dir").mkdir()
        (src / "dir" / "x").write_text("x")
        began = time.monotonic()
        with (src / "growing").open("w") as growing:
            while time.monotonic() - began < 0.6:
                growing.write("x" * 10_000)
                growing.flush()
                time.sleep(0.02)
        handler.wait_for(4)

    sizes = {arrival.info["relpath"]: arrival.info["datasize"] for arrival in handler.arrivals}
    assert sizes == {"written": 1, "renamed": 1, "dir": 1, "growing": (src / "growing").stat().st_size}
    assert handler.repeats == []


def test_new_subdirectories_are_followed(src: Path, handler: RecordingHandler) -> None:
    """Files in directories that are made, or moved in as a whole, while watching arrive."""
    with watching(src, handler, recursive=True):
        wait_until_ready(handler)
        (src / "d" / "e").mkdir(parents=True)
        (src / "d" / "e" / "x").write_text("x")
        moved = src.parent / "moved"
        (moved / "f").mkdir(parents=True)
        (moved / "f" / "y").write_text("y")
        moved.rename(src / "m")
        settle(handler, 2)

    assert names(handler) == ["d/e/x", "m/f/y"]


def test_changed_later_is_ignored_and_made_again_is_new(src: Path, handler: RecordingHandler) -> None:
    """Each path once; after it was deleted it is a new generation with a key of its own."""
    path = src / "a"
    with watching(src, handler):
        path.write_text("x")
        settle(handler, 1)
        path.write_text("changed")
        time.sleep(4 * QUIET_S)
        path.unlink()
        path.write_text("again")
        settle(handler, 2)

    assert [arrival.key for arrival in handler.arrivals] == [f"{path}|1", f"{path}|2"]
    assert list(handler.known()) == [f"{path}|2"]


def test_a_moved_away_subtree_is_given_back(
    src: Path, handler: RecordingHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a directory leaves, all keys below it are forgotten, and its return is new."""
    monkeypatch.setattr(dirwatcher, "POLL_S", 0.05)
    (src / "d").mkdir()
    (src / "d" / "x").write_text("x")
    (src / "stays").write_text("x")
    with watching(src, handler, recursive=True):
        settle(handler, 2)
        (src / "d").rename(src.parent / "d")
        deadline = time.monotonic() + 10
        while len(handler.known()) > 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        (src.parent / "d").rename(src / "d")
        settle(handler, 3)

    assert handler.arrivals[2].key == f"{src}/d/x|2"


@pytest.mark.parametrize("how", ["written", "renamed"])
def test_closed_reports_at_once(src: Path, handler: RecordingHandler, how: str) -> None:
    """With `closed` the writer's close, or a rename into the directory, needs no quiet time."""
    with watching(src, handler, stabilize=1000, closed=True):
        wait_until_ready(handler)
        began = time.monotonic()
        if how == "written":
            (src / "a").write_text("whole")
        else:
            (src.parent / "a").write_text("whole")
            (src.parent / "a").rename(src / "a")
        handler.wait_for(1)
        assert time.monotonic() - began < 5
        with (src / "open").open("w") as still_open:
            still_open.write("half")
            still_open.flush()
            time.sleep(0.2)
            assert len(handler.arrivals) == 1


def test_a_link_to_a_directory_is_watched(src: Path, handler: RecordingHandler) -> None:
    """Events come from where it points to, paths are told as the user wrote them."""
    link = src.parent / "link"
    link.symlink_to(src)
    with watching(link, handler, stabilize=1000, closed=True):
        wait_until_ready(handler)
        (src / "a").write_text("whole")
        handler.wait_for(1)

    assert handler.arrivals[0].info["fullpath"] == f"{link}/a"


def test_a_restart_repeats_nothing_and_finds_the_rest(src: Path) -> None:
    """Unchanged: known. Changed, or arrived meanwhile: new. Gone: forgotten."""
    for name in ["same", "changed", "gone"]:
        (src / name).write_text("x")
    first = once(src)
    (src / "changed").write_text("xx")
    (src / "gone").unlink()
    (src / "meanwhile").write_text("x")

    second = once(src, first.restarted())
    assert names(second) == ["changed", "meanwhile"]
    assert sorted(memo["path"] for memo in second.known().values()) == [
        f"{src}/{name}" for name in ["changed", "meanwhile", "same"]
    ]


def test_an_arrival_that_was_not_committed_is_reported_again(src: Path) -> None:
    """A crash before the commit loses nothing."""
    (src / "a").write_text("x")
    handler = RecordingHandler(once=True)
    handler.hold()
    started = RunningInput(dirwatcher, handler, {"src": str(src), "stabilize": QUIET_S})
    handler.wait_for(1)
    assert not started.has_returned
    after_crash = handler.restarted()
    handler.release()
    started.join()

    assert names(once(src, after_crash)) == ["a"]


@pytest.mark.parametrize("mode", ["events", "polling"])
def test_a_directory_that_disappears_is_waited_for(
    src: Path, handler: RecordingHandler, mode: str, request: pytest.FixtureRequest
) -> None:
    """A WARNING, no end; when it is back only what is new arrives."""
    if mode == "polling":
        request.getfixturevalue("polling")
    (src / "old").write_text("x")
    with watching(src, handler) as started:
        handler.wait_for(1)
        src.rename(src.parent / "away")
        deadline = time.monotonic() + 10
        while not handler.records.texts("WARNING") and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not started.has_returned
        (src.parent / "away" / "new").write_text("x")
        (src.parent / "away").rename(src)
        settle(handler, 2)
        (src / "later").write_text("x")
        settle(handler, 3)

    assert names(handler) == ["later", "new", "old"]
    assert "cannot read" in handler.records.texts("WARNING")[0]


def test_an_unreadable_directory_is_told_and_not_forgotten(src: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read for a while is neither gone nor new."""
    (src / "d").mkdir()
    (src / "d" / "x").write_text("x")
    (src / "y").write_text("y")
    first = once(src, recursive=True)
    real = os.scandir

    def refuse(path: str) -> Iterator[os.DirEntry[str]]:
        if path == f"{src}/d":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(scanning.os, "scandir", refuse)
    second = once(src, first.restarted(), recursive=True)
    assert len(second.known()) == 2
    assert second.records.texts("WARNING") == [f"dirwatcher: cannot read {str(src / 'd')!r}: Permission denied"]


@pytest.mark.usefixtures("polling")
def test_a_directory_that_disappears_during_a_look_forgets_nothing(
    src: Path, handler: RecordingHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing in a look because the whole directory left is not gone: its return repeats nothing."""
    (src / "old").write_text("x")
    left = threading.Event()
    list_directory = scanning.os.scandir

    def list_and_leave(path: str) -> Any:
        found = list_directory(path)
        if handler.arrivals and not left.is_set():
            left.set()
            src.rename(src.parent / "away")
        return found

    monkeypatch.setattr(scanning.os, "scandir", list_and_leave)
    with watching(src, handler):
        handler.wait_for(1)
        assert left.wait(10)
        time.sleep(0.2)
        (src.parent / "away").rename(src)
        (src / "new").write_text("x")
        settle(handler, 2)

    assert names(handler) == ["new", "old"]
