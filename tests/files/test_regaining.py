"""Copies that were swept between two nodes: the later one finds them again, and is told when they are not the same."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cryocloud_core.errors import StagingError
from cryocloud_core.files import cache
from cryocloud_core.files.landing import Landing
from cryocloud_core.files.service import FileService
from cryocloud_core.sdk.url import Url
from tests.files.folder_transfer import clear, put, reads, staged, zipped

PATIENCE_S = 20.0


@pytest.fixture
def sweep(machine: Callable[..., FileService]) -> Callable[[], None]:
    """Give what another task does at its end on a disk that is too full, long after the last use of every copy."""

    def run() -> None:
        machine(cache_max_bytes=1, cache_sweep_every=0, cache_keep=0).remote.layer.sweep()

    return run


def handed_on(files: FileService, url: str, **how: object) -> str:
    """Return the path that a first node is given and hands on; the node has ended."""
    path = staged(files, url, **how)
    files.remote.release(sweep=False)
    return str(path[0] if isinstance(path, list) else path)


@pytest.mark.parametrize("url", ["s3://store/in/a.nc", "ssh://10.9.9.9/d/a.nc", "http://web/in/a.nc"])
def test_a_file_that_was_swept_is_there_for_the_next_node(
    url: str,
    servers: Path,
    machine: Callable[..., FileService],
    sweep: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Under the very path it was handed, and in use like any other."""
    put(servers, url.partition("://")[2], "content")
    path = handed_on(machine(), url)
    sweep()
    assert not os.path.lexists(path)

    user = machine()
    assert staged(user, path, "near") == path
    assert Path(path).read_text() == "content"
    sweep()
    assert os.path.lexists(path)
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
    user.remote.release(sweep=False)
    sweep()
    assert staged(machine(), path) == path  # and again


@pytest.mark.parametrize("url", ["s3://store/in/p/", "ssh://10.9.9.9/d/p"])
def test_a_file_in_a_directory_that_was_swept_is_there_too(
    url: str, servers: Path, machine: Callable[..., FileService], sweep: Callable[[], None]
) -> None:
    """The whole directory is, for the file has others beside it that belong to it."""
    place = url.partition("://")[2].rstrip("/")
    put(servers, f"{place}/deep/a", "a")
    put(servers, f"{place}/b", "b")
    path = handed_on(machine(), url)
    sweep()
    assert not os.path.lexists(path)

    assert staged(machine(), f"{path}/deep/a") == f"{path}/deep/a"
    assert (Path(path, "deep/a").read_text(), Path(path, "b").read_text()) == ("a", "b")


