"""Making sure that what was written is on the disk before its final name appears.

Laws: a name that CryoCloud gives to complete data is given after the data is durable, by a rename.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

#: up to here each file is synced by itself; syncing a whole disk would wait for what others wrote
FEW_FILES = 32


def sync_file(path: Path) -> None:
    """Wait until a file or directory is on its disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_data(descriptor: int) -> None:
    """Wait until the content of an open file is on its disk."""
    getattr(os, "fdatasync", os.fsync)(descriptor)  # macOS has no call that leaves out the times


def sync_tree(root: Path, files: list[Path]) -> None:
    """Wait until a tree with these files is on its disk."""
    if len(files) > FEW_FILES:
        _sync_disk(root)
        return
    sync_all([*files, *({path.parent for path in files} | {root})])


def sync_all(paths: Sequence[Path]) -> None:
    """Wait until files and directories, on whichever disks, are on them."""
    if len(paths) <= FEW_FILES:
        for path in paths:
            sync_file(path)
        return
    for path in {path.stat(follow_symlinks=False).st_dev: path for path in paths}.values():
        _sync_disk(path)


def _sync_disk(root: Path) -> None:
    """Sync the one file system that holds a file or directory; all of them where the C library cannot say which."""
    syncfs = getattr(libc(), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    descriptor = os.open(root, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(root))
    finally:
        os.close(descriptor)


@cache
def libc() -> Any:
    """Return the C library; what fails sets the error number of `ctypes.get_errno`."""
    return ctypes.CDLL(None, use_errno=True)
