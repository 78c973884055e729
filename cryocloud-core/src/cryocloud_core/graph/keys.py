"""Which key a written key means: exact, an old spelling, folded, or unknown.

Laws: a key is matched exactly first; two spellings of one key must agree; an unknown key is noted, never an
error by itself, because authors switch keys off by renaming them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from attrs import field, frozen

from cryocloud_core.graph.document import Tree
from cryocloud_core.graph.problems import Findings
from cryocloud_core.graph.spelling import folded, hint


@frozen
class Entry:
    """One key of an object: how it was written, where, and its value."""

    written: str
    at: int
    tree: Tree


@frozen
class Known:
    """The keys one kind of object takes, and their old spellings (spelling -> key)."""

    names: tuple[str, ...]
    aliases: Mapping[str, str] = field(factory=dict)
    #: old spellings that earn a warning of their own
    warned: Mapping[str, str] = field(factory=dict)


@frozen
class Place:
    """Where findings of one object go: the list, and how the place reads."""

    findings: Findings
    name: str

    def add(self, code: str, at: int, /, **parts: Any) -> None:
        """Note a finding here."""
        self.findings.add(code, at, self.name, **parts)


def entries(tree: Tree, known: Known, place: Place) -> dict[str, Entry]:
    """Return the known keys of an object under their one name; notes W03, W04, W05 and E12."""
    found: dict[str, Entry] = {}
    for written, part in (tree.keys or {}).items():
        at = (tree.key_at or {})[written]
        name = _meant(written, at, known, place)
        if name is None:
            continue
        if name in found and found[name].tree.data != part.data:
            place.add("E12", at, first=found[name].written, second=written)
        elif name not in found:
            found[name] = Entry(written, at, part)
    return found


def _meant(written: str, at: int, known: Known, place: Place) -> str | None:
    if written in known.names:
        return written
    if written in known.aliases:
        if written in known.warned:
            place.add(known.warned[written], at)
        return known.aliases[written]
    name = _folded(known.names, tuple(known.aliases.items())).get(folded(written))
    if name is not None:
        place.add("W04", at, key=written, known=name)
        return name
    place.add("W05", at, key=written, **_ignored(written, (*known.names, *known.aliases)))
    return None


def _ignored(written: str, names: Collection[str]) -> dict[str, str]:
    if written.startswith("f") and written[1:] in names:
        return {"what": 'is switched off by its leading "f"', "hint": ""}
    return {"what": "is ignored", "hint": hint(written, names)}


@lru_cache(maxsize=32)
def _folded(names: tuple[str, ...], aliases: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {folded(alias): name for alias, name in aliases} | {folded(name): name for name in names}
