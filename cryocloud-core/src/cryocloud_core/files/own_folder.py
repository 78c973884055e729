"""Where all that the transfers keep on a machine lies below a temporary directory.

Law: it is said here alone. A directory that several users share, as /tmp is, has a place of its own for each.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def own_folder(tempdir: Path, user: int | None = None) -> Path:
    """Return `<tempdir>/cc`, or `<tempdir>/cc-<uid>` for a user who found the first to be another's, and keeps to it.

    `user` is whom it is for, else who runs this process. Nothing is made, and what is there may be no directory: who
    writes to it makes sure of that.
    """
    user = os.geteuid() if user is None else user
    usual, apart = tempdir / "cc", tempdir / f"cc-{user}"
    if _is_folder_of(apart, user):
        return apart
    return apart if _owner_of(usual) not in (None, user) else usual


def is_own_alone(folder: Path) -> bool:
    """Return True for a directory of ours that nobody else can put anything into."""
    try:
        found = folder.stat(follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _owner_of(path: Path) -> int | None:
    """Return whose something is, None for what is not there."""
    try:
        return path.stat(follow_symlinks=False).st_uid
    except OSError:
        return None


def _is_folder_of(path: Path, user: int) -> bool:
    try:
        found = path.stat(follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == user
