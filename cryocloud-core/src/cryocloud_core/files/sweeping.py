"""Making room: copies that nobody uses go, the longest unused first, and what dead transfers left behind.

Laws: only what has a book, lies there as we left it and has been used by nobody for a while is removed, and it loses
its name before its bytes; what it was stays noted, for whoever was handed its path and comes late; what was unpacked of
an archive of this machine that is gone or another by now cannot be had again, so it goes after all others, until it was
unused for a day; a leftover goes when nothing of it changed for a day and nobody has it open.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from attrs import define, field

from cryocloud_core.errors import StagingError
from cryocloud_core.files.archives import PRIVATE_PREFIX, private_name
from cryocloud_core.files.bookkeeping import settled, sidecar_of
from cryocloud_core.files.cache import Cache, Copy
from cryocloud_core.files.disk import told
from cryocloud_core.files.local_archives import is_last_of_its_kind
from cryocloud_core.files.locks import FileLock, lock_now
from cryocloud_core.files.place_locks import PlaceLocks
from cryocloud_core.files.strangers import holds_strange
from cryocloud_core.files.tidying import Tidying

#: seconds after which a leftover is nobody's
LEFTOVER_S = 24 * 3600.0


@define(eq=False)
class Sweep:
    """One sweep over the books of a machine; what cannot be removed does not keep the rest."""

    cache: Cache
    _total: int = field(default=0, init=False)
    _errors: list[StagingError] = field(factory=list, init=False)
    #: what cannot be had again, and goes after all others
    _last: list[tuple[float, Copy]] = field(factory=list, init=False)

    def run(self) -> None:
        """Sweep, if nobody does and nobody did a moment ago. Raises StagingError."""
        lock = FileLock(self.cache.books.folder("locks") / "sweep")
        if not self._is_due() or not lock.take_now():
            return
        try:
            self._make_room()
            self._remove_leftovers()
            Tidying(self.cache).run()
            self._marker.touch()
        finally:
            lock.release()
        if self._errors:
            raise self._errors[0]

    @property
    def _marker(self) -> Path:
        return self.cache.books.folder("meta") / "swept"

    def _is_due(self) -> bool:
        try:
            ago = self.cache.terms.clock.wall() - self._marker.stat().st_mtime
        except FileNotFoundError:
            return True
        return not 0 <= ago < self.cache.terms.settings.sweep_every_s

    def _make_room(self) -> None:
        copies = sorted(self.cache.all(), key=lambda item: item[0])
        self._total = sum(_size(copy) for _, copy in copies)
        for at, copy in copies:
            self.cache.terms.check()
            ago = self.cache.terms.clock.wall() - at
            if 0 <= ago < self.cache.terms.settings.cache_keep_s:
                continue
            self._try(copy.path, partial(self._consider, copy, at, is_old=ago > LEFTOVER_S))
        for at, copy in self._last:
            self.cache.terms.check()
            self._try(copy.path, partial(self._consider, copy, at, is_old=True))

    def _try(self, path: Path, step: Callable[[], None]) -> None:
        try:
            with told(path):
                step()
        except StagingError as error:
            self._errors.append(error)

    def _consider(self, copy: Copy, at: float, *, is_old: bool) -> None:
        """Remove a copy where there is too little room, and one that is lost and old.

        One that is not old and cannot be had again is put off.
        """
        is_lost = copy.is_gone and not any(os.path.lexists(path) for path in copy.made)
        if self._is_over(copy.path):
            if not is_old and is_last_of_its_kind(copy):
                self._last.append((at, copy))
            else:
                self._remove(copy, at)
        elif is_lost and is_old:
            self._remove(copy, at)

    def _is_over(self, path: Path) -> bool:
        settings = self.cache.terms.settings
        if settings.cache_max_bytes and self._total > settings.cache_max_bytes:
            return True
        above = next(folder for folder in path.parents if folder.is_dir())
        return self.cache.terms.disk.used_share(above) > settings.cache_max_share

    def _remove(self, copy: Copy, at: float) -> None:
        """Remove a copy that was used last `at` a moment, and what was made of it, unless it is used or fetched now."""
        aside: list[Path] = []
        try:
            with PlaceLocks(self.cache.books) as locks:
                if locks.take_now(copy.path):
                    self._put_aside(copy, at, aside)
        finally:
            for path in aside:
                self._remove_path(path)

    def _put_aside(self, copy: Copy, at: float, aside: list[Path]) -> None:
        # Looking through a large tree takes a while, in which somebody may use it: its book tells.
        if (copy.is_ours and not copy.is_pure) or any(holds_strange(Path(path)) for path in copy.made):
            return  # somebody's own files lie in it
        with self.cache.uses.shut() as is_used:
            if self._is_touched(copy, at) or is_used(copy.path):
                return
            size = _size(copy)
            for path in (*map(Path, copy.made), *([copy.path] if copy.is_ours else [])):
                if os.path.lexists(path):
                    with contextlib.suppress(StagingError):  # a disk without room even for a note needs this most
                        self.cache.books.visit(path.parent)  # should we die before it is removed
                    aside.append(path.with_name(private_name()))
                    self.cache.terms.disk.rename(path, aside[-1], durable=False)
            self.cache.forget(copy, is_swept=copy.is_ours)
        self._total -= size

    def _is_touched(self, copy: Copy, at: float) -> bool:
        try:
            return self.cache.find(copy.path) != copy or self.cache.books.meta(copy.path).stat().st_mtime != at
        except FileNotFoundError:
            return True

    def _remove_path(self, path: Path) -> None:
        """Remove what was put aside, and the directories of ours that it leaves empty."""
        self.cache.terms.disk.remove(path)
        root = settled(self.cache.books.root)
        with contextlib.suppress(OSError):  # one that is not empty, or somebody puts a copy there now
            for folder in path.parents:
                if root not in folder.parents:
                    return
                folder.rmdir()

    def _remove_leftovers(self) -> None:
        for note in self.cache.books.folder("visited").iterdir():
            folder = Path(os.fsdecode(note.read_bytes()))
            waiting = False
            for path in _private_in(folder):
                self.cache.terms.check()
                if self._is_recent(path) or _is_open(path):
                    waiting = True
                    continue
                self._try(path, partial(self.cache.terms.disk.remove, path))
            if not waiting:
                note.unlink(missing_ok=True)

    def _is_recent(self, path: Path) -> bool:
        try:
            return self.cache.terms.clock.wall() - _changed_at(path) < LEFTOVER_S
        except OSError:  # it is getting its name, or is being removed, right now
            return True


def _size(copy: Copy) -> int:
    return (0 if copy.is_gone else copy.size_bytes) + sum(copy.made.values())


def _private_in(folder: Path) -> list[Path]:
    if not folder.is_absolute():  # the note of a process that died over it
        return []
    try:
        return [path for path in folder.iterdir() if path.name.startswith(PRIVATE_PREFIX)]
    except OSError:
        return []


def _changed_at(path: Path) -> float:
    """Return when anything of a leftover was changed last."""
    found = path.stat(follow_symlinks=False)
    latest = max(found.st_mtime, found.st_ctime)
    if path.is_dir() and not path.is_symlink():
        below = [each.stat(follow_symlinks=False) for each in path.rglob("*")]
        latest = max([latest, *(max(each.st_mtime, each.st_ctime) for each in below)])
    return latest


def _is_open(path: Path) -> bool:
    """Return True when a living transfer holds the part that this is, or that this is the sidecar of."""
    part = path.with_suffix(".part")
    if path not in (part, sidecar_of(part)):
        return False
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not lock_now(descriptor)
    finally:
        os.close(descriptor)
