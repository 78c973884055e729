"""Lines to S3 servers that break, fall silent, are slow or not to be trusted, by both data planes."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from cryocloud_core.errors import TransferError
from cryocloud_core.transfers.s3_parts import PART_BYTES
from tests.services.oddserver import Certificates, Request, Steps, reply
from tests.transfers.odd_s3 import OBJECT, Place, Server, Transfers, always, raised, read
from tests.transfers.shop import outgoing


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


def test_a_closed_door_is_knocked_at_once_more_with_everything(
    odd_server: Server, to: Transfers, tmp_path: Path
) -> None:
    """What begins and ends an upload in parts is repeated too, which the library below does for other requests only."""
    closed: set[str] = set()

    def answer(request: Request) -> Steps:
        if request.method == "POST" and request.path not in closed:
            closed.add(request.path)
            return []
        if request.method == "PUT":
            return [reply(200, ETag='"part"')]
        name = "CompleteMultipartUploadResult" if "uploadId" in request.path else "InitiateMultipartUploadResult"
        return [reply(200, f"<{name}><UploadId>up</UploadId><ETag>x</ETag></{name}>".encode())]

    transfer, url = to(odd_server(answer))
    transfer.put(outgoing(tmp_path, b"x" * (PART_BYTES + 1)), url)

    assert len(closed) == 2


@pytest.mark.parametrize("welcome", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_server_that_takes_nothing_is_given_up(to: Transfers, tmp_path: Path, welcome: bytes) -> None:
    """Bytes that nobody reads stay in the line; who sends them does not wait for ever, and can be stopped."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        lines: list[socket.socket] = []

        def greet() -> None:
            with contextlib.suppress(OSError):
                while True:
                    lines.append(listener.accept()[0])
                    lines[-1].sendall(welcome)

        threading.Thread(target=greet, daemon=True).start()
        port = listener.getsockname()[1]
        transfer, url = to(Place(f"127.0.0.1:{port}"))
        began = time.monotonic()
        with pytest.raises(TransferError, match=r"took nothing for 1\.5 s|sent nothing for 0\.5 s") as caught:
            transfer.put(outgoing(tmp_path, b"x" * PART_BYTES), url)
        assert caught.value.repeat
        assert time.monotonic() - began < 6
        listener.shutdown(socket.SHUT_RDWR)
    for line in lines:
        line.close()


def test_an_answer_that_breaks_off_is_worth_another_try(odd_server: Server, to: Transfers) -> None:
    """Bytes that were promised and do not come are an error, not the end of the object."""
    head = (
        b'HTTP/1.1 200 odd\r\nContent-Length: 1000\r\nETag: "v1"\r\nLast-Modified: '
        + OBJECT["Last_Modified"].encode()
        + b"\r\n\r\n"
    )
    transfer, url = to(odd_server(always(head + b"x" * 500, 0.1)))

    error = raised(lambda: read(transfer, url))
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

    assert raised(lambda: read(transfer, url)).repeat
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


@pytest.mark.parametrize("token", [None, "ours"])
def test_nothing_that_is_meant_for_another_server_is_sent(
    odd_server: Server, to: Transfers, monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    """With credentials of its own a server sees nothing of those in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "environment")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    server = odd_server(always(reply(200, b"content", **OBJECT)))
    transfer, url = to(server, aws_session_token=token)
    stranger, _ = to(server, anonymous=True)

    assert read(transfer, url) == b"content"
    transfer.stat(url)
    assert {asked.headers.get("x-amz-security-token") for asked in server.asked} == {token}
    assert all("Credential=key/" in asked.headers["authorization"] for asked in server.asked)
    server.asked.clear()
    assert read(stranger, url) == b"content"
    assert not any({"authorization", "x-amz-security-token"} & asked.headers.keys() for asked in server.asked)
    assert transfer._server(url)._strikes == stranger._server(url)._strikes == 0
