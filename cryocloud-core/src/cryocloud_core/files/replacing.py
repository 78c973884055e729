"""Whether what lies at a place may be replaced by a copy of a URL, and nobody beginning to use it while it is.

Laws: what a module changed, what another task uses, and with `sparing` what a next node may have been handed stays as
it is; a place that is not ours is nobody's to take but where we alone write.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen

from cryocloud_core.errors import StagingError
from cryocloud_core.files.bookkeeping import settled
from cryocloud_core.files.cache import Cache
from cryocloud_core.sdk.url import Url


class OccupiedError(StagingError):
    """A copy cannot take a place: what lies there is somebody's, or in use."""


@frozen
class Replacing:
    """Judges the places of one layer, for whoever holds a place's lock.

    `sparing`: only a copy of the same URL, used by no other task now nor within `cache_keep`, is ours to replace.
    """

    cache: Cache

    def refuse_strange(self, place: Path, url: Url, *, sparing: bool) -> None:
        """Raise OccupiedError when something lies there that is not ours to replace now."""
        if not os.path.lexists(place):
            return
        copy = self.cache.find(place)
        if copy is not None and copy.is_ours and not (sparing and copy.url != str(url)):
            if not copy.is_pure:
                raise OccupiedError("holds files that others put there", subject=str(place), remedy="move them away")
            with self.cache.uses.shut(own_count=False) as is_used:
                self._refuse_used(place, is_used, sparing=sparing)
        elif sparing or settled(self.cache.books.root) not in place.parents:
            raise OccupiedError("exists and is not a copy of ours", subject=str(place), remedy="move it away")

    @contextlib.contextmanager
    def replaced(self, place: Path, url: Url, *, sparing: bool) -> Iterator[None]:
        """Let nobody begin to use what lies at a place while it is replaced. Raises OccupiedError before that."""
        self.refuse_strange(place, url, sparing=sparing)
        if not os.path.lexists(place):
            yield
            return
        with self.cache.uses.shut(own_count=False) as is_used:
            self._refuse_used(place, is_used, sparing=sparing)
            yield

    def _refuse_used(self, place: Path, is_used: Callable[[Path], bool], *, sparing: bool) -> None:
        if is_used(place):
            raise OccupiedError("is being used", subject=str(place), remedy="wait until it is not")
        if sparing and self.cache.is_awaited(place):
            raise OccupiedError("is on its way to another node", subject=str(place), remedy="wait a while")
