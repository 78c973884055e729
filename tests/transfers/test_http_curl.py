"""Small files of web servers through libcurl: what becomes of its connections, and where it does without."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pycurl
import pytest
from attrs import define, field

from cryocloud_core.sdk.transfer import SMALL_BYTES, Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers import http_curl_line
from cryocloud_core.transfers.http import HttpTransfer
from tests.services.oddserver import OddServer, Request, Steps, reply
from tests.services.scriptserver import ScriptServer, answer, read_request

Make = Callable[[type[Transfer], Mapping[str, Any]], Transfer]
Odd = Callable[..., OddServer]
BODY = b"0123456789"
PATIENCE_S = 20.0


def contents(http: Transfer, *urls: str, streams: int = 1) -> list[bytes]:
    """Return what comes of a list of small files, in order."""
    return [file.content for file in http.read_small([Url.parse(url) for url in urls], streams) if file is not None]


@define(eq=False)
class Lasting:
    """A server whose connections last: it answers each request with its target, and what is told to come behind."""

    behind: Callable[[], bytes] = bytes
    asked: threading.Semaphore = field(factory=lambda: threading.Semaphore(0))
    closed: threading.Semaphore = field(factory=lambda: threading.Semaphore(0))
    _listener: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _connections: list[socket.socket] = field(factory=list)
    _threads: list[threading.Thread] = field(factory=list)

    def urls(self, *names: object) -> list[str]:
        """Return URLs here."""
        return [f"http://127.0.0.1:{self._listener.getsockname()[1]}/{name}" for name in names]

    @property
    def lines(self) -> int:
        """Connections that were made."""
        return len(self._connections)

    def start(self) -> None:
        """Begin to accept connections."""
        self._begin(self._accept)

    def stop(self) -> None:
        """End it."""
        for each in (self._listener, *self._connections):
            with suppress(OSError):  # it ended before
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._listener.close()

    def _begin(self, work: Callable[..., None], *given: Any) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        try:
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                self._begin(self._serve, connection)
        except OSError:
            pass  # stopped

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while (request := read_request(connection)) is not None:
                    self.asked.release()
                    body = request.target.encode()
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                    connection.sendall(self.behind())
            except OSError:
                pass  # who asked went away
        self.closed.release()


@pytest.fixture
def lasting() -> Iterator[Lasting]:
    """Give a server whose connections last."""
    server = Lasting()
    server.start()
    yield server
    server.stop()


def test_connections_are_used_again_until_it_is_closed(make: Make, lasting: Lasting) -> None:
    """By the next file and by the next list."""
    http = make(HttpTransfer, {})
    for _ in range(2):
        found = contents(http, *lasting.urls(*range(20)), streams=2)
        assert sorted(found) == sorted(b"/%d" % at for at in range(20))
    assert lasting.lines == 2
    http.close()
    assert all(lasting.closed.acquire(timeout=PATIENCE_S) for _ in range(2))


def test_two_lists_at_a_time_do_not_mix(make: Make, lasting: Lasting) -> None:
    """Each has connections of its own."""
    http = make(HttpTransfer, {})
    lists = [http.read_small([Url.parse(url) for url in lasting.urls(*range(at, at + 9))], 3) for at in (10, 20)]
    came = list(chain.from_iterable(zip_longest(*lists)))

    for at in (10, 20):
        found = [file.content for file in came[at == 20 :: 2] if file is not None]
        assert sorted(found) == [b"/%d" % name for name in range(at, at + 9)]


def test_who_leaves_early_ends_what_is_under_way(make: Make, odd_server: Odd) -> None:
    """The other side sees the connection close, and the next list has its own answers."""
    gone, flowing = threading.Event(), threading.Event()

    def endless(request: Request) -> Steps:
        if request.path != "/endless":
            yield reply(200, request.path.encode())
            return
        yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SMALL_BYTES
        flowing.set()
        try:
            while True:
                yield b"x"
                yield 0.01
        finally:
            gone.set()

    server = odd_server(endless)
    http = make(HttpTransfer, {})
    urls = [Url.parse(f"http://{server.address}/{name}") for name in ("endless", "a", "b")]
    files = http.read_small(urls, 2)
    assert [next(file.content for file in files if file is not None) for _ in "ab"] == [b"/a", b"/b"]
    assert flowing.wait(PATIENCE_S)
    assert next(files) is None
    files.close()

    assert gone.wait(PATIENCE_S)
    assert contents(http, *map(str, urls[1:])) == [b"/a", b"/b"]
    assert [request.path for request in server.asked].count("/endless") == 1


def test_the_next_file_is_asked_for_before_the_first_is_handed_on(make: Make, lasting: Lasting) -> None:
    """Whoever takes them may take time; the other side does not wait for that."""
    files = make(HttpTransfer, {}).read_small([Url.parse(url) for url in lasting.urls("a", "b")], 1)
    assert next(file.content for file in files if file is not None) == b"/a"
    assert all(lasting.asked.acquire(timeout=PATIENCE_S) for _ in "ab")
    files.close()


@pytest.mark.parametrize("wait_s", [0.0, 0.05])
def test_an_answer_that_nobody_asked_for_is_nobodys(make: Make, lasting: Lasting, wait_s: float) -> None:
    """What comes behind the last byte, at once or later, is not taken for the next file."""
    late = threading.Event()

    def forged() -> bytes:
        time.sleep(wait_s)
        late.set()
        return b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"

    lasting.behind = forged
    http = make(HttpTransfer, {})
    for name in "abc":
        assert contents(http, *lasting.urls(name)) == [b"/%s" % name.encode()]
        assert late.wait(PATIENCE_S)
        late.clear()
        time.sleep(0.05)
    assert lasting.lines == 3


def test_a_libcurl_that_cannot_be_set_up_leaves_it_to_others(
    make: Make, script_server: ScriptServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that was built without what is needed; whoever asks for one file alone has aiohttp."""
    script_server.answers = [answer("200 OK", BODY)]
    monkeypatch.setitem(http_curl_line._FIXED, pycurl.SSLVERSION, 99)
    assert contents(make(HttpTransfer, {}), script_server.url()) == []
    assert script_server.asked == []


@pytest.mark.parametrize("how", ["there", "missing", "broken", "off"])
def test_without_libcurl_everything_works(script_server: ScriptServer, tmp_path: Path, how: str) -> None:
    """Where it is missing, broken or switched off aiohttp does all; it is not imported before it is needed."""
    script_server.answers = [answer("200 OK", BODY)]
    if how == "broken":
        (tmp_path / "pycurl.py").write_text("raise ImportError('another libcurl than it was built for')")
    hide = "importlib.util.find_spec = lambda name: None if name == 'pycurl' else find(name)"
    script = f"""
import importlib.util, sys
find = importlib.util.find_spec
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.http import HttpTransfer
{hide if how == "missing" else ""}
transfer = HttpTransfer(TransferConfig({{"fast": {how != "off"}}}))
url = Url.parse({script_server.url()!r})
with transfer.read(url) as incoming:
    assert b"".join(incoming.chunks) == {BODY!r}
assert "pycurl" not in sys.modules
print([file.content for file in transfer.read_small([url], 1) if file is not None], "pycurl" in sys.modules)
transfer.close()
"""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environ, check=False)

    assert done.stderr == ""
    assert done.stdout.strip() == f"{[BODY]} {how == 'there'}"
