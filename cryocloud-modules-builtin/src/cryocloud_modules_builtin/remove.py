"""Module `remove`: removes files, directories and S3 objects, and what archives were unpacked into."""

from __future__ import annotations

import os
import re
import threading
from typing import Any

from cryocloud_core.sdk.processor import Worker, as_list, flag
from cryocloud_modules_builtin.copying import extensions_of, remove_tree
from cryocloud_modules_builtin.onebyone import work_through
from cryocloud_modules_builtin.refusals import refuse_precious

ccmodule = {
    "description": "Remove files, directories or S3 objects",
    "depends": [],
    "provides": [],
    "inputs": {
        "src": "File, directory, link or s3:// URL, or a list of them; a link is removed, not what it points to",
        "recursive": "Remove directories, and S3 prefixes (s3://…/), with what is in them (default false)",
        "extension": "Also remove what has this (or these) appended to its name, where it exists: .xml",
        "ignoreerrors": "What cannot be removed is listed and the task succeeds (default true)",
        "remove_unzipped": "Also remove the directory that CryoCloud unpacked the file into (default false)",
        "dontstop": "Without ignoreerrors: try all of them before the task fails (default false)",
    },
    "outputs": {
        "errors": "What could not be removed and why",
        "error": "The first of the errors, null when there is none",
        "deleted": "What was removed",
    },
    "defaults": {"priority": 0, "runOn": "always", "type": "admin"},
    "status": {"progress": "How many of the paths are done, 0 to 100"},
}

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def process_task(
    worker: Worker, task: dict[str, Any], cancel_event: threading.Event | None = None
) -> tuple[int, dict[str, Any]]:
    """Remove everything in `src`. Refuses the root and the home directory before anything is removed.

    Raises ValueError for refusals, always; OSError for what cannot be removed, unless ignoreerrors.
    """
    args = task["args"]
    flags = {name: flag(args.get(name), name=name) for name in ("recursive", "remove_unzipped", "dontstop")}
    ignores = True if args.get("ignoreerrors") is None else flag(args["ignoreerrors"], name="ignoreerrors")
    sources = [source for source in as_list(args.get("src")) if source is not None]
    if not sources and not ignores:
        raise ValueError("remove: src is missing: nothing to remove")
    for source in sources:
        if not isinstance(source, str):
            raise TypeError(f"remove: src must be a path or a list of paths, got {source!r}")
        if not URL.match(source):
            refuse_precious(source, "remove")
    extensions = extensions_of(args.get("extension"), "remove")
    deleted: list[str] = []

    def act(source: str) -> None:
        if URL.match(source):
            worker.files.remove(source, recursive=flags["recursive"])
            deleted.append(source)
        else:
            _remove_local(worker, source, extensions, flags, deleted)

    done = work_through(worker, sources, act, goes_on=ignores or flags["dontstop"], cancel_event=cancel_event)
    if done.errors and not ignores:
        raise OSError("; ".join(done.errors))
    return done.progress, {"errors": done.errors, "error": next(iter(done.errors), None), "deleted": deleted}


def _remove_local(worker: Worker, path: str, extensions: list[str], flags: dict[str, bool], deleted: list[str]) -> None:
    unpacked = worker.files.unpacked_directory(os.path.abspath(path)) if flags["remove_unzipped"] else None
    extended = [path.rstrip("/") + extension for extension in extensions]
    for extra in [*extended, unpacked]:
        if extra is not None and os.path.lexists(extra):
            remove_tree(extra)
            deleted.append(extra)
    if os.path.lexists(path.rstrip("/")):
        _remove_path(path.rstrip("/"), recursive=flags["recursive"])
        deleted.append(path)
    elif unpacked is None:
        raise FileNotFoundError(f"remove: {path!r} does not exist")


def _remove_path(path: str, *, recursive: bool) -> None:
    if recursive or os.path.islink(path) or not os.path.isdir(path):
        remove_tree(path)
        return
    try:
        os.rmdir(path)
    except OSError as error:
        raise OSError(f"remove: {path!r} is a directory that is not empty; set recursive ({error.strerror})") from error
