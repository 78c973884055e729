"""A server on loopback that answers each request with what a test says, byte by byte, and notes what it was asked.

Laws: an answer is made of bytes, which are sent, and numbers, which are seconds of silence; after the last one the
connection is closed. Nothing is checked: the test is what the other side of the line is to stand.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from attrs import define, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
Steps = Iterable[bytes | float]


@frozen
class Request:
    """One request: method, path as it was sent, headers with names in lower case, body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@define(eq=False)
class OddServer:
    """One listening socket. `answer` is asked for the steps of each answer, in a thread for each connection."""

    answer: Callable[[Request], Steps]
    tls: ssl.SSLContext | None = None
    asked: list[Request] = field(factory=list)
    _listener: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def address(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        """Listen in a thread."""
        threading.Thread(target=self._listen, name="odd server", daemon=True).start()

    def close(self) -> None:
        """Listen no more; answers under way go on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), name="odd answer", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            line = connection if self.tls is None else self.tls.wrap_socket(connection, server_side=True)
            with line:
                request = _read(line)
                if request is None:
                    return
                self.asked.append(request)
                for step in self.answer(request):
                    if isinstance(step, bytes):
                        line.sendall(step)
                    else:
                        time.sleep(step)


def _read(line: socket.socket) -> Request | None:
    """Return a request with its body, None when the other side leaves before its end."""
    with line.makefile("rb") as stream:
        first = stream.readline().decode().split()
        if len(first) != 3:
            return None
        headers = {}
        while (header := stream.readline().decode("latin-1").strip()) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            line.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = stream.read(int(headers.get("content-length", 0)))
    return Request(first[0], first[1], headers, body)


def reply(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return a whole answer; `_` in the names of headers stands for `-`."""
    fields = {"Content-Length": str(len(body)), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} odd\r\n{head}\r\n".encode() + body


@pytest.fixture
def odd_server() -> Iterator[Callable[..., OddServer]]:
    """Give ``odd_server(answer)``: servers that are closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(answer: Callable[[Request], Steps], tls: ssl.SSLContext | None = None) -> OddServer:
            server = OddServer(answer, tls)
            stack.callback(server.close)
            server.start()
            return server

        yield make


@frozen
class Certificates:
    """Two files: the server's certificate for 127.0.0.1 with its key, and that of the authority that vouches for it."""

    server: Path
    authority: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Give certificates that no system trusts."""
    return vouched(tmp_path_factory.mktemp("certificates"))


def vouched(folder: Path, address: str = "127.0.0.1", days: tuple[int, int] = (-1, 36525)) -> Certificates:
    """Return a new certificate of a server, good from one day to the other, and that of a new authority."""
    folder.mkdir(exist_ok=True)
    made = Certificates(folder / "server.pem", folder / "authority.pem")
    signer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = f"authority of {folder.name}"
    names, is_ca = (issuer, issuer), x509.BasicConstraints(True, None)
    authority = _certificate(names, signer.public_key(), signer, is_ca, days)
    host = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))])
    server = _certificate(("odd server", issuer), key.public_key(), signer, host, days)
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made.server.write_bytes(secret + server.public_bytes(encoding))
    made.authority.write_bytes(authority.public_bytes(encoding))
    return made


def _certificate(
    names: tuple[str, str],
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    what: x509.ExtensionType,
    days: tuple[int, int],
) -> x509.Certificate:
    subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in names)
    begin, end = (datetime.now(UTC) + day * DAY for day in days)
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), begin, end)
    return builder.add_extension(what, critical=False).sign(signer, hashes.SHA256())
