"""What `cryocloud run-module` does: one task for one module, on a real worker process, outside a workflow.

Laws: the task takes the way that every task takes, so a module that works here works in a run; log and status go
to stderr, the return value alone to stdout; an interrupt cancels the task and waits for its end.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from attrs import define, field

from cryocloud_core.cli.lines import clock
from cryocloud_core.cli.text import plain
from cryocloud_core.config import Config
from cryocloud_core.errors import ModuleNotFound, OptionError, UsageError
from cryocloud_core.graph.draft import Found
from cryocloud_core.graph.spelling import hint, listed
from cryocloud_core.head.settings import machine_name
from cryocloud_core.modules.find import Finder
from cryocloud_core.sdk.observed import LogRecord
from cryocloud_core.sdk.registry import Registry, resolve
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.sdk.scheduler import Scheduler, SchedulerSettings
from cryocloud_core.task import Failed, Outcome, Stats, Succeeded, Task, TaskId
from cryocloud_core.url_secrets import covered


def run_once(flags: Mapping[str, Any]) -> int:
    """Run the module and return the exit code: 0 when it succeeded, 1 when it failed.

    Raises:
        OptionError: the task or its arguments cannot be read.
        ModuleError: the module cannot be found or has no usable definition.
        UsageError: it is an input module, or has no argument of a name that is given.
    """
    name, args = flags["module"], arguments_of(flags)
    registry = Registry.installed()
    paths = [Path(path) for given in flags["module_paths"] or () for path in given.split(os.pathsep) if path]
    found = find_module(name, Finder(Path.cwd(), registry, tuple(paths)))
    if found.spec.input_type:
        raise UsageError("is an input module, which has no task to run", subject=f"module {name!r}")
    check_names(name, args, found.spec.inputs)
    level = "DEBUG" if flags["debug"] else "INFO"
    node = Path(name).stem
    task = Task(str(TaskId(1, node)), 1, node, node, "run-module", found.code, uuid4().hex, args, log_level=level)
    return asyncio.run(_drive(registry, task))


def find_module(name: str, finder: Finder) -> Found:
    """Return the module of that name, or in the file that `name` is the path of."""
    path = Path(name)
    if path.suffix != ".py" and os.sep not in name:
        return finder.find(name)
    if not path.is_file():
        raise ModuleNotFound("is no file", subject=f"module {name!r}")
    folder = path.absolute().parent
    return Finder(folder, finder.registry, environ={}).find(path.stem)


def check_names(module: str, args: Mapping[str, Any], inputs: Mapping[str, str] | None) -> None:
    """Refuse an argument that a workflow would refuse too. Raises UsageError."""
    for name in args if inputs is not None else ():
        if name not in (inputs or ()):
            said = f"has no argument {name!r} (knows: {listed(inputs or ())}){hint(name, inputs or ())}"
            raise UsageError(said, subject=f"module {module!r}")


def arguments_of(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the task: from the file, the text, `--args`, then each ARG=VALUE. Raises OptionError."""
    args: dict[str, Any] = {}
    if flags["file"] is not None:
        args |= _args_of_task(_read(flags["file"]), "--file")
    if flags["task"] is not None:
        args |= _args_of_task(flags["task"], "--task")
    if flags["args"] is not None:
        args |= _object(flags["args"], "--args")
    for pair in flags["arguments"] or ():
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise OptionError("must be written ARG=VALUE", subject=repr(pair))
        args[name] = _value(text)
    return args


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise OptionError(f"cannot be read: {error}", subject=f"--file {path}") from error


def _object(text: str, flag: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise OptionError(f"is not JSON: {error}", subject=flag) from error
    if not isinstance(value, dict):
        raise OptionError(f"must be a JSON object, got {type(value).__name__}", subject=flag)
    return value


def _args_of_task(text: str, flag: str) -> dict[str, Any]:
    args = _object(text, flag).get("args", {})
    if not isinstance(args, dict):
        raise OptionError('"args" must be a JSON object', subject=flag)
    return args


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@define(eq=False)
class _Ear:
    """Hears the scheduler: prints what the module says, keeps how it ended."""

    outcome: asyncio.Future[Outcome] = field(factory=asyncio.Future)
    room_made: asyncio.Event = field(factory=asyncio.Event)

    def began(self, task: str, worker: str, machine: str, at: float) -> None:
        """Do nothing: the log tells soon enough."""

    def ended(self, task: str, outcome: Outcome, stats: Stats | None) -> None:  # noqa: ARG002 -- the protocol names it
        """Keep the outcome and tell what the task used."""
        if stats is not None:
            used = f"{stats.runtime_s:.2f} s, {stats.cpu_time_s:.2f} s of CPU, {stats.max_memory_bytes / 1e6:.0f} MB"
            _say(f"took {used}")
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def status(self, task: str, worker: str, values: Mapping[str, Any]) -> None:  # noqa: ARG002 -- the protocol names it
        """Print each status value of the task."""
        for name, value in values.items() if task else ():
            _say(f"[{name}] {value}")

    def logged(self, record: LogRecord) -> None:
        """Print the record, every line of it."""
        for line in record.text.splitlines() or [""]:
            _say(f"{clock(record.at)} {record.level} {line}")

    def room(self) -> None:
        """Note that a worker may be free."""
        self.room_made.set()


def _say(text: str) -> None:
    print(plain(covered(text)), file=sys.stderr, flush=True)


async def _drive(registry: Registry, task: Task) -> int:
    """Run the task on a scheduler of its own and return the exit code."""
    scheduler: Scheduler = resolve(registry.scheduler("local").offer.reference)()
    ear = _Ear()
    with tempfile.TemporaryDirectory(prefix="cc-run-module-") as folder:
        config = Config.load(Path.cwd())
        settings = SchedulerSettings(
            Path(folder),
            machine_name(),
            1,
            1,
            worker_config=config.subtree("CryoCloud.Worker"),
            routes=Routes.of(registry, config.subtree),
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, scheduler.cancel, task.id, "interrupted")
        await scheduler.start(ear, settings)
        try:
            while not scheduler.offer(task):
                ear.room_made.clear()
                await ear.room_made.wait()
            return _tell(await ear.outcome)
        finally:
            await scheduler.stop(0)


def _tell(outcome: Outcome) -> int:
    """Print how it ended and return the exit code."""
    match outcome:
        case Succeeded(outputs=outputs):
            print(json.dumps(outputs, indent=2))
            return 0
        case Failed(error=error, outputs=outputs):
            if outputs:
                print(json.dumps(outputs, indent=2))
            _say(f"failed: {error}")
        case _:
            _say(f"{type(outcome).__name__.lower()}: {getattr(outcome, 'why', None) or getattr(outcome, 'error', '')}")
    return 1
