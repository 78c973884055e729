"""Asking web servers: one request through its redirects to an answer that is one, or an error that says why not.

Laws: the same whoever carries the requests; at most ten redirects, never from https to http unless that is configured;
an answer that is not wanted is closed.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import urljoin

from attrs import define, field

from cryocloud_core.errors import RemoteFileMissing, ResolutionError, TransferError
from cryocloud_core.files.misspelt import refuse_unknown
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.configured import Configured
from cryocloud_core.transfers.http_answers import first_line, retry_after
from cryocloud_core.transfers.http_settings import CREDENTIALS, SETTINGS, HttpSettings, way_in
from cryocloud_core.transfers.http_url import DEFAULT_PORTS, origin, request_target, request_url
from cryocloud_core.url_secrets import DOTS, unsaid

MAX_REDIRECTS = 10
REDIRECTS: Final = (301, 302, 303, 307, 308)
MISSING: Final = (404, 410)
#: the same request may be answered a moment later
REPEAT: Final = (408, 425, 429, 500, 502, 503, 504)
#: what an error page may say about itself
PAGE_BYTES = 4096
#: servers whose settings are kept
_SERVERS = 1000


@define(eq=False)
class Answer(ABC):
    """An answer whose body was not read yet, and the URL that gave it; names of headers in any case."""

    url: Url
    settings: HttpSettings
    status: int
    #: what it calls its status, empty where it does not
    reason: str
    headers: Mapping[str, str]

    @abstractmethod
    def pieces(self) -> AsyncIterator[bytes]:
        """Return its body as it comes."""

    @abstractmethod
    async def page(self) -> bytes:
        """Return the begin of an error page, at most PAGE_BYTES, empty where it does not come."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it; a connection whose body was not read is closed."""


@define(eq=False)
class Asking(ABC):
    """Who carries requests to web servers."""

    config: TransferConfig
    _settings: dict[tuple[str, bool], HttpSettings] = field(factory=dict, init=False)

    @abstractmethod
    async def send(self, method: str, url: Url, headers: Mapping[str, str], settings: HttpSettings) -> Answer:
        """Return whatever answer one request gets; `headers` have what lets us in."""

    async def ask(self, method: str, url: Url, headers: Mapping[str, str], accepted: tuple[int, ...]) -> Answer:
        """Return the answer when its status is accepted. Raises RemoteFileMissing, TransferError, all others."""
        answer = await self._follow(method, url, headers)
        if answer.status in accepted:
            return answer
        try:
            raise await self._refusal(answer, url)
        finally:
            answer.close()

    def settings_of(self, url: Url, *, is_named: bool = True) -> HttpSettings:
        """Return what is configured for a server, read once: a list may hold thousands of its files."""
        key = (url.endpoint, is_named)
        if key not in self._settings:
            if len(self._settings) >= _SERVERS:
                self._settings.clear()
            self._settings[key] = HttpSettings.of(self.config, url, is_named=is_named)
        return self._settings[key]

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
        settings = self.settings_of(url, is_named=is_named)
        sent = {"Accept-Encoding": "identity", **settings.headers, **headers}
        return await self.send(method, url, sent, settings)

    def _check_downgrade(self, before: Url, after: Url, url: Url) -> None:
        is_downgrade = (before.scheme, after.scheme) == ("https", "http")
        if is_downgrade and not HttpSettings.of(self.config, url).allows_downgrade:
            raise TransferError(
                f"redirects from https to {after.shown}, where anybody can read along and change what comes",
                subject=str(url),
                remedy=f"set HTTP.{self.config.section(url)}.allow_downgrade = true to allow it",
            )

    async def _refusal(self, answer: Answer, url: Url) -> TransferError:
        status, subject = f"{answer.status} {answer.reason}".strip(), str(url)
        line = first_line(await answer.page())
        told = f"{answer.url.server} answers {status}{f': {line}' if line else ''}"
        told = unsaid(told, str(answer.url))  # an error page may repeat what a redirect led to
        if answer.status in MISSING:
            return RemoteFileMissing(f"{told}{_asked_as(url)}", subject=subject)
        remedy = self._way_in(answer, url)
        repeat = answer.status in REPEAT
        after_s = retry_after(answer.headers, time.time()) if repeat else None
        return TransferError(told, subject=subject, remedy=remedy, repeat=repeat, after_s=after_s)

    def _way_in(self, answer: Answer, url: Url) -> str:
        """Return what to do about an answer that does not let us in, nothing for any other."""
        if answer.status == 407:
            where = Configured(self.config, answer.url, "HTTP").name("proxy")
            return f"who we are belongs into the proxy's URL, before its host: {where}"
        if answer.status not in (401, 403):
            return ""
        is_named = origin(answer.url) == origin(url)
        sent = way_in(self.config if is_named else self.config.without(CREDENTIALS), answer.url)
        if sent is not None:
            return f"what {sent} says was sent and is refused: correct it, or have it allowed"
        section = self.config.section(answer.url)
        return f"what lets us in belongs into HTTP.{section}.token, .headers or .user and .password"


def _asked_as(url: Url) -> str:
    """Return for a message what was asked for, where that is not the path as it is written."""
    if request_target(url.path) == (url.path or "/"):
        return ""
    # Covered before it is encoded: afterwards nobody knows `#token=` again.
    asked = request_target(f"/{url.shown.partition('://')[2].partition('/')[2]}")
    return f" (asked as {asked.replace(request_target(DOTS), DOTS)})"


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
