"""Locks between the processes of a machine that free themselves when their holder dies.

Laws: a lock is a flock on a file of our own; whoever holds it holds the file that has the name now, so that a sweeper
may take away a lock nobody has; waiting looks up often enough to be stopped.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import define

from cryocloud_core.files.disk import told

_OPEN = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
#: seconds between two looks at a lock that somebody has: short at first, for most are held briefly
FIRST_LOOK_S = 0.005
LAST_LOOK_S = 0.1


@define(eq=False)
class FileLock:
    """One lock, for one holder, or shared by many. Not held when made."""

    path: Path
    shared: bool = False
    _descriptor: int | None = None

    def take_now(self) -> bool:
        """Return True when it is ours now, False when somebody has it. Raises StagingError."""
        while self._descriptor is None:
            with told(self.path):
                descriptor = opened(self.path)
                if not lock_now(descriptor, shared=self.shared):
                    os.close(descriptor)
                    return False
                if is_at(descriptor, self.path):
                    self._descriptor = descriptor
                else:  # taken away between opening and locking
                    os.close(descriptor)
        return True

    def take(self, pause: Callable[[float], None]) -> None:
        """Wait until it is ours; `pause` waits some seconds and raises to stop the waiting."""
        waited(self.take_now, pause)

    def release(self) -> None:
        """Let go of it, for copies of the descriptor in forked processes too."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def discard(self) -> None:
        """Take the file of a lock that we hold away, and let go."""
        try:
            self.path.unlink(missing_ok=True)
        finally:
            self.release()

    @contextlib.contextmanager
    def held(self, pause: Callable[[float], None]) -> Iterator[None]:
        """Hold it for a while."""
        self.take(pause)
        try:
            yield
        finally:
            self.release()


def opened(path: Path) -> int:
    """Return a descriptor of a lock's file, made with its directory where they are missing."""
    while True:
        try:
            return os.open(path, _OPEN, 0o600)
        except FileNotFoundError:  # its directory was empty, and was taken away
            path.parent.mkdir(mode=0o700, exist_ok=True)


def waited(take_now: Callable[[], bool], pause: Callable[[float], None]) -> None:
    """Wait until something could be taken."""
    wait = FIRST_LOOK_S
    while not take_now():
        pause(wait)
        wait = min(wait * 1.5, LAST_LOOK_S)


def lock_now(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file if nobody has it; True when we have it."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Return True when an open file still has that name."""
    try:
        there = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - one step of thousands
    except FileNotFoundError:
        return False
    ours = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
