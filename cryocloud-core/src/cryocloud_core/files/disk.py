"""What the layer does to this machine's disk, one small step each, with errors a person can act on.

Laws: every change that the layer makes to the disk is a method here; each is whole or not done; an OSError leaves as a
StagingError that says what to do about it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from cryocloud_core.errors import StagingError
from cryocloud_core.files.archives import private_name
from cryocloud_core.files.durable import libc, sync_all, sync_data, sync_file, sync_tree
from cryocloud_core.files.tempdirs import remove_tree

_NEW = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_OWN = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_EXCL
_ADD = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_APPEND
#: how often sweeps may take a directory away, which is empty, between our making it and using it
_SWEEPS = 20
T = TypeVar("T")
_REMEDIES = {
    errno.ENOSPC: "make room on that disk, set CryoCloud.Worker.cache_max_share lower, or .tempdir to a larger disk",
    errno.EDQUOT: "the quota is used up: remove files, or ask for more",
    errno.EROFS: "choose a directory that can be written",
    errno.EACCES: "choose a directory that can be written",
    errno.ENAMETOOLONG: "choose a shorter target",
    errno.ENOLCK: "set CryoCloud.Worker.tempdir to a disk on which files can be locked",
}


class Disk:
    """The real disk; tests hand in one that fails or stops at any step."""

    def open(self, path: Path) -> int:
        """Return a descriptor for reading and writing of a file that is made when it is not there."""

        def opened() -> int:
            _make_folders(path.parent)
            return os.open(path, _NEW, 0o666)

        with told(path):
            return _surely(opened)

    def open_to_add(self, path: Path) -> int:
        """Return a descriptor for adding to the end of a file that is made when it is not there."""
        with told(path):
            return os.open(path, _ADD, 0o666)

    def write(self, descriptor: int, data: bytes, at: int, path: Path) -> None:
        """Write all of `data` at an offset."""
        with told(path):
            view = memoryview(data)
            while view:
                written = os.pwrite(descriptor, view, at)
                view, at = view[written:], at + written

    def save(self, path: Path, data: bytes) -> os.stat_result:
        """Write a file that is not there yet, in one go, and return how it looks."""
        with told(path):
            descriptor = os.open(path, _OWN, 0o666)
            try:
                self.write(descriptor, data, 0, path)
                return os.fstat(descriptor)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            finally:
                os.close(descriptor)

    def reserve(self, descriptor: int, size_bytes: int, path: Path) -> None:
        """Make an empty file that long and take the room for it, where the file system can."""
        with told(path):
            room = os.fstatvfs(descriptor)
            if room.f_bavail * room.f_frsize < size_bytes:
                free = room.f_bavail * room.f_frsize
                raise OSError(errno.ENOSPC, f"needs {size_bytes:,} bytes, the disk has {free:,} left")
            fallocate = getattr(libc(), "fallocate64", None) or getattr(libc(), "fallocate", None)
            if fallocate is not None:
                failed = fallocate(descriptor, 0, ctypes.c_int64(0), ctypes.c_int64(size_bytes))
                number = ctypes.get_errno() if failed else 0
                if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise OSError(number, os.strerror(number), str(path))
            os.ftruncate(descriptor, size_bytes)

    def truncate(self, descriptor: int, size_bytes: int, path: Path) -> None:
        """Cut a file."""
        with told(path):
            os.ftruncate(descriptor, size_bytes)

    def flush(self, descriptor: int, path: Path) -> None:
        """Wait until what was written is on the disk."""
        with told(path):
            sync_data(descriptor)

    def note(self, path: Path, data: Mapping[str, Any], *, durable: bool = False) -> None:
        """Replace a file by JSON data, which only we can read."""
        fresh = path.with_name(private_name())
        with told(path):
            try:
                # A sidecar lies in a directory of others and names a URL, which may hold a secret.
                with open(fresh, "w", encoding="utf-8", opener=_private) as file:
                    file.write(json.dumps(data, separators=(",", ":")))
                if durable:
                    sync_file(fresh)
                fresh.replace(path)
            except OSError:
                fresh.unlink(missing_ok=True)
                raise

    def note_first(self, path: Path, data: Mapping[str, Any]) -> None:
        """Write JSON data where none is, which only we can read; cut off, it stands for nothing as before."""
        with told(path):
            descriptor = _private(str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            try:
                write_all(descriptor, json.dumps(data, separators=(",", ":")).encode())
            finally:
                os.close(descriptor)

    def add_line(self, descriptor: int, data: Any, path: Path) -> None:
        """Append JSON data as one line to an open file."""
        with told(path):
            write_all(descriptor, json.dumps(data, separators=(",", ":")).encode() + b"\n")

    def make_folder(self, path: Path) -> None:
        """Make a directory of a tree and those above it; the tree is settled as a whole."""
        with told(path):
            _surely(lambda: path.mkdir(parents=True, exist_ok=True))

    def rename(self, source: Path, target: Path, *, durable: bool = True) -> None:
        """Give a file or directory its name; a file replaces a file, with `durable` for good."""
        with told(target):
            os.replace(source, target)  # noqa: PTH105 - one step of thousands
            if durable:
                sync_file(target.parent)

    def replace_tree(self, source: Path, target: Path) -> None:
        """Give a file or directory the name that something of another kind may have, which is removed."""
        aside = target.with_name(private_name())
        self.swap_tree(source, target, aside)
        self.remove(aside)

    def swap_tree(self, source: Path, target: Path, aside: Path) -> None:
        """Give something the name that something else has, which is put aside, and keeps the name when that fails."""
        with told(target):
            target.rename(aside)
            try:
                source.rename(target)
            except BaseException:
                aside.rename(target)
                raise
            sync_file(target.parent)

    def settle(self, root: Path, files: list[Path]) -> None:
        """Wait until a whole tree is on the disk."""
        with told(root):
            sync_tree(root, files)

    def settle_all(self, paths: Sequence[Path]) -> None:
        """Wait until files and directories are on their disks."""
        with told(paths[0]):
            sync_all(paths)

    def used_share(self, folder: Path) -> float:
        """Return which part of the disk that holds a directory is used, from 0 to 1, as its users see it."""
        with told(folder):
            room = os.statvfs(folder)
        used = room.f_blocks - room.f_bfree
        return used / (used + room.f_bavail) if used + room.f_bavail else 0.0

    def unlink(self, path: Path) -> None:
        """Remove a file that may be gone already."""
        with told(path):
            path.unlink(missing_ok=True)

    def remove(self, path: Path) -> None:
        """Remove a file, or a whole directory whatever its modes, that may be gone already."""
        with told(path):
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                path.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _surely(step: Callable[[], T]) -> T:
    """Return what a step returns that makes the directories it needs, taken again when one vanished meanwhile."""
    for _ in range(_SWEEPS):
        with contextlib.suppress(FileNotFoundError):
            return step()
    return step()


def _make_folders(path: Path) -> None:
    """Make a directory and those above it that are missing, for good."""
    if path.is_dir():
        return
    _make_folders(path.parent)
    path.mkdir(exist_ok=True)
    sync_file(path.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it where an open file stands: on a disk that is all but full one call writes a part, and says so."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class told:  # noqa: N801 - read as a word: `with told(path)`; a generator would cost more than what it is about
    """Turns an OSError into a StagingError about `path`."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise StagingError for an OSError."""
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            remedy = _REMEDIES.get(error.errno or 0, "")
            raise StagingError(f"cannot be written here: {reason}", subject=str(self.path), remedy=remedy) from error
