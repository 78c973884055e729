"""What `dirwatcher` is told: events of the operating system, gathered as hints where a look is worth while.

Laws: a hint is never a fact. Where events cannot be had, or may have been lost, there is no error: looks at everything
make up for them. watchdog is imported only when a directory is watched.
"""

from __future__ import annotations

import os
import threading
import warnings
from typing import TYPE_CHECKING, Any

from attrs import define, field

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent

#: The kernel's queue drops events beyond 16 384, and watchdog does not pass that on: half as many are doubtful.
MANY = 8_192


@define
class Batch:
    """The hints since the last look: paths to look at; of them, what a writer finished, what was gone for a moment."""

    paths: set[str] = field(factory=set)
    finished: set[str] = field(factory=set)
    gone: set[str] = field(factory=set)
    #: single paths do not tell enough: look at everything
    everything: bool = False


class Hints:
    """Listens to one directory. `wants_finished`: also tell which files their writers closed or moved in."""

    def __init__(self, root: str, *, recursive: bool, wants_finished: bool) -> None:
        self._root = root
        self._recursive = recursive
        self._wants_finished = wants_finished
        self._batch = Batch()
        self._count = 0
        self._wake = threading.Condition()
        self._observer: Any = None
        self._real = ""

    def start(self) -> str:
        """Begin to listen, anew if need be; return why that is not possible, empty when it is."""
        try:
            from watchdog.observers.inotify import InotifyObserver
        except ImportError as error:
            return str(error)
        # A directory that is made while its parent's watch is set up gets two; watchdog warns, and means nothing by it.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        # watchdog does not follow a link that it is told to watch.
        self._real = os.path.realpath(self._root)
        before, self._observer, why = self._observer, None, ""
        try:
            self._observer = InotifyObserver(generate_full_events=True)
            self._observer.schedule(self, self._real, recursive=self._recursive, event_filter=self._events())
            self._observer.start()
        except OSError as error:
            _end(self._observer)
            self._observer, why = None, str(error)
        _end(before)
        return why

    def stop(self) -> None:
        """Listen no longer."""
        _end(self._observer)
        self._observer = None

    def take(self) -> Batch:
        """Return the hints since the last call."""
        with self._wake:
            batch, self._batch = self._batch, Batch()
            if self._count > MANY:
                self._count, batch.everything = 0, True
        return batch

    def wait(self, timeout_s: float) -> None:
        """Return when there is a hint, at the latest after `timeout_s`."""
        with self._wake:
            self._wake.wait_for(lambda: self._batch.paths or self._batch.everything, timeout_s)

    def dispatch(self, event: FileSystemEvent) -> None:
        """Take an event from watchdog's thread."""
        source, target = self._path(event.src_path), self._path(event.dest_path)
        with self._wake:
            self._count += 1
            if event.event_type in ("deleted", "moved") and source:
                self._note_gone(source, everything=event.is_directory and self._recursive)
            if event.event_type in ("created", "closed") and source:
                self._note_there(source, finished=event.event_type == "closed")
            if event.event_type == "moved" and target:
                self._note_there(target, finished=True)
            self._wake.notify_all()

    def _note_gone(self, path: str, *, everything: bool) -> None:
        self._batch.paths.add(path)
        self._batch.gone.add(path)
        self._batch.finished.discard(path)
        self._batch.everything |= everything

    def _note_there(self, path: str, *, finished: bool) -> None:
        self._batch.paths.add(path)
        if finished and self._wants_finished:
            self._batch.finished.add(path)

    def _path(self, path: str | bytes) -> str:
        """Return the path as the user wrote it, empty for what is not below the root."""
        below = os.path.relpath(os.fsdecode(path), self._real) if path else ".."
        return "" if below == "." or below.split("/")[0] == ".." else os.path.join(self._root, below)

    def _events(self) -> list[type[FileSystemEvent]]:
        from watchdog import events

        kinds: list[type[FileSystemEvent]] = [events.FileCreatedEvent, events.FileMovedEvent, events.FileDeletedEvent]
        kinds += [events.DirCreatedEvent, events.DirMovedEvent, events.DirDeletedEvent]
        return [*kinds, events.FileClosedEvent] if self._wants_finished else kinds


def _end(observer: Any) -> None:
    if observer is not None:
        observer.stop()
        if observer.is_alive():
            observer.join()
