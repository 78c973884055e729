"""Redirects, credentials, certificates and proxies: what is sent to whom."""

from __future__ import annotations

import base64
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cryocloud_core.errors import ConfigError, TransferError
from cryocloud_core.sdk.transfer import Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.secrets import Secret
from cryocloud_core.testing.transfer_reads import taken
from cryocloud_core.transfers.http import HttpTransfer
from tests.services.httpserver import HttpServer
from tests.services.scriptserver import ScriptServer, answer

Make = Callable[..., Transfer]
BODY = b"0123456789"


@pytest.fixture
def other_server() -> Iterator[ScriptServer]:
    """Give a second server, at another port and so another one."""
    server = ScriptServer()
    server.start()
    yield server
    server.stop()


def read(http: Transfer, url: str) -> bytes:
    """Return a file."""
    return taken(http.read(Url.parse(url)))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(make: Make, script_server: ScriptServer, status: int) -> None:
    """To a path beside, to a whole URL, without its fragment; the file keeps the URL that was asked for."""
    script_server.answers = [
        answer(f"{status} Moved", Location="b%20c?x=1#there"),
        answer(f"{status} Moved", Location=script_server.url("/d")),
        answer("200 OK", BODY),
    ]
    with make(HttpTransfer, {}).read(Url.parse(script_server.url("/in/a"))) as incoming:
        assert b"".join(incoming.chunks) == BODY
    assert incoming.remote.url == script_server.url("/in/a")
    assert [asked.target for asked in script_server.asked] == ["/in/a", "/in/b%20c?x=1", "/d"]


def test_a_range_survives_redirects(make: Make, script_server: ScriptServer) -> None:
    """Each hop is asked for the same part."""
    script_server.answers = [
        answer("302 Found", Location="/b"),
        answer("206 Partial Content", b"234", Content_Range="bytes 2-4/10"),
    ]
    assert taken(make(HttpTransfer, {}).read(Url.parse(script_server.url()), 2, 5)) == b"234"
    assert [asked.headers["range"] for asked in script_server.asked] == ["bytes=2-4"] * 2


def test_a_circle_ends(make: Make, script_server: ScriptServer) -> None:
    """After ten redirects; it is not worth repeating."""
    script_server.answers = [answer("302 Found", Location="/a")]
    with pytest.raises(TransferError, match="redirects more than 10 times") as caught:
        read(make(HttpTransfer, {}), script_server.url())
    assert not caught.value.repeat
    assert len(script_server.asked) == 11


@pytest.mark.parametrize(
    ("location", "why"),
    [("ftp://host/a", "no web server"), ("http://me:pw@host/a", "holds a password"), ("http://:1/a", "names no host")],
)
def test_a_redirect_to_elsewhere_is_refused(make: Make, script_server: ScriptServer, location: str, why: str) -> None:
    """It says where to."""
    script_server.answers = [answer("302 Found", Location=location)]
    with pytest.raises(TransferError, match=why):
        read(make(HttpTransfer, {}), script_server.url())


