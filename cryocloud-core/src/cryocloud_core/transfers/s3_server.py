"""One S3 server with its two data planes: the fast one first where it serves, the plain one for everything.

Laws: what both can do gives the same answers and the same errors; the fast plane is tried, never relied upon: where it
fails and the plain one does not, a few times in a row, it is left alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import logging
import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from attrs import define, evolve, field

from cryocloud_core.errors import CryoCloudError
from cryocloud_core.sdk.transfer import Incoming, Outgoing, RemoteFile, SmallFile
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers import s3_putting, s3_reading
from cryocloud_core.transfers.loop import BackgroundLoop, Stream
from cryocloud_core.transfers.s3_access import Place
from cryocloud_core.transfers.s3_client import S3Client
from cryocloud_core.transfers.s3_errors import RAISED, Asked
from cryocloud_core.transfers.side_by_side import side_by_side
from cryocloud_core.url_secrets import covered

if TYPE_CHECKING:
    from cryocloud_core.transfers.s3_fast import FastPlane

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: bytes read ahead of who takes them, and objects of a listing
AHEAD_BYTES = 4 * 1024 * 1024
AHEAD_FILES = 4000
#: failures in a row after which the fast plane is not tried any more
STRIKES = 3
#: up to here the fast plane puts objects: its time-out counts while they are sent
SMALL_BYTES = 1024 * 1024
#: versions of objects whose checksums are remembered
_KNOWN = 10_000


@define(eq=False)
class S3Server:
    """What is done at one server. `room` bounds the parts of files that are under way. Used from several threads."""

    client: S3Client
    loop: BackgroundLoop
    room: threading.BoundedSemaphore
    _fast: FastPlane | None = None
    _is_settled: bool = False
    _strikes: int = 0
    _checksums: dict[tuple[str, str | None], str | None] = field(factory=dict)
    _lock: threading.Lock = field(factory=threading.Lock)

    def stat(self, place: Place) -> RemoteFile:
        """Return what is told of an object, a prefix or a bucket. Raises RemoteFileMissing, TransferError."""
        return self._tried(place, lambda fast: self._whole(place, fast.stat(place)), lambda: self._plain_stat(place))

    def read(self, place: Place, start: int, stop: int | None, validator: str | None) -> Incoming:
        """Open bytes of an object. Raises RemoteFileMissing, RemoteFileChanged, TransferError."""
        return self._tried(
            place,
            lambda fast: self._checked(place, fast.read(place, start, stop, validator)),
            lambda: self.loop.run(self._read(place, start, stop, validator)),
        )

    def read_small(self, places: Sequence[Place], streams: int) -> Generator[SmallFile | None]:
        """Yield small objects whole, through the fast plane those that it can name and prove, else the plain one."""
        planes = {place.url: (place, self._fast_for(place)) for place in places}

        async def plainly(url: Url) -> SmallFile | None:
            return await s3_reading.small(self.client, planes[url][0])

        async def read(url: Url) -> SmallFile | None:
            place, fast = planes[url]
            return await (plainly(url) if fast is None else fast.small(place, plainly))

        return side_by_side(self.loop, list(planes), streams, read, (CryoCloudError, *RAISED))

    def stat_many(self, places: Sequence[Place], streams: int) -> Generator[RemoteFile | None]:
        """Yield what is told of objects, through the fast plane of those that it can name."""
        planes = {place.url: (place, self._fast_for(place)) for place in places}

        async def ask(url: Url) -> RemoteFile | None:
            place, fast = planes[url]
            return await (s3_reading.stat(self.client, place) if fast is None else fast.stat_beside(place))

        return side_by_side(self.loop, list(planes), streams, ask, (CryoCloudError, *RAISED))

    def put(self, place: Place, outgoing: Outgoing) -> None:
        """Send a file into a bucket, which is made if it is missing. Raises TransferError and what `moved` raises."""
        if outgoing.size_bytes > SMALL_BYTES or self._fast_for(place) is None:
            s3_putting.put(self.client, place, outgoing, self.room)
            return
        outgoing.moved(outgoing.size_bytes)
        said = evolve(outgoing, moved=lambda _: outgoing.moved(0))
        self._tried(
            place,
            lambda fast: fast.put(place, outgoing),
            lambda: s3_putting.put(self.client, place, said, self.room),
        )

    def make_folder(self, place: Place) -> None:
        """Write the object that stands for a directory; for a bucket make that. Raises TransferError."""
        nothing = Outgoing(Path(os.devnull), 0, hashlib.sha256().hexdigest())
        if place.key:
            s3_putting.put(self.client, place, nothing, self.room)
        else:
            s3_putting.make_bucket(self.client, place)

    def listing(self, place: Place) -> Iterator[RemoteFile]:
        """Yield every object below a prefix, in the order of their keys. Raises RemoteFileMissing, TransferError."""
        stream = self.loop.run(self._list(place))
        try:
            for page in stream:
                yield from page
        finally:
            stream.close()

    def remove(self, place: Place) -> None:
        """Remove an object, without a key the empty bucket. Raises RemoteFileMissing, TransferError."""
        if place.key:
            self.loop.run(self.client.head(place))  # S3 says yes to the removal of nothing
            self.client.call(place, "delete_object", Key=place.key)
        else:
            self.client.call(place, "delete_bucket")

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            self._fast, self._is_settled = None, False
        self.loop.run(self.client.close())

    def _tried(self, place: Place, quick: Callable[[FastPlane], T], plain: Callable[[], T]) -> T:
        """Return what the fast plane gives, else what the plain one gives. Raises what the plain one raises."""
        fast = self._fast_for(place)
        if fast is None:
            return plain()
        from cryocloud_core.transfers.s3_fast import RAISED

        try:
            found = quick(fast)
        except RAISED as error:
            found = plain()
            self._strike(error)
            return found
        self._strikes = 0
        return found

    def _fast_for(self, place: Place) -> FastPlane | None:
        """Return the fast plane if it serves an object, made when it is first asked for."""
        access = self.client.access
        if not access.fast or self._strikes >= STRIKES or importlib.util.find_spec("obstore") is None:
            return None
        from cryocloud_core.transfers.s3_fast import FastPlane, can_name, can_name_bucket, is_at_home

        if not can_name(place.key) or not can_name_bucket(place.bucket) or not is_at_home():
            return None
        with self._lock:
            if not self._is_settled:
                credentials = self.loop.run(self.client.credentials())
                # What changes by itself only the plain plane renews.
                lasts = access.anonymous or (credentials is not None and credentials.lasting)
                self._fast = FastPlane(access, credentials) if lasts else None
                self._is_settled = True
            return self._fast

    def _strike(self, error: BaseException) -> None:
        """Note that the fast plane failed where the plain one did not."""
        if isinstance(error, FileNotFoundError):  # of the bucket, which only the plain plane makes
            return
        self._strikes += 1
        if self._strikes == STRIKES:
            told = " ".join(covered(str(error)).split())[:200]  # it may quote the URL, with what is signed in it
            logger.warning("obstore is not used for %s any more: %s", self.client.access.endpoint, told)

    def _plain_stat(self, place: Place) -> RemoteFile:
        told = self.loop.run(s3_reading.stat(self.client, place))
        with self._lock:
            if len(self._checksums) >= _KNOWN:
                self._checksums.clear()
            self._checksums[told.url, told.validator] = told.checksum
        return told

    def _whole(self, place: Place, told: RemoteFile) -> RemoteFile:
        """Return what is told with a checksum; one that is not ours only the plain plane sees."""
        if told.checksum:
            return told
        known = (told.url, told.validator)
        if known not in self._checksums:
            return self._plain_stat(place)
        return evolve(told, checksum=self._checksums.get(known))

    def _checked(self, place: Place, incoming: Incoming) -> Incoming:
        """Return an answer that tells a checksum where its object has one, at least if it is read from its start."""
        try:
            if incoming.start == 0 and not incoming.remote.checksum and not self._proves_its_etag(incoming):
                whole = self._whole(place, incoming.remote)
                if whole.validator == incoming.remote.validator:
                    incoming.remote = whole
        except BaseException:
            incoming.close()
            raise
        return incoming

    def _proves_its_etag(self, incoming: Incoming) -> bool:
        """Return True for an answer whose ETag is the MD5 of all its bytes, which then are a small object's.

        That spares small objects of others a second request; for large ones it is nothing beside the first.
        """
        told = incoming.remote
        if not self.client.access.etag_is_md5 or (told.size_bytes or 0) > s3_reading.PIECE_BYTES:
            return False
        first = next(incoming.chunks, b"")
        incoming.chunks = itertools.chain((first,), incoming.chunks)
        digest = hashlib.md5(first, usedforsecurity=False).hexdigest()
        if len(first) != told.size_bytes or told.validator != f'"{digest}"':
            return False
        incoming.remote = evolve(told, checksum=f"md5:{digest}")
        return True

    async def _read(self, place: Place, start: int, stop: int | None, validator: str | None) -> Incoming:
        answer = await s3_reading.opened(self.client, place, start, stop, validator)
        stream = Stream(self.loop, answer.pieces, b"", AHEAD_BYTES, answer.close)
        return Incoming(answer.remote, self._chunks(place, stream), answer.start, stream.close)

    async def _list(self, place: Place) -> Stream[list[RemoteFile]]:
        return Stream(self.loop, s3_reading.below(self.client, place), [], AHEAD_FILES)

    def _chunks(self, place: Place, stream: Stream[bytes]) -> Iterator[bytes]:
        """Yield what a stream brings. Raises TransferError, also when it is closed meanwhile."""
        try:
            yield from stream
        except CancelledError as error:
            raise Asked(place, self.client.access, "read").error(error) from error
