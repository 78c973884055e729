"""Input `dirwatcher`: each file or directory that arrives in a directory and is complete becomes a pebble.

Laws: events only wake it, what counts is what a look at the disk shows (`scanning`), and what follows from looks is
decided elsewhere (`watching`). A path is marked as seen with its pebble's arrival, in one commit.
"""

from __future__ import annotations

import fnmatch
import math
import os
import threading
import time
from typing import Any

from attrs import frozen

from cryocloud_core import StartError, UsageError
from cryocloud_core.sdk.inputs import InputHandler
from cryocloud_core.sdk.processor import as_list, flag
from cryocloud_modules_builtin.hints import Batch, Hints
from cryocloud_modules_builtin.scanning import Sighting, Tree, is_network_disk
from cryocloud_modules_builtin.watching import Arrival, Look, Watch

ccmodule = {
    "description": "Watch a directory; each new, complete file (or directory) becomes a pebble",
    "depends": [],
    "provides": ["Input", "Product"],
    "inputs": {
        "src": "The directory to watch",
        "recursive": "Report files at any depth instead of files and directories at the top (default false)",
        "stabilize": "Seconds for which size and time must stay the same (default 5)",
        "pattern": "Report only names like this: *.zip; with a / it is held against the path below src",
        "closed": "A file is complete as soon as its writer closes it or moves it in (default false)",
    },
    "outputs": {
        "fullpath": "The whole path",
        "relpath": "The path below src",
        "datasize": "Size in bytes; of a directory: of everything below",
        "isdir": "Whether it is a directory",
        "mtime": "When it was last changed, seconds UTC; of a directory: the newest below",
    },
    "input_type": "permanent",
}

#: with working events a look at everything is only a safety net
FULL_LOOK_S = 600.0
#: without events: one look a second, and never more than a fiftieth of the time spent looking
POLL_S = 1.0
POLL_SHARE = 50
#: how long a stop may go unnoticed while we wait for hints
STOP_CHECK_S = 0.5


@frozen
class Settings:
    """The module's arguments, read."""

    src: str
    recursive: bool
    quiet_s: float
    patterns: tuple[str, ...]
    closed: bool

    @classmethod
    def read(cls, args: dict[str, Any]) -> Settings:
        """Return the settings. Raises UsageError, ValueError or StartError naming what is wrong."""
        if not args.get("src") or not isinstance(args["src"], str):
            raise UsageError(f"src must be the directory to watch, got {args.get('src')!r}", subject="dirwatcher")
        src = os.path.abspath(args["src"])
        if not os.path.isdir(src):
            why = "is no directory" if os.path.exists(src) else "does not exist"
            raise StartError(f"src {why}: {src!r}", subject="dirwatcher", remedy="make it, or watch another directory")
        recursive, closed = (flag(args.get(name), name=name) for name in ("recursive", "closed"))
        patterns = tuple(str(pattern) for pattern in as_list(args.get("pattern")))
        return cls(src, recursive, _seconds(args.get("stabilize")), patterns, closed)

    def wants(self, path: str) -> bool:
        """Tell whether a path fits a pattern, or there is none."""
        below, name = os.path.relpath(path, self.src), os.path.basename(path)
        return not self.patterns or any(
            fnmatch.fnmatchcase(below if "/" in pattern else name, pattern) for pattern in self.patterns
        )


def start(handler: InputHandler, args: dict[str, Any], stop_event: threading.Event) -> None:
    """Report what is in `src` and what arrives until `stop_event` is set; with `handler.once` only what is there.

    Raises UsageError or ValueError for wrong arguments, StartError when `src` is no directory.
    """
    _Patrol(handler, Settings.read(args), stop_event).run()


