"""Small objects side by side from S3 servers that answer oddly, by both data planes: what is not whole stays out."""

from __future__ import annotations

import hashlib

import pytest

from cryocloud_core.sdk.transfer import SMALL_BYTES
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.s3 import S3Transfer
from tests.services.oddserver import Request, Steps, reply
from tests.transfers.odd_s3 import OBJECT, Server, Transfers, refusal

BODY = b"content"
MD5 = {**OBJECT, "ETag": f'"{hashlib.md5(BODY).hexdigest()}"'}
GOOD = reply(200, BODY, **MD5)
LARGE = reply(200, b"x" * (SMALL_BYTES + 1), **OBJECT)
NAMES = [f"{at}" for at in range(30)]


def asked(transfer: S3Transfer, url: Url, streams: int = 3) -> list[str]:
    """Return which of many objects came, all with the right content."""
    urls = [url.with_path(f"/bucket/{name}") for name in NAMES]
    found = [file for file in transfer.read_small(urls, streams) if file is not None]
    assert all(file.content == BODY for file in found)
    return [Url.parse(file.remote.url).name for file in found]


def but_for(name: str, *steps: bytes | float) -> object:
    """Return answers that are right, but for one object."""

    def answer(request: Request) -> Steps:
        return list(steps) if request.path.partition("?")[0].endswith(f"/{name}") else [GOOD]

    return answer


LEFT_OUT = {
    "missing": [refusal(404, "NoSuchKey")],
    "larger": [LARGE],
}
ENDS = {
    "busy": [refusal(503, "SlowDown", Retry_After="1")],
    "cut short": [reply(200, BODY, **{**MD5, "Content_Length": "9"})],
}
ODD = {
    "forbidden": [refusal(403, "AccessDenied")],
    "rubbish": [b"what do you want\r\n\r\n"],
}


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_one_that_is_no_small_object_is_left_out(kind: str, odd_server: Server, to: Transfers) -> None:
    """The others come."""
    transfer, url = to(odd_server(but_for("9", *LEFT_OUT[kind])))
    assert sorted(asked(transfer, url)) == sorted(set(NAMES) - {"9"})


@pytest.mark.parametrize("kind", ENDS)
def test_a_server_that_fails_is_not_asked_for_the_rest(kind: str, odd_server: Server, to: Transfers) -> None:
    """What came before is kept; what was under way may have come; nothing of the wrong answer is handed on."""
    server = odd_server(but_for("9", *ENDS[kind]))
    transfer, url = to(server)
    found = asked(transfer, url)

    assert "9" not in found
    assert len(set(NAMES[:9]) - set(found)) <= 2, "those that were under way with it"
    assert not any(request.path.partition("?")[0].endswith("/29") for request in server.asked)


@pytest.mark.parametrize("kind", ODD)
def test_one_that_is_refused_does_not_come(kind: str, odd_server: Server, to: Transfers) -> None:
    """Whether those behind it do depends on whether the data plane can tell why."""
    found = asked(*to(odd_server(but_for("9", *ODD[kind]))))
    assert "9" not in found
    assert len(set(NAMES[:9]) - set(found)) <= 2