def test_what_was_unpacked_and_swept_is_unpacked_again(
    servers: Path, machine: Callable[..., FileService], sweep: Callable[[], None], tmp_path: Path
) -> None:
    """By many at once too; the archive itself does not stay, and who asks for it by its address finds it unpacked."""
    put(servers, "store/in/a.zip", zipped(one="1", two_a="2"))
    path = handed_on(machine(), "s3://store/in/a.zip", unzip=True)
    sweep()
    assert not os.path.lexists(path)

    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(staged(machine(), path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert found == [path] * 4
    assert Path(path).read_text() == "1"
    assert not list((tmp_path / "tmp").rglob("*.zip"))
    assert staged(machine(), "s3://store/in/a.zip", unzip=True)[0] == path
    assert reads("a.zip") == 2


def test_what_was_fetched_again_and_not_unpacked_by_a_task_that_died_is_unpacked(
    servers: Path, machine: Callable[..., FileService], sweep: Callable[[], None]
) -> None:
    """The archive is here, and what it was for is known still."""
    put(servers, "store/in/a.zip", zipped(one="1"))
    path = handed_on(machine(), "s3://store/in/a.zip", unzip=True)
    sweep()
    dead = machine()
    archive = Path(path).parent.with_name("a.zip")
    dead.remote.layer.fetch(Url.parse("s3://store/in/a.zip"), archive)
    dead.remote.release(sweep=False)

    assert staged(machine(), path) == path
    assert not archive.exists()
    assert reads("a.zip") == 2


def test_what_another_brought_and_swept_meanwhile_is_brought_again(
    servers: Path,
    machine: Callable[..., FileService],
    sweep: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While this one waited for it."""
    put(servers, "store/in/a.nc", "content")
    path = handed_on(machine(), "s3://store/in/a.nc")
    sweep()
    real, once = Landing.alone, ["once"]

    @contextlib.contextmanager
    def alone(landing: Landing, url: Url) -> Iterator[None]:
        is_first = bool(once) and once.pop()
        if is_first:
            handed_on(machine(), path)
        with real(landing, url):
            yield
        if is_first:
            sweep()

    monkeypatch.setattr(Landing, "alone", alone)
    user = machine()
    assert staged(user, path) == path
    sweep()
    assert Path(path).read_text() == "content"


def test_of_a_huge_directory_that_was_swept_little_stays_noted(
    servers: Path,
    machine: Callable[..., FileService],
    sweep: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Enough to fetch it again, not enough to say that it is the same."""
    monkeypatch.setattr(cache, "_NOTE_BYTES", 1000)
    for number in range(30):
        put(servers, f"store/in/p/{number}", "content")
    path = handed_on(machine(), "s3://store/in/p/")
    sweep()
    (note,) = (Path(path).parents[3] / "swept").iterdir()
    assert note.stat().st_size < 1000

    assert staged(machine(), path) == path
    assert len(list(Path(path).iterdir())) == 30
    assert "may be another version" in caplog.text


@pytest.mark.parametrize("kind", ["file", "directory", "archive"])
def test_another_version_than_was_handed_on_is_told(
    kind: str,
    servers: Path,
    machine: Callable[..., FileService],
    sweep: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The node runs with what there is, and the log says so."""
    url, place = {
        "file": ("s3://store/in/a", "store/in/a"),
        "directory": ("s3://store/in/p/", "store/in/p/a"),
        "archive": ("s3://store/in/a.zip", "store/in/a.zip"),
    }[kind]
    is_archive = kind == "archive"
    put(servers, place, zipped(a="old") if is_archive else "old")
    path = handed_on(machine(), url, unzip=is_archive)
    file = Path(path, "a") if kind == "directory" else Path(path)
    sweep()
    put(servers, place, zipped(a="newer") if is_archive else "newer")

    assert staged(machine(), path) == path
    assert file.read_text() == "newer"
    assert f"{path} may be another version" in caplog.text or f"{file.parent} may be another version" in caplog.text
    assert Path(staged(machine(), url, unzip=is_archive)[0] if is_archive else file).read_text() == "newer"


def test_an_old_versions_folder_with_new_contents_is_not_taken_for_the_old_version(
    servers: Path, machine: Callable[..., FileService], sweep: Callable[[], None]
) -> None:
    """The original may come back to what it was."""
    there = put(servers, "store/in/a.zip", zipped(a="old"))
    times = there.stat().st_mtime_ns
    path = handed_on(machine(), "s3://store/in/a.zip", unzip=True)
    sweep()
    put(servers, "store/in/a.zip", zipped(a="newer"))
    staged(machine(), path)
    put(servers, "store/in/a.zip", zipped(a="old"))
    os.utime(there, ns=(times, times))

    assert Path(staged(machine(), "s3://store/in/a.zip", unzip=True)[0]).read_text() == "old"


def test_what_has_no_original_any_more_is_told_with_both_places(
    servers: Path, machine: Callable[..., FileService], sweep: Callable[[], None]
) -> None:
    """Which path is missing, and from where it could not be had."""
    there = put(servers, "store/in/a.nc")
    path = handed_on(machine(), "s3://store/in/a.nc")
    sweep()
    clear(there)

    with pytest.raises(StagingError, match=rf"argument 'a': {path} was a copy .*s3://store/in/a\.nc"):
        staged(machine(), path)


def test_what_was_no_copy_of_ours_or_is_ours_no_more_is_not_fetched(
    servers: Path, machine: Callable[..., FileService], sweep: Callable[[], None], tmp_path: Path
) -> None:
    """A path nobody knows, one that was brought for good, and a file that somebody took out of a fetched directory."""
    put(servers, "store/in/p/a")
    put(servers, "store/in/p/b")
    files, target = machine(), tmp_path / "mine/p"
    files.remote.keep(Url.parse("s3://store/in/p/"), target.parent)
    folder = handed_on(files, "s3://store/in/p/")
    asked = reads("store")
    shutil.rmtree(target)
    Path(folder, "b").unlink()

    for path in (tmp_path / "none", target, Path(folder, "b")):
        with pytest.raises(StagingError, match="does not exist"):
            staged(machine(), str(path))
    assert reads("store") == asked
    sweep()
