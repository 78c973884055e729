"""A worker for tests of processors: real log, status, scratch and configuration, in this process.

Laws: nothing here is faked for the module; what a worker records elsewhere (log lines, status values) stays
readable here; a return value that a run would only accept with a warning is refused here.
"""

from __future__ import annotations

import json
import logging
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from attrs import define, field, frozen

from cryocloud_core.errors import ReturnValueError
from cryocloud_core.sdk.processor import MISSING, Files
from cryocloud_core.worker.contract import CancelFlag
from cryocloud_core.worker.module import takes_cancel
from cryocloud_core.worker.returned import judge

#: What `worker.cfg` says where nothing is configured.
CFG_DEFAULTS: Mapping[str, Any] = {"datadir": "/", "tempdir": "/tmp"}  # noqa: S108 -- the documented default


@frozen
class Told:
    """One log line of a module: level name and text."""

    level: str
    text: str


class RecordingLog(logging.Handler):
    """Keeps log lines in the order they were told."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.told: list[Told] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.told.append(Told(record.levelname, record.getMessage()))

    def texts(self, level: str | None = None) -> list[str]:
        """Return the texts, of one level name or of all."""
        return [each.text for each in self.told if level in (None, each.level)]

    def logger(self, name: str) -> logging.Logger:
        """Return a logger of its own, outside the tree of named loggers, that tells this log everything."""
        made = logging.Logger(name, logging.DEBUG)  # noqa: LOG001 -- two tests must not share one logger
        made.addHandler(self)
        return made


@define
class RecordedStatus:
    """One status parameter and every value it had."""

    values: list[Any] = field(factory=list)

    def get_value(self) -> Any:
        """Return the value last set, None before."""
        return self.values[-1] if self.values else None

    def set_value(self, value: Any) -> None:
        """Set a value: text, number, bool or None. Raises TypeError for anything else, as nothing else is published."""
        if value is not None and not isinstance(value, str | int | float):
            raise TypeError(f"a status value is text, number, bool or None, got {type(value).__name__}")
        self.values.append(value)

    def inc(self, by: float = 1) -> None:
        """Add to a number; an unset value counts as 0."""
        self.set_value((self.get_value() or 0) + by)

    def dec(self, by: float = 1) -> None:
        """Subtract from a number; an unset value counts as 0."""
        self.inc(-by)

    def set_expire_time(self, seconds: float) -> None:
        """Accept how long a value counts; a record keeps every value."""
        float(seconds)

    def downsample(self, *_arguments: Any, **_options: Any) -> None:
        """Accept how values may be thinned; a record keeps every value."""


class RecordingStatus:
    """The status parameters of a test's worker: `status["progress"] = 40`, `status.history("progress")`."""

    def __init__(self) -> None:
        self._values: dict[str, RecordedStatus] = {}

    def __getitem__(self, name: str) -> RecordedStatus:
        return self._values.setdefault(name, RecordedStatus())

    def __setitem__(self, name: str, value: Any) -> None:
        self[name].set_value(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def new(self, name: str, initial_value: Any = None) -> RecordedStatus:
        """Return the parameter after setting its first value."""
        self[name].set_value(initial_value)
        return self[name]

    def history(self, name: str) -> list[Any]:
        """Return every value the parameter had, oldest first."""
        return list(self[name].values)


class WorkerConfig:
    """`worker.cfg`: values under `CryoCloud.Worker`, None for what is not set."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {**CFG_DEFAULTS, **values}

    def __getitem__(self, name: str) -> Any:
        return self._values.get(name)


class LocalWorker:
    """A worker for tests: `with LocalWorker() as worker: worker.run(module, {"src": path})`.

    `config` holds values under `CryoCloud.Worker`. `records` keeps the log lines, `status` the status values.
    `scratch` is removed at the end of the `with` block.
    """

    def __init__(self, config: Mapping[str, Any] | None = None, files: Files | None = None) -> None:
        self.records = RecordingLog()
        self.log = self.records.logger("test worker")
        self.status = RecordingStatus()
        self.cfg: Any = WorkerConfig(config or {})
        self._files = files
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._stop_event = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the scratch directory."""
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    @property
    def scratch(self) -> Path:
        """A private directory, made on first use."""
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="cc-scratch-")
        return Path(self._scratch.name)

    @property
    def files(self) -> Files:
        """The file service given at the start, else the one that workers have."""
        if self._files is None:
            from cryocloud_core.files.service import FileService
            from cryocloud_core.files.unpacked import Unpacking

            self._files = FileService(Unpacking(Path(self.cfg["tempdir"])))
        return self._files

    def progress(self, percent: float) -> None:
        """Record how far the task is."""
        self.status["progress"] = percent

    def get_arg(self, task: dict[str, Any], name: str, default: Any = MISSING) -> Any:
        """Return `task["args"][name]`. Raises KeyError when it is missing and there is no default."""
        if name in task["args"]:
            return task["args"][name]
        if default is MISSING:
            raise KeyError(f"argument {name!r} is missing")
        return default

    def run(
        self, module: Any, args: Mapping[str, Any], *, cancel_event: threading.Event | None = None, attempt: int = 1
    ) -> dict[str, Any]:
        """Call the module's `process_task` as a run does and return its outputs.

        Raises what the module raises, and AssertionError when it returns something that no run accepts.
        """
        task = task_of(module, args, attempt)
        if takes_cancel(module.process_task):
            returned = module.process_task(self, task, cancel_event or CancelFlag())
        else:
            returned = module.process_task(self, task)
        return outputs_of(returned)


def task_of(module: Any, args: Mapping[str, Any], attempt: int = 1) -> dict[str, Any]:
    """Return the `task` that `process_task` is given. `args` is copied, because a module may change its task."""
    name = getattr(module, "__name__", "module")
    return {
        "attempt": attempt,
        "args": json.loads(json.dumps(dict(args), allow_nan=False)),
        "id": f"1/{name}/{attempt}",
        "taskid": f"1/{name}/{attempt}",
        "itemid": 1,
        "module": name,
        "priority": 50,
        "type": "normal",
        "workdir": None,
        "runname": "test",
        "modulepath": getattr(module, "__file__", None),
        "prepare_time": 0.0,
    }


def outputs_of(returned: Any) -> dict[str, Any]:
    """Return the outputs in what `process_task` returned, as the nodes below get them.

    Raises AssertionError when a run would make it an error, or take it only with a warning.
    """
    try:
        judged = judge(returned)
    except ReturnValueError as error:
        raise AssertionError(str(error)) from error
    if judged.error:
        raise AssertionError(f"process_task {judged.error}")
    if judged.wrapped:
        raise AssertionError(f"process_task must return a map of outputs, got {judged.wrapped}")
    return judged.outputs
