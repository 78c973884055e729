"""What a module is handed beside its task: the Worker of the sdk's contract, made anew for every task.

Laws: making one costs nothing that the module does not use; whatever a module does to it ends with the task.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field

from cryocloud_core.errors import ResolutionError, TaskError
from cryocloud_core.sdk.processor import MISSING, Files
from cryocloud_core.secrets import reveal

#: hands a status value on: name and value
Publish = Callable[[str, Any], None]


class CancelFlag(threading.Event):
    """Set when the task is to stop; also answers to the old name `isSet`."""

    def isSet(self) -> bool:  # noqa: N802 - the name that modules of the original call
        """Return True once the task is to stop."""
        return self.is_set()


@define(eq=False)
class TaskStatusValue:
    """One status parameter."""

    _name: str
    _publish: Publish
    _value: Any = None
    _lock: threading.Lock = field(factory=threading.Lock)

    def get_value(self) -> Any:
        """Return the value last set, None before."""
        return self._value

    def set_value(self, value: Any) -> None:
        """Publish a new value: text, number, bool or None; anything else is published as its text."""
        self._value = value
        plain = value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
        self._publish(self._name, value if plain else str(value))

    def inc(self, by: float = 1) -> None:
        """Add to a number; an unset value counts as 0."""
        with self._lock:
            self.set_value((self._value or 0) + by)

    def dec(self, by: float = 1) -> None:
        """Subtract from a number; an unset value counts as 0."""
        self.inc(-by)

    def set_expire_time(self, _seconds: float) -> None:
        """Take note of nothing: values live as long as their task. Modules of the original call it."""

    def downsample(self, *_args: Any, **_more: Any) -> None:
        """Take note of nothing: values are always coalesced. Modules of the original call it."""


@define(eq=False)
class TaskStatus:
    """The status parameters of one task."""

    _publish: Publish
    _values: dict[str, TaskStatusValue] = field(factory=dict)

    def __getitem__(self, name: str) -> TaskStatusValue:
        """Return the parameter, made on first use."""
        return self._values.setdefault(name, TaskStatusValue(name, self._publish))

    def __setitem__(self, name: str, value: Any) -> None:
        """Publish a value."""
        self[name].set_value(value)

    def new(self, name: str, initial_value: Any = None, **_more: Any) -> TaskStatusValue:
        """Return the parameter after setting its first value."""
        self[name] = initial_value
        return self[name]


@define(eq=False)
class WorkerConfig:
    """Configuration under `CryoCloud.Worker`, with the worker's own defaults; None for what is not set.

    A secret is read each time it is asked for: here, on the worker's own machine, and kept nowhere.
    """

    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Return the value of a dotted name. Raises ConfigError when it is a secret that cannot be read."""
        if name in self.values:
            return reveal(self.values[name])
        value: Any = self.values
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return reveal(value)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a dotted name, `default` when it is not set."""
        value = self[name]
        return default if value is None else value


@define(eq=False)
class TaskWorker:
    """Implements `sdk.processor.Worker` for one task."""

    name: str
    log: logging.Logger
    status: TaskStatus
    cfg: WorkerConfig
    files: Files
    cancel_event: CancelFlag
    _stop_event: threading.Event
    _make_scratch: Callable[[], Path]
    _scratch: Path | None = None

    @property
    def scratch(self) -> Path:
        """A private directory for this task, made on first use, removed afterwards."""
        if self._scratch is None:
            self._scratch = self._make_scratch()
        return self._scratch

    @property
    def scratch_made(self) -> Path | None:
        """The private directory if the module asked for it."""
        return self._scratch

    def progress(self, percent: float) -> None:
        """Publish how far the task is, 0 to 100."""
        try:
            number = float(percent)
        except (TypeError, ValueError) as error:
            raise TaskError(f"progress must be a number from 0 to 100, got {percent!r}") from error
        self.status["progress"] = max(0.0, min(100.0, number))

    def get_arg(self, task: dict[str, Any], name: str, default: Any = MISSING) -> Any:
        """Return `task["args"][name]`. Raises ResolutionError when it is missing and there is no default."""
        args = task["args"]
        if name in args:
            return args[name]
        if default is MISSING:
            known = ", ".join(sorted(args)) or "none"
            raise ResolutionError(
                f"argument {name!r} is missing", place=f"given are: {known}", remedy=f"set args.{name} on the node"
            )
        return default
