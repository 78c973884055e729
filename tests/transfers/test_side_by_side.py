"""Many small files at a time: no more than were allowed, the first failure ends it, what may be a mixture is left."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from attrs import define, field

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import RemoteFile, SmallFile, Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.http import HttpTransfer
from cryocloud_core.transfers.loop import BackgroundLoop
from cryocloud_core.transfers.side_by_side import AHEAD, MISSES, Reading, side_by_side
from cryocloud_core.transfers.ssh import SshTransfer
from tests.hostile.proxy import BreakingLine
from tests.services.scriptserver import Answer, ScriptServer, answer
from tests.services.sshserver import SshServer, make_key

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[..., Transfer]
URLS = [Url.parse(f"mem://host/{at}") for at in range(40)]
BODY = b"0123456789"


@pytest.fixture
def loop() -> Iterator[BackgroundLoop]:
    """Give a loop that is closed at the end."""
    made = BackgroundLoop("test")
    yield made
    made.close()


def names(loop: BackgroundLoop, read: Reading, streams: int = 3) -> list[str]:
    """Return the names of what came, in order."""
    with closing(side_by_side(loop, URLS, streams, read, (TransferError, OSError))) as files:
        return [Url.parse(file.remote.url).name for file in files if file is not None]


def small(url: Url) -> SmallFile:
    """Return what lies at a URL."""
    return SmallFile(RemoteFile(str(url), 1), b"x")


@define(eq=False)
class Counting:
    """Reads after `gate` was opened; says how many reads were under way, and how many were begun."""

    gate: asyncio.Event = field(factory=asyncio.Event)
    inside: int = 0
    most: int = 0
    begun: int = 0
    cancelled: int = 0

    async def read(self, url: Url) -> SmallFile:
        """Read one."""
        self.begun += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.inside -= 1
        return small(url)


def test_as_many_are_read_at_a_time_as_were_allowed(loop: BackgroundLoop) -> None:
    """Neither fewer nor more, and all come."""
    counting = Counting()
    files = side_by_side(loop, URLS, 3, counting.read, ())
    while counting.inside < 3:
        assert next(files) is None
    assert counting.begun == 3
    loop.call(counting.gate.set)

    assert len([file for file in files if file is not None]) == len(URLS)
    assert counting.most == 3


def test_a_slow_taker_holds_them_back(loop: BackgroundLoop) -> None:
    """Of many that could be read, few wait to be taken."""
    counting = Counting()
    loop.run(_set(counting.gate))
    files = side_by_side(loop, URLS, 3, counting.read, ())
    next(files)
    for _ in range(100):
        loop.run(asyncio.sleep(0))

    assert counting.begun <= 1 + AHEAD + 3 * 3
    files.close()


async def _set(event: asyncio.Event) -> None:
    event.set()


def test_closing_ends_what_is_under_way(loop: BackgroundLoop) -> None:
    """Nothing is begun any more, and what was begun is told to end."""
    counting = Counting()
    files = side_by_side(loop, URLS, 3, counting.read, ())
    while counting.inside < 3:
        assert next(files) is None
    files.close()
    for _ in range(100):
        loop.run(asyncio.sleep(0))

    assert (counting.begun, counting.cancelled, counting.inside) == (3, 3, 0)


@pytest.mark.parametrize(
    "error",
    [RemoteFileMissing("missing"), RemoteFileChanged("changed", repeat=True), TransferError("a directory"), None],
    ids=["missing", "changed", "directory", "none"],
)
def test_one_that_is_no_small_file_is_left_out(loop: BackgroundLoop, error: TransferError | None) -> None:
    """The others come."""

    async def read(url: Url) -> SmallFile | None:
        if url.name != "7":
            return small(url)
        if error is not None:
            raise error
        return None

    assert set(names(loop, read)) == {url.name for url in URLS} - {"7"}


@pytest.mark.parametrize("error", [TransferError("busy", repeat=True), OSError("reset")], ids=["busy", "reset"])
def test_the_first_other_failure_ends_it_without_a_word(
    loop: BackgroundLoop, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """What had come is handed on, nothing is begun any more, several that fail at once are not told either."""
    begun: list[str] = []

    async def read(url: Url) -> SmallFile:
        begun.append(url.name)
        await asyncio.sleep(0)
        if int(url.name) in (7, 8):
            raise error
        return small(url)

    with caplog.at_level(logging.INFO):
        assert set(names(loop, read)) == {str(at) for at in range(7)}
        gc.collect()
        loop.run(asyncio.sleep(0))
    assert len(begun) <= 7 + 3 + 3
    assert caplog.records == []


def test_a_loop_that_is_closed_meanwhile_ends_it(loop: BackgroundLoop) -> None:
    """Who waits for more hears the end."""
    counting = Counting()
    files = side_by_side(loop, URLS, 3, counting.read, (CancelledError,))
    while counting.inside < 3:
        assert next(files) is None
    loop.close()
    assert [file for file in files if file is not None] == []


def test_what_is_no_failure_of_the_server_comes_out(loop: BackgroundLoop) -> None:
    """A bug is a bug."""

    async def read(url: Url) -> SmallFile:
        raise KeyError(url.name)

    with pytest.raises(KeyError):
        names(loop, read)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """Give a web server that counts who asks at the same time."""
    made = Crowd()
    made.start()
    yield made
    made.stop()


@define(eq=False)
class Crowd:
    """A web server whose answers wait until so many ask at the same time, or nobody more does for a moment."""

    together: int = 5
    inside: int = 0
    most: int = 0
    port: int = 0
    _full: asyncio.Event = field(factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop = field(factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _runner: web.AppRunner | None = None

    def start(self) -> None:
        """Start it."""
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(20)

    def stop(self) -> None:
        """End it."""
        assert self._runner is not None
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        assert self._thread is not None
        self._thread.join(20)
        self._loop.close()

    async def _begin(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/{name}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def _answer(self, request: web.Request) -> web.Response:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside == self.together:
            self._full.set()
        try:
            await asyncio.wait_for(self._full.wait(), 20)
            await asyncio.sleep(0.001)
        finally:
            self.inside -= 1
        return web.Response(body=request.path.encode(), headers={"ETag": '"1"'})


def test_a_web_server_is_asked_by_as_many_as_were_allowed(make: Make, crowd: Crowd, fast: bool) -> None:
    """Requests under way, counted at the server: those that ask once more after the last byte are among them."""
    http = make(HttpTransfer, {"timeout": 20, "fast": fast})
    urls = [Url.parse(f"http://127.0.0.1:{crowd.port}/{at}") for at in range(40)]
    found = [file for file in http.read_small(urls, crowd.together) if file is not None]

    assert {file.remote.url: file.content for file in found} == {str(url): url.path.encode() for url in urls}
    assert crowd.most == crowd.together


def test_a_list_of_files_that_are_not_small_is_given_up_soon(loop: BackgroundLoop) -> None:
    """Each is asked for in vain, which may cost much; one that comes gives the others a chance."""
    begun: list[str] = []

    async def read(url: Url) -> SmallFile | None:
        begun.append(url.name)
        return small(url) if int(url.name) == MISSES - 2 else None

    assert names(loop, read, streams=1) == [str(MISSES - 2)]
    assert len(begun) == MISSES - 2 + 1 + MISSES


def asked(make: Make, fast: bool, server: ScriptServer, *answers: Answer) -> list[bytes]:
    """Return what came of one file of a server that gives these answers."""
    server.answers = list(answers)
    http = make(HttpTransfer, {"timeout": 5, "fast": fast})
    return [file.content for file in http.read_small([Url.parse(server.url())], 1) if file is not None]


AGAIN: list[tuple[str, Mapping[str, Any], bytes, list[bytes]]] = [
    ("the same", {"ETag": '"1"', "Content_Length": "10"}, b"", [BODY]),
    ("another version", {"ETag": '"2"', "Content_Length": "10"}, b"", []),
    ("no version any more", {"Content_Length": "10"}, b"", []),
    ("another length", {"ETag": '"1"', "Content_Length": "11"}, b"", []),
]


@pytest.mark.parametrize(("again", "expected"), [(a[1], a[3]) for a in AGAIN], ids=[a[0] for a in AGAIN])
def test_a_file_that_is_not_surely_of_one_version_is_left_out(
    make: Make, fast: bool, script_server: ScriptServer, again: Mapping[str, Any], expected: list[bytes]
) -> None:
    """What the server tells after the last byte must be what it told before the first."""
    head = answer("200 OK", b"", **again)
    assert asked(make, fast, script_server, answer("200 OK", BODY, ETag='"1"'), head) == expected
    assert [request.method for request in script_server.asked] == ["GET", "HEAD"]


def test_where_nothing_tells_versions_apart_nothing_is_asked_twice(
    make: Make, fast: bool, script_server: ScriptServer
) -> None:
    """Without a validator there is nothing to compare; a checksum tells more; nothing is no mixture."""
    assert asked(make, fast, script_server, answer("200 OK", BODY)) == [BODY]
    with_checksum = answer("200 OK", BODY, ETag='"1"', Content_MD5="eB5eJF1ptWaXm4bijSPyxw==")
    assert asked(make, fast, script_server, with_checksum) == [BODY]
    assert asked(make, fast, script_server, answer("200 OK", b"", ETag='"1"')) == [b""]
    assert [request.method for request in script_server.asked] == ["GET", "GET", "GET"]


def test_an_answer_without_length_or_cut_short_is_left_out(make: Make, fast: bool, script_server: ScriptServer) -> None:
    """Only what the server counted is known to be whole."""
    assert asked(make, fast, script_server, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY) == []
    assert asked(make, fast, script_server, answer("200 OK", BODY, Content_Length="11")) == []


def test_who_is_not_let_in_knocks_once(make: Make, ssh_server: SshServer, tmp_path: Path) -> None:
    """A wrong key is not shown anew for each of many files."""
    line = BreakingLine(ssh_server.port, [])
    try:
        make_key(tmp_path / "wrong")
        settings = ssh_server.config(keys=str(tmp_path / "wrong"), host_keys="ignore")
        own = next(iter(settings.values()))
        ssh = make(SshTransfer, {f"127_0_0_1:{line.own_port}": own})
        user = Url.parse(ssh_server.url("/")).user
        urls = [Url.parse(f"ssh://{user}@127.0.0.1:{line.own_port}/tmp/{at}") for at in range(30)]
        with pytest.raises(TransferError, match="does not let the user"):
            list(ssh.read_small(urls, 8))
    finally:
        line.close()
    assert line.connections == 1
