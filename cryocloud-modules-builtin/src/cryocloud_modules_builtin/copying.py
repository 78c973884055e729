"""How built-in modules copy and move: a file appears under its name whole or not at all.

Laws: what is written first is called `.cc-…` and lies beside its target, so that the last step is a rename; links
inside directories stay links; a target that is a link is replaced, never written through.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from cryocloud_core.sdk.processor import as_list


def target_of(source: str, dst: str) -> str:
    """Return where `source` goes: into `dst` if that is a directory or ends in `/`, else exactly `dst`."""
    if dst.endswith("/") or os.path.isdir(dst):
        return os.path.join(dst, os.path.basename(source.rstrip("/")))
    return dst


def extensions_of(value: Any, module: str) -> list[str]:
    """Return the argument `extension` as a list. Raises ValueError for what would lead into another directory."""
    extensions = [each for each in as_list(value) if each]
    for extension in extensions:
        if not isinstance(extension, str) or "/" in extension:
            raise ValueError(f"{module}: extension must be the end of a name like .xml, got {extension!r}")
    return extensions


def refuse_clashes(targets: Iterable[str | None]) -> None:
    """Raise ValueError when two sources would become one target."""
    seen: set[str] = set()
    for target in targets:
        if target is not None and os.path.abspath(target) in seen:
            raise ValueError(f"two sources would both become {target!r}; give them different names or a dst each")
        if target is not None:
            seen.add(os.path.abspath(target))


def copy(source: str, target: str) -> None:
    """Copy a file or directory to exactly `target`; an existing directory is added to. Raises OSError or ValueError."""
    if os.path.isdir(source):
        _refuse_inside(source, target)
        _copy_tree(source, target)
    elif not _is_same(source, target):
        with _beside(target) as fresh:
            shutil.copy2(source, fresh)
            _sync(fresh)
            os.replace(fresh, target)


def move(source: str, target: str) -> None:
    """Move a file, link or directory to exactly `target`, across disks too. Raises OSError or ValueError."""
    if os.path.isdir(source) and not os.path.islink(source):
        _refuse_inside(source, target)
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across(source, target)


def remove_tree(path: str) -> None:
    """Remove a file, a link or a whole directory; it leaves its name in one step. Raises OSError."""
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
        return
    # A crash leaves a half-removed `.cc-…`, which is swept, and never a half-removed product under its own name.
    doomed = os.path.join(os.path.dirname(path.rstrip("/")), f".cc-{uuid.uuid4().hex}")
    try:
        os.rename(path, doomed)
    except OSError:
        doomed = path  # a mount point, or a parent we may not write to
    shutil.rmtree(doomed)


def _move_across(source: str, target: str) -> None:
    with _beside(target) as fresh:
        if os.path.islink(source):
            os.symlink(os.readlink(source), fresh)
        elif os.path.isdir(source):
            _copy_tree(source, fresh)
        else:
            shutil.copy2(source, fresh)
            _sync(fresh)
        os.rename(fresh, target)
    remove_tree(source)


def _copy_tree(source: str, target: str) -> None:
    os.makedirs(target, exist_ok=True)
    with os.scandir(source) as found:
        entries = list(found)
    for entry in entries:
        goal = os.path.join(target, entry.name)
        if entry.is_symlink():
            with _beside(goal) as fresh:
                os.symlink(os.readlink(entry.path), fresh)
                os.replace(fresh, goal)
        elif entry.is_dir():
            _copy_tree(entry.path, goal)
        elif entry.is_file():
            copy(entry.path, goal)
        else:
            raise OSError(errno.EINVAL, "is neither file, directory nor link", entry.path)
    shutil.copystat(source, target)


@contextlib.contextmanager
def _beside(target: str) -> Iterator[str]:
    """Give a fresh name beside the target; what is left under it afterwards is removed."""
    fresh = os.path.join(os.path.dirname(target.rstrip("/")), f".cc-{uuid.uuid4().hex}")
    try:
        yield fresh
    finally:
        if os.path.isdir(fresh) and not os.path.islink(fresh):
            shutil.rmtree(fresh)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fresh)


def _sync(path: str) -> None:
    with open(path, "rb") as written:
        os.fsync(written.fileno())


def _is_same(source: str, target: str) -> bool:
    return os.path.exists(target) and not os.path.islink(target) and os.path.samefile(source, target)


def _refuse_inside(source: str, target: str) -> None:
    outer, inner = os.path.realpath(source), os.path.realpath(target)
    if inner == outer or inner.startswith(outer.rstrip("/") + "/"):
        raise ValueError(f"cannot put {source!r} into itself ({target!r})")
