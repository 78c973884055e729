"""A real HTTP server for the tests: aiohttp on loopback, in a thread of its own, serving a folder.

Laws: paths below `/files/` are answered with ranges and validators, those below `/plain/` whole and without
either; what was asked is written down; a test that stops its server has one of its own (`http_mortal`).
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from aiohttp import web
from attrs import define, field, frozen

CHUNK = 1 << 18
PATIENCE_S = 20.0


@frozen
class Asked:
    """One request: method, path as sent, headers with names in lower case."""

    method: str
    path: str
    headers: dict[str, str]


@define(eq=False)
class HttpServer:
    """One server: the folder it serves, its port, what it was asked."""

    files: Path
    port: int = 0
    asked: list[Asked] = field(factory=list)
    _loop: asyncio.AbstractEventLoop = field(factory=asyncio.new_event_loop)
    _runner: web.AppRunner | None = None
    _thread: threading.Thread | None = None

    def url(self, name: str, *, ranges: bool = True) -> str:
        """Return the URL of a file in the folder, answered with or without ranges."""
        folder = "files" if ranges else "plain"
        return f"http://127.0.0.1:{self.port}/{folder}/{quote(os.fsencode(name))}"

    def start(self) -> None:
        """Start it, on the port of its last life if it had one."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop.run_forever, name="http server", daemon=True)
            self._thread.start()
        self._wait(self._begin())

    def stop(self) -> None:
        """Stop listening and drop all connections; `start` is possible again."""
        self._wait(self._end())

    def close(self) -> None:
        """End it for good."""
        self.stop()
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def _wait(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _begin(self) -> None:
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route("*", "/files/{name:[\\s\\S]*}", self._ranged)
        application.router.add_route("*", "/plain/{name:[\\s\\S]*}", self._plain)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _end(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _find(self, request: web.Request) -> Path:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(request.method, request.raw_path, headers))
        name = unquote_to_bytes(request.rel_url.raw_path).split(b"/", 2)[2]
        path = self.files / os.fsdecode(name)
        if not path.is_file():
            raise web.HTTPNotFound(text="there is no such file here")
        return path

    async def _ranged(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(self._find(request), chunk_size=CHUNK)

    async def _plain(self, request: web.Request) -> web.StreamResponse:
        path = self._find(request)
        if request.method == "HEAD":
            raise web.HTTPMethodNotAllowed("HEAD", ["GET"])
        answer = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        answer.content_length = path.stat().st_size
        await answer.prepare(request)
        with path.open("rb") as file:
            while piece := file.read(CHUNK):
                await answer.write(piece)
        return answer


def _run() -> Iterator[HttpServer]:
    with tempfile.TemporaryDirectory(prefix="httpserver-") as folder:
        server = HttpServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.close()


@pytest.fixture(scope="session")
def http_server() -> Iterator[HttpServer]:
    """Give this test process' HTTP server; it must not be stopped."""
    yield from _run()


@pytest.fixture
def http_mortal() -> Iterator[HttpServer]:
    """Give a test an HTTP server that it may stop and start again."""
    yield from _run()
