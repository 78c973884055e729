"""Small files of one server by the batch: read whole, side by side, and proven in memory before anybody sees them.

Laws: what is handed on is one whole version of its file, as far as the other side lets us tell; what cannot be proven,
or fails, is left to the way that brings one file alone and tells why it could not.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from typing import TypeVar

from attrs import define

from cryocloud_core.errors import TransferError
from cryocloud_core.files.data import HEAD_BYTES, refuse_error, refuse_page
from cryocloud_core.files.errands import Errand, Watch
from cryocloud_core.files.following import algorithm_of
from cryocloud_core.files.hosts import HostSlots
from cryocloud_core.files.part import differs, joined
from cryocloud_core.files.terms import Terms
from cryocloud_core.sdk.transfer import SMALL_BYTES, RemoteFile, SmallFile, Transfer
from cryocloud_core.sdk.url import Url

logger = logging.getLogger(__name__)

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")

#: files for which the slots of a server are kept before others are let in; where places are not locked by single bytes
#: each costs a descriptor, for two batches at a time, and a process has 256 of them
BATCH_FILES = 128 if sys.platform == "linux" else 48


@define(eq=False)
class SmallReading:
    """Reads small files of one server."""

    terms: Terms
    transfer: Transfer
    slots: HostSlots

    @property
    def can(self) -> bool:
        """Whether the transfer asks for several at a time."""
        return self.transfer.abilities.side_by_side > 1

    def is_worth_trying(self, remote: RemoteFile) -> bool:
        """Return True for a file that is small, or may be."""
        return self.can and (remote.size_bytes or 0) <= SMALL_BYTES

    def read(self, wanted: Mapping[Url, RemoteFile], take: Callable[[Url, SmallFile], None]) -> None:
        """Hand each file that could be read and proven to `take`, one at a time, from a thread of its own.

        `wanted` has what is known of each. Raises what `check` and `take` raise.
        """
        urls = {str(url): url for url in wanted}

        def proven(small: SmallFile) -> Callable[[], None] | None:
            url = urls.get(small.remote.url)
            if url is None or not _is_proven(url, small, wanted[url]):
                return None
            del urls[small.remote.url]  # the same once more is nothing new
            return partial(take, url, small)

        self._side_by_side(list(wanted), self.transfer.read_small, proven)

    def stat(self, urls: Sequence[Url]) -> dict[Url, RemoteFile]:
        """Return what the other side tells of those files of which it tells. Raises what `check` raises."""
        by_text, found = {str(url): url for url in urls}, dict[Url, RemoteFile]()

        def told(remote: RemoteFile) -> Callable[[], None] | None:
            url = by_text.get(remote.url)
            return None if url is None else partial(found.__setitem__, url, remote)

        self._side_by_side(urls, self.transfer.stat_many, told)
        return found

    def _side_by_side(
        self,
        urls: Sequence[Url],
        ask: Callable[[Sequence[Url], int], Generator[ValueT | None]],
        judge: Callable[[ValueT], Callable[[], None] | None],
    ) -> None:
        """Ask for all, in another thread, and do what `judge` returns of each; an error of the transfer ends it."""

        def work(errand: Errand[None], streams: int) -> None:
            with closing(ask(urls, streams)) as found:
                for each in found:
                    errand.look()
                    act = None if each is None else judge(each)
                    if act is not None:
                        with errand.moving():
                            act()

        with self.slots.held(), self.slots.more(self.transfer.abilities.side_by_side - 1) as further:
            try:
                Watch(self.terms, urls[0].shown, self.terms.until()).call(lambda errand: work(errand, further + 1))
            except TransferError as error:
                logger.debug("the rest of %d small files is asked for one by one: %s", len(urls), error)


def batches(items: Mapping[KeyT, ValueT]) -> Iterator[dict[KeyT, ValueT]]:
    """Yield the items by the batch, in their order."""
    waiting = iter(items.items())
    while batch := dict(islice(waiting, BATCH_FILES)):
        yield batch


def _is_proven(url: Url, small: SmallFile, known: RemoteFile) -> bool:
    """Return True for a file that is whole, is the version that is known, and is no error in a file's clothes."""
    told, content = small.remote, small.content
    if told.is_directory or told.size_bytes != len(content) or differs(known, told):
        return False
    remote = joined(known, told)
    algorithm = algorithm_of(remote.checksum)
    if algorithm is not None:
        digest = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
        return f"{algorithm}:{digest}" == (remote.checksum or "").lower()
    try:
        refuse_page(url, remote)
        refuse_error(url, remote, content[:HEAD_BYTES])
    except TransferError:
        return False
    return True
