"""Temporary directories of pebbles: how they are named and made, and the clean-up task that removes them.

Laws: a directory is `<base>/cc-<nonce>-<name>`, made by us, mode 0700; one that exists is used only if it is a real
directory of our own user; clean-up removes exactly what carries the pebble's nonce and is ours, and follows no link.
The clean-up is an ordinary task: this file is its module.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryocloud_core.errors import ResolutionError, StagingError
from cryocloud_core.files.places import local_path
from cryocloud_core.sdk.processor import Worker
from cryocloud_core.task import TaskId

DEFAULT_BASE = "/tmp"  # noqa: S108 - only names with a nonce are made in it, and their owner is checked
#: bytes of a file name on the file systems in use
_NAME_LIMIT = 255
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ESCAPES = str.maketrans({"%": "%25", "/": "%2F", "\0": "%00"})

ccmodule = {
    "description": "Remove the temporary directories of a pebble",
    "depends": [],
    "provides": [],
    "inputs": {"nonce": "The pebble's nonce", "bases": "Directories to look in; null is the worker's own"},
    "outputs": {"removed": "Paths that were removed"},
    "defaults": {"priority": 0, "runOn": "always", "type": "admin"},
}


def shared_name(nonce: str, tempdir_id: str) -> str:
    """Return the name of the directory that every use of an id in one pebble shares."""
    # Dots are escaped, so that no id can be the name of another task's private directory.
    return _fit(f"cc-{nonce}-{tempdir_id.translate(_ESCAPES).replace('.', '%2E')}")


def private_name(nonce: str, task: str, argument: str) -> str:
    """Return the name of the directory that one argument of one task has to itself; the same for every attempt."""
    parts = TaskId.parse(task)
    firing = "" if parts.firing is None else f"#{parts.firing}"
    part = "" if parts.part is None else parts.part
    return _fit(f"cc-{nonce}-{part}.{parts.node.translate(_ESCAPES)}{firing}.{argument.translate(_ESCAPES)}")


def _fit(name: str) -> str:
    """Shorten a name that no disk would take; a digest keeps it apart from others."""
    data = os.fsencode(name)
    if len(data) <= _NAME_LIMIT:
        return name
    return f"{data[:200].decode('utf-8', 'ignore')}-{hashlib.sha256(data).hexdigest()[:32]}"


def make_tempdir(base: str, name: str) -> Path:
    """Make `<base>/<name>`, or take the one that an earlier task of this pebble made; a missing base is made.

    Raises:
        ResolutionError: when the base is no absolute path.
        StagingError: when it cannot be made, or something that is not ours has the name.
    """
    folder = local_path(base)
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _make_in(descriptor, path)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StagingError(f"cannot make a temporary directory: {error.strerror}", subject=str(path)) from error
    return path


def _make_in(folder: int, path: Path) -> None:
    try:
        os.mkdir(path.name, 0o700, dir_fd=folder)
    except FileExistsError:
        try:
            found = os.open(path.name, _DIRECTORY, dir_fd=folder)
        except OSError as error:
            raise StagingError("exists and is no directory of ours", subject=str(path)) from error
        owner = os.fstat(found).st_uid
        os.close(found)
        if owner != os.geteuid():
            raise StagingError(f"exists and belongs to user {owner}", subject=str(path)) from None


def remove_tempdirs(base: str, nonce: str) -> tuple[list[str], list[str]]:
    """Remove every directory of ours in `base` that carries the nonce; return what was removed and what was left.

    Raises:
        ResolutionError: when base or nonce cannot be meant.
        StagingError: when a directory of ours cannot be removed.
    """
    if not nonce or "/" in nonce or nonce.startswith("."):
        raise ResolutionError(f"no nonce of a pebble: {nonce!r}")
    folder = local_path(base)
    removed: list[str] = []
    left: list[str] = []
    try:
        found = sorted(entry.name for entry in folder.iterdir() if entry.name.startswith(f"cc-{nonce}-"))
    except (FileNotFoundError, NotADirectoryError):
        return [], []
    except OSError as error:
        raise StagingError(f"cannot be read: {error.strerror}", subject=str(folder)) from error
    for name in found:
        ours = _is_ours(folder / name)
        if ours:
            remove_tree(folder / name)
        (removed if ours else left).append(str(folder / name))
    return removed, left


def _is_ours(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def remove_tree(path: Path) -> None:
    """Remove a directory of ours, whatever modes a module gave to what is in it. Raises StagingError."""

    def again(function: Callable[..., Any], name: str, _error: object) -> None:
        # A directory without write permission keeps its entries; it is ours, so it can be opened up; not those above.
        if Path(name) != path:
            Path(name).parent.chmod(0o700)
        if function is os.unlink or function is os.rmdir:
            function(name)
        else:
            Path(name).chmod(0o700)
            shutil.rmtree(name)

    try:
        if sys.version_info >= (3, 12):
            shutil.rmtree(path, onexc=again)
        else:
            shutil.rmtree(path, onerror=again)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StagingError(f"cannot be removed: {error.strerror}", subject=str(error.filename or path)) from error


def process_task(worker: Worker, task: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """Remove a pebble's temporary directories; null among the bases is the worker's own."""
    args = task["args"]
    own = str(worker.cfg["tempdir"] or DEFAULT_BASE)
    removed: list[str] = []
    for base in dict.fromkeys(own if base is None else str(base) for base in args.get("bases") or [None]):
        gone, left = remove_tempdirs(base, str(args["nonce"]))
        removed += gone
        for path in left:
            worker.log.warning("%s carries this pebble's nonce but is not ours; it stays", path)
    return 100, {"removed": removed}
