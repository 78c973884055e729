"""Answers that no S3 server should give, and some that any may give on a bad day: each is told as what it is.

Every answer is given to both data planes, which must come to the same errors.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.s3 import S3Transfer
from tests.services.oddserver import Certificates, OddServer, Request, Steps, reply
from tests.transfers.shop import outgoing

SETTINGS = {
    "aws_access_key_id": "key",
    "aws_secret_access_key": "secret",
    "secure": False,
    "read_timeout": 0.5,
    "connect_timeout": 1,
}
OBJECT = {"ETag": '"v1"', "Last_Modified": "Wed, 25 Nov 2026 19:07:56 GMT"}
Server = Callable[..., OddServer]
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


SOON = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)


@pytest.mark.parametrize(
    ("answer", "after_s"),
    [
        (refusal(503, "SlowDown", Retry_After="7"), 7.0),
        (refusal(503, "SlowDown", Retry_After=SOON), 300.0),
        (refusal(503, "SlowDown", Retry_After="soon"), None),
        (reply(503, Retry_After="3"), 3.0),
        (reply(502, b"<html>bad gateway</html>", Content_Type="text/html"), None),
        (refusal(500, "InternalError"), None),
        (refusal(429, "TooManyRequests", Retry_After="0"), 0.0),
        (refusal(400, "RequestTimeout"), None),
    ],
)
def test_a_busy_server_is_worth_another_try(
    odd_server: Server, to: Transfers, tmp_path: Path, answer: bytes, after_s: float | None
) -> None:
    """Every call says that it may pass, and how long the server asked to wait, to which HEAD adds nothing."""
    transfer, url = to(odd_server(always(answer)))

    calls: list[Callable[[], object]] = [
        lambda: read(transfer, url),
        lambda: list(transfer.listing(url)),
        lambda: transfer.put(outgoing(tmp_path, b"content"), url),
    ]
    for call in calls:
        error = raised(call)
        assert error.repeat
        assert error.after_s is after_s or error.after_s == pytest.approx(after_s, abs=20)


def test_a_refusal_without_a_body_is_asked_again_for_its_reason(odd_server: Server, to: Transfers) -> None:
    """HEAD is refused with nothing but a number; the reason is what a read of one byte is refused with."""

    def answer(request: Request) -> Steps:
        return [reply(403) if request.method == "HEAD" else refusal(403, "InvalidAccessKeyId")]

    server = odd_server(answer)
    transfer, url = to(server)

    assert 'does not know the access key id "key"' in raised(lambda: transfer.stat(url)).message
    assert server.asked[-1].headers["range"] == "bytes=0-0"


def test_a_refusal_without_any_reason_is_told_as_one(odd_server: Server, to: Transfers) -> None:
    """A bare 403 to everything is an error for good."""
    transfer, url = to(odd_server(always(reply(403))))

    for call in (lambda: transfer.stat(url), lambda: read(transfer, url)):
        error = raised(call)
        assert f"http://{url.server} answers 403" in error.message
        assert not error.repeat


def test_a_bucket_of_another_region_names_the_setting(odd_server: Server, to: Transfers) -> None:
    """The region that the server tells goes into the remedy."""
    told = refusal(400, "AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>")
    transfer, url = to(odd_server(always(told)))

    error = raised(lambda: read(transfer, url))
    assert "another region" in error.message
    assert error.remedy == 'set S3.127_0_0_1.region = "eu-north-1"'


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ((), "the connection to http"),
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), "does not answer like a web server"),
        ((reply(200, b"<html>Welcome</html>", Content_Type="text/html"),), "does not answer like an S3 server"),
        ((b'HTTP/1.1 200 odd\r\nContent-Length: 100\r\nETag: "v1"\r\n',), "the connection to http"),
    ],
)
def test_what_is_no_answer_of_s3_is_told(
    odd_server: Server, to: Transfers, steps: tuple[bytes, ...], told: str
) -> None:
    """Silence, another protocol, a web page, half an answer: an error that names the server."""
    server = odd_server(lambda _: steps)
    transfer, url = to(server)

    error = raised(lambda: read(transfer, url))
    assert told in error.message
    assert f"http://{server.address}" in error.message


def test_a_connection_that_was_given_up_meanwhile_is_made_anew(odd_server: Server, to: Transfers) -> None:
    """One request that is met by a closed door is sent once more at once."""
    closed: list[Request] = []

    def answer(request: Request) -> Steps:
        if len(closed) < 2 and request.method == "GET":  # obstore's one, the first of the plain plane
            closed.append(request)
            return []
        return [reply(200, b"content", **OBJECT)]

    transfer, url = to(odd_server(answer))
    if transfer.config.get(url, "fast") is False:
        closed.append(Request("GET", "", {}))

    assert read(transfer, url) == b"content"
    assert len(closed) == 2


def test_an_answer_that_breaks_off_is_worth_another_try(odd_server: Server, to: Transfers) -> None:
    """Bytes that were promised and do not come are an error, not the end of the object."""
    head = (
        b'HTTP/1.1 200 odd\r\nContent-Length: 1000\r\nETag: "v1"\r\nLast-Modified: '
        + OBJECT["Last_Modified"].encode()
        + b"\r\n\r\n"
    )
    transfer, url = to(odd_server(always(head + b"x" * 500, 0.1)))

    with transfer.read(url) as incoming:
        error = raised(lambda: b"".join(incoming.chunks))
    assert "broke off" in error.message
    assert error.repeat


@pytest.mark.parametrize("steps", [(5.0,), (b"HTTP/1.1 200 odd\r\n", 5.0)])
def test_a_server_that_says_nothing_is_given_up(
    odd_server: Server, to: Transfers, tmp_path: Path, steps: tuple[bytes | float, ...]
) -> None:
    """After the configured time every call ends, and may be tried again."""
    transfer, url = to(odd_server(lambda _: steps))

    for call in (lambda: read(transfer, url), lambda: transfer.put(outgoing(tmp_path, b"content"), url)):
        began = time.monotonic()
        error = raised(call)
        assert "sent nothing for 0.5 s" in error.message
        assert error.repeat
        assert time.monotonic() - began < 4


def test_a_server_that_falls_silent_within_an_answer_is_given_up(odd_server: Server, to: Transfers) -> None:
    """A silence between two bytes of an object is as long as one before the first."""
    head = reply(200, b"x" * 1000, **OBJECT)[:-500]
    transfer, url = to(odd_server(always(head, 5.0)))
    began = time.monotonic()

    with transfer.read(url) as incoming:
        assert raised(lambda: b"".join(incoming.chunks)).repeat
    assert time.monotonic() - began < 4


def test_a_slow_server_is_waited_for(odd_server: Server, to: Transfers) -> None:
    """An object that trickles for longer than the time-out, but is never silent for so long, arrives in pieces."""
    whole = reply(200, b"x" * 300_000, **OBJECT)
    steps: list[bytes | float] = []
    for start in range(0, len(whole), 50_000):
        steps += [whole[start : start + 50_000], 0.3]
    transfer, url = to(odd_server(always(*steps)))

    with transfer.read(url) as incoming:
        pieces = [piece for piece in incoming.chunks if piece]
    assert b"".join(pieces) == b"x" * 300_000
    assert len(pieces) > 1


def test_a_server_that_does_not_know_if_match_is_seen_through(odd_server: Server, to: Transfers) -> None:
    """An answer of another version than was asked for is refused here if it is not there."""
    transfer, url = to(odd_server(always(reply(200, b"content", **OBJECT))))

    assert isinstance(raised(lambda: read(transfer, url, 0, None, '"v0"')), RemoteFileChanged)
    assert read(transfer, url, 0, None, '"v1"') == b"content"


def test_a_server_without_ranges_answers_from_the_start(odd_server: Server, to: Transfers) -> None:
    """A whole answer to a ranged read says that it begins at 0."""
    transfer, url = to(odd_server(always(reply(200, b"content", **OBJECT))))

    with transfer.read(url, 3, 5) as incoming:
        assert (incoming.start, b"".join(incoming.chunks)) == (0, b"content")


def test_an_answer_that_does_not_say_which_bytes_it_has_is_refused(odd_server: Server, to: Transfers) -> None:
    """A part of an object without its place is of no use."""
    transfer, url = to(odd_server(always(reply(206, b"nt", **OBJECT))))

    assert "does not say which bytes" in raised(lambda: read(transfer, url, 3, 5)).message


@pytest.mark.parametrize(
    "headers",
    [
        {"x_amz_server_side_encryption": "aws:kms"},
        {"x_amz_server_side_encryption_customer_algorithm": "AES256"},
        {"ETag": '"9a0364b9e99bb480dd25e1f0284c8555-3"'},
        {"x_amz_checksum_sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=-2", "x_amz_checksum_type": "COMPOSITE"},
    ],
)
def test_what_is_no_checksum_of_the_content_is_not_taken_for_one(
    odd_server: Server, to: Transfers, headers: dict[str, str]
) -> None:
    """ETags of encrypted objects and of those in parts are no MD5, checksums of checksums are none of the content."""
    told = OBJECT | {"ETag": '"9a0364b9e99bb480dd25e1f0284c8555"'} | headers
    if "x_amz_checksum_type" in headers:
        told["ETag"] = '"v1"'
    transfer, url = to(odd_server(always(reply(200, b"content", **told))))

    assert transfer.stat(url).checksum is None
    with transfer.read(url) as incoming:
        assert incoming.remote.checksum is None


@pytest.mark.parametrize("length", [64, 40])
def test_a_servers_own_checksum_is_told(odd_server: Server, to: Transfers, length: int) -> None:
    """A SHA-256 or SHA-1 that the server keeps of the whole object is what it is compared with."""
    algorithm = {64: "sha256", 40: "sha1"}[length]
    digest = hashlib.new(algorithm, b"content")
    encoded = base64.b64encode(digest.digest()).decode()
    more = {f"x_amz_checksum_{algorithm}": encoded, "x_amz_checksum_type": "FULL_OBJECT"}
    server = odd_server(always(reply(200, b"content", **(OBJECT | more))))
    transfer, url = to(server)

    assert transfer.stat(url).checksum == f"{algorithm}:{digest.hexdigest()}"
    with transfer.read(url) as incoming:
        assert incoming.remote.checksum == f"{algorithm}:{digest.hexdigest()}"
    assert any(asked.headers.get("x-amz-checksum-mode") == "ENABLED" for asked in server.asked)


def test_an_etag_is_no_checksum_where_the_configuration_says_so(odd_server: Server, to: Transfers) -> None:
    """For servers whose ETags only look like an MD5 there is a setting."""
    server = odd_server(always(reply(200, b"content", **(OBJECT | {"ETag": f'"{"0" * 32}"'}))))
    believing, url = to(server)
    doubting, _ = to(server, etag_is_md5=False)

    assert believing.stat(url).checksum == f"md5:{'0' * 32}"
    assert doubting.stat(url).checksum is None


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a//b", "/bucket/a//b"),
        ("/a", "/bucket//a"),
        ("//", "/bucket///"),
        ("a/../b/./c", "/bucket/a/../b/./c"),
        ("..", "/bucket/.."),
        ("a\\b", "/bucket/a%5Cb"),
        ("a%2Fb?x=1#y z+", "/bucket/a%252Fb%3Fx%3D1%23y%20z%2B"),
        ("line\nend", "/bucket/line%0Aend"),
        ("grønn", "/bucket/gr%C3%B8nn"),
    ],
)
def test_keys_are_sent_as_they_stand(odd_server: Server, to: Transfers, tmp_path: Path, key: str, path: str) -> None:
    """What a real server might fold is on the line still as it was written, whoever sends it."""
    server = odd_server(always(reply(200, b"content", **OBJECT)))
    transfer, url = to(server, key)

    if not key.endswith("/"):
        transfer.put(outgoing(tmp_path, b"content"), url)
        transfer.stat(url)
    read(transfer, url)
    assert {asked.path for asked in server.asked} == {path}


def test_a_server_with_tls_is_trusted_by_its_certificate(
    odd_server: Server, to: Transfers, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A certificate that nobody vouches for is refused; AWS_CA_BUNDLE vouches for it, by both data planes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)
    server = odd_server(always(reply(200, b"content", x_amz_meta_cryocloud_sha256="0" * 64, **OBJECT)), context)
    transfer, url = to(server, secure=True)

    error = raised(lambda: transfer.stat(url))
    assert "certificate that is not trusted: unable to get local issuer certificate" in error.message
    assert "AWS_CA_BUNDLE" in error.remedy
    assert not error.repeat
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificates.authority))
    transfer, url = to(server, secure=True, region="another")  # another transfer, which sees the variable
    assert read(transfer, url) == b"content"
    transfer.put(outgoing(tmp_path, b"content"), url)
    assert transfer._server(url)._strikes == 0


def test_an_object_that_is_missing_is_missing_whatever_the_answer_holds(odd_server: Server, to: Transfers) -> None:
    """A 404 of something that is not S3's own is a missing object too."""
    transfer, url = to(odd_server(always(reply(404, b"<html>not here</html>", Content_Type="text/html"))))

    for call in (lambda: transfer.stat(url), lambda: read(transfer, url)):
        assert isinstance(raised(call), RemoteFileMissing)
