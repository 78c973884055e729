"""Module `unzip`: unpacks archives; for big ones, or for a directory of one's own choice."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from typing import Any

from cryocloud_core.sdk.processor import Worker, as_list, flag
from cryocloud_modules_builtin.copying import remove_tree
from cryocloud_modules_builtin.onebyone import work_through

ccmodule = {
    "description": "Unpack zip and tar archives",
    "depends": ["Product"],
    "provides": ["Product"],
    "inputs": {
        "src": "Archive, or a list of them: zip, tar, tar.gz, tar.bz2, tar.xz",
        "dst": "An existing directory to unpack into; without it a fresh one is made",
        "keep": "When it fails, keep what was unpacked until then (default false)",
        "tempDir": "Where a fresh directory is made (default: the worker's tempdir)",
    },
    "outputs": {
        "destDir": "The directory that holds what was unpacked",
        "fileList": "What was unpacked into it, topmost entries, sorted for each archive",
        "error": "Always null: a failure fails the task",
    },
    "defaults": {"priority": 10, "runOn": "success"},
    "status": {"progress": "How many of the archives are unpacked, 0 to 100"},
}


def process_task(
    worker: Worker, task: dict[str, Any], cancel_event: threading.Event | None = None
) -> tuple[int, dict[str, Any]]:
    """Unpack all of `src` into one directory. Raises FileNotFoundError or ValueError, and the archive's own error.

    On failure, or when cancelled, a directory made here is removed, and of a given one what was not in it before;
    with `keep` nothing is.
    """
    args = task["args"]
    archives = [archive for archive in as_list(args.get("src")) if archive is not None]
    keep = flag(args.get("keep"), name="keep")
    if not archives:
        raise ValueError("unzip: src is missing: nothing to unpack")
    for archive in archives:
        if not os.path.isfile(archive):
            raise FileNotFoundError(f"unzip: archive {archive!r} does not exist")
    given = _given(args.get("dst"))
    target = given or _fresh(worker, args)
    before = frozenset(os.listdir(target))
    try:
        done = work_through(
            worker,
            archives,
            lambda each: worker.files.unpack(os.path.abspath(each), target),
            goes_on=False,
            cancel_event=cancel_event,
        )
    except BaseException:
        if not keep:
            _undo(target, before, is_ours=given is None)
        raise
    if done.progress < 100 and not keep:
        _undo(target, before, is_ours=given is None)
    entries = [entry for result in done.results for entry in result]
    return done.progress, {"destDir": target, "fileList": list(dict.fromkeys(entries)), "error": None}


def _given(dst: Any) -> str | None:
    if dst in (None, "", "None"):
        return None
    if not isinstance(dst, str) or not os.path.isdir(dst):
        raise FileNotFoundError(f"unzip: dst {dst!r} is not an existing directory; make it, or leave dst out")
    return os.path.abspath(dst)


def _fresh(worker: Worker, args: dict[str, Any]) -> str:
    base = args.get("tempDir") or worker.cfg["tempdir"] or tempfile.gettempdir()
    os.makedirs(base, exist_ok=True)
    return tempfile.mkdtemp(prefix="unzip-", dir=base)


def _undo(target: str, before: frozenset[str], *, is_ours: bool) -> None:
    if is_ours:
        shutil.rmtree(target)
        return
    for name in frozenset(os.listdir(target)) - before:
        remove_tree(os.path.join(target, name))
