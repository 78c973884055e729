"""Module `git`: brings working copies of repositories up to date, cloning them where they are missing."""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from cryocloud_core.sdk.processor import Worker, as_list
from cryocloud_core.sdk.program import run_program

ccmodule = {
    "description": "Clone repositories or bring their working copies up to date",
    "depends": [],
    "provides": [],
    "inputs": {
        "src": "URL or path of the repository",
        "dst": "The directory that holds the working copies",
        "name": "Name of the working copy below dst (default: as the repository is called)",
        "branch": "Branch, tag or commit (default master)",
        "list": "Several repositories instead of src, name and branch: a list of [name, URL, branch]",
    },
    "outputs": {"branch": "What is checked out; with list: a list"},
    "defaults": {"priority": 1000, "type": "admin"},
    "status": {"progress": "How many of the repositories are up to date, 0 to 100"},
}

#: never wait for a person: nobody is there to type a password
UNATTENDED = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes", "LC_ALL": "C.UTF-8"}


@frozen
class Copy:
    """A working copy that is wanted: where, of what, and which branch, tag or commit."""

    path: str
    url: str
    branch: str


def process_task(
    worker: Worker, task: dict[str, Any], cancel_event: threading.Event | None = None
) -> tuple[int, dict[str, Any]]:
    """Clone what is missing, fetch, check out, go forward. Local commits and changes are never thrown away.

    Raises ValueError for wrong arguments, RuntimeError with what git said when it fails.
    """
    args = task["args"]
    copies = wanted(args)
    os.makedirs(args["dst"], exist_ok=True)
    for count, copy in enumerate(copies):
        if cancel_event is not None and cancel_event.is_set():
            return 100 * count // len(copies), {}
        _Git(worker, cancel_event).update(copy)
        worker.progress(100 * (count + 1) / len(copies))
    branches = [copy.branch for copy in copies]
    return 100, {"branch": branches[0] if args.get("list") is None else branches}


def wanted(args: dict[str, Any]) -> list[Copy]:
    """Return the working copies that the arguments ask for. Raises ValueError naming the argument."""
    if not isinstance(args.get("dst"), str) or not args["dst"]:
        raise ValueError(f"git: dst must be a directory, got {args.get('dst')!r}")
    if args.get("list") is None:
        if not args.get("src"):
            raise ValueError("git: give src, the URL of a repository, or list")
        rows: Sequence[Any] = [(args.get("name"), args["src"], args.get("branch"))]
    else:
        rows = as_list(args["list"])
    return [_copy(row, args["dst"]) for row in rows]


def _copy(row: Any, dst: str) -> Copy:
    if not isinstance(row, list | tuple) or not 2 <= len(row) <= 3 or not row[1]:
        raise ValueError(f"git: list must hold [name, URL, branch], got {row!r}")
    url = str(row[1])
    name = str(row[0] or os.path.basename(url.rstrip("/")).removesuffix(".git"))
    branch = str((row[2] if len(row) == 3 else None) or "master")
    if name in ("", ".", "..") or "/" in name:
        raise ValueError(f"git: name must be the name of a directory below dst, got {name!r}")
    if branch.startswith("-"):
        raise ValueError(f"git: {branch!r} is no branch, tag or commit")
    return Copy(os.path.join(dst, name), url, branch)


class _Git:
    """Calls git for one task."""

    def __init__(self, worker: Worker, cancel_event: threading.Event | None) -> None:
        self._log, self._cancel_event = worker.log, cancel_event

    def update(self, copy: Copy) -> None:
        """Make one working copy what it should be."""
        if not os.path.lexists(copy.path):
            self._clone(copy)
        elif not os.path.exists(os.path.join(copy.path, ".git")):
            raise RuntimeError(f"git: {copy.path!r} exists and is no working copy; move it away")
        self._refuse_other(copy)
        self._run("-C", copy.path, "fetch", "--tags", "--force", "--prune", "origin")
        self._run("-C", copy.path, "checkout", copy.branch, "--")
        if self._succeeds("-C", copy.path, "rev-parse", "--verify", "--quiet", "@{upstream}"):
            self._run("-C", copy.path, "merge", "--ff-only", "@{upstream}")

    def _clone(self, copy: Copy) -> None:
        """Clone under another name first: a killed clone must not look like a working copy."""
        fresh = os.path.join(os.path.dirname(copy.path), f".cc-{uuid.uuid4().hex}")
        try:
            self._run("clone", "--no-checkout", "--", copy.url, fresh)
            os.rename(fresh, copy.path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _refuse_other(self, copy: Copy) -> None:
        origin = self._run("-C", copy.path, "config", "--get", "remote.origin.url").strip()
        if origin != copy.url:
            raise RuntimeError(f"git: {copy.path!r} is a working copy of {origin!r}, not of {copy.url!r}; move it away")

    def _run(self, *words: str) -> str:
        """Run git and return what it said; raises RuntimeError when it failed."""
        said: list[str] = []

        def tell(line: str) -> None:
            said.append(line)
            self._log.debug("git: %s", line)

        done = run_program(
            ["git", *words], cancel_event=self._cancel_event, env=UNATTENDED, on_line=tell, on_error_line=tell
        )
        if done.returncode != 0:
            raise RuntimeError(f"git {' '.join(words)}: {done.describe()}: {' / '.join(said[-5:])}")
        return "\n".join(said)

    def _succeeds(self, *words: str) -> bool:
        return run_program(["git", *words], cancel_event=self._cancel_event, env=UNATTENDED).returncode == 0
