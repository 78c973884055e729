"""Module `copyfiles`: copies files and directories into a directory."""

from __future__ import annotations

import os
import re
import threading
from typing import Any

from cryocloud_core.sdk.processor import Worker, as_list, flag
from cryocloud_modules_builtin.copying import copy, extensions_of, refuse_clashes, target_of
from cryocloud_modules_builtin.onebyone import work_through

ccmodule = {
    "description": "Copy files and directories into a directory",
    "depends": [],
    "provides": [],
    "inputs": {
        "src": "File, directory or URL, or a list of them",
        "dst": "The directory to copy into; made when it is missing",
        "extension": "Also copy what has this (or these) appended to its name, where it exists: .xml",
        "dontstop": "Go on with the others when one cannot be copied (default false)",
    },
    "outputs": {
        "dst": "Where the copies are, in the order of src; null where there is none",
        "errors": "What could not be copied and why, with dontstop",
    },
    "defaults": {"priority": 10, "runOn": "success"},
    "status": {"progress": "How many of the files are copied, 0 to 100"},
}

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def process_task(
    worker: Worker, task: dict[str, Any], cancel_event: threading.Event | None = None
) -> tuple[int, dict[str, Any]]:
    """Copy; files appear under their names whole. Raises OSError or ValueError naming source and target."""
    args = task["args"]
    sources = as_list(args.get("src"))
    dst, extensions = _directory(args.get("dst")), extensions_of(args.get("extension"), "copyfiles")
    if not sources:
        raise ValueError("copyfiles: src is missing: nothing to copy")
    refuse_clashes(None if source is None else target_of(source, dst) for source in sources)
    os.makedirs(dst, exist_ok=True)

    def act(source: str) -> str:
        return _copy_one(worker, source, dst, extensions)

    goes_on = flag(args.get("dontstop"), name="dontstop")
    done = work_through(worker, sources, act, goes_on=goes_on, cancel_event=cancel_event)
    return done.progress, {"dst": done.results, "errors": done.errors}


def _copy_one(worker: Worker, source: str, dst: str, extensions: list[str]) -> str:
    local = worker.files.fetch(source)[0] if URL.match(source) else source
    if not os.path.exists(local):
        raise FileNotFoundError(f"copyfiles: {source!r} does not exist")
    target = target_of(local, dst)
    copy(local, target)
    for extension in extensions:
        if os.path.exists(source.rstrip("/") + extension):
            copy(source.rstrip("/") + extension, target + extension)
    return target


def _directory(dst: Any) -> str:
    if not isinstance(dst, str) or not dst:
        raise ValueError(f"copyfiles: dst must be a directory, got {dst!r}")
    if URL.match(dst):
        raise ValueError(f"copyfiles: dst must be a local directory, got {dst!r}; upload with the node's post")
    if os.path.exists(dst) and not os.path.isdir(dst):
        raise NotADirectoryError(f"copyfiles: dst {dst!r} exists and is no directory")
    return dst.rstrip("/") + "/"
