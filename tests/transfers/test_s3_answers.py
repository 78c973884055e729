"""Answers that no S3 server should give, and some that any may give on a bad day: each is told as what it is.

Every answer is given to both data planes, which must come to the same errors.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing
from cryocloud_core.transfers import s3_client
from tests.services.oddserver import Request, Steps, reply
from tests.transfers.odd_s3 import OBJECT, Server, Transfers, always, raised, read, refusal
from tests.transfers.shop import outgoing

#: so far away that the time the tests before it take is nothing beside it
FAR_S = 300_000.0
FAR = format_datetime(datetime.now(UTC) + timedelta(seconds=FAR_S), usegmt=True)


@pytest.mark.parametrize(
    ("answer", "after_s"),
    [
        (refusal(503, "SlowDown", Retry_After="7"), 7.0),
        (refusal(503, "SlowDown", Retry_After=FAR), FAR_S),
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
        assert error.after_s is after_s or error.after_s == pytest.approx(after_s, rel=0.1)


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


def test_a_server_that_does_not_know_if_match_is_seen_through(odd_server: Server, to: Transfers) -> None:
    """An answer of another version than was asked for is refused here if it is not there."""
    server = odd_server(always(reply(200, b"content", **OBJECT)))
    transfer, url = to(server)

    assert isinstance(raised(lambda: read(transfer, url, 0, None, '"v0"')), RemoteFileChanged)
    assert read(transfer, url, 0, None, '"v1"') == b"content"
    assert [asked.headers["if-match"] for asked in server.asked if asked.method == "GET"][-1] == '"v1"'


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
    told = OBJECT | {"ETag": '"00000000000000000000000000000000"'} | headers
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


def test_an_object_that_is_missing_is_missing_whatever_the_answer_holds(odd_server: Server, to: Transfers) -> None:
    """A 404 of something that is not S3's own is a missing object too."""
    transfer, url = to(odd_server(always(reply(404, b"<html>not here</html>", Content_Type="text/html"))))

    for call in (lambda: transfer.stat(url), lambda: read(transfer, url)):
        assert isinstance(raised(call), RemoteFileMissing)


def test_every_byte_that_is_sent_goes_with_its_digest(odd_server: Server, to: Transfers, tmp_path: Path) -> None:
    """What is put carries a digest for the server to compare, and our own of the whole file."""
    server = odd_server(always(reply(200, b"content", **OBJECT)))
    transfer, url = to(server)
    transfer.put(outgoing(tmp_path, b"content"), url)
    [sent] = [asked for asked in server.asked if asked.method == "PUT"]

    md5 = base64.b64encode(hashlib.md5(b"content").digest()).decode()
    sha256 = hashlib.sha256(b"content").hexdigest()
    assert sent.headers.get("content-md5") == md5 or sent.headers["x-amz-content-sha256"] == sha256
    assert sent.headers["x-amz-meta-cryocloud-sha256"] == sha256
    assert sent.body == b"content"


@pytest.mark.parametrize(
    "told", ["2024-01-01T10:00:00.000Z", "2024-01-01T11:00:00+01:00", "Mon, 01 Jan 2024 10:00:00 GMT", 1704103200]
)
def test_moments_are_read_in_every_form(told: object) -> None:
    """Those of S3 quickly, the odd ones as botocore does."""
    assert s3_client._moment(told) == datetime(2024, 1, 1, 10, tzinfo=UTC)
