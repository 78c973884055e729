"""Writing the contents of an archive's members: here and now, or several at a time where cores are free.

Laws: few files are open at a time, however many members there are; the first failure ends all and is the one told;
big files are flushed to the disk while others are still being unpacked.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from attrs import define, field

from cryocloud_core.files.durable import sync_data
from cryocloud_core.files.member import Member

_CHUNK = 1024 * 1024
#: a smaller content is written where it is found: handing it over costs more
APART_BYTES = 64 * 1024
#: a file from here on is flushed as soon as it is written; small ones are flushed together at the end
FLUSH_BYTES = 8 * 1024 * 1024
#: seconds after which a wait looks whether it is to stop
_LOOK_S = 0.1
#: seconds; what a header claims beyond it is nonsense that disks refuse
_LAST_TIME = 2**33


class StoppedError(Exception):
    """Nothing more is to be written."""


@define(eq=False)
class Contents:
    """Writes contents into open files. `count` is told every number of bytes before they are written; it may raise."""

    count: Callable[[int], None]
    width: int
    _pool: Any = None
    _room: threading.Semaphore = field(init=False)
    _stopped: threading.Event = field(factory=threading.Event)
    _error: BaseException | None = None

    def __attrs_post_init__(self) -> None:
        self._room = threading.Semaphore(2 * self.width)

    def write(self, member: Member, descriptor: int, around: Callable[[], AbstractContextManager[None]]) -> None:
        """Write a member's content and close the file, now or soon; another thread does it inside of `around`.

        Raises what this or an earlier one raised.
        """
        if self.width < 2 or member.apart_bytes < APART_BYTES:
            _write(member, descriptor, self._tick)
            return
        try:
            while not self._room.acquire(timeout=_LOOK_S):
                self._tick(0)
            self._tick(0)
            self._threads().submit(self._apart, member, descriptor, around)
        except BaseException:
            os.close(descriptor)
            raise

    def finish(self) -> None:
        """Wait until everything is written. Raises the first error."""
        self._join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Write nothing more."""
        self._stopped.set()
        self._join()

    def _threads(self) -> Any:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self.width, "cc-unpack")
        return self._pool

    def _join(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None

    def _apart(self, member: Member, descriptor: int, around: Callable[[], AbstractContextManager[None]]) -> None:
        try:
            with around():
                _write(member, descriptor, self._tick)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that reads the archive
            self._error = self._error or error
            self._stopped.set()
        finally:
            self._room.release()

    def _tick(self, count: int) -> None:
        if self._stopped.is_set():
            raise self._error or StoppedError
        self.count(count)


def _write(member: Member, descriptor: int, count: Callable[[int], None]) -> None:
    """Write a content, give the file its time, close it."""
    assert member.open is not None
    try:
        size = 0
        with member.open() as source:
            while data := source.read(_CHUNK):
                count(len(data))
                size += len(data)
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
        if size >= FLUSH_BYTES:
            sync_data(descriptor)
        if member.modified_at is not None and 0 <= member.modified_at < _LAST_TIME:
            os.utime(descriptor, (member.modified_at, member.modified_at))
    finally:
        os.close(descriptor)
