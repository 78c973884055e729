"""What a module that is a single file may import: the files beside it, and processors by their workflow names.

Laws: only code that lies in the file's own directory is served, and only while that directory is in use, so
no library ever meets a user's `utils.py` or `git.py`; the standard library and installed packages come first;
what was imported from a directory leaves `sys.modules` with it, so equal names in two directories never meet.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from types import CodeType, FrameType, ModuleType

from attrs import define, field

from cryocloud_core.modules.stamps import NEVER, Stamp, read_stamped

#: Files whose frames stand between an import statement and a finder.
_MACHINERY = (importlib.__file__, __file__)


class FreshLoader(SourceFileLoader):
    """Runs a source file as it is now; cached bytecode is neither used nor written.

    Bytecode is checked by whole seconds and length, so an edit within a second could go unseen.
    """

    stamp: Stamp | None = None

    def get_code(self, fullname: str) -> CodeType:
        """Compile the file's present content and remember its stamp."""
        path = self.get_filename(fullname)
        self.stamp, data = read_stamped(path)
        code: CodeType = self.source_to_code(data, path)
        return code


class _AliasLoader(Loader):
    """Lets `import idl` mean an installed processor module: the same module object under a second name."""

    def __init__(self, reference: str) -> None:
        self.reference = reference

    def exec_module(self, module: ModuleType) -> None:
        """Put the real module in the place that the import system prepared."""
        sys.modules[module.__name__] = importlib.import_module(self.reference)


@define(eq=False)
class _Directory:
    """A directory that file modules were loaded from, and what they imported from it."""

    path: str
    users: int = 0
    #: grows when a neighbour changed, so that whoever imported the old one is loaded again
    generation: int = 0
    names: set[str] = field(factory=set)
    aside: dict[str, ModuleType] = field(factory=dict)
    stamps: dict[str, Stamp] = field(factory=dict)

    def restore(self) -> None:
        for name, module in self.aside.items():
            sys.modules.setdefault(name, module)
        self.aside.clear()

    def set_aside(self) -> None:
        if not self.names:
            return
        for name in [key for key in sys.modules if key.partition(".")[0] in self.names]:
            module = self.aside[name] = sys.modules.pop(name)
            self._note_stamp(name, module)

    def _note_stamp(self, name: str, module: ModuleType) -> None:
        path = getattr(module, "__file__", None)
        if name in self.stamps or not path or not path.startswith(self.path + os.sep):
            return
        stamp = getattr(getattr(module, "__loader__", None), "stamp", None)
        try:
            self.stamps[name] = stamp or read_stamped(path)[0]
        except OSError:
            self.stamps[name] = NEVER

    def freshen(self) -> None:
        """Forget every neighbour when one of them changed: they may hold objects of each other."""
        for name, stamp in self.stamps.items():
            renewed = stamp.renewed(str(self.aside[name].__file__)) if name in self.aside else stamp
            if renewed is None:
                self.names, self.aside, self.stamps = set(), {}, {}
                self.generation += 1
                return
            self.stamps[name] = renewed


class NeighbourFinder(MetaPathFinder):
    """The finder behind `importable`; it stands last in `sys.meta_path`, and only while a directory is in use."""

    def __init__(self, processor_reference: Callable[[str], str | None]) -> None:
        self._processor_reference = processor_reference
        self._directories: dict[str, _Directory] = {}
        self._lock = threading.RLock()

    @contextmanager
    def importable(self, directory: str) -> Iterator[None]:
        """Let code in `directory` import what lies beside it, for the length of the block."""
        with self._lock:
            entry = self._entry(directory)
            entry.users += 1
            if entry.users == 1:
                entry.restore()
            if self not in sys.meta_path:
                sys.meta_path.append(self)
        try:
            yield
        finally:
            with self._lock:
                self._leave(entry)

    def generation(self, directory: str) -> int:
        """Return a number that differs from an earlier one when a neighbour in `directory` changed since."""
        with self._lock:
            entry = self._entry(directory)
            if entry.users == 0:
                entry.freshen()
            return entry.generation

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer an import that nothing else could: a neighbour of the importing file, else a processor's name."""
        del target
        entry = None if path is not None else self._asking()
        if entry is None:
            return None
        spec = _beside(fullname, entry.path) or self._registered(fullname)
        if spec is not None:
            with self._lock:
                entry.names.add(fullname)
        return spec

    def _leave(self, entry: _Directory) -> None:
        entry.users -= 1
        if entry.users == 0:
            entry.set_aside()
        if not any(each.users for each in self._directories.values()):
            sys.meta_path.remove(self)

    def _entry(self, directory: str) -> _Directory:
        return self._directories.setdefault(directory, _Directory(directory))

    def _asking(self) -> _Directory | None:
        """Return the directory in use that the importing file lies in; import statements do not tell it otherwise."""
        importer = _importing_file()
        with self._lock:
            asking = [d for d in self._directories.values() if d.users and importer.startswith(d.path + os.sep)]
        return max(asking, key=lambda directory: len(directory.path), default=None)

    def _registered(self, name: str) -> ModuleSpec | None:
        reference = self._processor_reference(name)
        return None if reference is None else ModuleSpec(name, _AliasLoader(reference))


def _beside(name: str, directory: str) -> ModuleSpec | None:
    """Return the spec of a file or package in `directory`; a folder without `__init__.py` (data) is none."""
    loaders = [(ExtensionFileLoader, EXTENSION_SUFFIXES), (FreshLoader, SOURCE_SUFFIXES)]
    spec = FileFinder(directory, *loaders).find_spec(name)
    return None if spec is None or spec.loader is None else spec


def _importing_file() -> str:
    """Return the file of the code whose import is being answered, empty when there is none."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 -- the import protocol does not say who asks
    while frame is not None:
        file = frame.f_code.co_filename
        if file not in _MACHINERY and not file.startswith("<frozen importlib"):
            return file
        frame = frame.f_back
    return ""
