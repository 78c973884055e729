"""Copies of ours that are gone, brought again for whoever was handed their paths: a node that comes long after another.

Laws: a copy comes from where it came from to where it was; when the original changed meanwhile that is told in the log,
and the new version is what there is; but what was unpacked of an archive of this machine, which surely tells its
versions apart, is made again of the same one only; whoever finds it here again uses it as it is.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from attrs import frozen

from cryocloud_core.errors import RemoteFileMissing, StagingError
from cryocloud_core.files.bookkeeping import Books
from cryocloud_core.files.cache import Copy, pointed, read_copy
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.local_archives import archive_of
from cryocloud_core.files.swept_elsewhere import Elsewhere
from cryocloud_core.sdk.url import Url

logger = logging.getLogger(__name__)


@frozen
class Gone:
    """A place that is gone, and the copy that lay there or that it was made of."""

    place: Path
    copy: Copy

    @classmethod
    def at(cls, path: Path, books: Books) -> Gone | None:
        """Return what is gone at a settled path or above it; None when it is here, or was no copy of ours."""
        for place in (path, *path.parents):
            if os.path.lexists(place):
                return None
            copy = _noted(place, books)
            if copy is not None:
                return cls(place, copy)
        return None


@frozen
class Regaining:
    """Brings copies again. `alone` makes us the only one that brings those of a URL, `unpack` unpacks an archive.

    `again` makes one again whose original is an archive of this machine. Raises StagingError where that is another.
    """

    books: Books
    layer: Layer
    alone: Callable[[Url], AbstractContextManager[None]]
    unpack: Callable[[Path], object]
    again: Callable[[Path, Copy], object]

    def run(self, path: Path) -> bool:
        """Bring the copy again that is missing at a settled path, if it is one; False for what is missing and was none.

        Who uses it looks again whether it is here: others may have swept it meanwhile. Raises TaskError.
        """
        gone = Gone.at(path, self.books)
        if gone is None:
            return os.path.lexists(path)
        try:
            with self.alone(Url.parse(gone.copy.url)):
                if Gone.at(path, self.books) is not None:
                    self._bring(gone)
        except StagingError as error:
            said = f"{path} was a copy and is no longer here"
            error.place = ": ".join(filter(None, (said, error.place)))
            raise
        return True

    def _bring(self, gone: Gone) -> None:
        copy, url = gone.copy, Url.parse(gone.copy.url)
        archive = archive_of(url)
        if archive is not None:
            self.again(archive, copy)
            return
        logger.info("%s was a copy and is no longer here; it is fetched again from %s", gone.place, url.endpoint)
        try:
            self._fetch(url, copy)
        except RemoteFileMissing as missing:
            elsewhere = Elsewhere(self.layer, self.books.tempdir)
            swept = elsewhere.find(url)
            if swept is None or swept.is_unpacked or swept.below.parts:
                missing.remedy = missing.remedy or elsewhere.remedy(url)
                raise
            self._fetch(swept.original, copy)
        if gone.place != copy.path:
            self.unpack(copy.path)
        warn_unless_same(gone.place, read_copy(self.books.meta(copy.path)), copy)

    def _fetch(self, url: Url, copy: Copy) -> None:
        fetch = self.layer.fetch_tree if copy.is_tree else self.layer.fetch
        fetch(url, copy.path, sparing=True)


def warn_unless_same(place: Path, now: Copy | None, before: Copy) -> None:
    """Log that what lies at a place now may be another version of its original than was there before."""
    if now is None or not now.is_version_of(before):
        told = "%s may be another version than before: nothing shows that its original is still the same"
        logger.warning(told, place)


def copy_at(path: Path, books: Books) -> Copy | None:
    """Return the copy that a settled path is, lies in or was made of, here or swept; None for what is none."""
    found = (_noted(place, books) for place in (path, *path.parents))
    return next((copy for copy in found if copy is not None), None)


def _noted(place: Path, books: Books) -> Copy | None:
    """Return the copy that lay at a place, or that it was made of, swept or not."""
    for book in (books.meta(place), books.swept(place)):
        copy = read_copy(book)
        if copy is not None:
            return copy
        of = pointed(book)
        # One that was fetched again, and is not unpacked yet, does not know what it is for.
        for copy in (read_copy(books.meta(of)), read_copy(books.swept(of))):
            if copy is not None and str(place) in copy.made:
                return copy
    return None
