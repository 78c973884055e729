"""A web server that does what it is told to do wrong, request by request, and serves one object honestly otherwise.

Laws: raw sockets, because a library would refuse to misbehave; the object has versions, each with its own content and
validator; what a case counts on (a length, a validator, a checksum) is honest where the case says it is offered.
"""

from __future__ import annotations

import base64
import hashlib
import random
import socket
import struct
import threading
import time
from enum import Enum

from attrs import define, evolve, field, frozen


class Fault(Enum):
    """What goes wrong with one request."""

    NONE = "none"
    CUT = "cut"  # the connection ends in the middle of the body
    RESET = "reset"  # … with a reset
    CUT_HEADERS = "cut headers"
    SHORT = "short"  # fewer bytes than the length says, then the end
    LONG = "long"  # junk behind the last byte
    LESS = "less"  # the length of the answer itself is a lie: a clean answer that ends too early
    CHANGE = "change"  # the object is another one from this request on
    CHANGE_MIDWAY = "change midway"  # … while its body is on the way: the rest is of the new one
    IGNORE_RANGE = "ignore range"
    WRONG_RANGE = "wrong range"  # 206, but of another place
    HTML = "html"  # a log-in page with status 200
    S3_ERROR = "s3 error"  # an error document with status 200
    FREEZE = "freeze"
    FREEZE_HEADERS = "freeze headers"
    BUSY = "busy"  # 503 with Retry-After
    BROKEN = "broken"  # 500
    MISSING = "missing"  # 404 for once
    UNSATISFIED = "unsatisfied"  # 416 whatever was asked
    LOOP = "loop"  # a redirection to itself
    RUBBISH = "rubbish"  # no HTTP at all


@frozen
class Offers:
    """What the server tells of its object, honestly; `ranges`: it can answer parts."""

    length: bool = True
    validator: bool = True
    checksum: bool = False
    ranges: bool = True
    head: bool = True
    chunked: bool = False


@frozen
class Version:
    """One content of the object."""

    number: int
    content: bytes

    @classmethod
    def of(cls, seed: int, number: int, size: int) -> Version:
        """Return a content that no other version shares a byte range with, but by chance."""
        return cls(number, random.Random(seed * 1000 + number).randbytes(size))

    @property
    def validator(self) -> str:
        """An ETag."""
        return f'"v{self.number}"'


@frozen
class Request:
    """What was asked."""

    method: str
    headers: dict[str, str]

    @property
    def span(self) -> tuple[int, int | None] | None:
        """The wanted range: first byte, and the one behind the last if named."""
        wanted = self.headers.get("range", "")
        if not wanted.startswith("bytes="):
            return None
        first, _, last = wanted[6:].partition("-")
        return int(first), int(last) + 1 if last else None


@define(eq=False)
class HostileServer:
    """One object at any path of one port. `faults` are used up one a request; then it is honest."""

    seed: int
    size: int
    offers: Offers
    faults: list[tuple[Fault, float]]
    frozen_s: float = 30.0
    version: Version = field(init=False)
    #: every content it had, and the bytes of bodies it sent
    versions: list[Version] = field(factory=list)
    sent: int = 0
    requests: int = 0
    #: answers under way that change the object
    _changing: int = 0
    _listener: socket.socket = field(init=False)
    _lock: threading.Lock = field(factory=threading.Lock)
    _closed: threading.Event = field(factory=threading.Event)

    def __attrs_post_init__(self) -> None:
        self.version = Version.of(self.seed, 0, self.size)
        self.versions.append(self.version)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, name="hostile server", daemon=True).start()

    @property
    def url(self) -> str:
        """Where its object is."""
        return self.url_of("object.bin")

    def url_of(self, name: str) -> str:
        """Return another URL of the same object: whoever wants several at a time takes them for several."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/data/{name}"

    def behave(self) -> None:
        """Do nothing wrong from now on; what is about to change the object has done so when this returns."""
        self.faults.clear()
        while self._changing:
            time.sleep(0.001)

    def close(self) -> None:
        """End it, also every answer that is frozen."""
        self._closed.set()
        # Closing alone does not wake a thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.settimeout(60)
                data = b""
                while True:
                    while b"\r\n\r\n" not in data:
                        more = connection.recv(65536)
                        if not more:
                            return
                        data += more
                    head, _, data = data.partition(b"\r\n\r\n")
                    if not self._answer(connection, _read(head)):
                        return
            except OSError:
                return

    def _answer(self, connection: socket.socket, request: Request) -> bool:
        """Answer one request; True when the connection goes on."""
        with self._lock:
            self.requests += 1
            fault, share = self.faults.pop(0) if self.faults else (Fault.NONE, 0.0)
            if fault is Fault.CHANGE:
                self._change()
            version = self.version
            self._changing += fault is Fault.CHANGE_MIDWAY
        answer = Answer(self, version, fault, share)
        try:
            return answer.send(connection, request)
        except BrokenPipeError:
            return False
        finally:
            with self._lock:
                self._changing -= fault is Fault.CHANGE_MIDWAY

    def _change(self) -> Version:
        self.version = Version.of(self.seed, len(self.versions), self.size)
        self.versions.append(self.version)
        return self.version

    def change(self) -> Version:
        """Put another content in the object's place."""
        with self._lock:
            return self._change()

    def wait_frozen(self) -> None:
        """Do nothing for longer than anybody waits."""
        self._closed.wait(self.frozen_s)


def _read(head: bytes) -> Request:
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in rest)
    return Request(first.split(" ", 1)[0], {name.strip().lower(): value.strip() for name, _, value in pairs})


