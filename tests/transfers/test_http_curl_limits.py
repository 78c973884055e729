"""How long libcurl waits for a web server, how much it reads, and what it costs when it can do neither well."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cryocloud_core.sdk.transfer import SMALL_BYTES, Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.http import HttpTransfer
from cryocloud_core.transfers.side_by_side import MISSES
from tests.services.oddserver import OddServer, Request, Steps, reply
from tests.services.scriptserver import SILENCE, ScriptServer, answer

Make = Callable[[type[Transfer], Mapping[str, Any]], Transfer]
Odd = Callable[..., OddServer]
BODY = b"0123456789"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
PATIENCE_S = 20.0


def contents(http: Transfer, *urls: str, streams: int = 1) -> list[bytes]:
    """Return what comes of a list of small files, in order."""
    return [file.content for file in http.read_small([Url.parse(url) for url in urls], streams) if file is not None]


@pytest.mark.parametrize(
    "said", [b"", HEAD[:20], HEAD, HEAD + b"01234"], ids=["nothing", "half a head", "head", "half"]
)
def test_who_says_no_more_is_given_up(make: Make, script_server: ScriptServer, said: bytes) -> None:
    """After the seconds of `timeout`; meanwhile the caller may look up."""
    script_server.answers = [(said, SILENCE)]
    began, looks = time.monotonic(), 0
    for file in make(HttpTransfer, {"timeout": 0.5}).read_small([Url.parse(script_server.url())], 1):
        assert file is None
        looks += 1
    assert looks >= 4
    assert 0.5 <= time.monotonic() - began < PATIENCE_S / 2


def test_a_caller_that_takes_its_time_is_no_silence_of_the_server(make: Make, odd_server: Odd) -> None:
    """What came meanwhile is looked at first."""
    back, here = threading.Event(), threading.Event()

    def slow(request: Request) -> Steps:
        if request.path == "/quick":
            yield 0.3
            yield reply(200, BODY)
        else:
            yield HEAD
            back.wait(PATIENCE_S)
            yield BODY
            here.set()

    address = odd_server(slow).address
    files = make(HttpTransfer, {"timeout": 2}).read_small(
        [Url.parse(f"http://{address}/{name}") for name in ("slow", "quick")], 2
    )
    assert next(file.content for file in files if file is not None) == BODY
    time.sleep(2.2)
    back.set()
    assert here.wait(PATIENCE_S)
    assert [file.content for file in files if file is not None] == [BODY]


@pytest.mark.parametrize("proxy", ["", "http://{}"])
def test_who_does_not_let_us_begin_is_given_up(make: Make, fast: bool, proxy: str) -> None:
    """After the seconds of `connect_timeout`, no sooner: TLS and a proxy's consent belong to that."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        waiting = {"connect_timeout": 0.6, "timeout": 0.1}
        http = make(HttpTransfer, {**waiting, "proxy": proxy.format(address), "fast": fast})
        began = time.monotonic()
        assert contents(http, f"https://{address}/a") == []
        assert 0.6 <= time.monotonic() - began < PATIENCE_S / 2


def test_any_number_of_seconds_may_be_waited(make: Make, script_server: ScriptServer) -> None:
    """Longer than libcurl can count, too."""
    script_server.answers = [answer("200 OK", BODY)]
    assert contents(make(HttpTransfer, {"timeout": 1e300, "connect_timeout": 1e300}), script_server.url()) == [BODY]


def test_a_list_of_what_does_not_come_is_given_up_soon(make: Make, script_server: ScriptServer) -> None:
    """Each is asked for in vain, which may cost much."""
    script_server.answers = [answer("404 Not Found")]
    assert contents(make(HttpTransfer, {}), *[script_server.url(f"/{at}") for at in range(40)], streams=2) == []
    assert len(script_server.asked) <= MISSES + 2


LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx" % (SMALL_BYTES + 1)
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(SMALL_BYTES + 1)
PAGE = b"HTTP/1.1 404 Not Found\r\n\r\n" + bytes(4097)


@pytest.mark.parametrize("said", [LARGE, ENDLESS, PAGE], ids=["large", "endless", "page"])
def test_what_is_no_small_file_is_not_read_to_its_end(make: Make, odd_server: Odd, said: bytes) -> None:
    """Nothing of what is told to be large, as much as a small file has of what never ends, the begin of a page."""
    over = threading.Event()

    def endless(request: Request) -> Steps:
        if request.path != "/endless":
            yield reply(200, BODY)
            return
        yield said
        for _ in range(100):
            yield 0.05
            yield b"x"
        over.set()

    address = odd_server(endless).address
    http = make(HttpTransfer, {"timeout": PATIENCE_S})
    assert contents(http, f"http://{address}/endless", f"http://{address}/a") == [BODY]
    assert not over.is_set()


def test_a_process_with_many_files_open_neither_fails_nor_spins(make: Make, odd_server: Odd) -> None:
    """Alone libcurl waits for the first 1 024 descriptors only."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip(f"no more than {hard} files may be open")
    server = odd_server(lambda _: [1.0, reply(200, BODY)])
    http = make(HttpTransfer, {})
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        spent = time.thread_time()
        assert contents(http, *[f"http://{server.address}/{at}" for at in range(8)], streams=4) == [BODY] * 8
        assert time.thread_time() - spent < 0.5, "it waits for 2 s"
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
