"""Several files of one server at a time: what is here of them used again, small ones brought.

Laws: what is done for one file is done for each of many; what does not go well here is not told, but left to whoever
fetches one file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import define

from cryocloud_core.files.bookkeeping import Books
from cryocloud_core.files.cache import Cache
from cryocloud_core.files.hosts import HostSlots
from cryocloud_core.files.moving import Progress, reused
from cryocloud_core.files.small_download import SmallDownload
from cryocloud_core.files.small_reading import SmallReading
from cryocloud_core.files.small_reuse import SmallReuse
from cryocloud_core.files.terms import Terms
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.url import Url


@define(eq=False)
class ManyFiles:
    """What a task does with many files at a time."""

    terms: Terms
    books: Books
    cache: Cache
    transfers: Transfers
    slots: Callable[[Url], HostSlots]

    def bring(self, places: Mapping[Url, Path]) -> set[Url]:
        """Return which files of one server are at their settled places now, current and in use."""
        one = next(iter(places))
        reading = SmallReading(self.terms, self.transfers.to(one), self.slots(one))
        done: set[Url] = set()
        if len(places) > 1 and reading.can:
            for url, copy in SmallReuse(self.terms, self.books, self.cache, reading).run(places):
                self.terms.told(reused(url, copy.size_bytes))
                done.add(url)
        missing = {url: place for url, place in places.items() if url not in done}
        if len(missing) > 1 and reading.can:
            first = next(iter(missing))
            progress = Progress(
                self.terms.told, self.terms.clock.now, first, files=len(missing), is_sized=True, is_batch=True
            )
            done |= SmallDownload(self.terms, self.books, self.cache, reading, progress).run(missing)
        return done