_PLAIN = {
    Fault.HTML: ("200 OK", "text/html; charset=utf-8", b"<html><body>Please log in</body></html>"),
    Fault.S3_ERROR: ("200 OK", "application/xml", b'<?xml version="1.0"?>\n<Error><Code>InternalError</Code></Error>'),
    Fault.BROKEN: ("500 Internal Server Error", "text/plain", b"it broke"),
    Fault.MISSING: ("404 Not Found", "text/plain", b"no such thing"),
    Fault.UNSATISFIED: ("416 Range Not Satisfiable", "text/plain", b""),
}


@frozen
class Answer:
    """One answer, right or wrong. `share` says where in the body a fault strikes, 0 to 1."""

    server: HostileServer
    version: Version
    fault: Fault
    share: float

    def send(self, connection: socket.socket, request: Request) -> bool:
        """Send it; True when the connection goes on."""
        if self.fault in _PLAIN:
            status, media_type, body = _PLAIN[self.fault]
            return self._plain(connection, request, status, f"Content-Type: {media_type}\r\n", body)
        match self.fault:
            case Fault.RUBBISH:
                connection.sendall(b"220 smtp.example.org ESMTP\r\n\r\n")
                return False
            case Fault.BUSY:
                after = "0" if self.share < 0.7 else "Wed, 21 Oct 2015 07:28:00 GMT"
                return self._plain(connection, request, "503 Slow Down", f"Retry-After: {after}\r\n", b"busy")
            case Fault.LOOP:
                return self._plain(connection, request, "302 Found", "Location: /data/object.bin\r\n", b"")
            case Fault.CUT_HEADERS:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
                return False
            case Fault.FREEZE_HEADERS:
                self.server.wait_frozen()
                return False
        return self._object(connection, request)

    def _plain(self, connection: socket.socket, request: Request, status: str, headers: str, body: bytes) -> bool:
        told = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(told if request.method == "HEAD" else told + body)
        return True

    def _object(self, connection: socket.socket, request: Request) -> bool:
        offers, content = self.server.offers, self.version.content
        if request.method == "HEAD" and not offers.head:
            return self._plain(connection, request, "405 Method Not Allowed", "", b"")
        if self._precondition_fails(request):
            return self._plain(connection, request, "412 Precondition Failed", "", b"")
        span = self._span(request)
        start, stop = span or (0, len(content))
        if span is not None and start >= len(content):
            return self._plain(
                connection, request, "416 Range Not Satisfiable", f"Content-Range: bytes */{len(content)}\r\n", b""
            )
        body = content[start:stop]
        told_start = start + 1 if self.fault is Fault.WRONG_RANGE and span is not None else start
        if told_start != start:
            body = content[told_start : (stop or 0) + 1]
        if self.fault is Fault.LESS:
            body = body[: int(len(body) * self.share)]
        headers = self._headers(len(body), None if span is None else (told_start, len(body)))
        connection.sendall(headers)
        if request.method == "HEAD":
            return True
        return self._body(connection, body)

    def _precondition_fails(self, request: Request) -> bool:
        wanted = request.headers.get("if-match")
        return self.server.offers.validator and wanted is not None and wanted != self.version.validator

    def _span(self, request: Request) -> tuple[int, int | None] | None:
        offers, span = self.server.offers, request.span
        if span is None or not offers.ranges or self.fault is Fault.IGNORE_RANGE:
            return None
        wanted = request.headers.get("if-range")
        return None if wanted is not None and wanted != self.version.validator else span

    def _headers(self, length: int, part: tuple[int, int] | None) -> bytes:
        offers, content = self.server.offers, self.version.content
        lines = ["HTTP/1.1 200 OK" if part is None else "HTTP/1.1 206 Partial Content"]
        lines.append("Content-Type: application/octet-stream")
        if part is not None:
            lines.append(f"Content-Range: bytes {part[0]}-{part[0] + part[1] - 1}/{len(content)}")
        if offers.ranges:
            lines.append("Accept-Ranges: bytes")
        if offers.validator:
            lines.append(f"ETag: {self.version.validator}")
        if offers.checksum:
            digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
            lines.append(f"Repr-Digest: sha-256=:{digest}:")
        if offers.chunked:
            lines.append("Transfer-Encoding: chunked")
        elif offers.length:
            lines.append(f"Content-Length: {length}")
        else:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _body(self, connection: socket.socket, body: bytes) -> bool:
        at = int(len(body) * self.share)
        match self.fault:
            case Fault.CUT | Fault.SHORT:
                self._write(connection, body[:at], last=False)
                return False
            case Fault.RESET:
                self._write(connection, body[:at], last=False)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            case Fault.LONG:
                self._write(connection, body, last=True)
                connection.sendall(b"\0junk" * 100)
                return False
            case Fault.FREEZE:
                self._write(connection, body[:at], last=False)
                self.server.wait_frozen()
                return False
            case Fault.CHANGE_MIDWAY:
                self._write(connection, body[:at], last=False)
                time.sleep(0.005)
                rest = self.server.change().content[len(self.version.content) - len(body) + at :]
                self._write(connection, rest, last=True)
                return self.server.offers.length or self.server.offers.chunked
        self._write(connection, body, last=True)
        return self.server.offers.length or self.server.offers.chunked

    def _write(self, connection: socket.socket, data: bytes, *, last: bool) -> None:
        self.server.sent += len(data)
        if not self.server.offers.chunked:
            connection.sendall(data)
            return
        if data:
            connection.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        if last:
            connection.sendall(b"0\r\n\r\n")


def with_checksum(offers: Offers) -> Offers:
    """Return the same offers and a checksum."""
    return evolve(offers, checksum=True)
