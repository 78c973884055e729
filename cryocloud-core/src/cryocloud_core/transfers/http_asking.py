"""Asking web servers: one request through its redirects to an answer that is one, or an error that says why not.

Laws: everything here runs on the transfer's loop; at most ten redirects, never from https to http unless that is
configured; an answer that is not wanted is closed.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urljoin

import aiohttp
from attrs import define, field, frozen
from yarl import URL

from cryocloud_core.errors import CryoCloudError, RemoteFileMissing, ResolutionError, TransferError
from cryocloud_core.files.misspelt import refuse_unknown
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.http_answers import first_line, retry_after
from cryocloud_core.transfers.http_settings import SETTINGS, HttpSettings
from cryocloud_core.transfers.http_url import DEFAULT_PORTS, origin, request_url
from cryocloud_core.url_secrets import unsaid

MAX_REDIRECTS = 10
REDIRECTS: Final = (301, 302, 303, 307, 308)
MISSING: Final = (404, 410)
#: the same request may be answered a moment later
REPEAT: Final = (408, 425, 429, 500, 502, 503, 504)
#: what an error page may say about itself
_PAGE_BYTES = 4096
_PAGE_S = 5.0
#: servers whose settings are kept
_SERVERS = 1000
#: characters of what is told of an answer that is none
_SAID = 400


@frozen
class Answer:
    """An answer whose body was not read yet, and the URL that gave it."""

    response: aiohttp.ClientResponse
    url: Url
    settings: HttpSettings

    @property
    def status(self) -> int:
        """Its status code."""
        return self.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers, names in any case."""
        return self.response.headers

    def close(self) -> None:
        """Let go of it; a connection whose body was not read is closed."""
        self.response.close()


@define(eq=False)
class Asking:
    """The session of a process with all web servers. Connections are kept for the next request."""

    config: TransferConfig
    _session: aiohttp.ClientSession | None = None
    _settings: dict[tuple[str, bool], HttpSettings] = field(factory=dict)
    _tls: dict[str, ssl.SSLContext | bool] = field(factory=dict)

    async def ask(self, method: str, url: Url, headers: Mapping[str, str], accepted: tuple[int, ...]) -> Answer:
        """Return the answer when its status is accepted. Raises RemoteFileMissing, TransferError, all others."""
        answer = await self._follow(method, url, headers)
        if answer.status in accepted:
            return answer
        try:
            raise await self._refusal(answer, url)
        finally:
            answer.close()

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _follow(self, method: str, url: Url, headers: Mapping[str, str]) -> Answer:
        at = url
        # A page may lead to itself once we were given a cookie, so a circle is only told by its length.
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._send(method, at, headers, is_named=origin(at) == origin(url))
            if answer.status not in REDIRECTS or "Location" not in answer.headers:
                return answer
            answer.close()
            at = _next(at, answer.headers["Location"], url)
            self._check_downgrade(answer.url, at, url)
        raise TransferError(f"redirects more than {MAX_REDIRECTS} times, last to {at.shown}", subject=str(url))

    async def _send(self, method: str, url: Url, headers: Mapping[str, str], *, is_named: bool) -> Answer:
        if not is_named:
            refuse_unknown(self.config, url, "HTTP", SETTINGS)
        settings = self._of(url, is_named=is_named)
        if self._session is None:
            self._session = _session()
        if (settings.ca or "") not in self._tls:
            self._tls[settings.ca or ""] = settings.tls(url)
        response = await self._session.request(
            method,
            URL(request_url(url), encoded=True),
            headers={"Accept-Encoding": "identity", **settings.headers, **headers},
            allow_redirects=False,
            ssl=self._tls[settings.ca or ""],
            proxy=settings.proxy,
            timeout=aiohttp.ClientTimeout(None, sock_connect=settings.connect_timeout_s, sock_read=settings.timeout_s),
        )
        return Answer(response, url, settings)

    def _of(self, url: Url, *, is_named: bool) -> HttpSettings:
        """Return what is configured for a server, read once: a list may hold thousands of its files."""
        key = (url.endpoint, is_named)
        if key not in self._settings:
            if len(self._settings) >= _SERVERS:
                self._settings.clear()
            self._settings[key] = HttpSettings.of(self.config, url, is_named=is_named)
        return self._settings[key]

    def _check_downgrade(self, before: Url, after: Url, url: Url) -> None:
        is_downgrade = (before.scheme, after.scheme) == ("https", "http")
        if is_downgrade and not HttpSettings.of(self.config, url).allows_downgrade:
            raise TransferError(
                f"redirects from https to {after.shown}, where anybody can read along and change what comes",
                subject=str(url),
                remedy=f"set HTTP.{self.config.section(url)}.allow_downgrade = true to allow it",
            )

    async def _refusal(self, answer: Answer, url: Url) -> TransferError:
        status, subject = f"{answer.status} {answer.response.reason or ''}".strip(), str(url)
        line = first_line(await _page(answer))
        told = f"{answer.url.server} answers {status}{f': {line}' if line else ''}"
        told = unsaid(told, str(answer.url))  # an error page may repeat what a redirect led to
        if answer.status in MISSING:
            return RemoteFileMissing(told, subject=subject)
        remedy = ""
        if answer.status in (401, 403, 407):
            section = self.config.section(answer.url)
            remedy = f"what lets us in belongs into HTTP.{section}.token, .headers or .user and .password"
        repeat = answer.status in REPEAT
        after_s = retry_after(answer.headers, time.time()) if repeat else None
        return TransferError(told, subject=subject, remedy=remedy, repeat=repeat, after_s=after_s)