def test_credentials_come_from_the_configuration(
    make: Make, script_server: ScriptServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headers, a token, or user and password, as secrets."""
    monkeypatch.setenv("SESAME", "open")
    secret = Secret.read({"env": "SESAME"}, tmp_path)
    basic = base64.b64encode(b"me:open").decode()
    settings = [
        ({"token": secret}, "Bearer open"),
        ({"user": "me", "password": secret}, f"Basic {basic}"),
        ({"headers": {"Authorization": secret}, "token": "other"}, "open"),
    ]
    for values, sent in settings:
        script_server.answers = [answer("200 OK", BODY)]
        read(make(HttpTransfer, {f"127_0_0_1:{script_server.port}": values}), script_server.url())
        assert script_server.asked[-1].headers["authorization"] == sent
    read(make(HttpTransfer, {"password": "open"}), script_server.url().replace("//", "//me@"))
    assert script_server.asked[-1].headers["authorization"] == f"Basic {basic}"


def test_a_misspelt_setting_of_a_server_that_we_are_sent_to_is_told(
    make: Make, script_server: ScriptServer, other_server: ScriptServer
) -> None:
    """Before it is asked anything."""
    script_server.answers = [answer("302 Found", Location=other_server.url("/b"))]
    http = make(HttpTransfer, {f"127.0.0.1:{other_server.port}": {"tokn": "x"}})
    with pytest.raises(ConfigError, match=rf'HTTP\."127\.0\.0\.1:{other_server.port}"\.tokn: .*did you mean "token"'):
        read(http, script_server.url())
    assert not other_server.asked


def test_credentials_stay_with_their_server(
    make: Make, script_server: ScriptServer, other_server: ScriptServer
) -> None:
    """A server that we are only sent to gets its own, not the first one's nor everybody's."""
    script_server.answers = [answer("302 Found", Location=other_server.url("/b"))]
    other_server.answers = [answer("200 OK", BODY)]
    first, second = (f"127_0_0_1:{server.port}" for server in (script_server, other_server))

    read(make(HttpTransfer, {first: {"token": "first"}, "headers": {"X-All": "all"}}), script_server.url())
    assert script_server.asked[-1].headers["authorization"] == "Bearer first"
    assert script_server.asked[-1].headers["x-all"] == "all"
    assert {"authorization", "x-all"} & set(other_server.asked[-1].headers) == set()

    read(make(HttpTransfer, {first: {"token": "first"}, second: {"token": "second"}}), script_server.url())
    assert other_server.asked[-1].headers["authorization"] == "Bearer second"


def test_a_cookie_on_the_way_is_kept(make: Make, script_server: ScriptServer) -> None:
    """A log-in leads back to where it began, as archives of satellite data have it."""
    at_home = script_server.url("/a").replace("127.0.0.1", "localhost")
    script_server.answers = [
        answer("302 Found", Location="/log-in"),
        answer("302 Found", Location=at_home, Set_Cookie="pass=yes; Path=/"),
        answer("200 OK", BODY),
    ]
    assert read(make(HttpTransfer, {}), at_home) == BODY
    assert [asked.headers.get("cookie") for asked in script_server.asked] == [None, None, "pass=yes"]


def test_a_proxy_is_used(make: Make, script_server: ScriptServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment as other programs do, or from the configuration."""
    script_server.answers = [answer("200 OK", BODY)]
    proxy = script_server.url("")
    for settings in ({}, {"proxy": proxy}):
        monkeypatch.setenv("http_proxy", proxy if not settings else "")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert read(make(HttpTransfer, settings), "http://archive.invalid/a b") == BODY
        assert script_server.asked[-1].target == "http://archive.invalid/a%20b"
    assert read(make(HttpTransfer, {}), script_server.url("/direct")) == BODY
    assert script_server.asked[-1].target == "/direct"


class Secure(BaseHTTPRequestHandler):
    """Answers `/a` with ten bytes and everything else with a redirect to plain HTTP."""

    def do_GET(self) -> None:
        """Answer."""
        is_file = self.path == "/a"
        self.send_response(200 if is_file else 302)
        self.send_header("Content-Length", str(len(BODY) if is_file else 0))
        if not is_file:
            self.send_header("Location", self.path.removeprefix("/to/"))
        self.end_headers()
        self.wfile.write(BODY if is_file else b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Give an https server's URL, without a path, and its certificate, which nobody else signed."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(("127.0.0.1", 0), Secure) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}", certificate
        server.shutdown()
        thread.join()


def test_an_unknown_certificate_is_refused(make: Make, secure: tuple[str, Path]) -> None:
    """Until its file is named; a file that is no certificate is named too."""
    url, certificate = secure
    with pytest.raises(TransferError, match="is not trusted") as caught:
        read(make(HttpTransfer, {}), f"{url}/a")
    assert ("setting ca" in caught.value.remedy, caught.value.repeat) == (True, False)
    assert read(make(HttpTransfer, {"ca": str(certificate)}), f"{url}/a") == BODY
    with pytest.raises(TransferError, match="cannot be read"):
        read(make(HttpTransfer, {"ca": "/nowhere.pem"}), f"{url}/a")


def hang_up(listening: socket.socket, *, heard: bool) -> None:
    """Close the next connection without a word: what was said is read, or lies there unread and makes it a reset."""
    connection, _ = listening.accept()
    with connection:
        connection.recv(1 if not heard else 1 << 16)


def test_a_server_without_tls_is_told(make: Make, http_server: HttpServer) -> None:
    """It is no question of certificates."""
    url = http_server.url("a").replace("http://", "https://")
    with pytest.raises(TransferError, match="does not speak TLS") as caught:
        read(make(HttpTransfer, {}), url)
    assert "write http://" in caught.value.remedy


@pytest.mark.parametrize("heard", [True, False])
def test_hanging_up_is_told_the_same_with_and_without_a_reset(make: Make, heard: bool) -> None:
    """Whether what was said first was read by then depends on the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        hanging_up = threading.Thread(target=hang_up, args=(listening,), kwargs={"heard": heard})
        hanging_up.start()
        with pytest.raises(TransferError, match="cannot be reached: it hung up"):
            read(make(HttpTransfer, {}), f"https://127.0.0.1:{listening.getsockname()[1]}/a")
        hanging_up.join()


def test_a_downgrade_is_refused(make: Make, secure: tuple[str, Path], script_server: ScriptServer) -> None:
    """From https to http only where that is configured."""
    url, certificate = secure
    script_server.answers = [answer("200 OK", BODY)]
    asked = f"{url}/to/{script_server.url()}"
    with pytest.raises(TransferError, match="redirects from https to http") as caught:
        read(make(HttpTransfer, {"ca": str(certificate)}), asked)
    assert "allow_downgrade = true" in caught.value.remedy
    assert script_server.asked == []
    assert read(make(HttpTransfer, {"ca": str(certificate), "allow_downgrade": True}), asked) == BODY
