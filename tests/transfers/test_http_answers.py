"""What headers say of a file, by tables of what servers really send."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers import http_answers as answers
from cryocloud_core.transfers.http_answers import Span
from cryocloud_core.transfers.http_url import request_target, request_url

SHA256 = hashlib.sha256(b"hello").digest()
MD5 = hashlib.md5(b"hello").digest()
B64 = {"sha256": base64.b64encode(SHA256).decode(), "md5": base64.b64encode(MD5).decode()}
OLD, NEW = "Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:30:00 GMT"

SPANS = {
    "bytes 0-4/5": Span(0, 5, 5),
    "bytes 2-2/5": Span(2, 3, 5),
    "Bytes 2-3/*": Span(2, 4, None),
    "bytes 3-2/5": None,
    "bytes 0-5/5": None,
    "bytes */5": None,
    "0-4/5": None,
    "": None,
}


@pytest.mark.parametrize("text", SPANS)
def test_a_content_range_is_read_or_refused(text: str) -> None:
    """First and last byte become a half-open span; what cannot be is none."""
    assert answers.span_of({"Content-Range": text}) == SPANS[text]


def test_a_refused_range_tells_the_size() -> None:
    """`bytes */5`."""
    assert answers.size_out_of_range({"Content-Range": "bytes */5"}) == 5
    assert answers.size_out_of_range({"Content-Range": "bytes 0-1/5"}) is None


@pytest.mark.parametrize(
    ("text", "length"), [("5", 5), ("0", 0), ("-1", None), ("5, 5", None), ("\u0665", None), ("", None)]
)
def test_a_length_is_a_number_or_unknown(text: str, length: int | None) -> None:
    """Everything else says nothing."""
    assert answers.length_of({"Content-Length": text}) == length


VALIDATORS = [
    ({"ETag": '"a"', "Last-Modified": OLD}, '"a"', '"a"'),
    ({"ETag": 'W/"a"', "Last-Modified": OLD}, f'W/"a" {OLD}', OLD),
    ({"ETag": 'W/"a"'}, 'W/"a"', None),
    ({"Last-Modified": OLD}, OLD, OLD),
    ({}, None, None),
]


@pytest.mark.parametrize(("headers", "validator", "condition"), VALIDATORS)
def test_the_best_validator_is_taken(headers: dict[str, str], validator: str | None, condition: str | None) -> None:
    """A strong ETag alone, else what there is; only what a server may compare exactly becomes a condition."""
    assert answers.validator_of(headers) == validator
    assert (answers.if_range(validator) if validator else None) == condition


CHECKSUMS = [
    ({"Content-MD5": B64["md5"]}, True, f"md5:{MD5.hex()}"),
    ({"Content-MD5": B64["md5"]}, False, None),
    ({"Digest": f"SHA-256={B64['sha256']},md5={B64['md5']}"}, False, f"sha256:{SHA256.hex()}"),
    ({"Digest": f"unixsum=30637, MD5={B64['md5']}"}, False, f"md5:{MD5.hex()}"),
    ({"Repr-Digest": f"sha-256=:{B64['sha256']}:"}, False, f"sha256:{SHA256.hex()}"),
    ({"Content-Digest": f"sha-256=:{B64['sha256']}:"}, True, f"sha256:{SHA256.hex()}"),
    ({"Content-Digest": f"sha-256=:{B64['sha256']}:"}, False, None),
    ({"X-Checksum-Sha256": SHA256.hex().upper()}, True, f"sha256:{SHA256.hex()}"),
    ({"X-Checksum-Md5": MD5.hex(), "Repr-Digest": f"sha-256=:{B64['sha256']}:"}, True, f"sha256:{SHA256.hex()}"),
    ({"Digest": f"sha-256={B64['md5']}"}, True, None),
    ({"Digest": "sha-256=???", "Content-MD5": "x"}, True, None),
    ({}, True, None),
]


@pytest.mark.parametrize(("headers", "is_whole", "checksum"), CHECKSUMS)
def test_checksums_are_read(headers: dict[str, str], is_whole: bool, checksum: str | None) -> None:
    """The strongest of the whole file; one of the wrong length or coding is none."""
    assert answers.checksum_of(lower(headers), is_whole=is_whole) == checksum


def lower(headers: dict[str, str]) -> dict[str, str]:
    """Return headers under both spellings that are asked for, as a map of any case would find them."""
    return headers | {name.lower(): value for name, value in headers.items()}


WAITS = [
    ({"Retry-After": "7"}, 7.0),
    ({"Retry-After": NEW, "Date": OLD}, 120.0),
    ({"Retry-After": OLD, "Date": NEW}, 0.0),
    ({"Retry-After": "soon"}, None),
    ({"Retry-After": "-1"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), WAITS)
def test_a_wait_is_in_seconds(headers: dict[str, str], seconds: float | None) -> None:
    """A date counts from the server's own clock."""
    assert answers.retry_after(headers, now=0.0) == seconds


