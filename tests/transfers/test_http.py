"""HTTP as servers speak it when they are wrong, slow, strict or somewhere else: nothing wrong is taken for the file."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import Outgoing, Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.testing.transfer_reads import taken
from cryocloud_core.transfers.http import HttpTransfer
from tests.services.scriptserver import SILENCE, Answer, ScriptServer, answer

if TYPE_CHECKING:
    from tests.services.httpserver import HttpServer

Make = Callable[..., Transfer]
BODY = b"0123456789"
PART = {"Content_Range": "bytes 2-4/10"}


@pytest.fixture
def http(make: Make) -> Transfer:
    """Give the transfer without settings."""
    return make(HttpTransfer, {"timeout": 5})


def told(
    http: Transfer, server: ScriptServer, *answers: Answer, start: int = 0, stop: int | None = None
) -> TransferError:
    """Return the error of reading from a server that gives these answers."""
    server.answers = list(answers)
    with pytest.raises(TransferError) as caught:
        taken(http.read(Url.parse(server.url()), start, stop))
    assert caught.value.subject == server.url()
    return caught.value


STATUSES = [
    ("400 Bad Request", False),
    ("401 Unauthorized", False),
    ("403 Forbidden", False),
    ("408 Request Timeout", True),
    ("418 I'm a teapot", False),
    ("429 Too Many Requests", True),
    ("500 Internal Server Error", True),
    ("502 Bad Gateway", True),
    ("503 Service Unavailable", True),
    ("504 Gateway Timeout", True),
    ("204 No Content", False),
    ("304 Not Modified", False),
]


@pytest.mark.parametrize(("status", "repeat"), STATUSES)
def test_any_other_status_is_an_error(http: Transfer, script_server: ScriptServer, status: str, repeat: bool) -> None:
    """With the status, and the first line of what the page says; some are worth repeating."""
    body = b"" if status.startswith(("204", "304")) else b"<h1>What a pity</h1>\nmore"
    error = told(http, script_server, answer(status, body))
    assert f"answers {status}" in error.message
    assert error.message.endswith(": What a pity") == bool(body)
    assert error.repeat == repeat
    assert ("HTTP.127_0_0_1" in error.remedy) == status.startswith(("401", "403"))


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_what_is_gone_is_missing(http: Transfer, script_server: ScriptServer, status: str) -> None:
    """Both mean that there is nothing of that name."""
    assert isinstance(told(http, script_server, answer(status)), RemoteFileMissing)


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        ("/a/h#ash%41 100%.dat", " (asked as /a/h%23ash%41%20100%25.dat)"),
        ("/Tromsø?page=2", " (asked as /Troms%C3%B8?page=2)"),
        ("/a b?token=c0ffee&id=1", " (asked as /a%20b?token=•••&id=1)"),
        ("/a#token=c0ffee", " (asked as /a%23token=•••)"),
        ("/plain%20name?id=1", ""),
        ("", ""),
    ],
)
def test_what_is_missing_is_told_as_it_was_asked_for(
    http: Transfer, script_server: ScriptServer, target: str, asked: str
) -> None:
    """Where that is not the path as it is written; without its secrets."""
    script_server.answers = [answer("404 Not Found")]
    with pytest.raises(RemoteFileMissing) as caught:
        http.stat(Url.parse(script_server.url(target)))
    assert caught.value.message == f"127.0.0.1:{script_server.port} answers 404 Not Found{asked}"


def test_a_server_that_asks_to_wait_is_heard(http: Transfer, script_server: ScriptServer) -> None:
    """Retry-After in seconds and as a date."""
    assert told(http, script_server, answer("503 Busy", Retry_After="17")).after_s == 17
    later = {"Retry_After": "Wed, 21 Oct 2026 07:30:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert told(http, script_server, answer("429 Slow down", **later)).after_s == 120
    assert told(http, script_server, answer("404 Not Found", Retry_After="17")).after_s is None


LIES = {
    "shorter than its length": answer("200 OK", BODY[:6], Content_Length="10"),
    "a chunk that is cut": answer("200 OK", b"a\r\n012345", Content_Length="", Transfer_Encoding="chunked"),
    "no last chunk": answer("200 OK", b"a\r\n0123456789\r\n", Content_Length="", Transfer_Encoding="chunked"),
    "a chunk without a size": answer("200 OK", b"zz\r\n0123", Content_Length="", Transfer_Encoding="chunked"),
    "no head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "nothing": b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_body_that_is_not_whole_is_an_error(http: Transfer, script_server: ScriptServer, lie: str) -> None:
    """It is worth repeating."""
    assert told(http, script_server, LIES[lie]).repeat


def test_a_body_that_is_cut_tells_how_much_of_it_came(http: Transfer, script_server: ScriptServer) -> None:
    """In our own words, and where the length is not known without it."""
    whole = f"127.0.0.1:{script_server.port} stopped"
    for lie, said in (
        ("shorter than its length", f"{whole} after 6 of 10 bytes"),
        ("a chunk that is cut", f"{whole} before the end, after 6 bytes"),
        ("no last chunk", f"{whole} before the end, after 10 bytes"),
    ):
        assert told(http, script_server, LIES[lie]).message == said


ENDS = {
    "a length": (answer("200 OK", BODY), False),
    "chunks": (answer("200 OK", b"a\r\n0123456789\r\n0\r\n\r\n", Content_Length="", Transfer_Encoding="chunked"), True),
    "the connection alone": (answer("200 OK", BODY, Content_Length=""), False),
}


@pytest.mark.parametrize("end", ENDS)
def test_whether_an_answer_tells_its_own_end_is_known(http: Transfer, script_server: ScriptServer, end: str) -> None:
    """Where neither it nor a length does, nobody knows whether the file was cut."""
    script_server.answers, tells_end = [ENDS[end][0]], ENDS[end][1]
    incoming = http.read(Url.parse(script_server.url()))
    assert (incoming.tells_end, taken(incoming)) == (tells_end, BODY)


def test_what_is_no_http_is_told(http: Transfer, script_server: ScriptServer) -> None:
    """A wrong port."""
    assert "does not keep to HTTP" in told(http, script_server, b"SSH-2.0-OpenSSH_9.2\r\n\r\n").message


WRONG_PARTS = {
    "an earlier start": answer("206 Partial Content", b"1234", Content_Range="bytes 1-4/10"),
    "a later start": answer("206 Partial Content", b"34", Content_Range="bytes 3-4/10"),
    "another end": answer("206 Partial Content", b"23", Content_Range="bytes 2-3/10"),
    "more than was asked": answer("206 Partial Content", b"23456", Content_Range="bytes 2-6/10"),
    "no range at all": answer("206 Partial Content", b"234"),
    "a range that cannot be": answer("206 Partial Content", b"234", Content_Range="bytes 2-4/4"),
    "several parts": answer("206 Partial Content", b"--x\r\n", Content_Type="multipart/byteranges; boundary=x"),
    "another length": answer("206 Partial Content", b"2345", **PART),
    "fewer bytes": answer("206 Partial Content", b"23", Content_Length="3", **PART),
    "a refusal for no reason": answer("416 Range Not Satisfiable", Content_Range="bytes */10"),
    "a refusal without a size": answer("416 Range Not Satisfiable"),
}


@pytest.mark.parametrize("wrong", WRONG_PARTS)
def test_another_part_than_was_asked_is_an_error(http: Transfer, script_server: ScriptServer, wrong: str) -> None:
    """Bytes are never put where they do not belong."""
    assert told(http, script_server, WRONG_PARTS[wrong], start=2, stop=5).repeat


def test_a_part_is_asked_for_with_its_validator(http: Transfer, script_server: ScriptServer) -> None:
    """Range and If-Range; the answer's size is the whole file's."""
    script_server.answers = [answer("206 Partial Content", b"234", ETag='"a"', **PART)]
    incoming = http.read(Url.parse(script_server.url()), 2, 5, validator='"a"')
    assert (taken(incoming), incoming.start, incoming.remote.size_bytes) == (b"234", 2, 10)
    [asked] = script_server.asked
    assert (asked.headers["range"], asked.headers["if-range"]) == ("bytes=2-4", '"a"')
    assert asked.headers["accept-encoding"] == "identity"


def test_a_server_that_forgets_if_range_is_caught(http: Transfer, script_server: ScriptServer) -> None:
    """A part of another version is told as changed."""
    script_server.answers = [answer("206 Partial Content", b"234", ETag='"b"', **PART)]
    with pytest.raises(RemoteFileChanged):
        http.read(Url.parse(script_server.url()), 2, 5, validator='"a"')


def test_the_whole_file_is_told_from_a_part(http: Transfer, script_server: ScriptServer) -> None:
    """A server without ranges, or with another version, answers 200: from 0, with its own validator."""
    script_server.answers = [answer("200 OK", BODY, ETag='"b"')]
    incoming = http.read(Url.parse(script_server.url()), 2, 5, validator='"a"')
    assert (taken(incoming), incoming.start, incoming.remote.validator) == (BODY, 0, '"b"')


def test_a_file_that_shrank_is_told_as_changed(http: Transfer, script_server: ScriptServer) -> None:
    """The rest that is asked for begins beyond its end."""
    error = told(http, script_server, answer("416 No", Content_Range="bytes */5"), start=7)
    assert isinstance(error, RemoteFileChanged)


def test_without_a_length_the_end_is_the_end(http: Transfer, script_server: ScriptServer) -> None:
    """Chunks that end well, or a connection that does: the size is not known."""
    chunked = answer("200 OK", b"a\r\n0123456789\r\n0\r\n\r\n", Content_Length="", Transfer_Encoding="chunked")
    for said in (chunked, answer("200 OK", BODY, Content_Length="")):
        script_server.answers = [said]
        incoming = http.read(Url.parse(script_server.url()))
        assert (incoming.remote.size_bytes, taken(incoming)) == (None, BODY)


def test_what_a_server_tells_of_a_file_is_taken(http: Transfer, script_server: ScriptServer) -> None:
    """Size, validator, checksum and type."""
    script_server.answers = [
        answer(
            "200 OK", ETag='"a"', Content_Length="10", Content_Type="Text/HTML; charset=x", Content_MD5="X" * 22 + "=="
        )
    ]
    remote = http.stat(Url.parse(script_server.url()))
    assert (remote.size_bytes, remote.validator, remote.media_type) == (10, '"a"', "text/html")
    assert str(remote.checksum).startswith("md5:5d75d75d")
    assert [asked.method for asked in script_server.asked] == ["HEAD"]


@pytest.mark.parametrize("status", ["400 Bad", "403 Forbidden", "405 Method Not Allowed", "501 Not Implemented"])
def test_a_server_without_head_is_asked_for_a_byte(http: Transfer, script_server: ScriptServer, status: str) -> None:
    """The range tells the size of the whole."""
    script_server.answers = [answer(status), answer("206 Partial Content", b"0", Content_Range="bytes 0-0/10")]
    assert http.stat(Url.parse(script_server.url())).size_bytes == 10
    assert [(asked.method, asked.headers.get("range")) for asked in script_server.asked] == [
        ("HEAD", None),
        ("GET", "bytes=0-0"),
    ]


def test_an_empty_head_is_not_believed(http: Transfer, script_server: ScriptServer) -> None:
    """A length of 0 may be that of the answer itself; an empty file is told twice."""
    script_server.answers = [answer("200 OK"), answer("206 Partial Content", b"0", Content_Range="bytes 0-0/10")]
    assert http.stat(Url.parse(script_server.url())).size_bytes == 10
    script_server.answers = [answer("200 OK", ETag='"a"'), answer("416 No", Content_Range="bytes */0")]
    remote = http.stat(Url.parse(script_server.url()))
    assert (remote.size_bytes, remote.validator) == (0, '"a"')


def test_a_coding_that_was_not_asked_for_is_refused(http: Transfer, script_server: ScriptServer) -> None:
    """Its length and checksum are not the file's; one that is stored so is the file."""
    error = told(http, script_server, answer("200 OK", BODY, Content_Encoding="gzip"))
    assert ("'gzip'" in error.message, error.repeat) == (True, False)
    script_server.answers = [answer("200 OK", BODY, Content_Encoding="gzip")]
    assert taken(http.read(Url.parse(script_server.url("/a.tar.gz?x=1")))) == BODY


