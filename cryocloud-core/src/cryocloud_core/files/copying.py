"""Copying files and directories so that a reader of the target sees the old or the whole new one, never a part.

Laws: data is written under a private name in the target's own directory, made durable, then renamed; a link inside a
directory stays a link if it means the same in the copy (it is relative and does not lead out, or leads nowhere), else
what it leads to is copied; a copy can be made again over itself.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

from cryocloud_core.errors import StagingError
from cryocloud_core.files.archives import private_name
from cryocloud_core.files.durable import sync_file, sync_tree

_REMEDIES = {
    errno.ENOSPC: "make room on that disk, or name a place on a larger one",
    errno.EDQUOT: "the quota is used up: remove files, or ask for more",
}


def copy_whole(source: Path, target: Path) -> Path:
    """Copy a file, or a directory with everything in it, to `target` and return it; parents are made.

    A file replaces a file; a directory is copied into a directory of that name, file by file. Raises StagingError.
    """
    try:
        if not source.is_dir():
            _copy_file(source, target)
            return target
        real = _real(source)
        if real in _real(target).parents:
            raise StagingError(f"cannot be copied into itself, to {target}", subject=str(source))
        _copy_directory(source, target, (real,))
    except (OSError, shutil.Error) as error:
        remedy = _REMEDIES.get(error.errno or 0, "")
        told = f"cannot be copied to {target}: {_reason(error)}"
        raise StagingError(told, subject=str(source), remedy=remedy) from error
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


def _copy_directory(source: Path, target: Path, above: tuple[Path, ...]) -> None:
    """Copy a directory; `above` has the real places of those whose content is being copied, the outermost first."""
    if target.is_dir():
        for entry in sorted(source.iterdir()):
            _copy_entry(entry, target / entry.name, above)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(private_name())
    try:
        shutil.copytree(source, part, symlinks=True)
        for link in _links_in(part):
            original = source / link.relative_to(part)
            if not _keeps(original, above[-1]):
                link.unlink()
                _copy_entry(original, link, above)
        sync_tree(part, [path for path in part.rglob("*") if path.is_file() and not path.is_symlink()])
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    sync_file(target.parent)


def _copy_entry(source: Path, target: Path, above: tuple[Path, ...]) -> None:
    if source.is_symlink() and _keeps(source, above[-1]):
        part = target.with_name(private_name())
        part.symlink_to(source.readlink())
        part.replace(target)
    elif not source.is_dir():
        _copy_file(source, target)
    elif source.is_symlink():
        real = _real(source)
        if any(real == place or real in place.parents for place in above):
            raise StagingError("cannot be copied: it leads to a directory above", subject=str(source))
        _copy_directory(source, target, (*above, real))
    else:
        _copy_directory(source, target, above)


def _keeps(link: Path, root: Path) -> bool:
    """Return True when a copy of the link means in a copy of `root` what the link means here."""
    real = _real(link)
    return not link.exists() or (not link.readlink().is_absolute() and (real == root or root in real.parents))


def _real(path: Path) -> Path:
    # Path.resolve raises for links that lead in a circle.
    return Path(os.path.realpath(path))


def _links_in(folder: Path) -> list[Path]:
    names = [(Path(above), name) for above, folders, files in os.walk(folder) for name in (*folders, *files)]
    return [above / name for above, name in names if (above / name).is_symlink()]


def _reason(error: OSError | shutil.Error) -> str:
    """Return what a person can read: a failed tree lists all that failed in it, of which the first is told."""
    listed = error.args[0] if isinstance(error, shutil.Error) and error.args else None
    if isinstance(listed, list) and listed:
        more = f" (and {len(listed) - 1} more)" if len(listed) > 1 else ""
        return f"{listed[0][0]}: {listed[0][2]}{more}"
    return error.strerror or str(error)