class _Patrol:
    """Goes round: wait for a hint or for time to pass, look, let `Watch` decide, report."""

    def __init__(self, handler: InputHandler, settings: Settings, stop_event: threading.Event) -> None:
        self.handler, self.settings, self.stop_event = handler, settings, stop_event
        self.watch = Watch(settings.quiet_s, settings.wants)
        self.tree = Tree(settings.src, settings.recursive, handler.is_ours)
        self.hints = Hints(settings.src, recursive=settings.recursive, wants_finished=settings.closed)
        self.polls = True
        self.place: tuple[int, int] | None = None
        self.told: tuple[int, int] | None = None
        self.next_look, self.pause = 0.0, POLL_S
        self.complained: set[str] = set()

    def run(self) -> None:
        """Watch until stopped, or once."""
        self.watch.restore(self.handler.known().values(), self.settings.src)
        try:
            while not self.stop_event.is_set():
                self._turn()
                if self.handler.once and self.place is not None and not self.watch.is_growing:
                    return
                self._rest()
        finally:
            self.hints.stop()

    def _turn(self) -> None:
        try:
            self._find_place()
            self._look(self.hints.take())
        except OSError as error:
            if self.place is not None or not self.complained:
                self.handler.log.warning("dirwatcher: cannot read %r: %s; waiting for it", self.settings.src, error)
            self.place = None
            self.complained.add(self.settings.src)
            self.next_look = time.monotonic() + POLL_S

    def _find_place(self) -> None:
        """Notice that `src` came, came back or is another directory or disk than before."""
        place = self._place_now()
        if place == self.place:
            return
        if self.complained or self.place is not None:
            self.handler.log.warning("dirwatcher: %r is there again (or another directory); looking", self.settings.src)
            self.complained.clear()
        self.watch.interrupted()
        self.place, self.next_look = place, 0.0
        self.polls = self.handler.once or is_network_disk(self.settings.src)

    def _place_now(self) -> tuple[int, int]:
        status = os.stat(self.settings.src)
        return status.st_dev, status.st_ino

    def _listen(self) -> None:
        """Begin anew: watches go stale when a directory leaves, and nobody tells when watchdog's threads have died."""
        why = "" if self.polls else self.hints.start()
        if why:
            self.polls = True
            self.handler.log.warning("dirwatcher: %r: no events (%s); looking again and again", self.settings.src, why)
        if self.told != self.place:
            how = "looking again and again" if self.polls else "woken by events"
            self.handler.log.info("dirwatcher: watching %r, %s", self.settings.src, how)
            self.told = self.place

    def _look(self, batch: Batch) -> None:
        now = time.monotonic()
        if batch.everything and not self.watch.needs_everything:
            self.next_look = min(self.next_look, now + self.pause)
        is_due = now >= self.next_look
        full = is_due or (bool(batch.paths) and self.watch.needs_everything)
        paths = batch.paths.union(self.watch.due(now))
        if not full and not paths:
            return
        if is_due:
            self._listen()
        seen = self.tree.look() if full else self.tree.look_at(sorted(paths))
        until = time.monotonic()
        if self._place_now() != self.place:
            return  # it went while we looked: what we did not see is not gone
        if full:
            self._plan_next_look(now)
        self._complain(seen)
        examined = None if full else frozenset(paths)
        look = Look(
            seen.entries, now, examined, frozenset(seen.unread), frozenset(batch.finished), frozenset(batch.gone), until
        )
        verdict = self.watch.observe(look)
        self._report(verdict.arrivals)
        if verdict.gone:
            self.handler.forget(verdict.gone)

    def _plan_next_look(self, begun: float) -> None:
        """Set when to look at everything again; with `once` never, so that a steady stream cannot hold up its end."""
        now = time.monotonic()
        self.pause = max(POLL_S, POLL_SHARE * (now - begun))
        self.next_look = math.inf if self.handler.once else now + (self.pause if self.polls else FULL_LOOK_S)

    def _report(self, arrivals: tuple[Arrival, ...]) -> None:
        """Make the pebbles, then wait for their commits: a thousand files share a few commits."""
        pebbles = []
        for arrival in arrivals:
            if self.stop_event.is_set():
                break  # the rest is found again by the next start
            pebbles.append(self.handler.onAdd(self._info(arrival), key=arrival.key, memo=arrival.memo))
        for pebble in pebbles:
            self.handler.accepted(pebble)

    def _info(self, arrival: Arrival) -> dict[str, Any]:
        entry = arrival.entry
        below = os.path.relpath(arrival.path, self.settings.src)
        sizes = {"datasize": entry.size, "isdir": entry.is_dir, "mtime": entry.mtime}
        return {"fullpath": arrival.path, "relpath": below, **sizes}

    def _complain(self, seen: Sighting) -> None:
        for path, why in seen.unread.items():
            if path not in self.complained:
                self.handler.log.warning("dirwatcher: cannot read %r: %s", path, why)
        self.complained |= seen.unread.keys()

    def _rest(self) -> None:
        wake_at = min(self.next_look, self.watch.next_due() or self.next_look)
        rest_s = max(0.0, wake_at - time.monotonic())
        if self.polls:
            self.stop_event.wait(rest_s)
        else:
            self.hints.wait(min(rest_s, STOP_CHECK_S))


def _seconds(value: Any) -> float:
    try:
        seconds = 5.0 if value is None else float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise UsageError(f"stabilize must be 0 or more seconds, got {value!r}", subject="dirwatcher")
    return seconds
