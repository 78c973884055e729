"""For tests of odd S3 servers: transfers by both data planes with little patience, answers, what is raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from attrs import frozen

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.s3 import S3Transfer
from tests.services.oddserver import OddServer, Request, Steps, reply

SETTINGS = {
    "aws_access_key_id": "key",
    "aws_secret_access_key": "secret",
    "secure": False,
    "timeout": 0.5,
    "connect_timeout": 1,
}
OBJECT = {"ETag": '"v1"', "Last_Modified": "Wed, 25 Nov 2026 19:07:56 GMT"}
Server = Callable[..., OddServer]


@frozen
class Place:
    """Where something listens that is no OddServer."""

    address: str


Transfers = Callable[..., tuple[S3Transfer, Url]]


def refusal(status: int, code: str, more: str = "", **headers: str) -> bytes:
    """Return a refusal as S3 writes it."""
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>so it is</Message>{more}</Error>"
    return reply(status, text.encode(), Content_Type="application/xml", **headers)


@pytest.fixture(scope="module", params=["fast", "plain"])
def transfers(request: pytest.FixtureRequest) -> Iterator[Callable[..., S3Transfer]]:
    """Give transfers by each data plane, one for all tests that want the same settings."""
    made: dict[str, S3Transfer] = {}

    def make(**more: object) -> S3Transfer:
        settings = SETTINGS | {"fast": request.param == "fast"} | more
        return made.setdefault(repr(settings), S3Transfer(TransferConfig({"127_0_0_1": settings})))

    yield make
    for transfer in made.values():
        transfer.close()


@pytest.fixture
def to(transfers: Callable[..., S3Transfer]) -> Transfers:
    """Give ``to(server)``: a transfer by each data plane, and the URL of an object of the server."""
    return lambda server, key="key", **more: (transfers(**more), Url.parse(f"s3://{server.address}/bucket/{key}"))


def always(*steps: bytes | float) -> Callable[[Request], Steps]:
    """Return an answer to whatever is asked; what is asked with HEAD or to put something gets none of the content."""

    def answer(request: Request) -> Steps:
        first = steps[0]
        if isinstance(first, bytes) and request.method == "HEAD":
            return [first.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"]
        is_content = isinstance(first, bytes) and first.startswith(b"HTTP/1.1 2")
        return [reply(200, ETag='"v1"')] if is_content and request.method == "PUT" else steps

    return answer


def read(transfer: S3Transfer, url: Url, *wanted: object) -> bytes:
    """Return what a read gives."""
    with transfer.read(url, *wanted) as incoming:  # type: ignore[arg-type]
        return b"".join(incoming.chunks)


def raised(call: Callable[[], object]) -> TransferError:
    """Return what a call raises."""
    with pytest.raises(TransferError) as caught:
        call()
    return caught.value
