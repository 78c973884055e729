"""Requests to web servers through libcurl, where it is installed: small answers, many at a time, in the calling thread.

Laws: what decides over an answer is what decides over those of aiohttp; connections belong to one thread at a time, and
none is used again on which something came that nobody had asked for.
"""

from __future__ import annotations

import select
import time
import types
from collections.abc import Coroutine, Generator, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Generic

import pycurl
from attrs import define, field

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.http_asking import Asking
from cryocloud_core.transfers.http_curl_line import CurlAnswer, Line, Wish
from cryocloud_core.transfers.http_settings import HttpSettings
from cryocloud_core.transfers.side_by_side import MISSES, FoundT, Reading, one

#: seconds after which whoever waits looks up
BEAT_S = 0.1
#: seconds of rest where curl has no socket that it can wait for, as those beyond the 1 024th of a process are
_REST_S = 0.01


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
class _Talk(Generic[FoundT]):
    """The work on one file: it asks, is told the answer, and asks again or ends."""

    work: Coroutine[Wish, CurlAnswer | None, FoundT | None]
    is_over: bool = False
    found: FoundT | None = None

    def go_on(self, told: CurlAnswer | TransferError | None) -> Wish | None:
        """Return what it asks next, None when it is over. Raises what is not about one file alone."""
        try:
            return self.work.throw(told) if isinstance(told, TransferError) else self.work.send(told)
        except StopIteration as end:
            self.is_over, self.found = True, end.value
            return None


@define(eq=False)
class CurlLines:
    """Connections, kept for the next requests, and the work that each is busy for."""

    _multi: Any = field(factory=pycurl.CurlMulti)
    _cookies: Any = field(factory=pycurl.CurlShare)
    _idle: list[Line] = field(factory=list)
    _busy: dict[Any, tuple[Line, _Talk[Any]]] = field(factory=dict)
    #: those of connections that may be used again
    _sockets: set[int] = field(factory=set)
    #: when to look next whether something still comes
    _look_at: float = 0.0

    def __attrs_post_init__(self) -> None:
        self._cookies.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_COOKIE)

    def read(self, urls: Sequence[Url], streams: int, read: Reading[FoundT]) -> Generator[FoundT | None]:
        """Yield what `read` returns of each URL as it comes, None when nothing came for a moment.

        `read` awaits nothing but a CurlAsking. Raises what it raises that is not about one file alone.
        """
        waiting, misses = iter(urls), 0
        self._hang_up_on_talkers()
        try:
            for url in islice(waiting, streams):
                self._go_on(_Talk(one(url, read)), None)
            self._multi.perform()
            while self._busy:
                files = []
                try:
                    for talk, told in self._answered():
                        self._go_on(talk, told)
                        if talk.is_over:
                            files.append(talk.found)
                            misses = misses + 1 if talk.found is None else 0
                            for url in islice(waiting, int(misses < MISSES)):
                                self._go_on(_Talk(one(url, read)), None)
                    # Not after the caller took its time: until we ask something may come that nobody asked for.
                    self._multi.perform()
                finally:
                    yield from files or (None,)
        finally:
            for line, talk in list(self._busy.values()):
                self._free(line)
                talk.work.close()

    def close(self) -> None:
        """Close all connections."""
        self._multi.close()
        for line in self._idle:
            line.curl.close()

    def _go_on(self, talk: _Talk[Any], told: CurlAnswer | TransferError | None) -> None:
        wish = talk.go_on(told)
        if wish is None:
            return
        try:
            line = self._idle.pop() if self._idle else Line(self._cookies)
            line.ask(wish)
            self._multi.add_handle(line.curl)
        except pycurl.error as error:
            raise TransferError(f"this libcurl cannot ask: {error}", subject=str(wish.url), repeat=True) from error
        self._busy[line.curl] = line, talk

    def _answered(self) -> Iterator[tuple[_Talk[Any], CurlAnswer | TransferError]]:
        """Wait for a moment, and yield whose request has been answered, or has failed."""
        for curl, failure in list(self._ended()) or self._silent():
            line, talk = self._busy[curl]
            self._sockets.add(curl.getinfo(pycurl.ACTIVESOCKET))
            self._free(line)
            yield talk, line.told(failure)

    def _ended(self) -> Iterator[tuple[Any, str]]:
        """Yield the handles that are done, with what curl says where one failed."""
        more = 1
        while more:
            more, done, failed = self._multi.info_read()
            yield from ((curl, "") for curl in done)
            yield from ((curl, told or f"error {code} of curl") for curl, code, told in failed)

    def _silent(self) -> list[tuple[Any, str]]:
        """Wait for a moment, and return the handles that nothing came for in too long."""
        if self._multi.select(BEAT_S) <= 0:
            time.sleep(_REST_S)
        now = time.monotonic()
        if now < self._look_at:
            return []
        self._look_at = now + BEAT_S
        self._multi.perform()  # something may have come while the caller took its time
        return [(line.curl, "nothing came for too long") for line, _ in self._busy.values() if line.is_silent(now)]

    def _hang_up_on_talkers(self) -> None:
        """Make all connections anew when one was closed, or something came that nobody asked for.

        Curl itself would look only at those that rested for a second.
        """
        watch = select.poll()
        for socket in self._sockets - {-1}:
            watch.register(socket, select.POLLIN)
        if watch.poll(0):
            self._multi.close()
            self._multi = pycurl.CurlMulti()
            self._sockets.clear()

    def _free(self, line: Line) -> None:
        del self._busy[line.curl]
        self._multi.remove_handle(line.curl)
        self._idle.append(line)
