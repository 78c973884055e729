"""The state directory of a head: private to its user, and owned by one head at a time.

Laws: the lock is the kernel's (flock) and dies with its process, the pid in the file is only there to be
told; the lock file is never removed, so that nobody can lock a name that is gone.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from cryocloud_core.errors import LockedError, StateError

LOCK_FILE = "head.lock"
#: seconds after which whoever only looked is gone
LOOK_S = 0.02


def make_state_dir(directory: Path) -> None:
    """Make the directory, readable by its user alone. Raises StateError."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_mode & 0o077:
            directory.chmod(0o700)
    except OSError as error:
        raise _unusable(directory, error) from error


class StateLock:
    """The right to be the one head of a state directory, held until `release` or the end of the process."""

    def __init__(self, directory: Path, descriptor: int) -> None:
        self.directory = directory
        self._descriptor = descriptor

    @classmethod
    def take(cls, directory: Path) -> StateLock:
        """Lock the directory, made if missing. Raises LockedError naming the pid of the owner, StateError."""
        make_state_dir(directory)
        path = directory / LOCK_FILE
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(directory, error) from error
        try:
            _lock(descriptor)
            _write_pid(descriptor)
        except BlockingIOError as error:
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise LockedError(
                f"another head (pid {owner}) runs here",
                place=str(directory),
                remedy="stop it first, or give this run another --state-dir",
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise _unusable(directory, error) from error
        return cls(directory, descriptor)

    def release(self) -> None:
        """Let another head have the directory."""
        os.close(self._descriptor)


def is_locked(directory: Path) -> bool:
    """Return True while a head owns the directory."""
    try:
        descriptor = os.open(directory / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _lock(descriptor: int) -> None:
    """Take the lock. Raises BlockingIOError when a head has it."""
    for pause_s in (LOOK_S, LOOK_S, 0.0):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not pause_s:
                raise
            # Perhaps somebody who only looked (`is_locked`): that is over at once.
            time.sleep(pause_s)
        else:
            return


def _write_pid(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    os.fsync(descriptor)


def _unusable(directory: Path, error: OSError) -> StateError:
    return StateError(
        f"the state directory cannot be used: {error.strerror or error}",
        place=str(directory),
        remedy="make it writable and leave some room on its disk, or give another --state-dir",
    )
