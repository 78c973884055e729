"""Heads of answers: the last word is taken, what leaves a doubt is not."""

from __future__ import annotations

import pytest

from cryocloud_core.transfers.http_heads import Head

OK = b"HTTP/1.1 200 OK\r\n"


def lines(*parts: bytes) -> list[bytes]:
    """Return lines as they come over the wire."""
    return b"".join(parts).splitlines(keepends=True)


def test_a_head_is_read_with_names_in_any_case() -> None:
    """Values without the space around them, several of a name in their order, bytes that are no text kept."""
    head = Head.of(lines(OK, b"content-LENGTH: 10 \r\nX:\r\nVia: a\nVia:\tb\xff\r\n\r\n"))

    assert head is not None
    assert (head.status, head.reason) == (200, "OK")
    assert head.headers["Content-Length"] == "10"
    assert head.headers["x"] == ""
    assert head.headers.getall("via") == ["a", "b\udcff"]


@pytest.mark.parametrize("first", [b"HTTP/1.1 404\r\n", b"HTTP/1.0 404 \r\n", b"HTTP/1.1 404 Not\xff there\n"])
def test_a_status_may_have_any_reason_or_none(first: bytes) -> None:
    """It is told to people, nobody decides by it."""
    head = Head.of(lines(first, b"\r\n"))
    assert head is not None
    assert head.status == 404


def test_interim_heads_and_trailers_say_nothing() -> None:
    """Neither what was announced nor what came behind the body is said of the file."""
    early = b'HTTP/1.1 103 Early Hints\r\nETag: "early"\r\n\r\n'
    trailers = b'HTTP/1.1 200 OK: x\r\nETag: "late"\r\nContent-Length: 0\r\n\r\n'
    head = Head.of(lines(early, early, OK, b"Transfer-Encoding: chunked\r\n\r\n", trailers))

    assert head is not None
    assert dict(head.headers) == {"Transfer-Encoding": "chunked"}


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 O\rK\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"X : space\r\n\r\n",
        OK + b": nothing\r\n\r\n",
        OK + b"X\xe4: letter\r\n\r\n",
        OK + b"X: a\rContent-Length: 1\r\n\r\n",
        OK + b"X: a\0b\r\n\r\n",
        OK + b"X: folded\r\n into two\r\n\r\n",
        OK + b"Content-Length: 10\r\nContent-Length: 10\r\n\r\n",
        OK + b"Content-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"X: " + b"a" * 65536 + b"\r\n\r\n",
        OK + b"X: a\r\n" * 128 + b"\r\n",
    ],
)
def test_what_can_be_taken_in_two_ways_is_none(said: bytes) -> None:
    """Half a head, another protocol, lines that others read otherwise, two lengths, more than anybody sends."""
    assert Head.of(lines(said)) is None
