"""Files of this machine as a remote place: `file:///absolute/path`.

Laws: what holds for a real remote place holds here: a reader gets one version of a file, a name never holds half of
one that we put; nothing is removed.
"""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, ClassVar

from attrs import frozen

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import Abilities, Incoming, Outgoing, RemoteFile, Transfer
from cryocloud_core.sdk.url import Url

BLOCK = 1 << 20
#: our own unfinished files
PRIVATE = ".cc-"
_REMEDIES = {
    errno.ENOSPC: "make room on that disk, or name a place on a larger one",
    errno.EDQUOT: "the quota is used up: remove files, or ask for more",
}


class FileTransfer(Transfer):
    """Reads, lists and puts files of this machine."""

    abilities: ClassVar[Abilities] = Abilities(ranges=True, put=True, folders=True, listing=True, snapshots=True)

    def stat(self, url: Url) -> RemoteFile:
        """Return size and validator of a file or directory, links followed."""
        with _explained(url):
            return _told(str(url), _path(url).stat())

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Open the bytes from `start` up to `stop`."""
        with _explained(url):
            # A pipe without a writer would keep us waiting for one.
            file = os.fdopen(os.open(_path(url), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb", buffering=0)
        try:
            remote = _wanted(_told(str(url), os.fstat(file.fileno())), validator)
        except BaseException:
            file.close()
            raise
        size = remote.size_bytes or 0
        pieces = _pieces(url, file, remote, start, size if stop is None else min(stop, size))
        return Incoming(remote, pieces, start, file.close)

    def put(self, outgoing: Outgoing, url: Url) -> None:
        """Write a file to `url`, whole and durable, over what is there; parents are made."""
        target = _path(url)
        draft = target.with_name(f"{PRIVATE}{uuid.uuid4().hex}")
        try:
            with _explained(url):
                target.parent.mkdir(parents=True, exist_ok=True)
            for count in _copied(outgoing, draft, url):
                outgoing.moved(count)
            with _explained(url):
                draft.replace(target)
                _sync(target.parent)
        finally:
            draft.unlink(missing_ok=True)

    def listing(self, url: Url) -> Iterator[RemoteFile]:
        """Yield every file and every empty directory, at any depth; links are followed unless they lead back up."""
        with _explained(url):
            if not self.stat(url).is_directory:
                raise TransferError("is no directory", subject=str(url))
            top = _path(url)
            waiting = [_Folder(top, "", (os.path.realpath(top),))]
        base = url.text.rstrip("/")
        while waiting:
            folder, is_empty = waiting.pop(), True
            for path, below in _entries(folder, url):
                name, is_empty = f"{base}/{below}", False
                with _explained(Url.parse(name)):
                    there = _told(name, path.stat())
                if not there.is_directory:
                    yield there
                elif (real := os.path.realpath(path)) not in folder.reals:
                    waiting.append(_Folder(path, below, (*folder.reals, real)))
            if is_empty:
                yield RemoteFile(f"{base}/{folder.below}", is_directory=True)

    def make_folder(self, url: Url) -> None:
        """Make a directory and those above it; one that is there is fine."""
        with _explained(url):
            _path(url).mkdir(parents=True, exist_ok=True)

    def remove(self, url: Url) -> None:
        """Refuse: what is on this machine is removed by its plain path."""
        raise TransferError("file:// cannot remove", subject=str(url), remedy=f"name the plain path: {url.path}")


@frozen
class _Folder:
    """A directory of a tree: its name below the top, and the real paths of itself and those above it."""

    path: Path
    below: str
    reals: tuple[str, ...]


def _path(url: Url) -> Path:
    if url.host not in ("", "localhost") or url.port is not None or url.user is not None:
        remedy = f"write ssh://{url.server}{url.path}"
        raise TransferError(f"is a file on this machine, not on {url.server}", subject=str(url), remedy=remedy)
    if not url.path:
        raise TransferError("names no path", subject=str(url), remedy="write file:///absolute/path")
    return Path(url.path)


def _told(url: str, found: os.stat_result) -> RemoteFile:
    if stat.S_ISDIR(found.st_mode):
        return RemoteFile(url, is_directory=True)
    if not stat.S_ISREG(found.st_mode):
        raise TransferError("is neither a file nor a directory", subject=url)
    return RemoteFile(url, found.st_size, f"{found.st_size}-{found.st_mtime_ns}-{found.st_ino}")


def _wanted(remote: RemoteFile, validator: str | None) -> RemoteFile:
    if remote.is_directory:
        raise TransferError("is a directory", subject=remote.url)
    if validator not in (None, remote.validator):
        raise RemoteFileChanged("is no longer the file that was begun with", subject=remote.url)
    return remote


def _pieces(url: Url, file: BinaryIO, remote: RemoteFile, start: int, stop: int) -> Iterator[bytes]:
    with _explained(url), file:
        at = file.seek(start)
        while at < stop:
            piece = file.read(min(BLOCK, stop - at))
            if not piece:
                raise RemoteFileChanged("became shorter while it was read", subject=str(url))
            at += len(piece)
            yield piece
        if _told(str(url), os.fstat(file.fileno())).validator != remote.validator:
            raise RemoteFileChanged("was written to while it was read", subject=str(url))


def _copied(outgoing: Outgoing, draft: Path, url: Url) -> Iterator[int]:
    """Write our file to a new one, durable in the end; yield the size of each piece."""
    count = 0
    with _explained(url), outgoing.path.open("rb") as source, draft.open("xb", buffering=0) as target:
        while piece := source.read(BLOCK):
            view = memoryview(piece)
            while view:
                view = view[target.write(view) :]
            count += len(piece)
            yield len(piece)
        os.fsync(target.fileno())
    if count != outgoing.size_bytes:
        told = f"{outgoing.path} has {count} bytes now, {outgoing.size_bytes} were to be sent"
        raise TransferError(told, subject=str(url))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _entries(folder: _Folder, url: Url) -> Iterator[tuple[Path, str]]:
    with _explained(url):
        names = sorted(os.listdir(folder.path))  # noqa: PTH208 - the names alone
    for name in names:
        if not name.startswith(PRIVATE):
            yield folder.path / name, f"{folder.below}/{name}" if folder.below else name


@contextmanager
def _explained(url: Url) -> Iterator[None]:
    """Say what the system refused about `url`."""
    try:
        yield
    except FileNotFoundError as error:
        raise RemoteFileMissing("there is nothing of that name", subject=str(url)) from error
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "")
        raise TransferError(error.strerror or str(error), subject=str(url), remedy=remedy) from error
