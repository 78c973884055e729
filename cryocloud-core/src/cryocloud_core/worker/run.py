"""Running one task: load, stage in, call, judge, tidy up; what comes out is exactly one Outcome.

Laws: nothing a module does escapes (an exception, SystemExit and KeyboardInterrupt included, is a failed task that
says so); what outlives the task is killed and what the task changed in the process is put back before the next one.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from cryocloud_core.errors import ConfigError, ModuleError, ResolutionError, ReturnValueError, TaskError
from cryocloud_core.files.moving import Moving
from cryocloud_core.files.service import FileService
from cryocloud_core.files.staging import Stage
from cryocloud_core.files.tempdirs import DEFAULT_BASE, make_tempdir, private_name, remove_tree
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.files.unpacked import Unpacking
from cryocloud_core.modules.load import neighbours
from cryocloud_core.task import Cancelled, Code, Declined, Failed, Outcome, Succeeded, Task
from cryocloud_core.worker import logs
from cryocloud_core.worker.calls import call_once, call_per_item
from cryocloud_core.worker.capture import Capture
from cryocloud_core.worker.contract import CancelFlag, TaskStatus, TaskWorker, WorkerConfig
from cryocloud_core.worker.current import Current
from cryocloud_core.worker.module import DeclinedError, ModuleInUse, Ready, stop_hook
from cryocloud_core.worker.post import Post, PostError
from cryocloud_core.worker.returned import Returned
from cryocloud_core.worker.reuse import measured, still_there
from cryocloud_core.worker.strays import has_children, kill_children
from cryocloud_core.worker.tally import Tally
from cryocloud_core.worker.transferring import Transferring
from cryocloud_core.worker.usage import Usage
from cryocloud_core.worker.world import World

logger = logging.getLogger(__name__)

#: characters of a traceback that go with an outcome
TRACE_LIMIT = 16 * 1024


class StopRequestedError(Exception):
    """The task was told to stop while its files were moved."""


@frozen
class Finished:
    """How a task ended and what it used."""

    outcome: Outcome
    runtime_s: float
    cpu_time_s: float
    max_memory_bytes: int


@define(eq=False)
class Runner:
    """Runs tasks one after another in this process, on its main thread."""

    name: str
    machine: str
    config: WorkerConfig
    scribe: logs.Scribe
    capture: Capture
    #: told a status value of the current task
    publish: Callable[[str, Any], None]
    stop_event: threading.Event
    transfers: Transfers = field(factory=Transfers)
    usage: Usage = field(factory=Usage)
    world: World = field(factory=World)
    in_use: ModuleInUse = field(factory=ModuleInUse)
    _cancel: CancelFlag = field(factory=CancelFlag)
    _pid: int = field(factory=os.getpid)
    _loggers: dict[str, logging.Logger] = field(factory=dict)
    _tempdir: str = field(init=False)
    _files: FileService = field(init=False)
    _transferring: Transferring = field(init=False)
    _tally: Tally = field(factory=Tally)
    #: what is wrong with this machine's settings for files; a task that needs files is told
    _misset: ConfigError | None = None

    def __attrs_post_init__(self) -> None:
        self._tempdir = str(self.config["tempdir"] or DEFAULT_BASE)
        self._transferring = Transferring(self.publish)
        ends = (self._check, self._moved)
        try:
            self._files = FileService.of(self.config.values, self.machine, self.transfers, *ends)
        except ConfigError as error:
            self._files = FileService(Unpacking(Path(self._tempdir), check=self._check))
            self._misset = error

    def run(self, current: Current) -> Finished:
        """Run one task to its end; never raises for what the task did."""
        self.usage.begin()
        logs.set_level(current.task.log_level)
        worker = self._worker(current)
        try:
            outcome = logs.shown_end(self._outcome(current, worker))
        finally:
            if os.getpid() != self._pid:
                # The module forked and let the child return: one process answers for a task, the other ends here.
                os._exit(0)
            current.deaf = False
            self._tidy(worker)
        return Finished(outcome, *self.usage.end())

    def _outcome(self, current: Current, worker: TaskWorker) -> Outcome:
        task = current.task
        try:
            if task.reuse is not None and still_there(task.reuse, self._files.size_elsewhere):
                return Succeeded(task.reuse.outputs, cached=True, maker=task.reuse.maker)
            ready = self._taken(task.code)
            args = self._staged(task)
        except DeclinedError as error:
            return Declined(str(error), self.machine)
        except StopRequestedError:
            return Cancelled("told to stop while its files were prepared")
        except (ResolutionError, ModuleError) as error:
            return Failed(str(error), permanent=True)
        except (TaskError, ConfigError) as error:  # another worker may have what a setting lacks: it can be repeated
            return Failed(f"Preparing files failed: {error}")
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a module's code ran: its import
            return self._failed(error)
        return self._called(current, ready, worker, args)

    def _taken(self, code: Code) -> Ready:
        ready = self.in_use.take(code)
        if ready.fresh:
            self.world.accept_imports()
        return ready

    def _staged(self, task: Task) -> dict[str, Any]:
        if self._misset is not None and (task.staging or task.uploads):
            raise ResolutionError(str(self._misset))
        if not task.staging:
            return dict(task.args)
        self.publish("state", "Preparing files")
        self._tally.begin()
        args = Stage(self._files).arguments(task)
        self._transferring.over()
        _log_if_any(self._tally.fetched())
        self.publish("state", "Processing")
        return args

    def _called(self, current: Current, ready: Ready, worker: TaskWorker, args: dict[str, Any]) -> Outcome:
        task = current.task
        call = call_per_item if task.loop else call_once
        current.stop_job = stop_hook(ready.module)
        try:
            _enter(task.workdir)
            with neighbours(task.code):
                current.deaf = not ready.takes_cancel and current.stop_job is None
                worker.cancel_event = current.cancel
                returned = call(ready, worker, _task_dict(current, args), task)
        except ReturnValueError as error:
            return Failed(str(error))
        except BaseException as error:  # noqa: BLE001 - whatever a module raises is its task's end, not the worker's
            return self._failed(error)
        if returned.wrapped:
            self.scribe.write("WARNING", f"returned {returned.wrapped}, not a map; it is wrapped as 'result'")
        if returned.error:
            return Failed(returned.error, returned.outputs)
        current.deaf, current.stop_job = False, None
        return self._sent(task, returned)

    def _sent(self, task: Task, returned: Returned) -> Outcome:
        """Send what is to be sent of a success, in the process as the next task would find it."""
        outputs = returned.outputs
        try:
            if task.uploads:
                self._calm()
                self.publish("state", "Uploading")
                self._tally.begin()
                outputs = Post(self._files, lambda text: self.scribe.write("WARNING", text)).sent(task.uploads, outputs)
                _log_if_any(self._tally.sent())
            if task.reuse is None:
                return Succeeded(outputs)
            return Succeeded(outputs, sizes=measured(outputs, task.reuse.files, self._files.size_elsewhere))
        except StopRequestedError:
            return Cancelled("told to stop while its files were uploaded")
        except PostError as error:
            return Failed(str(error), returned.outputs, permanent=error.permanent)
        except Exception as error:  # noqa: BLE001 - a transfer's code ran, which may be a plugin's
            return self._failed(error)

    def _failed(self, error: BaseException) -> Failed:
        """Tell the traceback to the log and return the task's end."""
        # A secret is known by what stands before it, so the cut comes after.
        trace = logs.shown("".join(traceback.format_exception(error))[-2 * TRACE_LIMIT :])[-TRACE_LIMIT:]
        self.scribe.write("ERROR", trace.rstrip("\n"), logs.ROOT)
        text = _text_of(error)
        if isinstance(error, SystemExit | KeyboardInterrupt):
            name = type(error).__name__
            text = f"module raised {name}" + ("" if text == name else f": {text}")
        return Failed(text, trace=trace, permanent=isinstance(error, ResolutionError))

    def _tidy(self, worker: TaskWorker) -> None:
        """Let go of files, kill what is left, remove the scratch directory, put the process back."""
        self._let_go()
        self._calm()
        self.capture.finish()
        if worker.scratch_made is not None:
            try:
                remove_tree(worker.scratch_made)
            except TaskError as error:
                self.scribe.write("WARNING", str(error))

    def _let_go(self) -> None:
        """Let others have the copies of remote files, and make room for new ones."""
        self._transferring.over()
        try:
            # One that was told to stop has no time to make room: the next task does.
            self._files.remote.release(sweep=not self._cancel.is_set())
        except StopRequestedError:
            return
        except (TaskError, OSError) as error:
            self.scribe.write("WARNING", f"old copies of remote files cannot be removed: {error}")

    def _calm(self) -> None:
        """Kill what the module left behind and undo what it did to the process."""
        if has_children():
            killed = kill_children()
            if killed:
                self.scribe.write("INFO", f"{len(killed)} child process(es) outlived the task and were killed")
        self.world.restore()

    def _worker(self, current: Current) -> TaskWorker:
        task = current.task
        self._cancel = current.cancel
        return TaskWorker(
            self.name,
            self._logger(task.module),
            TaskStatus(self.publish),
            self.config,
            self._files,
            current.cancel,
            self.stop_event,
            lambda: make_tempdir(self._tempdir, private_name(task.nonce, task.id, f"scratch.{task.attempt}")),
        )

    def _logger(self, module: str) -> logging.Logger:
        # logging.getLogger takes a lock and looks through parents, every time.
        logger = self._loggers.get(module)
        if logger is None:
            logger = self._loggers[module] = logging.getLogger(f"{logs.ROOT}.{module}")
        return logger

    def _moved(self, moving: Moving) -> None:
        self._tally.told(moving)
        self._transferring.told(moving)

    def _check(self) -> None:
        if self._cancel.is_set():
            raise StopRequestedError


