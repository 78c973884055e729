"""One line of libcurl to web servers: a handle that is asked one thing at a time.

Laws: an answer is held whole, so that no more of it is taken than is wanted; whatever curl alone would do beside asking
and keeping cookies (redirects, passwords from files, proxies of the environment) it does not.
"""

from __future__ import annotations

import math
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import pycurl
from attrs import define, field, frozen

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.transfer import SMALL_BYTES
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.http_answers import length_of
from cryocloud_core.transfers.http_asking import PAGE_BYTES, Answer
from cryocloud_core.transfers.http_heads import Head
from cryocloud_core.transfers.http_settings import HttpSettings
from cryocloud_core.transfers.http_url import request_target, request_url

#: what curl reads from a socket at a time
_BUFFER_BYTES = 256 * 1024
#: the longest time that curl can count
_LONGEST_MS = 2**31 - 1
#: what a line is set to for all its requests
_FIXED: Final = {
    pycurl.NOSIGNAL: 1,
    pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
    pycurl.FOLLOWLOCATION: 0,
    pycurl.NOPROXY: "",
    pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
    pycurl.BUFFERSIZE: _BUFFER_BYTES,
    pycurl.COOKIEFILE: "",
    # CURLOPT_SUPPRESS_CONNECT_HEADERS, which pycurl does not name: no heads of proxies before those of servers.
    265: 1,
}


@frozen
class Wish:
    """One request that somebody waits for."""

    method: str
    url: Url
    headers: Mapping[str, str]
    settings: HttpSettings

    @property
    def location(self) -> str:
        """The URL as it is asked for."""
        return request_url(self.url)

    @property
    def target(self) -> str:
        """What stands in the request, where curl alone would write escapes in a way of its own."""
        is_for_proxy = self.url.scheme == "http" and (self.settings.proxy or "").startswith("http")
        return self.location if is_for_proxy else request_target(self.url.path)

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
class Line:
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
    #: what had come when one looked last, and since when no more did
    _came: tuple[float, int, int] | None = None
    _since: float = 0.0

    def __attrs_post_init__(self) -> None:
        for option, value in _FIXED.items():
            self.curl.setopt(option, value)
        self.curl.setopt(pycurl.SHARE, self.cookies)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._take)

    def ask(self, wish: Wish) -> None:
        """Set the line to a request; nothing moves yet."""
        if self._settings is not wish.settings:
            self._set(wish.settings)
        self._wish, self._head, self._room, self._came = wish, None, 0, None
        self._lines.clear()
        self._content.clear()
        self.curl.setopt(pycurl.HTTPGET, 1)
        self.curl.setopt(pycurl.NOBODY, int(wish.method == "HEAD"))
        self.curl.setopt(pycurl.URL, wish.location)
        self.curl.setopt(pycurl.REQUEST_TARGET, wish.target)
        self.curl.setopt(pycurl.HTTPHEADER, [_line(name, value) for name, value in wish.headers.items()])

    def is_silent(self, now: float) -> bool:
        """Return True when nothing came for longer than is to be waited, once there is a connection."""
        assert self._wish is not None
        came = self.curl.getinfo(pycurl.PRETRANSFER_TIME), len(self._lines), self._room
        if came != self._came or not came[0]:
            self._came, self._since = came, now
        return now - self._since > self._wish.settings.timeout_s

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
        self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, math.ceil(min(settings.connect_timeout_s * 1000, _LONGEST_MS)))
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
