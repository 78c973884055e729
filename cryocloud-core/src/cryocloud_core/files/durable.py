"""Making sure that what was written is on the disk before its final name appears.

Laws: a name that CryoCloud gives to complete data is given after the data is durable, by a rename.
"""

from __future__ import annotations

import ctypes
import os
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


def sync_tree(root: Path, files: list[Path]) -> None:
    """Wait until a tree with these files is on its disk."""
    if len(files) > FEW_FILES:
        _sync_disk(root)
        return
    for path in files:
        sync_file(path)
    for folder in {path.parent for path in files} | {root}:
        sync_file(folder)


def _sync_disk(root: Path) -> None:
    """Sync the one file system that holds `root`; all of them where the C library cannot say which."""
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
