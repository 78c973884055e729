"""What is particular about `file://`: this machine's own odd kinds of files, and no other machine's."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import Outgoing, TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.testing.transfer_reads import pattern, taken
from cryocloud_core.transfers.file import FileTransfer

LARGE = 3 << 20


@pytest.fixture
def files() -> FileTransfer:
    """Give the transfer."""
    return FileTransfer(TransferConfig())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give an empty directory."""
    made = tmp_path / "folder"
    made.mkdir()
    return made


def url_of(path: Path) -> Url:
    """Return the URL of a path."""
    return Url.parse(f"file://{path}")


def names(files: FileTransfer, folder: Path) -> list[str]:
    """Return the names that a listing has, below the folder."""
    return [each.url.removeprefix(f"file://{folder}/") for each in files.listing(url_of(folder))]


def test_this_machine_may_be_named(files: FileTransfer, folder: Path) -> None:
    """`localhost` or nothing; any other host is told how to be reached."""
    (folder / "a").write_bytes(b"12345")
    assert files.stat(Url.parse(f"file://localhost{folder}/a")).size_bytes == 5
    for host in ("other", "localhost:80", "me@localhost"):
        with pytest.raises(TransferError, match=r"write ssh://\w+") as caught:
            files.stat(Url.parse(f"file://{host}{folder}/a"))
        assert not caught.value.repeat


def test_a_url_without_a_path_is_refused(files: FileTransfer) -> None:
    """It names nothing."""
    with pytest.raises(TransferError, match="names no path"):
        files.stat(Url.parse("file://localhost"))


def test_a_pipe_is_not_waited_for(files: FileTransfer, folder: Path) -> None:
    """Opening one would wait for a writer."""
    os.mkfifo(folder / "pipe")
    for ask in (lambda: files.read(url_of(folder / "pipe")), lambda: names(files, folder)):
        with pytest.raises(TransferError, match="neither a file nor a directory"):
            ask()


def test_links_are_followed_unless_they_lead_back(files: FileTransfer, folder: Path) -> None:
    """As over ssh; our own unfinished files are left out, a link to nothing is told."""
    (folder / "tree").mkdir()
    (folder / "tree" / "a").write_bytes(b"1")
    (folder / "tree" / "up").symlink_to("..")
    (folder / "twin").symlink_to("tree")
    (folder / ".cc-1").write_bytes(b"1")
    assert sorted(names(files, folder)) == ["tree/a", "twin/a"]
    (folder / "broken").symlink_to("gone")
    with pytest.raises(RemoteFileMissing):
        names(files, folder)


def test_a_file_is_no_directory(files: FileTransfer, folder: Path) -> None:
    """It cannot be listed, and nothing can be below it."""
    (folder / "a").write_bytes(b"1")
    with pytest.raises(TransferError, match="is no directory"):
        names(files, folder / "a")
    with pytest.raises(TransferError, match="Not a directory"):
        files.stat(url_of(folder / "a" / "b"))


def test_a_file_that_changes_while_it_is_read_is_told(files: FileTransfer, folder: Path) -> None:
    """Written to, or cut."""
    for change in (lambda: (folder / "a").open("ab").close(), lambda: os.truncate(folder / "a", 10)):
        (folder / "a").write_bytes(pattern(LARGE))
        incoming = files.read(url_of(folder / "a"))
        next(incoming.chunks)
        change()
        os.utime(folder / "a", (1, 1))
        with pytest.raises(RemoteFileChanged):
            taken(incoming)


def test_a_directory_is_not_replaced(files: FileTransfer, folder: Path, source: Callable[..., Outgoing]) -> None:
    """The error says what is there; no draft stays."""
    (folder / "there").mkdir()
    with pytest.raises(TransferError, match="Is a directory"):
        files.put(source(b"1"), url_of(folder / "there"))
    assert [path.name for path in folder.iterdir()] == ["there"]


@pytest.mark.parametrize(("number", "remedy"), [(errno.ENOSPC, "make room"), (errno.EDQUOT, "the quota is used up")])
def test_a_full_disk_is_told_with_what_to_do(
    folder: Path, source: Callable[..., Outgoing], monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    """The system says so at the latest when the bytes are to be on the disk; no draft stays."""

    def full(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TransferError, match=f"{os.strerror(number)}; {remedy}"):
        FileTransfer(TransferConfig()).put(source(b"1"), url_of(folder / "f"))
    assert list(folder.iterdir()) == []


def test_nothing_is_removed(files: FileTransfer, folder: Path) -> None:
    """By its plain path it would be."""
    with pytest.raises(TransferError, match=f"cannot remove; name the plain path: {folder}/a"):
        files.remove(url_of(folder / "a"))
