"""Requests to web servers through libcurl, where it is installed: small answers, many at a time, in the calling thread.

Laws: what decides over an answer is what decides over those of aiohttp, and a head that aiohttp would not take is none;
an answer is held whole, so that none is longer than SMALL_BYTES; lines belong to one thread at a time; whatever curl
alone would do beside asking and keeping cookies (redirects, passwords from files, proxies of the environment) it does
not.
"""

from __future__ import annotations

import math
import os
import ssl
import time
import types
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import pycurl
from attrs import define, field, frozen

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.transfer import SMALL_BYTES, SmallFile
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.http_answers import length_of
from cryocloud_core.transfers.http_asking import PAGE_BYTES, Answer, Asking
from cryocloud_core.transfers.http_heads import Head
from cryocloud_core.transfers.http_settings import HttpSettings
from cryocloud_core.transfers.http_url import request_url
from cryocloud_core.transfers.side_by_side import MISSES, Reading, one

#: seconds after which whoever waits looks up
BEAT_S = 0.1
#: what curl reads from a socket at a time
_BUFFER_BYTES = 256 * 1024
#: seconds of rest where curl has no socket that it can wait for, as those beyond the 1 024th of a process are
_REST_S = 0.01
#: the longest time that curl can count
_LONGEST_MS = 2**31 - 1
#: no heads of proxies, which would come before those of servers (CURLOPT_SUPPRESS_CONNECT_HEADERS; pycurl has no name)
_NO_CONNECT_HEADS = 265
#: what a line is set to for all its requests
_FIXED: Final = {
    "NOSIGNAL": 1,
    "HTTP_VERSION": pycurl.CURL_HTTP_VERSION_1_1,
    "PATH_AS_IS": 1,
    "FOLLOWLOCATION": 0,
    "NOPROXY": "",
    "SSLVERSION": pycurl.SSLVERSION_TLSv1_2,
    "BUFFERSIZE": _BUFFER_BYTES,
    "LOW_SPEED_LIMIT": 1,
    "COOKIEFILE": "",
}


@frozen
class Wish:
    """One request that somebody waits for."""

    method: str
    url: Url
    headers: Mapping[str, str]
    settings: HttpSettings

    @property
    def limit(self) -> int:
        """The bytes that are taken of what it is answered, if that is no error."""
        return PAGE_BYTES if "Range" in self.headers else SMALL_BYTES


@define(eq=False)
class CurlAnswer(Answer):
    """An answer that is here, but for what is beyond the limit of its request."""

    content: bytes

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield what is here."""
        yield self.content

    async def page(self) -> bytes:
        """Return the begin of an error page, at most PAGE_BYTES."""
        return self.content[:PAGE_BYTES]

    def close(self) -> None:
        """Do nothing: its line is free already."""


@define(eq=False)
class CurlAsking(Asking):
    """Has requests carried by the lines that its caller's work is read with."""

    async def send(self, method: str, url: Url, headers: Mapping[str, str], settings: HttpSettings) -> CurlAnswer:
        """Return whatever answer one request gets. Raises TransferError."""
        return await _answered(Wish(method, url, headers, settings))


@types.coroutine
def _answered(wish: Wish) -> Generator[Wish, CurlAnswer, CurlAnswer]:
    return (yield wish)


@define(eq=False)
class _Talk:
    """The work on one file: it asks, is told the answer, and asks again or ends."""

    work: Coroutine[Wish, CurlAnswer | None, SmallFile | None]
    is_over: bool = False
    file: SmallFile | None = None

    def go_on(self, told: CurlAnswer | TransferError | None) -> Wish | None:
        """Return what it asks next, None when it is over. Raises what is not about one file alone."""
        try:
            return self.work.throw(told) if isinstance(told, TransferError) else self.work.send(told)
        except StopIteration as end:
            self.is_over, self.file = True, end.value
            return None


