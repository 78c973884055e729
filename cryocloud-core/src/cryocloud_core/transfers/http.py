"""Files of web servers: `http://host/path?query` and `https://`.

Laws: what is delivered is the file's own bytes, counted; an answer that is not what was asked for is an error, except
that a server without ranges is answered from the start; nothing is put, listed or removed.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from cryocloud_core.errors import CryoCloudError, RemoteFileChanged, TransferError
from cryocloud_core.sdk.transfer import Abilities, Incoming, Outgoing, RemoteFile, SmallFile, Transfer, TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers import http_answers as answers
from cryocloud_core.transfers.http_asking import Answer, Asking
from cryocloud_core.transfers.http_files import odd, pieces, remote_of, small, stat
from cryocloud_core.transfers.http_session import RAISED, SessionAsking, explained
from cryocloud_core.transfers.http_settings import SETTINGS
from cryocloud_core.transfers.loop import BackgroundLoop, Stream
from cryocloud_core.transfers.side_by_side import side_by_side

if TYPE_CHECKING:
    from cryocloud_core.transfers.http_curl import CurlLines

logger = logging.getLogger(__name__)

T = TypeVar("T")
#: bytes that may wait for a slow reader
AHEAD_BYTES = 4 << 20


class HttpTransfer(Transfer):
    """Reads files over HTTP."""

    abilities: ClassVar[Abilities] = Abilities(ranges=True, streams=4, side_by_side=8)
    settings: ClassVar[frozenset[str]] = SETTINGS

    def __init__(self, config: TransferConfig) -> None:
        super().__init__(config)
        self._loop = BackgroundLoop("http")
        self._asking = SessionAsking(config)
        #: those of curl that nobody uses right now
        self._lines: list[CurlLines] = []

    def stat(self, url: Url) -> RemoteFile:
        """Return what the server tells of a file; a server that does not answer HEAD is asked for the first byte."""
        return self._run(url, stat(self._asking, url))

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Open the bytes from `start` up to `stop`, or from 0 where the server has no ranges or another version.

        An empty chunk says that nothing came for a moment.
        """
        if stop is not None and stop <= start:
            return Incoming(_same(self.stat(url), validator), iter(()), start)
        incoming = self._run(url, self._read(url, start, stop, validator))
        incoming.chunks = self._told(url, incoming.chunks)
        return incoming

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield small files whole; a server that offers no checksum is asked again after the last byte of each."""
        return self._side_by_side(urls, streams, small)

    def stat_many(self, urls: Sequence[Url], streams: int) -> Generator[RemoteFile | None]:
        """Yield what the server tells of files."""
        return self._side_by_side(urls, streams, stat)

    def put(self, outgoing: Outgoing, url: Url) -> None:
        """Refuse: there is no one way to put a file on a web server."""
        raise self._cannot(f"put {outgoing.path.name}", url, "use s3:// or ssh://, or a module of your own")

    def listing(self, url: Url) -> Iterator[RemoteFile]:
        """Refuse: a web server cannot be asked what it has."""
        raise self._cannot("list", url, "name each file, or use s3:// or ssh://")

    def remove(self, url: Url) -> None:
        """Refuse: a web server only hands out files."""
        raise self._cannot("remove", url, "remove it where it lies")

    def close(self) -> None:
        """Close all connections; they are made anew when the transfer is used again."""
        asking, self._asking = self._asking, SessionAsking(self.config)
        if self._loop.is_running:
            self._loop.run(asking.close())
        self._loop.close()
        for lines in [self._lines.pop() for _ in range(len(self._lines))]:
            lines.close()

    def _side_by_side(
        self, urls: Sequence[Url], streams: int, find: Callable[[Asking, Url], Coroutine[Any, Any, T | None]]
    ) -> Generator[T | None]:
        try:
            if self._asking.settings_of(urls[0]).fast and _has_curl():
                yield from self._with_curl(urls, streams, find)
            else:
                yield from side_by_side(self._loop, urls, streams, partial(find, self._asking), RAISED)
        except CryoCloudError as error:
            logger.debug("the rest of %d small files is asked for one by one: %s", len(urls), error)

    def _with_curl(
        self, urls: Sequence[Url], streams: int, find: Callable[[Asking, Url], Coroutine[Any, Any, T | None]]
    ) -> Iterator[T | None]:
        from cryocloud_core.transfers.http_curl import CurlAsking, CurlLines

        try:
            lines = self._lines.pop()
        except IndexError:
            lines = CurlLines()
        try:
            yield from lines.read(urls, streams, partial(find, CurlAsking(self.config)))
        finally:
            self._lines.append(lines)

    def _cannot(self, verb: str, url: Url, remedy: str) -> TransferError:
        return TransferError(f"{url.scheme}:// cannot {verb}", subject=str(url), remedy=remedy)

    def _run(self, url: Url, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._loop.run(work)
        except RAISED as error:
            raise explained(error, url) from error

    def _told(self, url: Url, chunks: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from chunks
        except RAISED as error:
            raise explained(error, url) from error

    async def _read(self, url: Url, start: int, stop: int | None, validator: str | None) -> Incoming:
        headers = _range_headers(start, stop, validator)
        answer = await self._asking.ask("GET", url, headers, (200, 206, 416) if headers else (200,))
        try:
            remote = remote_of(answer, url)
            begin, end = _span(answer, remote, start, stop)
            if answer.status != 200:
                _same(remote, validator)
        except BaseException:
            answer.close()
            raise
        length = None if end is None else end - begin
        stream = Stream(self._loop, pieces(answer, url, length), b"", AHEAD_BYTES, answer.close)
        return Incoming(remote, stream, begin, stream.close, answers.tells_end(answer.headers))


def _range_headers(start: int, stop: int | None, validator: str | None) -> dict[str, str]:
    if not start and stop is None:
        return {}
    headers = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
    condition = answers.if_range(validator) if validator else None
    return headers | ({"If-Range": condition} if condition else {})


def _span(answer: Answer, remote: RemoteFile, start: int, stop: int | None) -> tuple[int, int | None]:
    """Return where an answer's bytes begin and end. Raises TransferError when that is not what was asked for."""
    if answer.status == 200:
        return 0, remote.size_bytes
    url = Url.parse(remote.url)
    if answer.status == 416:
        if remote.size_bytes is None or start < remote.size_bytes:
            raise odd(answer, url, f"nothing from byte {start}")
        if start > remote.size_bytes:
            raise RemoteFileChanged(f"has {remote.size_bytes} bytes only", subject=remote.url)
        return start, start
    span = answers.span_of(answer.headers)
    if span is None or span.start != start or not _ends_well(span, stop):
        raise odd(answer, url, f"another part than bytes {start} to {'the end' if stop is None else stop - 1}")
    return span.start, span.stop


def _ends_well(span: answers.Span, stop: int | None) -> bool:
    if span.size is None:
        return stop is None or span.stop <= stop
    return span.stop == (span.size if stop is None else min(stop, span.size))


def _same(remote: RemoteFile, validator: str | None) -> RemoteFile:
    if validator is not None and remote.validator not in (None, validator):
        raise RemoteFileChanged("is no longer the file that was begun with", subject=remote.url)
    return remote


def _has_curl() -> bool:
    """Return True where libcurl is installed and can be loaded."""
    if importlib.util.find_spec("pycurl") is None:
        return False
    try:
        importlib.import_module("cryocloud_core.transfers.http_curl")
    except ImportError as error:
        logger.debug("small files are read without libcurl: %s", error)
        return False
    return True
