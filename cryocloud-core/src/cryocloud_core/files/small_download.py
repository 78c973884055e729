"""Those of several files that are small and not here yet, brought by the batch.

Laws: a place is ours alone from before its file is asked for until it has book and name, as when one file is fetched;
nobody is waited for: what somebody else fetches now, what lies there already, what an earlier try began and what fails
is left to whoever fetches one file and tells why; a batch becomes durable together, contents before names.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path

from attrs import define, field, frozen

from cryocloud_core.errors import StagingError
from cryocloud_core.files.archives import private_name
from cryocloud_core.files.bookkeeping import Books, part_of, settled
from cryocloud_core.files.cache import Cache, Copy
from cryocloud_core.files.moving import Progress
from cryocloud_core.files.place_locks import PlaceLocks
from cryocloud_core.files.small_reading import SmallReading, batches
from cryocloud_core.files.terms import Terms
from cryocloud_core.sdk.transfer import RemoteFile, SmallFile
from cryocloud_core.sdk.url import Url

logger = logging.getLogger(__name__)


@frozen
class _Saved:
    """A file that is here, under a private name, how it looks, and where it belongs."""

    lies: Path
    looks: os.stat_result
    place: Path
    remote: RemoteFile


@define(eq=False)
class SmallDownload:
    """Brings files of one server to places that nothing lies at."""

    terms: Terms
    books: Books
    cache: Cache
    reading: SmallReading
    progress: Progress
    _inside: str = field(init=False)
    #: what is asked for, in that order, but for what came at its begin; and all that came
    _left: deque[Url] = field(factory=deque)
    _came: set[Url] = field(factory=set)
    #: directories in which a name is new that is not durable yet
    _fresh: set[str] = field(factory=set)
    #: of the batch under way: directories that are there, and those in which it may leave something behind; between
    #: two batches a sweep may take away an empty one, or the note of one
    _there: set[str] = field(factory=set)
    _coming: dict[str, Path] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._inside = f"{settled(self.books.root)}/"

    def run(self, wanted: Mapping[Url, Path]) -> set[Url]:
        """Return which of the files came to their settled places. They are in use as copies are."""
        done: set[Url] = set()
        self._left.extend(wanted)
        try:
            for batch in batches(wanted):
                with PlaceLocks(self.books) as locks:
                    free = {url: place for url, place in batch.items() if self._is_free(url, place, locks)}
                    brought = self._bring(free)
                done |= brought
                if free and not brought:
                    break
        except StagingError as error:
            logger.debug("small files are brought one by one: %s", error)
        finally:
            self.progress.leave()
        return done if self._are_names_durable() else set()

    def _is_free(self, url: Url, place: Path, locks: PlaceLocks) -> bool:
        """Return True when the place is ours alone, until the locks are left, and nothing is there nor in the books."""
        if not locks.take_now(place):
            return False
        above = os.path.dirname(place)  # noqa: PTH120 - here and below: one step of thousands
        is_there = os.path.lexists(above) and (os.path.lexists(place) or os.path.lexists(part_of(url, place)))
        if is_there or self.books.is_noted(str(place)):
            locks.release(place)
            return False
        return True

    def _bring(self, free: Mapping[Url, Path]) -> set[Url]:
        saved: dict[Url, _Saved] = {}
        self._there.clear()
        self._coming.clear()

        def take(url: Url, file: SmallFile) -> None:
            place = free[url]
            above = os.path.dirname(place)  # noqa: PTH120
            self._make_folder(above)
            lies = self._folder_for(above) / private_name()
            looks = self.terms.disk.save(lies, file.content)
            saved[url] = _Saved(lies, looks, place, file.remote)
            self._came.add(url)
            while self._left and self._left[0] in self._came:
                self._left.popleft()
            self.progress.at = self._left[0] if self._left else url
            self.progress.moved(len(file.content))

        try:
            if free:
                self.reading.read({url: RemoteFile(str(url)) for url in free}, take)
            if saved:
                self._name(saved)
        except BaseException:
            for each in saved.values():
                self.terms.disk.unlink(each.lies)
            raise
        return set(saved)

    def _make_folder(self, folder: str) -> None:
        if folder in self._there:
            return
        above = os.path.dirname(folder)  # noqa: PTH120
        if above not in self._there:
            missing = takewhile(lambda each: not each.is_dir(), (Path(folder), *Path(folder).parents))
            self._fresh.update(str(each.parent) for each in missing)
        self._fresh.add(above)
        self.terms.disk.make_folder(Path(folder))
        self._there.update((folder, above))

    def _folder_for(self, above: str) -> Path:
        """Return where a file lies until it gets its name, noted as a folder in which one may be left."""
        name = "" if above.startswith(self._inside) else above
        if name not in self._coming:
            self._coming[name] = Path(name) if name else self.books.folder("coming")
            self.books.visit(self._coming[name])
        return self._coming[name]

    def _name(self, saved: Mapping[Url, _Saved]) -> None:
        disk = self.terms.disk
        disk.settle_all([each.lies for each in saved.values()])
        copies = (Copy.of(str(url), each.place, each.remote, each.looks) for url, each in saved.items())
        for each, _ in zip(saved.values(), self.cache.keep_first(copies), strict=True):
            disk.rename(each.lies, each.place, durable=False)
            self._fresh.add(os.path.dirname(each.place))  # noqa: PTH120
        self.cache.uses.add(each.place for each in saved.values())
        for _ in saved:
            self.progress.file_done()

    def _are_names_durable(self) -> bool:
        """Wait until what was brought would be found after a power cut; False where that cannot be."""
        try:
            if self._fresh:
                self.terms.disk.settle_all([Path(folder) for folder in self._fresh])
        except StagingError as error:
            logger.debug("small files are brought one by one: %s", error)
            return False
        return True