@define(eq=False)
class CurlLines:
    """Connections, kept for the next requests, and the work that each is busy for."""

    _multi: Any = field(factory=pycurl.CurlMulti)
    _cookies: Any = field(factory=pycurl.CurlShare)
    _idle: list[_Line] = field(factory=list)
    _busy: dict[Any, tuple[_Line, _Talk]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._cookies.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_COOKIE)

    def read(self, urls: Sequence[Url], streams: int, read: Reading) -> Generator[SmallFile | None]:
        """Yield what `read` returns of each URL as it comes, None when nothing came for a moment.

        `read` awaits nothing but a CurlAsking. Raises what it raises that is not about one file alone.
        """
        waiting, misses = iter(urls), 0
        try:
            for url in islice(waiting, streams):
                self._go_on(_Talk(one(url, read)), None)
            while self._busy:
                yield None
                for talk, told in self._answered():
                    self._go_on(talk, told)
                    if talk.is_over:
                        misses = misses + 1 if talk.file is None else 0
                        for url in islice(waiting, int(misses < MISSES)):
                            self._go_on(_Talk(one(url, read)), None)
                        yield talk.file
        finally:
            for line, talk in list(self._busy.values()):
                self._free(line)
                talk.work.close()

    def close(self) -> None:
        """Close all connections."""
        self._multi.close()
        for line in self._idle:
            line.curl.close()

    def _go_on(self, talk: _Talk, told: CurlAnswer | TransferError | None) -> None:
        wish = talk.go_on(told)
        if wish is None:
            return
        try:
            line = self._idle.pop() if self._idle else _Line(self._cookies)
            line.ask(wish)
            self._multi.add_handle(line.curl)
        except pycurl.error as error:
            raise TransferError(f"this libcurl cannot ask: {error}", subject=str(wish.url), repeat=True) from error
        self._busy[line.curl] = line, talk

    def _answered(self) -> Iterator[tuple[_Talk, CurlAnswer | TransferError]]:
        """Wait for a moment, and yield whose request has been answered, or has failed."""
        self._multi.perform()
        ended = list(self._ended())
        if not ended and self._multi.select(BEAT_S) <= 0:
            time.sleep(_REST_S)
        for curl, failure in ended:
            line, talk = self._busy[curl]
            self._free(line)
            yield talk, line.told(failure)

    def _ended(self) -> Iterator[tuple[Any, str]]:
        """Yield the handles that are done, with what curl says where one failed."""
        more = 1
        while more:
            more, done, failed = self._multi.info_read()
            yield from ((curl, "") for curl in done)
            yield from ((curl, told or f"error {code} of curl") for curl, code, told in failed)

    def _free(self, line: _Line) -> None:
        del self._busy[line.curl]
        self._multi.remove_handle(line.curl)
        self._idle.append(line)


@define(eq=False)
class _Line:
    """One handle of curl: it asks one thing at a time and keeps what comes."""

    cookies: Any
    curl: Any = field(factory=pycurl.Curl)
    _wish: Wish | None = None
    _settings: HttpSettings | None = None
    _lines: list[bytes] = field(factory=list)
    _head: Head | None = None
    _content: list[bytes] = field(factory=list)
    #: bytes that may still come; below 0 when something was cut
    _room: int = 0

    def __attrs_post_init__(self) -> None:
        for name, value in _FIXED.items():
            self.curl.setopt(getattr(pycurl, name), value)
        self.curl.setopt(_NO_CONNECT_HEADS, 1)
        self.curl.setopt(pycurl.SHARE, self.cookies)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._take)

    def ask(self, wish: Wish) -> None:
        """Set the line to a request; nothing moves yet."""
        if self._settings is not wish.settings:
            self._set(wish.settings)
        self._wish, self._head, self._room = wish, None, 0
        self._lines.clear()
        self._content.clear()
        self.curl.setopt(pycurl.HTTPGET, 1)
        self.curl.setopt(pycurl.NOBODY, int(wish.method == "HEAD"))
        self.curl.setopt(pycurl.URL, request_url(wish.url))
        self.curl.setopt(pycurl.HTTPHEADER, [_line(name, value) for name, value in wish.headers.items()])

    def told(self, failure: str) -> CurlAnswer | TransferError:
        """Return the answer to what was asked, or why there is none."""
        wish, head = self._wish, self._head or Head.of(self._lines)
        assert wish is not None
        if head is None or (failure and self._room >= 0):
            told = f"{wish.url.server}: {failure or 'does not keep to HTTP'}"
            return TransferError(told, subject=str(wish.url), repeat=True)
        content = b"".join(self._content)
        return CurlAnswer(wish.url, wish.settings, head.status, head.reason, head.headers, content)

    def _set(self, settings: HttpSettings) -> None:
        certificates = ssl.get_default_verify_paths()
        trusted = (certificates.cafile, certificates.capath) if settings.ca is None else (settings.ca, None)
        for option, place in zip((pycurl.CAINFO, pycurl.CAPATH), trusted, strict=True):
            if place is None:
                self.curl.unsetopt(option)
            else:
                self.curl.setopt(option, os.fsencode(place))
        self.curl.setopt(pycurl.PROXY, settings.proxy or "")
        self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, _ms(settings.connect_timeout_s))
        self.curl.setopt(pycurl.LOW_SPEED_TIME, math.ceil(_ms(settings.timeout_s) / 1000))
        self._settings = settings

    def _take(self, data: bytes) -> int | None:
        if not self._content:
            self._room = self._room_for_body()
        self._content.append(data[: max(self._room, 0)])
        self._room -= len(data)
        return None if self._room >= 0 else -1

    def _room_for_body(self) -> int:
        """Return the bytes that are taken of an answer, below 0 when it is longer than that."""
        assert self._wish is not None
        self._head = Head.of(self._lines)
        if self._head is None:
            return -1
        if self._head.status not in (200, 206):
            return PAGE_BYTES
        room = self._wish.limit
        return -1 if (length_of(self._head.headers) or 0) > room else room


def _line(name: str, value: str) -> bytes:
    """Return a header as curl takes it: one without a value is marked, else it would be left out."""
    return (f"{name}: {value}" if value.strip() else f"{name};").encode("utf-8", "surrogateescape")


def _ms(seconds: float) -> int:
    return math.ceil(min(seconds * 1000, _LONGEST_MS))
