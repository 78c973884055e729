"""Copies of several files that are here already: the originals asked about by the batch, what is current used again.

Laws: a copy is used again as when one file is fetched: nobody touched it, and the other side shows the same version; it
is in use before its place is let go of; nobody is waited for, and what is not surely current is left to whoever fetches
one file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import define

from cryocloud_core.errors import StagingError
from cryocloud_core.files.bookkeeping import Books
from cryocloud_core.files.cache import Cache, Copy
from cryocloud_core.files.moving import Moving, Step
from cryocloud_core.files.place_locks import PlaceLocks
from cryocloud_core.files.small_reading import SmallReading, batches
from cryocloud_core.files.terms import Terms
from cryocloud_core.sdk.transfer import RemoteFile
from cryocloud_core.sdk.url import Url

logger = logging.getLogger(__name__)


@define(eq=False)
class SmallReuse:
    """Finds which of several files of one server need not be brought."""

    terms: Terms
    books: Books
    cache: Cache
    reading: SmallReading

    def run(self, places: Mapping[Url, Path]) -> Iterator[tuple[Url, Copy]]:
        """Yield the copies at settled places that are used again; they are in use from then on."""
        noted = {url: place for url, place in places.items() if self.books.is_noted(str(place))}
        try:
            for batch in batches(noted):
                with PlaceLocks(self.books) as locks:
                    copies = {url: copy for url, place in batch.items() if (copy := self._copy(url, place, locks))}
                    current = self._current(copies)
                    self.cache.uses.add(copy.path for copy in current.values())
                    for copy in current.values():
                        self.cache.touch(copy.path)
                yield from current.items()
                if copies and not current:
                    break
        except StagingError as error:
            logger.debug("copies are looked at one by one: %s", error)

    def _copy(self, url: Url, place: Path, locks: PlaceLocks) -> Copy | None:
        """Return the copy that lies at a place untouched, and is ours alone to judge."""
        copy = self.cache.find(place) if locks.take_now(place) else None
        return copy if copy is not None and copy.url == str(url) and not copy.is_tree and copy.is_here else None

    def _current(self, copies: Mapping[Url, Copy]) -> Mapping[Url, Copy]:
        """Return those whose originals are still what they were made of."""
        if not copies or self.terms.settings.trust_local:
            return copies
        first = next(iter(copies))
        self.terms.told(Moving(first, step=Step.ASKED))
        try:
            told = self.reading.stat(list(copies))
        finally:
            self.terms.told(Moving(first, step=Step.OVER))
        return {url: copy for url, copy in copies.items() if copy.is_of(told.get(url, _NOTHING))}


#: what is told of a file of which nothing is told
_NOTHING = RemoteFile("")
