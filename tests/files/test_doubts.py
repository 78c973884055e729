"""Files of which nobody can know whether they were cut: a task is warned, once for each server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.url import Url
from tests.services.oddserver import OddServer, Request

ROUTES = Routes({"http": Route("http", "cryocloud_core.transfers.http:HttpTransfer", "HTTP")})
BODY = b"0123456789"


def head(*lines: str) -> bytes:
    """Return the head of an answer after which the connection is closed."""
    return "\r\n".join(("HTTP/1.1 200 OK", *lines, "Connection: close", "", "")).encode()


HEADS = {
    "nothing": (),
    "length": ("Content-Length: 10",),
    "chunks": ("Transfer-Encoding: chunked",),
    "checksum": (f"X-Checksum-Sha256: {sha256(BODY).hexdigest()}",),
}


def answering(how: str) -> Callable[[Request], list[bytes]]:
    """Return what a server answers that tells of a file's end in such a way."""

    def answer(request: Request) -> list[bytes]:
        body = b"a\r\n" + BODY + b"\r\n0\r\n\r\n" if how == "chunks" else BODY
        return [head(*HEADS[how]), b"" if request.method == "HEAD" else body]

    return answer


def fetched(layer: Layer, server: OddServer, folder: Path, *names: str) -> None:
    """Fetch files one by one."""
    for name in names:
        place = folder / server.address / name
        layer.fetch(Url.parse(f"http://{server.address}/{name}"), place)
        assert place.read_bytes() == BODY


@pytest.fixture
def layer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Layer]:
    """Give the layer of one task."""
    caplog.set_level(logging.WARNING)
    transfers = Transfers(ROUTES)
    yield Layer(transfers, LayerSettings(tmp_path / "tmp", cache_max_share=1.0))
    transfers.close()


def test_a_task_is_warned_once_for_each_server_that_tells_no_length(
    layer: Layer, odd_server: Callable[..., OddServer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However many files come from there."""
    first, second = odd_server(answering("nothing")), odd_server(answering("nothing"))
    fetched(layer, first, tmp_path, "a", "b", "c")
    fetched(layer, second, tmp_path, "a", "b")

    said = "does not tell how long its files are: a cut one looks whole"
    assert caplog.messages == [f"{each.address} {said}" for each in (first, second)]


@pytest.mark.parametrize("how", ["length", "chunks", "checksum"])
def test_nobody_is_warned_of_what_is_known_to_be_whole(
    layer: Layer, odd_server: Callable[..., OddServer], tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """By its length, its last chunk or its checksum."""
    fetched(layer, odd_server(answering(how)), tmp_path, "a")

    assert caplog.messages == []