def test_a_url_is_sent_as_it_is_written(http: Transfer, script_server: ScriptServer) -> None:
    """With its query and its escapes."""
    script_server.answers = [answer("200 OK", BODY)]
    taken(http.read(Url.parse(script_server.url("/a b/%2F?x=1&y=#z"))))
    assert script_server.asked[0].target == "/a%20b/%2F?x=1&y=%23z"


def test_a_server_that_freezes_is_given_up(make: Make, script_server: ScriptServer) -> None:
    """In the head, and in the body, where empty chunks come meanwhile."""
    http = make(HttpTransfer, {"timeout": 1.2})
    assert "sent nothing" in told(http, script_server, (SILENCE,)).message
    script_server.answers = [(answer("200 OK", b"01234", Content_Length="10"), SILENCE)]
    heard: list[bytes] = []
    with http.read(Url.parse(script_server.url())) as incoming, pytest.raises(TransferError) as caught:
        heard.extend(incoming.chunks)
    assert caught.value.repeat
    assert heard.count(b"") > 2


def test_nobody_there_is_told(http: Transfer, http_mortal: HttpServer) -> None:
    """Refused, and back again: connections are made anew."""
    (http_mortal.files / "a").write_bytes(BODY)
    url = Url.parse(http_mortal.url("a"))
    assert http.stat(url).size_bytes == 10
    http_mortal.stop()
    with pytest.raises(TransferError, match="connection refused") as caught:
        http.stat(url)
    assert caught.value.repeat
    http_mortal.start()
    assert http.stat(url).size_bytes == 10


def test_a_name_without_an_address_is_told(http: Transfer) -> None:
    """The name that was looked up is in the error."""
    with pytest.raises(TransferError, match=r"nowhere\.invalid cannot be reached"):
        http.stat(Url.parse("http://nowhere.invalid/a"))


def test_what_http_cannot_do_says_what_to_do(http: Transfer, tmp_path: Path) -> None:
    """Each refusal has a remedy."""
    url = Url.parse("http://127.0.0.1:9/a")
    for ask in (
        lambda: http.put(Outgoing(tmp_path, 0, ""), url),
        lambda: http.remove(url),
        lambda: list(http.listing(url)),
    ):
        with pytest.raises(TransferError, match="cannot") as caught:
            ask()
        assert caught.value.remedy


def test_closing_ends_what_is_read(http: Transfer, script_server: ScriptServer) -> None:
    """The reader is told."""
    script_server.answers = [(answer("200 OK", b"01234", Content_Length="10"), SILENCE)]
    with http.read(Url.parse(script_server.url())) as incoming:
        closing = threading.Timer(0.3, http.close)
        closing.start()
        with pytest.raises(TransferError) as caught:
            list(incoming.chunks)
        closing.join()
    assert caught.value.repeat