def _session() -> aiohttp.ClientSession:
    # The layer above says how many requests a host gets at a time; bodies stay as they come.
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), auto_decompress=False, read_bufsize=1 << 20, max_field_size=1 << 16
    )


def _next(at: Url, location: str, url: Url) -> Url:
    """Return where a redirect leads. Raises TransferError for what is no web page."""
    place = urljoin(request_url(at), location.strip().partition("#")[0])
    try:
        found = Url.parse(place)
    except ResolutionError as error:
        raise TransferError(f"redirects to {error}", subject=str(url)) from error
    if found.scheme not in DEFAULT_PORTS:
        raise TransferError(f"redirects to {found.scheme}://, which is no web server", subject=str(url))
    return found


async def _page(answer: Answer) -> bytes:
    """Return the begin of an error page, empty where it does not come."""
    try:
        async with aiohttp.helpers.ceil_timeout(_PAGE_S):
            return await answer.response.content.read(_PAGE_BYTES)
    except (aiohttp.ClientError, TimeoutError):
        return b""


def explained(error: BaseException, url: Url) -> CryoCloudError:
    """Return what a request raised as an error of ours."""
    subject = str(url)
    match error:
        case CryoCloudError():
            return error
        case aiohttp.ClientConnectorSSLError() if "WRONG_VERSION_NUMBER" in str(error):
            told = f"{url.server} does not speak TLS"
            return TransferError(told, subject=subject, remedy="write http:// if it is to be so")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            remedy = "name the file with the certificates to trust in setting ca"
            return TransferError(f"{url.server} is not trusted: {error}", subject=subject, remedy=remedy)
        case aiohttp.ClientPayloadError():
            return TransferError(f"{url.server} stopped before the end: {error}", subject=subject, repeat=True)
        case TimeoutError():
            told = f"{url.server} sent nothing for too long ({str(error) or type(error).__name__})"
            return TransferError(told, subject=subject, repeat=True)
        case aiohttp.ClientConnectorError():
            told = f"{url.server} cannot be reached: {_why(error.os_error)}"
            return TransferError(told, subject=subject, repeat=True)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | OSError():
            return TransferError(f"{url.server} broke the connection off", subject=subject, repeat=True)
        case aiohttp.ClientResponseError():
            # It may quote all that came.
            told = f"{url.server} does not keep to HTTP: {' '.join(error.message[:_SAID].split())}"
            return TransferError(told, subject=subject, repeat=True)
    return TransferError(f"{type(error).__name__}: {error}", subject=subject, repeat=True)


def _why(error: OSError) -> str:
    """Return why no connection came about; hanging up in the middle of TLS arrives with a reset or without a word."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError):
        return "it hung up"
    return error.strerror or str(error) or "it hung up"