def test_a_date_without_the_server_s_clock_counts_from_ours() -> None:
    """There is nothing better."""
    at = answers.retry_after({"Retry-After": NEW}, now=0.0)
    assert at is not None
    assert answers.retry_after({"Retry-After": NEW}, now=at - 30) == 30


CODINGS = [
    ("", "a.nc", None),
    ("identity", "a.nc", None),
    ("gzip", "a.nc", "gzip"),
    ("gzip", "a.tar.gz", None),
    ("x-gzip", "A.TGZ", None),
    ("zstd", "a.gz", "zstd"),
    ("unheard-of", "a", "unheard-of"),
]


@pytest.mark.parametrize(("coding", "name", "foreign"), CODINGS)
def test_a_coding_is_foreign_unless_the_name_has_it(coding: str, name: str, foreign: str | None) -> None:
    """`a.tar.gz` is stored as gzip; `a.nc` is not."""
    assert answers.foreign_encoding({"Content-Encoding": coding}, name) == foreign


PAGES = [
    (b"no such key\nmore", "no such key"),
    (b"<html><head><style>x {}</style><title> Not  here </title></head></html>", "Not here"),
    (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "NoSuchKey"),
    (b"\x1b[31mred\xff", "�[31mred�"),
    (b"", ""),
    (b"x" * 1000, "x" * 200),
]


@pytest.mark.parametrize(("body", "line"), PAGES)
def test_the_first_line_of_a_page_is_told(body: bytes, line: str) -> None:
    """Without tags, without what a terminal would obey, not without end."""
    assert answers.first_line(body) == line


TARGETS = {
    "": "/",
    "/a b": "/a%20b",
    "/a%20b": "/a%20b",
    "/100%": "/100%25",
    "/%zz%4": "/%25zz%254",
    "/a#b": "/a%23b",
    "/a?b=c&d=[1]": "/a?b=c&d=[1]",
    "/grüße": "/gr%C3%BC%C3%9Fe",
    "/caf\udce9": "/caf%E9",
    "/a\nb\t\x7f": "/a%0Ab%09%7F",
    '/"<>\\^`{|}': "/%22%3C%3E%5C%5E%60%7B%7C%7D",
    "/a/../b//c": "/a/../b//c",
}


@pytest.mark.parametrize("path", TARGETS)
def test_a_path_is_sent_as_it_is_written(path: str) -> None:
    """Only what no request can hold is encoded; `#` belongs to the path."""
    assert request_target(path) == TARGETS[path]


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8")))
def test_what_is_sent_is_ascii_and_stays(path: str) -> None:
    """Encoding what was encoded changes nothing."""
    sent = request_target(f"/{path}")
    assert sent.isascii()
    assert sent.isprintable()
    assert " " not in sent
    assert "#" not in sent
    assert request_target(sent) == sent


def test_hosts_are_kept() -> None:
    """IPv6 in its brackets, the port, a name that is not ASCII as DNS has it."""
    assert request_url(Url.parse("http://[::1]:81/a")) == "http://[::1]:81/a"
    assert request_url(Url.parse("https://bücher.example:8443")) == "https://xn--bcher-kva.example:8443/"
