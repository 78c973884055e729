"""The contract of processor modules: `process_task(worker, task, cancel_event=None)` and its Worker.

Laws: a module sees local files only; it returns `(100, outputs)` or a bare map, or raises; whether the
third positional parameter exists decides whether it can be told to stop.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from logging import Logger
from pathlib import Path
from typing import Any, Protocol

MISSING = object()


class StatusValue(Protocol):
    """One status parameter of a worker."""

    def get_value(self) -> Any:
        """Return the value last set, None before."""
        ...

    def set_value(self, value: Any) -> None:
        """Publish a new value (text, number, bool or None)."""
        ...

    def inc(self, by: float = 1) -> None:
        """Add to a number; an unset value counts as 0."""
        ...

    def dec(self, by: float = 1) -> None:
        """Subtract from a number; an unset value counts as 0."""
        ...


class Status(Protocol):
    """The status parameters of a worker: `status["progress"] = 40`."""

    def __getitem__(self, name: str) -> StatusValue:
        """Return the parameter, made on first use."""
        ...

    def __setitem__(self, name: str, value: Any) -> None:
        """Publish a value."""
        ...

    def new(self, name: str, initial_value: Any = None) -> StatusValue:
        """Return the parameter after setting its first value."""
        ...


class Files(Protocol):
    """Moving files for modules, with the machinery CryoCloud itself uses."""

    def fetch(self, source: str, *, unzip: bool = False, keep: bool = True) -> list[str]:
        """Return local paths for a path or URL; with `unzip` an archive's sorted top-level entries.

        Raises StagingError.
        """
        ...

    def unpack(self, archive: str, target: str) -> list[str]:
        """Unpack an archive into an existing directory, all or nothing; return its entries, sorted.

        Raises ArchiveError.
        """
        ...

    def put(self, path: str, target: str) -> str:
        """Copy a local file or directory to a path or URL and return where it is. Raises StagingError."""
        ...

    def remove(self, target: str, *, recursive: bool = False) -> None:
        """Remove a remote object, or with `recursive` every object below a URL that ends in `/`.

        Raises StagingError for schemes that cannot.
        """
        ...

    def is_ours(self, path: str) -> bool:
        """Return True for what CryoCloud itself wrote: `.cc-*`, unpacked archives."""
        ...

    def unpacked_directory(self, archive: str) -> str | None:
        """Return the directory this archive was unpacked into by us, None when there is none."""
        ...


class Worker(Protocol):
    """What `process_task` is given beside its task."""

    log: Logger
    status: Status
    #: configuration under `CryoCloud.Worker`: `cfg["tempdir"]`, None for what is not set
    cfg: Any
    files: Files
    #: set when the whole worker is told to stop
    _stop_event: threading.Event

    @property
    def scratch(self) -> Path:
        """A private directory for this task, made on first use, removed afterwards."""
        ...

    def progress(self, percent: float) -> None:
        """Publish how far the task is, 0 to 100."""
        ...

    def get_arg(self, task: dict[str, Any], name: str, default: Any = MISSING) -> Any:
        """Return `task["args"][name]`; raises a clear error when it is missing and there is no default."""
        ...


def flag(value: Any, *, name: str = "") -> bool:
    """Return the truth of a control word: true/false, 1/0, yes/no in any case; None is False.

    Raises ValueError naming `name`.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    word = str(value).strip().lower()
    if word in ("true", "yes", "1"):
        return True
    if word in ("false", "no", "0", ""):
        return False
    raise ValueError(f"{name or 'value'} must be true or false, got {value!r}")


def as_list(value: Any) -> list[Any]:
    """Return a value that may be one thing, a list of things or null as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
