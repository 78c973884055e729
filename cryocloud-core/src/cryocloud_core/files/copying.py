"""Copying files and directories so that a reader of the target sees the old or the whole new one, never a part.

Laws: data is written under a private name in the target's own directory, made durable, then renamed.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from cryocloud_core.errors import StagingError
from cryocloud_core.files.archives import private_name
from cryocloud_core.files.durable import sync_file, sync_tree


def copy_whole(source: Path, target: Path) -> Path:
    """Copy a file, or a directory with everything in it, to `target` and return it; parents are made.

    A file replaces a file; a directory is copied into a directory of that name, file by file. Raises StagingError.
    """
    try:
        if source.is_dir():
            _copy_directory(source, target)
        else:
            _copy_file(source, target)
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StagingError(f"cannot be copied to {target}: {reason}", subject=str(source)) from error
    return target


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(private_name())
    try:
        shutil.copy2(source, part)
        sync_file(part)
        part.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
    sync_file(target.parent)


def _copy_directory(source: Path, target: Path) -> None:
    if target.is_dir():
        for entry in sorted(source.iterdir()):
            copy_whole(entry, target / entry.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(private_name())
    try:
        shutil.copytree(source, part, symlinks=True)
        sync_tree(part, [path for path in part.rglob("*") if path.is_file() and not path.is_symlink()])
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    sync_file(target.parent)
