"""The two ways to read small files of web servers, held against each other over answers of any kind.

Laws: a real server says each answer, right or wrong, byte for byte, and closes the connection; what libcurl brings
aiohttp brings too, and it is what the server counted out; libcurl may bring less, as what it leaves is asked for again.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator

import pytest
from attrs import define, field, frozen
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from cryocloud_core.sdk.transfer import SmallFile, TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.http import HttpTransfer
from tests.services.oddserver import OddServer, Request, Steps

FILE = b"0123456789"
MD5 = base64.b64encode(hashlib.md5(FILE, usedforsecurity=False).digest()).decode()
OTHER_MD5 = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()

#: so many letters
_LONG = re.compile(rb"<(\d+)>")
#: mostly as it should be, so that one thing goes wrong at a time
FIRST_LINES = [
    *["HTTP/1.1 200 OK"] * 12,
    "HTTP/1.0 200 OK",
    "HTTP/1.1 200",
    "HTTP/1.1 200 \xe4\xff",
    "HTTP/1.1 200 <5000>",
    "HTTP/1.1  200 OK",
    "HTTP/1.1\t200 OK",
    "HTTP/2 200 OK",
    "HTTP/1.2 200 OK",
    "HTTP/0.9 200 OK",
    "HTTP/1.1 2000 OK",
    "HTTP/1.1 206 Partial Content",
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 304 Not Modified",
    "HTTP/1.1 404 Not Found",
    "HTTP/1.1 503 Busy",
    "HTTP/1.1 101 Switching Protocols",
    "ICY 200 OK",
    "220 smtp.example.org ESMTP",
    "",
]
INTERIM = [
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.0 100 Continue\nContent-MD5: x\n\n",
    b'HTTP/1.1 103 Early Hints\r\nETag: "9"\r\nContent-Length: 3\r\n\r\n',
    b"HTTP/1.1 102 Processing\r\nTransfer-Encoding: chunked\r\n\r\n",
]
LINES = [
    'ETag: "1"',
    'ETag: W/"1"',
    'ETag: "2"',
    "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT",
    f"Content-MD5: {MD5}",
    f"Content-MD5: {OTHER_MD5}",
    f"Digest: md5={OTHER_MD5}, md5={MD5}",
    "Content-Encoding: gzip",
    "Content-Encoding: identity",
    "Content-Encoding:",
    "Content-Range: bytes 0-9/10",
    "Cache-Control: immutable",
    "Content-Type: text/plain;\r\n charset=utf-8",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding:",
    "Connection: keep-alive",
    "Set-Cookie: a=b; Path=/",
    "X-Empty:",
    "X-Text: \xe4\xff",
    "X-\xe4: a",
    "X(y): a",
    "X-Space : a",
    ": nothing",
    "no colon",
    "X-Return: a\rContent-MD5: b",
    "X-Nul: a\0b",
    "X-Control: a\x01b",
    "X-Long: <9000>",
    "X-Longer: <70000>",
    "X-Longest: <120000>",
    "\r\n".join(["X-Many: a"] * 200),
    "HTTP/1.1 200 OK",
]
LENGTHS = ["10", "010", "+10", "10x", "10, 10", "", "0xa", "-1", "1 0", "9" * 30, "0", "5", "11", "20", "5000000"]
TRAILERS = ['ETag: "2"\r\n', f"Content-MD5: {OTHER_MD5}\r\n", "HTTP/1.1 200 OK: x\r\n", "Content-Length: 0\r\n"]
JUNK = [b"junk", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", b"\r\n", b"\0"]


@frozen
class Said:
    """What a server says to GET and to the HEAD after it; `body` lies behind the head of the former, but for chunks."""

    get: bytes
    head: bytes
    body: bytes
    #: whether bytes follow that were not counted
    is_too_long: bool
    #: redirects before it
    hops: int

    def steps(self, request: Request) -> Steps:
        """Return what is said to a request for `/0`, which leads to `/1` and so on."""
        at = int(request.path.strip("/"))
        if at < self.hops:
            return [b"HTTP/1.1 302 Found\r\nLocation: /%d\r\nContent-Length: 0\r\n\r\n" % (at + 1)]
        return [_spelt(self.head if request.method == "HEAD" else self.get)]


def _spelt(data: bytes) -> bytes:
    return _LONG.sub(lambda long: b"a" * int(long[1]), data)


@st.composite
def said(draw: st.DrawFn) -> Said:
    """Draw what a server says."""
    lines = draw(st.lists(st.sampled_from(LINES), max_size=3))
    lengths = draw(st.one_of(st.just(["10"]), st.lists(st.sampled_from(LENGTHS), max_size=2)))
    for text in lengths:
        lines.insert(draw(st.integers(0, len(lines))), f"Content-Length: {text}")
    end = draw(st.sampled_from(["\r\n"] * 4 + ["\n", "\r"]))
    first = draw(st.sampled_from(FIRST_LINES))
    head = (end.join([first, *lines]) + end + end).encode("latin-1")
    interim = b"".join(draw(st.lists(st.sampled_from(INTERIM), max_size=2)))
    body = draw(st.sampled_from([FILE] * 6 + [b"", FILE[:7], FILE + b"<3000000>"]))
    body += draw(st.sampled_from([b""] * 6 + JUNK))
    sent = body
    if any("chunked" in line for line in lines) and draw(st.booleans()):
        trailer = draw(st.sampled_from(["", *TRAILERS])).encode()
        sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:3], body[3:]) if piece)
        sent += b"0\r\n" + trailer + b"\r\n"
    again = draw(st.sampled_from([head, head, b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: "2"\r\n\r\n']))
    counted = min((int(text) for text in lengths if text.isdigit()), default=len(body))
    hops = draw(st.sampled_from([0, 0, 0, 1, 2]))
    return Said(interim + head + sent, again, body, len(body) > counted, hops)


@define(eq=False)
class Planes:
    """One server, and two transfers that ask it."""

    server: OddServer
    curl: HttpTransfer
    aiohttp: HttpTransfer
    said: list[Said] = field(factory=list)

    def read(self, transfer: HttpTransfer, what: Said) -> SmallFile | None:
        """Return what a transfer brings."""
        self.said[:] = [what]
        self.server.asked.clear()
        url = Url.parse(f"http://{self.server.address}/0")
        return next((file for file in transfer.read_small([url], 1) if file is not None), None)


@pytest.fixture
def planes(odd_server: Callable[..., OddServer]) -> Iterator[Planes]:
    """Give a server whose answers are set, and who asks it."""
    told: list[Said] = []

    def answer(request: Request) -> Steps:
        return told[0].steps(request)

    curl, aiohttp = (HttpTransfer(TransferConfig({"fast": fast, "timeout": 5})) for fast in (True, False))
    yield Planes(odd_server(answer), curl, aiohttp, told)
    curl.close()
    aiohttp.close()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(what=said())
def test_libcurl_brings_nothing_that_aiohttp_would_not(planes: Planes, what: Said) -> None:
    """The same content under the same terms, as many bytes as the server counted; or nothing."""
    brought, other = planes.read(planes.curl, what), planes.read(planes.aiohttp, what)
    event(f"libcurl {brought is not None}, aiohttp {other is not None}")
    if brought is not None:
        assert brought.content == _spelt(what.body)[: brought.remote.size_bytes]
        assert brought == other or (other is None and what.is_too_long)
