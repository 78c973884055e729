"""Keeping the books short: locks that nobody holds and notes of what is gone are taken away once they are old.

Laws: a lock is removed only by who holds it, so that nobody ever holds one of two files of a name; a note is removed
when what it tells of is gone and nothing was noted of it for a day; once an hour a machine is enough.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from cryocloud_core.files.archives import PRIVATE_PREFIX
from cryocloud_core.files.bookkeeping import Books, key_of
from cryocloud_core.files.cache import Cache, pointed, read_copy
from cryocloud_core.files.local_archives import LAST
from cryocloud_core.files.locks import FileLock

#: seconds between two times, from which on a lock or note counts as old, and for which it is known what was swept: a
#: run that was stopped before a weekend goes on after it
TIDY_EVERY_S = 3600.0
OLD_S = 24 * 3600.0
SWEPT_S = 7 * 24 * 3600.0


@frozen
class Tidying:
    """Tidies the books of a machine; for who holds the lock of sweeps."""

    cache: Cache

    def run(self) -> None:
        """Tidy, if nobody did within the last hour."""
        marker = self._books.folder("meta") / "tidied"
        if marker.exists() and 0 <= self._age_s(marker) < TIDY_EVERY_S:
            return
        self._tidy_locks()
        self._tidy_hosts()
        for name, is_over in self._notes.items():
            for note in self._old(name, SWEPT_S if name in ("swept", LAST) else OLD_S):
                with suppress(FileNotFoundError):  # its owner took it away this moment
                    if note.name.startswith(PRIVATE_PREFIX) or is_over(note):
                        note.unlink()
        marker.touch()

    @property
    def _books(self) -> Books:
        return self.cache.books

    @property
    def _notes(self) -> dict[str, Callable[[Path], bool]]:
        """For each kind of notes, whether what one tells of is gone."""
        return {
            "meta": self._is_lost_pointer,
            "swept": lambda _: True,
            LAST: lambda _: True,
            "places": lambda note: not any((self._books.folder(at) / f"{note.name}.json").exists() for at in _COPIES),
            "folders": _is_of_no_folder,
            "uploads": _was_never_written,
            "taken": _is_of_nothing,
        }

    def _tidy_locks(self) -> None:
        for path in self._old("locks"):
            if path.suffix:  # the locks of the whole machine have none
                _discard(FileLock(path))
        with self.cache.uses.shut():
            self.cache.uses.tidy()

    def _tidy_hosts(self) -> None:
        for folder in list(self._books.folder("hosts").iterdir()):
            for path in self._old(f"hosts/{folder.name}"):
                _discard(FileLock(path))
            if self._age_s(folder) > OLD_S:
                with suppress(OSError):  # not empty: in use, or not old enough
                    folder.rmdir()

    def _is_lost_pointer(self, note: Path) -> bool:
        """Return True for a note of what was made of a copy that does not know of it."""
        if note.suffix != ".json" or read_copy(note) is not None:
            return False
        copy = read_copy(self._books.meta(pointed(note)))
        return copy is None or note.stem not in {key_of(Path(path)) for path in copy.made}

    def _old(self, name: str, age_s: float = OLD_S) -> Iterator[Path]:
        """Yield the files of one folder of the books that did not change for so long."""
        with os.scandir(self._books.folder(name)) as entries:
            for entry in entries:
                self.cache.terms.check()
                path = Path(entry.path)
                with suppress(FileNotFoundError):
                    if entry.is_file(follow_symlinks=False) and self._age_s(path) > age_s:
                        yield path

    def _age_s(self, path: Path) -> float:
        return self.cache.terms.clock.wall() - path.stat(follow_symlinks=False).st_mtime


#: where it stands what lies, or lay, at a place
_COPIES = ("meta", "swept")


def _discard(lock: FileLock) -> None:
    """Take a lock away, unless somebody has it."""
    if lock.take_now():
        lock.discard()


def _is_of_no_folder(note: Path) -> bool:
    folder = os.fsdecode(note.read_bytes())
    return bool(folder) and not os.path.lexists(folder)


def _is_of_nothing(note: Path) -> bool:
    copy = read_copy(note)
    return copy is None or (copy.is_gone and not any(os.path.lexists(path) for path in copy.belongs))


def _was_never_written(note: Path) -> bool:
    """Return True for the note of an upload whose writer died before it wrote it: nothing tells what to end."""
    return note.stat().st_size == 0
