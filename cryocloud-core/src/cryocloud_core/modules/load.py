"""Loading a module's code: a single file by its path, an installed module by its reference.

Laws: a file is loaded under a private name, so `docker.py` or `copy.py` never meets an installed package and two
`wind.py` live side by side; a changed file (or a changed neighbour of it) is loaded anew before its next use;
whatever goes wrong is a ModuleError with the line that did it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
import sys
import threading
import traceback
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from attrs import define, field

from cryocloud_core.errors import ModuleError
from cryocloud_core.modules.neighbours import FreshLoader, NeighbourFinder
from cryocloud_core.modules.stamps import Stamp
from cryocloud_core.task import Code

if TYPE_CHECKING:
    from cryocloud_core.sdk.registry import Registry

#: how the name in `sys.modules` of a module that was loaded from a file begins
FILE_PREFIX: Final = "cryocloud_file_"


@define
class _LoadedFile:
    module: ModuleType
    stamp: Stamp
    generation: int
    #: where its neighbours lie; kept, because finding it out follows every link of the path
    home: str


@define(eq=False)
class ModuleLoader:
    """Loads modules and remembers the files among them; one per process, safe in threads.

    `registry` is asked for processors' names (`import idl` in a file module) and is made on the first
    import that nothing else answers, because looking through the installed packages costs about 50 ms.
    """

    registry: Registry | None = None
    #: what stays open until the process ends
    kept_open: ExitStack = field(factory=ExitStack, init=False)
    _files: dict[str, _LoadedFile] = field(factory=dict, init=False)
    _lock: threading.RLock = field(factory=threading.RLock, init=False)
    _finder: NeighbourFinder = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._finder = NeighbourFinder(self._processor_reference)

    def load(self, code: Code) -> ModuleType:
        """Return the module that `code` names, a new object when its source changed. Raises ModuleError."""
        if code.path is None:
            return import_reference(code.reference or "")
        path = os.path.abspath(code.path)  # noqa: PTH100 - no disk access: a changed link shows in the stat
        with self._lock:
            known = self._still_good(path)
            if known is None:
                known = self._files[path] = self._run_file(path)
            return known.module

    def importable(self, directory: str) -> AbstractContextManager[None]:
        """Let file modules in `directory` import what lies beside them, for the length of a `with` block."""
        return self._finder.importable(str(Path(directory).resolve()))

    def neighbours(self, code: Code) -> AbstractContextManager[None]:
        """Do the same for what lies beside a module that was loaded; an installed one needs nothing."""
        if code.path is None:
            return nullcontext()
        known = self._files.get(os.path.abspath(code.path))  # noqa: PTH100 - as in `load`
        return self._finder.importable(home(code.path) if known is None else known.home)

    def _still_good(self, path: str) -> _LoadedFile | None:
        known = self._files.pop(path, None)
        if known is None or known.generation != self._finder.generation(known.home):
            return None
        stamp = known.stamp.renewed(path)
        if stamp is None:
            return None
        known.stamp = stamp
        self._files[path] = known
        return known

    def _run_file(self, path: str) -> _LoadedFile:
        name = private_name(path)
        loader = FreshLoader(name, path)
        spec = importlib.util.spec_from_file_location(name, path, loader=loader)
        if spec is None:
            raise ModuleError("is not a Python source file", subject=f"module file {path}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        beside = home(path)
        try:
            with self._finder.importable(beside):
                loader.exec_module(module)
                generation = self._finder.generation(beside)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise _cannot_load(path, error) from error
        if loader.stamp is None:
            raise ModuleError("was not read", subject=f"module file {path}")
        return _LoadedFile(module, loader.stamp, generation, beside)

    def _processor_reference(self, name: str) -> str | None:
        if self.registry is None:
            from cryocloud_core.sdk.registry import Registry

            self.registry = Registry.installed()
        offered = self.registry.processors().get(name)
        return None if offered is None else offered.offer.reference


@cache
def process_loader() -> ModuleLoader:
    """Return this process's loader: like `sys.modules`, loaded files belong to the process."""
    return ModuleLoader()


def load(code: Code) -> ModuleType:
    """Return the module that `code` names, a new object when its file changed since. Raises ModuleError."""
    return process_loader().load(code)


def importable(directory: str) -> AbstractContextManager[None]:
    """Let file modules of `directory` import their neighbours in a `with` block (around `process_task`, `start`)."""
    return process_loader().importable(directory)


def neighbours(code: Code) -> AbstractContextManager[None]:
    """Let a loaded module import what lies beside its file in a `with` block."""
    return process_loader().neighbours(code)


def load_for_good(code: Code) -> ModuleType:
    """Return an input's module, with what lies beside its file importable from now on. Raises ModuleError.

    An input runs in a thread for as long as its head, so there is no block to leave.
    """
    module = load(code)
    if code.path is not None:
        process_loader().kept_open.enter_context(importable(home(code.path)))
    return module


def home(path: str) -> str:
    """Return the directory whose files a module file may import: its own, a package's parent."""
    file = Path(path).resolve()
    return str(file.parent.parent if file.name == "__init__.py" else file.parent)


def private_name(path: str) -> str:
    """Return the name in `sys.modules` of a module file: readable, and different for every path."""
    file = Path(path)
    stem = file.parent.name if file.name == "__init__.py" else file.stem
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    return f"{FILE_PREFIX}{re.sub(r'[^A-Za-z0-9_]', '_', stem)}_{digest}"


def import_reference(reference: str) -> ModuleType:
    """Import `package.module`. Raises ModuleError with the cause."""
    try:
        return importlib.import_module(reference)
    except (Exception, SystemExit) as error:
        message = f"cannot be imported: {type(error).__name__}: {error}"
        raise ModuleError(message, subject=f"module {reference}", place=_last_place(error)) from error


def _cannot_load(path: str, error: BaseException) -> ModuleError:
    if isinstance(error, FileNotFoundError) and not Path(path).exists():
        return ModuleError("does not exist", subject=f"module file {path}")
    if isinstance(error, SyntaxError):
        place = f"{error.filename or path}:{error.lineno or 0}"
        return ModuleError(f"cannot be loaded: {type(error).__name__}: {error.msg}", subject="module", place=place)
    message = f"cannot be loaded: {type(error).__name__}: {error}"
    return ModuleError(message, subject="module", place=_last_place(error, path) or path)


def _last_place(error: BaseException, path: str = "") -> str:
    """Return `file:line` of the innermost frame outside the import system, in `path` when that is given."""
    frames = traceback.extract_tb(error.__traceback__)
    mine = [f for f in frames if f.filename == path or (not path and not f.filename.startswith("<frozen importlib"))]
    outside = [f for f in mine if f.filename not in (__file__, importlib.__file__)]
    return f"{outside[-1].filename}:{outside[-1].lineno}" if outside else ""
