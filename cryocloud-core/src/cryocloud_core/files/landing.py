"""Where the copies of remote files land on this machine, and what here is one.

Laws: a copy never takes the place of what we did not put there, nor lies inside another copy; a directory that was
only made to hold copies does not count as the whole one of another machine.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from attrs import Factory, field, frozen

from cryocloud_core.errors import StagingError
from cryocloud_core.files.archives import private_name
from cryocloud_core.files.bookkeeping import Books, key_of, settled
from cryocloud_core.files.disk import told
from cryocloud_core.files.locks import FileLock
from cryocloud_core.files.targets import copy_place, datadir_place, name_of, place_apart
from cryocloud_core.sdk.transfer import RemoteFile
from cryocloud_core.sdk.url import Url

#: below our folder, archives that do not stay, and what they held
_UNPACKED = "unpacked"


@frozen
class Landing:
    """The places for copies: below `datadir` for files of other machines, below `tempdir` for all others.

    `source_of` tells which URL a copy, or what lies in one, came from; None for what is no copy.
    """

    tempdir: Path
    datadir: Path
    source_of: Callable[[Path], Url | None]
    check: Callable[[], None]
    _books: Books = field(init=False, default=Factory(lambda self: Books(self.tempdir), takes_self=True))
    _root: Path = field(init=False, default=Factory(lambda self: self._books.root, takes_self=True))

    def place(self, url: Url) -> Path:
        """Return where the copy of `url` goes: the first choice, or a place apart when something else lies there."""
        return self._place(url, _openness())

    def places(self, urls: Iterable[Url]) -> dict[Url, Path]:
        """Return where the copies of many go, but for what cannot be put anywhere."""
        is_open, places = _openness(), {}
        for url in urls:
            with contextlib.suppress(StagingError):
                places[url] = self._place(url, is_open)
        return places

    def _place(self, url: Url, is_open: Callable[[str], bool]) -> Path:
        first = datadir_place(url, self.datadir) if url.scheme == "ssh" else copy_place(url, self._root)
        if first is None or not self._is_free(first, url, is_open):
            return place_apart(url, self._root)
        if url.scheme == "ssh":
            if not self._claim(first, url):
                return place_apart(url, self._root)
            self._make_folders(first.parent)
        return first

    def place_to_unpack(self, url: Url, remote: RemoteFile, number: int = 0) -> Path:
        """Return where an archive goes to be unpacked beside: a folder for each version of the file.

        So a new version never takes the old one's place under a task's eyes. A file that does not tell its version is a
        new one every time. Each `number` gives another folder.
        """
        version = uuid.uuid4().hex
        if remote.validator or remote.checksum:
            said = f"{remote.size_bytes}\0{remote.validator}\0{remote.checksum}" + (f"\0{number}" if number else "")
            version = hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()
        return self._books.root / _UNPACKED / key_of(Path(url.text)) / version[:16] / name_of(url)

    def is_to_unpack(self, path: Path) -> bool:
        """Return True for a place that is one to unpack an archive beside."""
        return settled(self._books.root / _UNPACKED) in settled(path).parents

    def is_copy(self, path: Path) -> bool:
        """Return True for a copy that we fetched, what was made of one, and a directory that was made for such."""
        path = settled(path)
        if settled(self._books.root) in path.parents or self.source_of(path) is not None:
            return True
        return path.is_dir() and self._mark_of(path).exists()

    def alone(self, what: Url) -> AbstractContextManager[None]:
        """Be the only one of this machine that unpacks the archive at a URL."""
        lock = self._books.folder("locks") / f"{key_of(Path(what.text))}.unpacking"
        return FileLock(lock).held(self._pause)

    def _pause(self, seconds: float) -> None:
        self.check()
        time.sleep(seconds)

    def _is_free(self, place: Path, url: Url, is_open: Callable[[str], bool]) -> bool:
        """Return True when the copy of `url` may lie there: nothing does, or an earlier copy of the same."""
        if not is_open(os.path.dirname(place)):  # noqa: PTH120 - asked for every file of a long list
            return False
        source = self.source_of(place)
        return source == url or (source is None and not os.path.lexists(place))

    def _claim(self, place: Path, url: Url) -> bool:
        """Return True when `url` is the one of its path on several machines whose copy may lie under that very path."""
        claim = self._books.folder("places") / key_of(settled(place))
        said = os.fsencode(url.text)
        fresh = claim.with_name(private_name())
        with told(claim):
            try:
                fresh.write_bytes(said)
                while not _linked(fresh, claim):
                    with contextlib.suppress(FileNotFoundError):  # an old one was taken away this moment
                        if claim.read_bytes() != said:
                            return False
                        os.utime(claim)
                        return True
            finally:
                fresh.unlink(missing_ok=True)
        return True

    def _make_folders(self, folder: Path) -> None:
        """Make the directories of a copy outside our own, marked: what they hold is not all that the original holds."""
        missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
        for each in reversed(missing):
            with told(each):
                self._mark_of(each).write_bytes(os.fsencode(each))
                each.mkdir(exist_ok=True)

    def _mark_of(self, folder: Path) -> Path:
        return self._books.folder("folders") / key_of(settled(folder))


def _linked(source: Path, name: Path) -> bool:
    """Give a file a name; False when something has it."""
    try:
        name.hardlink_to(source)
    except FileExistsError:
        return False
    return True


def _openness() -> Callable[[str], bool]:
    """Return what tells whether the nearest thing that is there is a directory that we may write to."""

    @functools.cache
    def is_open(folder: str) -> bool:
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder) or "."  # noqa: PTH120
        return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)  # noqa: PTH112

    return is_open
