"""Unpacking an archive into a directory: all of it, or nothing.

Laws: members are written by `tree.py` into a private directory beside the target and moved when the whole archive was
read and its checksums held; on failure nothing is left behind and the archive is untouched.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryocloud_core.errors import ArchiveError
from cryocloud_core.files.durable import sync_file, sync_tree
from cryocloud_core.files.layer_settings import number_of
from cryocloud_core.files.members import members_of, packing_of
from cryocloud_core.files.tree import Tree, UnpackLimits

#: what every name of ours for unfinished data starts with
PRIVATE_PREFIX = ".cc-"
#: the file that tells an unpacked copy from a directory of the user's
MARKER = ".cc_unpacked"


def limits_from(config: Mapping[str, Any]) -> UnpackLimits:
    """Return the limits a worker's configuration sets: `unpack_max_bytes`, `unpack_max_entries`, `unpack_max_ratio`.

    Raises ConfigError.
    """
    usual = UnpackLimits()
    return UnpackLimits(
        int(number_of(config, "unpack_max_bytes", 0) or usual.max_bytes),
        int(number_of(config, "unpack_max_entries", 0) or usual.max_entries),
        float(number_of(config, "unpack_max_ratio", 0) or usual.max_ratio),
    )


def private_name() -> str:
    """Return a name for unfinished data that nobody else uses."""
    return f"{PRIVATE_PREFIX}{uuid.uuid4().hex}"


def unpack_beside(archive: Path, folder: Path, limits: UnpackLimits, check: Callable[[], None]) -> Path:
    """Unpack into a fresh private directory in `folder` and return it; the caller moves or removes it.

    `check` is called often and raises when the task was told to stop. Raises ArchiveError; then nothing is left.
    """
    packing = packing_of(archive)
    if packing is None:
        raise ArchiveError("is no archive (zip, tar, tar.gz, tar.bz2, tar.xz, gz)", subject=str(archive))
    root = folder / private_name()
    try:
        root.mkdir()
    except OSError as error:
        raise ArchiveError(f"cannot unpack into {folder}: {error.strerror}", subject=str(archive)) from error
    tree = Tree(root, str(archive), archive.stat().st_size, limits, check)
    try:
        for member in members_of(archive, packing):
            tree.add(member)
        tree.finish()
        sync_tree(root, [root.joinpath(*parts) for parts in tree.written])
    except OSError as error:
        tree.close()
        shutil.rmtree(root, ignore_errors=True)
        raise ArchiveError(f"cannot unpack into {folder}: {error.strerror}", subject=str(archive)) from error
    except BaseException:
        tree.close()
        shutil.rmtree(root, ignore_errors=True)
        raise
    tree.close()
    return root


def unpack_into(archive: Path, target: Path, limits: UnpackLimits, check: Callable[[], None]) -> list[str]:
    """Unpack into an existing directory and return the absolute paths of its new top-level entries, sorted.

    A file of the archive replaces a file of that name, a directory is merged into one of that name. Raises
    ArchiveError; what was there before stays when the archive is bad.
    """
    if not target.is_dir():
        raise ArchiveError(f"the directory to unpack into does not exist: {target}", subject=str(archive))
    root = unpack_beside(archive, target, limits, check)
    try:
        clash = _clash(root, target)
        if clash is not None:
            raise ArchiveError(f"one is a file, one a directory: {clash}", subject=str(archive))
        names = sorted(path.name for path in root.iterdir())
        _merge(root, target)
        sync_file(target)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return [str(target / name) for name in names]


def _clash(source: Path, target: Path) -> Path | None:
    """Return the first path that cannot be merged, before anything is moved."""
    for path in sorted(source.iterdir()):
        there = target / path.name
        if not os.path.lexists(there):
            continue
        folder = _is_folder(path)
        if folder != _is_folder(there):
            return there
        below = _clash(path, there) if folder else None
        if below is not None:
            return below
    return None


def _merge(source: Path, target: Path) -> None:
    for path in sorted(source.iterdir()):
        there = target / path.name
        if _is_folder(path) and os.path.lexists(there):
            _merge(path, there)
        else:
            path.replace(there)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
