"""What `dirwatcher` decides: which paths are new and at rest, and which are gone, look after look.

Laws: pure; no clock, no disk. A look is the truth, whatever events said before it. A path is reported once; it counts
as new again only after it was seen gone, or changed while nobody watched. No generation is used twice for a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import Factory, define, field, frozen


@frozen
class Entry:
    """A file or directory in one look: size in bytes (a directory: all below), mtime in seconds UTC (newest below)."""

    size: int
    mtime: float
    is_dir: bool = False


@frozen
class Look:
    """What one look saw that began at the time `at` (monotonic seconds)."""

    entries: Mapping[str, Entry]
    at: float
    #: the paths that were looked at; None: everything
    examined: frozenset[str] | None = None
    #: paths that could not be read: nothing is known of them and of what is below
    unread: frozenset[str] = frozenset()
    #: writers said that these are complete
    finished: frozenset[str] = frozenset()
    #: these were gone for a moment between two looks
    replaced: frozenset[str] = frozenset()
    #: when the look was over: what it saw is counted from here, so that a slow look shortens no quiet time
    until: float = field(default=Factory(lambda self: self.at, takes_self=True))

    def is_absent(self, path: str) -> bool:
        """Tell whether the look saw that there is no such path."""
        if path in self.entries:
            return False
        return not any(path == part or path.startswith(f"{part}/") for part in self.unread)


@frozen
class Arrival:
    """A path that is new and at rest."""

    path: str
    entry: Entry
    generation: int

    @property
    def key(self) -> str:
        """What makes two arrivals the same."""
        return f"{self.path}|{self.generation}"

    @property
    def memo(self) -> dict[str, Any]:
        """What to remember across restarts; JSON data."""
        entry = self.entry
        return {"path": self.path, "size": entry.size, "mtime": entry.mtime, "generation": self.generation}

    def differs(self, entry: Entry) -> bool:
        """Tell whether the path holds something else than what was reported."""
        return (entry.size, entry.mtime) != (self.entry.size, self.entry.mtime)


@frozen
class Verdict:
    """What follows from a look: arrivals, oldest first, and keys that can never arrive again."""

    arrivals: tuple[Arrival, ...] = ()
    gone: tuple[str, ...] = ()


@define
class Watch:
    """The memory of one watched directory. `observe` is its only door.

    `quiet_s`: how long an entry must look the same, by our own clock, before it is at rest. `wants`: whether a path is
    to be reported at all; paths it refuses are not forgotten for that.
    """

    quiet_s: float
    wants: Callable[[str], bool] = lambda _path: True
    _growing: dict[str, tuple[Entry, float]] = field(init=False, factory=dict)
    _reported: dict[str, Arrival] = field(init=False, factory=dict)
    _highest: int = field(init=False, default=0)
    _unwatched: bool = field(init=False, default=True)
    #: keys by path whose successor has not arrived yet: a restart before that must still know them
    _superseded: dict[str, str] = field(init=False, factory=dict)
    _stale: list[str] = field(init=False, factory=list)

    @property
    def is_growing(self) -> bool:
        """Whether any path is not yet at rest."""
        return bool(self._growing)

    @property
    def needs_everything(self) -> bool:
        """Whether the next look must see everything: after a start and after `interrupted`."""
        return self._unwatched

    def restore(self, memos: Iterable[Mapping[str, Any]], root: str) -> None:
        """Take back the memos of an earlier run, those below `root`."""
        for memo in memos:
            entry = Entry(int(memo["size"]), float(memo["mtime"]))
            arrival = Arrival(str(memo["path"]), entry, int(memo["generation"]))
            if arrival.path.startswith(root.rstrip("/") + "/"):
                self._restore(arrival)

    def interrupted(self) -> None:
        """Note that nobody watched for a while: what differs at the next full look is new."""
        self._unwatched = True
        self._growing.clear()

    def observe(self, look: Look) -> Verdict:
        """Take in a look and return what follows.

        While nobody has watched, an empty look decides nothing: it may be the mount point of a disk that is missing.
        """
        if self._unwatched and not look.entries:
            return Verdict()
        gone = self._leave(look)
        for path, entry in look.entries.items():
            self._meet(path, entry, look)
        arrivals = self._settle(look)
        gone += [self._superseded.pop(each.path) for each in arrivals if each.path in self._superseded]
        if look.examined is None:
            self._unwatched = False
            gone, self._stale = gone + self._stale, []
        return Verdict(tuple(arrivals), tuple(gone))

    def next_due(self) -> float | None:
        """Return when the next growing path may be at rest, None when there is none."""
        return min((since + self.quiet_s for _, since in self._growing.values()), default=None)

    def due(self, at: float) -> list[str]:
        """Return the growing paths that are worth another look at this time."""
        return [path for path, (_, since) in self._growing.items() if since + self.quiet_s <= at]

    def _restore(self, arrival: Arrival) -> None:
        self._highest = max(self._highest, arrival.generation)
        other = self._reported.setdefault(arrival.path, arrival)
        if other is not arrival:
            older, newer = sorted((other, arrival), key=lambda each: each.generation)
            self._reported[arrival.path] = newer
            self._stale.append(older.key)

    def _leave(self, look: Look) -> list[str]:
        paths = {*self._growing, *self._reported, *self._superseded} if look.examined is None else look.examined
        absent = [path for path in paths if look.is_absent(path)]
        for path in absent:
            self._growing.pop(path, None)
        superseded = [self._superseded.pop(path) for path in absent if path in self._superseded]
        return superseded + [self._drop(path) for path in absent if path in self._reported]

    def _drop(self, path: str) -> str:
        arrival = self._reported.pop(path)
        self._highest = max(self._highest, arrival.generation)
        return arrival.key

    def _meet(self, path: str, entry: Entry, look: Look) -> None:
        reported = self._reported.get(path)
        if reported is not None:
            unseen = self._unwatched or path in look.replaced
            if not (unseen and reported.differs(entry)):
                return
            self._superseded[path] = self._drop(path)
        if self.wants(path):
            known = self._growing.get(path)
            if known is None or known[0] != entry:
                self._growing[path] = entry, look.until

    def _settle(self, look: Look) -> list[Arrival]:
        settled = []
        for path in look.entries:
            entry, since = self._growing.get(path, (None, 0.0))
            if entry is not None and (path in look.finished or since + self.quiet_s <= look.at):
                del self._growing[path]
                self._reported[path] = Arrival(path, entry, self._highest + 1)
                settled.append(self._reported[path])
        return sorted(settled, key=lambda arrival: (arrival.entry.mtime, arrival.path))
