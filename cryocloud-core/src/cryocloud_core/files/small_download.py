"""Those of several files that are small and not here yet, brought by the batch.

Laws: a place is ours alone from before its file is asked for until it has book and name, as when one file is fetched;
nobody is waited for: what somebody else fetches now, what lies there already, what an earlier try began and what fails
is left to whoever fetches one file and tells why; the contents of a batch become durable together, before it gets its
names and while the next one is read; all names are durable before anybody is told of one.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Self

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
class _Batch:
    """Files that are here without their names, in places that are locked; left, it takes away what has none."""

    terms: Terms
    locks: PlaceLocks
    saved: dict[Url, _Saved] = field(factory=dict)
    _durable: Future[None] | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take away what has no name, and free the places."""
        with self.locks:
            for each in self.saved.values():
                self.terms.disk.unlink(each.lies)

    def begin_to_settle(self) -> None:
        """Let another thread wait until the contents are on the disk, while we go on with the next batch."""
        self._durable = _settling(self.terms, [each.lies for each in self.saved.values()])

    def settle(self) -> None:
        """Return when the contents are on the disk. Raises StagingError, and what `check` raises."""
        assert self._durable is not None
        _await(self.terms, self._durable)


def _settling(terms: Terms, paths: Sequence[Path]) -> Future[None]:
    """Return what ends when files and directories are on their disks."""
    durable = Future[None]()

    def work() -> None:
        try:
            if paths:
                terms.disk.settle_all(paths)
            durable.set_result(None)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            durable.set_exception(error)

    terms.hands.do(work)
    return durable


def _await(terms: Terms, durable: Future[None]) -> None:
    """Wait for it, however slow the disk is, but no longer than the task may go on."""
    while not wait([durable], terms.clock.slice_s).done:
        terms.check()
    durable.result()


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
            with ExitStack() as held:
                before: list[_Batch] = []
                for files in batches(wanted):
                    batch = held.enter_context(_Batch(self.terms, PlaceLocks(self.books)))
                    is_vain = self._read(files, batch)
                    batch.begin_to_settle()
                    done.update(*map(self._name, before))
                    before = [batch]
                    if is_vain:
                        break
                done.update(*map(self._name, before))
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

    def _read(self, files: Mapping[Url, Path], batch: _Batch) -> bool:
        """Save those of some files that come; return True when some were asked for and none came."""
        self._there.clear()
        self._coming.clear()
        free = {url: place for url, place in files.items() if self._is_free(url, place, batch.locks)}

        def take(url: Url, file: SmallFile) -> None:
            batch.saved[url] = self._save(free[url], file)
            self._came.add(url)
            while self._left and self._left[0] in self._came:
                self._left.popleft()
            self.progress.at, self.progress.came = self._left[0] if self._left else url, len(self._came)
            self.progress.moved(len(file.content))

        if free:
            self.reading.read({url: RemoteFile(str(url)) for url in free}, take)
        return bool(free) and not batch.saved

    def _save(self, place: Path, file: SmallFile) -> _Saved:
        above = os.path.dirname(place)  # noqa: PTH120
        self._make_folder(above)
        lies = self._folder_for(above) / private_name()
        return _Saved(lies, self.terms.disk.save(lies, file.content), place, file.remote)

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

    def _name(self, batch: _Batch) -> set[Url]:
        """Give the files of a batch their names, where none lies yet, and free their places; return which they are."""
        batch.settle()
        self.books.folder("meta")
        named: dict[Url, Path] = {}
        for url, each in list(batch.saved.items()):
            if os.path.lexists(each.place):  # on this disk two names may be one
                continue
            self.cache.keep_first(Copy.of(str(url), each.place, each.remote, each.looks))
            self._rename(each.lies, each.place)
            del batch.saved[url]
            named[url] = each.place
        self.cache.uses.add(named.values())
        batch.locks.release_all()
        for _ in named:
            self.progress.file_done()
        return set(named)

    def _rename(self, lies: Path, place: Path) -> None:
        above = os.path.dirname(place)  # noqa: PTH120
        try:
            self.terms.disk.rename(lies, place, durable=False)
        except StagingError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            self._there.clear()
            self._make_folder(above)  # it was empty, and a sweep took it away
            self.terms.disk.rename(lies, place, durable=False)
        self._fresh.add(above)

    def _are_names_durable(self) -> bool:
        """Wait until what was brought would be found after a power cut; False where that cannot be."""
        try:
            _await(self.terms, _settling(self.terms, [Path(folder) for folder in self._fresh]))
        except StagingError as error:
            logger.debug("small files are brought one by one: %s", error)
            return False
        return True