def _log_if_any(text: str) -> None:
    if text:
        logger.info(text)


def _text_of(error: BaseException) -> str:
    """Return what an exception says, its class's name when it says nothing (or, as KeyError, but a key) or fails to."""
    name = type(error).__name__
    try:
        text = str(error)
        return f"{name}: {text}" if text and isinstance(error, KeyError) else text or name
    except Exception as broken:  # noqa: BLE001 - a module's own `__str__`: its fault is told, not suffered
        return f"{name}, whose text cannot be had ({type(broken).__name__})"


def _task_dict(current: Current, args: dict[str, Any]) -> dict[str, Any]:
    """Return the task as its module sees it; nothing that steers us is among the arguments."""
    task = current.task
    return {
        "attempt": task.attempt,
        "args": args,
        "id": task.id,
        "taskid": task.id,
        "itemid": task.pebble,
        "module": task.module,
        "priority": task.priority,
        "type": task.kind,
        "workdir": task.workdir,
        "runname": task.workflow,
        "modulepath": task.code.path or task.code.reference,
        "prepare_time": time.monotonic() - current.began,
    }


def _enter(workdir: str | None) -> None:
    """Enter the working directory; `World.restore` leaves it. Raises TaskError."""
    if workdir is None:
        return
    try:
        os.chdir(workdir)
    except OSError as error:
        why = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be used: {error.strerror}"
        raise TaskError(f"Working directory '{workdir}' {why}") from error
