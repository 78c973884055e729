"""Results that would come back as new arrivals: a node writes into the directory that the input above it watches.

Laws: only a warning, and only for what the document itself shows: literal paths, or one option or setting that is both
the watched directory and the target; what an input leaves out by its pattern is no finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from posixpath import basename, isabs, normpath, relpath
from typing import Any, Final

from attrs import frozen

from cryocloud_core.graph.edges import Graph
from cryocloud_core.graph.refs import Argument, ConfigRef, Literal, OptionRef
from cryocloud_core.graph.sites import Site
from cryocloud_core.graph.spelling import shown
from cryocloud_core.graph.values import word
from cryocloud_core.task import StagingKind

#: the input module whose directory is meant
WATCHER: Final = "dirwatcher"
#: arguments without a `type` whose names say that something is written there
_WRITES: Final = re.compile(r"dst|dest|target|out", re.IGNORECASE)


def check_watched(graph: Graph) -> None:
    """Tell W16 for targets inside a directory that is watched by an input upstream."""
    watches = [watch for site in graph.sites.values() if (watch := _watch(site)) is not None]
    for site in graph.sites.values() if watches else ():
        if site.is_input:
            continue
        targets = list(_targets(site))
        for watch in watches if targets else ():
            if graph.is_upstream(watch.name, site.name):
                for key, subject, target in targets:
                    if watch.reports(target):
                        site.tell("W16", key, subject=subject, path=_told(target), input=watch.name)


@frozen
class _Watch:
    """What one input watches; `patterns` is None when they are known only at run time."""

    name: str
    src: Argument
    recursive: bool
    patterns: tuple[str, ...] | None

    def reports(self, target: Argument) -> bool:
        """Return True when something written to a target would arrive here."""
        below = self._below(target)
        if below is None or any(part.startswith(".") for part in below.split("/") if part != "."):
            return False
        if self.patterns is None or not self.patterns or below == ".":
            # Names of files that a node has yet to make are not known: any pattern may leave them out.
            return self.patterns == ()
        if not self.recursive:
            below = below.partition("/")[0]
        return any(fnmatchcase(below if "/" in each else basename(below), each) for each in self.patterns)

    def _below(self, target: Argument) -> str | None:
        """Return where in the watched directory a target lies, `.` for the directory itself, None for elsewhere."""
        if isinstance(target.source, OptionRef | ConfigRef):
            return "." if target.source == self.src.source else None
        src, path = _path(self.src), _path(target)
        if src is None or path is None or isabs(src) != isabs(path):
            return None
        below = relpath(path, src) if isabs(src) else relpath(f"/{path}", f"/{src}")
        return None if below.startswith("..") else below


def _watch(site: Site) -> _Watch | None:
    args: dict[str, Argument] = site.settings.get("args", {})
    src = args.get("src")
    if site.draft.module != WATCHER or not site.is_input or src is None:
        return None
    recursive = _literal(args.get("recursive"))
    return _Watch(site.name, src, word(recursive) is True, _patterns(args.get("pattern")))


def _patterns(argument: Argument | None) -> tuple[str, ...] | None:
    """Return the patterns that are written, none for an argument left out, None for what is known only later."""
    if argument is None:
        return ()
    if not isinstance(argument.source, Literal):
        return None
    value = argument.source.value
    listed = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(map(str, listed))


def _targets(site: Site) -> Iterator[tuple[str, str, Argument]]:
    """Yield where a node writes as far as its document shows: the key, what to call it, the path."""
    for name, argument in site.settings.get("args", {}).items():
        way = argument.preparation
        writes = _WRITES.search(name) is not None if way is None else way.kind is not StagingKind.FILE
        if writes:
            yield "args", f'argument "{name}"', argument
    for item in site.settings.get("post", ()):
        yield "post", 'post "target"', item.target


def _literal(argument: Argument | None) -> Any:
    return argument.source.value if argument is not None and isinstance(argument.source, Literal) else None


def _path(argument: Argument) -> str | None:
    value = _literal(argument)
    return normpath(value) if isinstance(value, str) and value and "://" not in value else None


def _told(target: Argument) -> str:
    match target.source:
        case OptionRef(name):
            return f"option {name}"
        case ConfigRef(name):
            return f"config {name}"
        case source:
            return shown(getattr(source, "value", None))
