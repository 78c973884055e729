"""A web server that says exactly what a test tells it to, byte for byte, true or not.

Laws: a real socket on loopback, a thread for each connection; every connection is closed after its answer; what was
asked is written down; nothing goes on after the test.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from attrs import define, field, frozen

PATIENCE_S = 20.0
#: in an answer: say nothing more, and keep the connection open until the server is stopped
SILENCE = None


@frozen
class Request:
    """What was asked: method, target as sent, headers with names in lower case."""

    method: str
    target: str
    headers: dict[str, str]


Answer = bytes | tuple[bytes | None, ...]


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    """Return an answer; `Content_Length` and other headers by name, `_` for `-`; the true length unless it is given."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given.setdefault("Content-Length", str(len(body)))
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in given.items() if value), "Connection: close"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@define(eq=False)
class ScriptServer:
    """Answers requests with `answers` in order, the last one again and again."""

    answers: list[Answer] = field(factory=list)
    asked: list[Request] = field(factory=list)
    _socket: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _lock: threading.Lock = field(factory=threading.Lock)
    _stopped: threading.Event = field(factory=threading.Event)
    _threads: list[threading.Thread] = field(factory=list)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._socket.getsockname()[1]
        return port

    def url(self, target: str = "/a") -> str:
        """Return the URL of a target."""
        return f"http://127.0.0.1:{self.port}{target}"

    def start(self) -> None:
        """Begin to accept connections."""
        self._socket.settimeout(0.1)
        self._begin(self._accept)

    def stop(self) -> None:
        """End everything."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._socket.close()

    def _begin(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                talk, _ = self._socket.accept()
            except TimeoutError:
                continue
            self._begin(self._serve, talk)

    def _serve(self, talk: socket.socket) -> None:
        with talk:
            talk.settimeout(PATIENCE_S)
            try:
                request = read_request(talk)
                if request is not None:
                    self._say(talk, self._next(request))
            except OSError:
                pass  # who asked went away

    def _next(self, request: Request) -> Answer:
        with self._lock:
            self.asked.append(request)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def _say(self, talk: socket.socket, said: Answer) -> None:
        for part in (said,) if isinstance(said, bytes) else said:
            if part is SILENCE:
                self._stopped.wait(PATIENCE_S)
                return
            talk.sendall(part)
        talk.shutdown(socket.SHUT_WR)
        while talk.recv(1 << 16):
            pass  # closing with unread bytes would be a reset, which takes the answer with it


def read_request(talk: socket.socket) -> Request | None:
    """Return the next request of a connection, None when there is none."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = talk.recv(1 << 16)
        if not piece:
            return None
        head += piece
    first, *lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = (line.partition(":") for line in lines)
    return Request(method, target, {name.lower(): value.removeprefix(" ") for name, _, value in headers})


@pytest.fixture
def script_server() -> Iterator[ScriptServer]:
    """Give a server whose `answers` the test fills before it asks."""
    server = ScriptServer()
    server.start()
    yield server
    server.stop()
