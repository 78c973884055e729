"""Finding the module a node names: in directories, in installed packages, in the order a user can predict.

Laws: the first hit wins and is never imported; the current directory counts only where it is one of the places;
an error names every place that was looked in.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.machinery import ModuleSpec as ImportSpec
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from cryocloud_core.errors import ModuleError, ModuleNotFound, PluginError, SpecError
from cryocloud_core.graph.draft import Found, Missing, Wanted
from cryocloud_core.graph.spec import SINGLE_RUN, ModuleSpec, spec_of
from cryocloud_core.graph.spelling import hint
from cryocloud_core.modules.read import DEFINITION, Source, read_source
from cryocloud_core.sdk.offers import ModuleOffer
from cryocloud_core.sdk.registry import Offered, Registry
from cryocloud_core.task import Code

#: Where a directory keeps its modules, itself first.
_WITHIN = ("", "modules", "Modules")


@frozen
class Finder:
    """Looks modules up for workflows of one directory.

    `module_paths` are what the user gave with `--module-paths`; `environ` is asked for `CC_DIR` and
    `PYTHONPATH`; with `import_modules` a definition built by code is read by importing it in a process of its own.
    """

    workflow_dir: Path
    registry: Registry
    module_paths: tuple[Path, ...] = ()
    environ: Mapping[str, str] = field(factory=lambda: dict(os.environ))
    import_modules: bool = False

    def find(self, module: str, workdir: str | Path | None = None) -> Found:
        """Return the first module of that name.

        Raises ModuleNotFound naming all places, SpecError when the first hit has no usable definition,
        PluginError when several packages offer it.
        """
        before, after = self._own_places(workdir), self._last_places()
        for path in _files(module, before):
            hidden = self.registry.modules().get(module)
            return Found(self._file_spec(module, path), Code(path=str(path)), None if hidden is None else _told(hidden))
        offered = self.registry.module(module)
        if offered is not None:
            return Found(self._offered_spec(offered), Code(reference=offered.offer.reference))
        for path in _files(module, after):
            return Found(self._file_spec(module, path), Code(path=str(path)))
        raise self._not_found(module, before, after)

    def _own_places(self, workdir: str | Path | None) -> list[Path]:
        """Return the directories that come before installed packages: the node's, the workflow's, the user's."""
        homes = [self.workflow_dir] if workdir is None else [Path(workdir), self.workflow_dir]
        return _unique([home / inner for home in homes for inner in _WITHIN] + list(self.module_paths))

    def _last_places(self) -> list[Path]:
        places = []
        if self.environ.get("CC_DIR"):
            places.append(Path(self.environ["CC_DIR"]) / "CryoCloud" / "Modules")
        # An empty entry means the current directory to Python; here it must be named to count.
        places += [Path(entry) for entry in self.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
        return _unique(places)

    def _file_spec(self, module: str, path: Path) -> ModuleSpec:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SpecError(f"cannot be read: {error.strerror}", place=str(path)) from error
        return self._spec(module, Code(path=str(path)), lambda: read_source(data, str(path)))

    def _offered_spec(self, offered: Offered[ModuleOffer]) -> ModuleSpec:
        offer, is_input = offered.offer, offered.kind == "input"
        if isinstance(offer.spec, ModuleSpec):
            spec = offer.spec
        elif offer.spec is not None:
            spec = spec_of(offer.name, offer.spec)
        else:
            code = Code(reference=offer.reference)
            spec = self._spec(offer.name, code, lambda: _read_installed(offer.reference))
        if is_input:
            return spec if spec.input_type else evolve(spec, input_type=SINGLE_RUN)
        if spec.input_type:
            raise SpecError("is offered as a processor but declares an input_type", subject=_told(offered))
        return spec

    def _spec(self, module: str, code: Code, read: Callable[[], Source]) -> ModuleSpec:
        try:
            source = _usable(read())
        except SpecError as error:
            if not self.import_modules:
                raise _placed(error, code) from error
            from cryocloud_core.modules.importing import import_apart

            source = _usable(import_apart(code))
        try:
            return spec_of(module, source.definition or {}, is_input=source.has_start)
        except SpecError as error:
            raise _placed(error, code) from error

    def _not_found(self, module: str, before: list[Path], after: list[Path]) -> ModuleNotFound:
        places = [str(path) for path in before] + ["installed packages"] + [str(path) for path in after]
        known = [*self.registry.modules(), *_modules_in([*before, *after])]
        told = f"looked in {', '.join(places)}{hint(module, known)}"
        for broken in self.registry.broken:
            told += f"; {broken.package} could not be asked: {broken.why}"
        return ModuleNotFound("not found", subject=f'module "{module}"', remedy=told)


def look_up(
    wanted: Iterable[Wanted], finder: Finder, workdir_of: Callable[[Wanted], str | None]
) -> dict[Wanted, Found | Missing]:
    """Return what a draft wants looked up, each found or missing with its code and reason.

    `workdir_of` gives the value of a node's working directory as far as it is known before the run.
    """
    return {each: _looked_up(each, finder, workdir_of) for each in wanted}


def _looked_up(wanted: Wanted, finder: Finder, workdir_of: Callable[[Wanted], str | None]) -> Found | Missing:
    if wanted.service_url is not None:
        return Missing("E36", "services are not supported yet")
    try:
        return finder.find(wanted.module, workdir_of(wanted))
    except SpecError as error:
        return Missing("E16", _why(error))
    except ModuleNotFound as error:
        return Missing("E15", error.remedy)
    except (ModuleError, PluginError) as error:
        return Missing("E15", _why(error))


def _why(error: ModuleError | PluginError) -> str:
    """Return an error without its subject, which the problem names already."""
    place = f"{error.place}: " if error.place else ""
    return f"{place}{error.message}" + (f"; {error.remedy}" if error.remedy else "")


def _files(module: str, places: Iterable[Path]) -> Iterator[Path]:
    """Yield the source files that a module's name stands for, in order."""
    if not module or "/" in module or "\0" in module or module.startswith("."):
        return
    for place in places:
        for path in (place / f"{module}.py", place / module / "__init__.py"):
            if path.is_file():
                yield path


def _modules_in(places: Iterable[Path]) -> Iterator[str]:
    """Yield the names of files that look like modules, for a guess at what was meant."""
    for place in places:
        for path in sorted(place.glob("*.py")) if place.is_dir() else ():
            if path.is_file() and DEFINITION.encode() in path.read_bytes():
                yield path.stem


def _unique(paths: Iterable[Path]) -> list[Path]:
    return list(dict.fromkeys(path.absolute() for path in paths))


def _told(offered: Offered[Any]) -> str:
    return f"the installed {offered.kind} of {offered.package} {offered.version}".strip()


def _usable(source: Source) -> Source:
    """Return the source if it is a module's. Raises SpecError."""
    if source.definition is None:
        raise SpecError(f"has no {DEFINITION}", remedy=f"write {DEFINITION} = {{...}} into it")
    if not (source.has_start or source.has_process_task):
        raise SpecError("defines neither process_task nor start")
    return source


def _placed(error: SpecError, code: Code) -> SpecError:
    """Return the error with a place: the line it had, else the file or package of the module."""
    place = error.place or code.path or code.reference or ""
    return SpecError(error.message, subject=error.subject, place=place, remedy=error.remedy)


def _read_installed(reference: str) -> Source:
    path = source_path(reference)
    if path is None:
        raise SpecError("has no source to read its definition from", remedy="offer it with spec=")
    return read_source(path.read_bytes(), str(path))


def source_path(reference: str) -> Path | None:
    """Return the source file of `package.module`, found as an import would but without importing the package."""
    name, places, spec = "", None, None
    for part in reference.split("."):
        name = f"{name}.{part}" if name else part
        spec = _import_spec(name, places)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or ())
    has_source = spec is not None and spec.origin is not None and spec.origin.endswith(".py")
    return Path(spec.origin) if has_source else None  # type: ignore[union-attr, arg-type]


def _import_spec(name: str, places: list[str] | None) -> ImportSpec | None:
    specs = (finder.find_spec(name, places) for finder in sys.meta_path)
    return next((spec for spec in specs if spec is not None), None)
