"""Locks of places: who writes one is its only writer on this machine. As many at a time as somebody wants.

Laws: a place's lock is one byte, far out, of one file that nobody takes away, held through an open file of the holder's
own, so that two holders in one process keep each other off as two processes do, and the death of a process frees all;
where the system has no such locks, each place has a file to lock.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define, field

from cryocloud_core.files.bookkeeping import Books, key_of
from cryocloud_core.files.disk import told
from cryocloud_core.files.locks import FileLock, opened, waited

#: the kernel's `struct flock`: what to do, from where to count, the first byte, how many, nobody's process
_RANGE = struct.Struct("@hhqqi4x")
#: digits of a place's key that say which byte is its lock
_DIGITS = 15


@define(eq=False)
class PlaceLocks:
    """The locks of one holder; used from one thread at a time."""

    books: Books
    _descriptor: int = -1
    #: where there are no locks of single bytes
    _files: dict[Path, FileLock] = field(factory=dict)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of all."""
        self.release_all()

    def take_now(self, place: Path) -> bool:
        """Return True when a settled place is ours now, False when somebody has it. Raises StagingError."""
        if self._descriptor < 0:
            with told(self._path):
                self._descriptor = opened(self._path)
        try:
            _change(self._descriptor, fcntl.F_WRLCK, _byte_of(place), 1)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EINVAL:
                with told(self._path):
                    raise
            return self._files.setdefault(place, FileLock(self.books.lock(place))).take_now()
        return True

    @property
    def _path(self) -> Path:
        return self.books.folder("locks") / "places"

    @contextlib.contextmanager
    def held(self, place: Path, pause: Callable[[float], None]) -> Iterator[None]:
        """Hold a place for a while; `pause` waits some seconds and raises to stop the waiting."""
        with self:
            waited(lambda: self.take_now(place), pause)
            yield

    def release(self, place: Path) -> None:
        """Let go of one of several."""
        if place in self._files:
            self._files.pop(place).release()
        else:
            _change(self._descriptor, fcntl.F_UNLCK, _byte_of(place), 1)

    def release_all(self) -> None:
        """Let go of all, for copies of the descriptor in forked processes too."""
        while self._files:
            self._files.popitem()[1].release()
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with contextlib.suppress(OSError):
                _change(descriptor, fcntl.F_UNLCK, 0, 0)
            os.close(descriptor)


def _byte_of(place: Path) -> int:
    return int(key_of(place)[:_DIGITS], 16)


def _change(descriptor: int, change: int, first: int, count: int) -> None:
    """Lock or unlock some bytes of an open file, all for 0. Raises BlockingIOError, OSError with EINVAL elsewhere."""
    if sys.platform != "linux":
        raise OSError(errno.EINVAL, "bytes are not locked for an open file here")
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _RANGE.pack(change, os.SEEK_SET, first, count, 0))
