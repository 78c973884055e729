"""Requests to web servers through aiohttp, on the transfer's loop: connections are kept for the next request.

Laws: an answer is not read before somebody wants it, so that a file of any size can be read as it comes.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import CancelledError
from typing import Final

import aiohttp
from attrs import define, field
from yarl import URL

from cryocloud_core.errors import CryoCloudError, TransferError
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.http_answers import length_of
from cryocloud_core.transfers.http_asking import PAGE_BYTES, Answer, Asking
from cryocloud_core.transfers.http_settings import HttpSettings
from cryocloud_core.transfers.http_url import request_url

#: what asking and reading may raise beside errors of ours
RAISED: Final = (aiohttp.ClientError, OSError, CancelledError)
_PAGE_S = 5.0
#: characters of what is told of an answer that is none
_SAID = 400


@define(eq=False)
class SessionAnswer(Answer):
    """An answer whose body is still on its way."""

    response: aiohttp.ClientResponse

    def pieces(self) -> AsyncIterator[bytes]:
        """Return its body as it comes. Raises TransferError where it ends too early."""
        return _Pieces(self)

    async def page(self) -> bytes:
        """Return the begin of an error page, at most PAGE_BYTES, empty where it does not come."""
        try:
            async with aiohttp.helpers.ceil_timeout(_PAGE_S):
                return await self.response.content.read(PAGE_BYTES)
        except (aiohttp.ClientError, TimeoutError):
            return b""

    def close(self) -> None:
        """Let go of it; a connection whose body was not read is closed."""
        self.response.close()

    def cut(self) -> TransferError:
        """Return the error of a body that ended too early."""
        came, length = self.response.content.total_bytes, length_of(self.headers)
        after = f"before the end, after {came} bytes" if length is None else f"after {came} of {length} bytes"
        return TransferError(f"{self.url.server} stopped {after}", subject=str(self.url), repeat=True)


@define(eq=False)
class _Pieces(AsyncIterator[bytes]):
    """The body of an answer, in pieces of any size."""

    answer: SessionAnswer

    async def __anext__(self) -> bytes:
        try:
            piece = await self.answer.response.content.readany()
        except aiohttp.ClientPayloadError as error:
            raise self.answer.cut() from error
        if not piece:
            raise StopAsyncIteration
        return piece


@define(eq=False)
class SessionAsking(Asking):
    """The session of a process with all web servers."""

    _session: aiohttp.ClientSession | None = None
    _tls: dict[str, ssl.SSLContext | bool] = field(factory=dict)

    async def send(self, method: str, url: Url, headers: Mapping[str, str], settings: HttpSettings) -> SessionAnswer:
        """Return whatever answer one request gets. Raises RAISED, TransferError."""
        if self._session is None:
            self._session = _session()
        if (settings.ca or "") not in self._tls:
            self._tls[settings.ca or ""] = settings.tls(url)
        response = await self._session.request(
            method,
            URL(request_url(url), encoded=True),
            headers=headers,
            allow_redirects=False,
            ssl=self._tls[settings.ca or ""],
            proxy=settings.proxy,
            timeout=aiohttp.ClientTimeout(None, connect=settings.connect_timeout_s, sock_read=settings.timeout_s),
        )
        return SessionAnswer(url, settings, response.status, response.reason or "", response.headers, response)

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _session() -> aiohttp.ClientSession:
    # The layer above says how many requests a host gets at a time; bodies stay as they come.
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), auto_decompress=False, read_bufsize=1 << 20, max_field_size=1 << 16
    )


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
            return TransferError(f"{url.server} stopped before the end", subject=subject, repeat=True)
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
