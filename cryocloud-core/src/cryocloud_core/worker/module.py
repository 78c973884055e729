"""The module a worker has in its hands: loaded, asked whether it can run here, told when it comes and goes.

Laws: `canrun` is asked once per loaded module, and again a while after it said no; `load` is called when the worker
takes it up and `unload` when it puts it down for another; a module that does not load or cannot run here declines the
task, and nothing of the task ran.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable
from functools import lru_cache, partial
from types import ModuleType
from typing import Any, Final

from attrs import define, frozen

from cryocloud_core.errors import ModuleError
from cryocloud_core.modules.load import FILE_PREFIX, load
from cryocloud_core.task import Code

Entry = Callable[..., Any]
#: seconds after which a module that cannot run here is asked again; schedulers give it no task for longer than that
ASK_AGAIN_S: Final = 30.0


class DeclinedError(Exception):
    """The task cannot be taken on this worker."""


@frozen
class Ready:
    """A module that can be called now: its `process_task`, and whether that takes a third positional parameter."""

    module: ModuleType
    entry: Entry
    takes_cancel: bool
    #: the code was imported for this task
    fresh: bool


@define(eq=False)
class ModuleInUse:
    """One worker's module; `take` before every task."""

    _held: ModuleType | None = None
    _refused: tuple[ModuleType, str, float] | None = None

    def take(self, code: Code) -> Ready:
        """Return the module of a task, loaded and willing. Raises DeclinedError, ModuleError when it has no entry."""
        try:
            module = load(code)
        except ModuleError as error:
            raise DeclinedError(str(error)) from error
        fresh = module is not self._held
        if fresh:
            self._change_to(module)
        entry = getattr(module, "process_task", None)
        if not callable(entry):
            raise ModuleError("has no process_task(worker, task, cancel_event)", subject=f"module {_named(module)}")
        return Ready(module, entry, takes_cancel(entry), fresh)

    def put_down(self) -> None:
        """Tell the module in use that the worker leaves it."""
        held, self._held = self._held, None
        if held is not None:
            _hook(held, "unload")

    def _change_to(self, module: ModuleType) -> None:
        refused = self._refused
        if refused is not None and refused[0] is module and time.monotonic() - refused[2] < ASK_AGAIN_S:
            raise DeclinedError(refused[1])
        self.put_down()
        try:
            _ask(module)
        except DeclinedError as error:
            self._refused = (module, str(error), time.monotonic())
            raise
        self._held = module


def _ask(module: ModuleType) -> None:
    canrun = getattr(module, "canrun", None)
    if callable(canrun) and not _called(module, "canrun", canrun):
        raise DeclinedError(f"module {_named(module)}: canrun() says that it cannot run here")
    hook = getattr(module, "load", None)
    if callable(hook) and _takes_nothing(hook):
        _called(module, "load", hook)


def _called(module: ModuleType, name: str, function: Callable[[], Any]) -> Any:
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise DeclinedError(f"module {_named(module)}: {name}() raised {type(error).__name__}: {error}") from error


def _named(module: ModuleType) -> str:
    """Return what its author calls a module: one loaded from a file has a made-up name of its own."""
    file = getattr(module, "__file__", None)
    return str(file) if file and module.__name__.startswith(FILE_PREFIX) else module.__name__


def _hook(module: ModuleType, name: str) -> None:
    """Call an optional hook; one that fails changes nothing for the next task, so it is only told."""
    hook = getattr(module, name, None)
    if not callable(hook) or not _takes_nothing(hook):
        return
    try:
        hook()
    except (Exception, SystemExit):
        logging.getLogger("cryocloud").exception("%s() of module %s failed", name, _named(module))


def stop_hook(module: ModuleType) -> Callable[[], Any] | None:
    """Return the module's `stop_job`, None when it has none."""
    return partial(_hook, module, "stop_job") if callable(getattr(module, "stop_job", None)) else None


def _takes_nothing(function: Callable[..., Any]) -> bool:
    """Return True for a hook; `from json import load` in a module is none."""
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True


@lru_cache(maxsize=256)
def takes_cancel(entry: Entry) -> bool:
    """Return True when a third positional parameter exists, under any name, `*args` included."""
    try:
        parameters = inspect.signature(entry).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) >= 3 or any(p.kind is p.VAR_POSITIONAL for p in parameters)
