"""What is sent to whom, and who is trusted, when small files of web servers are read, with libcurl and without."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from cryocloud_core.errors import ConfigError
from cryocloud_core.sdk.transfer import Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.http import HttpTransfer
from tests.services.oddserver import Certificates, OddServer, Request, Steps, reply, vouched
from tests.services.scriptserver import ScriptServer, answer

Make = Callable[[type[Transfer], Mapping[str, Any]], Transfer]
Odd = Callable[..., OddServer]
BODY = b"0123456789"
SECRET = "open-sesame"


@pytest.fixture
def other_server() -> Iterator[ScriptServer]:
    """Give a second server, at another port and so another one."""
    server = ScriptServer(answers=[answer("200 OK", BODY)])
    server.start()
    yield server
    server.stop()


@pytest.fixture
def read(make: Make, fast: bool) -> Callable[..., list[bytes]]:
    """Give ``read(*urls, **settings)``: what comes of a list of small files, one after the other if not told else."""
    made: dict[str, Transfer] = {}

    def contents(*urls: str, streams: int = 1, **settings: Any) -> list[bytes]:
        http = made.setdefault(repr(settings), make(HttpTransfer, {**settings, "fast": fast}))
        return [file.content for file in http.read_small([Url.parse(url) for url in urls], streams) if file is not None]

    return contents


Read = Callable[..., list[bytes]]


def same(_: Request) -> Steps:
    """Answer with the file."""
    return [reply(200, BODY)]


def tls(certificate: Path) -> ssl.SSLContext:
    """Return what a server shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize(
    "let_in", [{"token": SECRET}, {"user": "me", "password": SECRET}, {"headers": {"X-Key": SECRET, "X-Empty": ""}}]
)
def test_what_lets_us_in_goes_to_its_server_alone(
    read: Read, script_server: ScriptServer, other_server: ScriptServer, let_in: dict[str, Any]
) -> None:
    """Neither where we are sent to, nor where the same connection is used next."""
    script_server.answers = [answer("302 Found", Location=other_server.url("/b"))]
    named = {f"127_0_0_1:{script_server.port}": let_in}
    assert read(other_server.url()) == [BODY]
    plain = set(other_server.asked[-1].headers)

    assert read(script_server.url(), other_server.url(), **named) == [BODY, BODY]
    assert {"authorization", "x-key"} & set(script_server.asked[-1].headers)
    assert all(set(asked.headers) == plain for asked in other_server.asked)
    assert script_server.asked[-1].headers.get("x-empty", "") == ""
    assert ("x-empty" in script_server.asked[-1].headers) == ("headers" in let_in)


def test_what_all_servers_get_is_for_those_that_are_named(
    read: Read, script_server: ScriptServer, other_server: ScriptServer
) -> None:
    """One that we are only sent to was not named by anybody."""
    script_server.answers = [answer("302 Found", Location=other_server.url("/b"))]
    assert read(script_server.url(), headers={"X-Key": SECRET}) == [BODY]
    assert script_server.asked[-1].headers["x-key"] == SECRET
    assert "x-key" not in other_server.asked[-1].headers


@pytest.mark.parametrize(
    "settings",
    [
        {"token": "a\nX-Evil: b"},
        {"headers": {"X": "a\r\nX-Evil: b"}},
        {"headers": {"X\r\nX-Evil": "b"}},
        {"headers": {"X: a": "Evil: b"}},
        {"headers": {"X": "a\0Evil: b"}},
    ],
)
def test_a_line_end_in_a_header_is_refused(
    read: Read, make: Make, script_server: ScriptServer, settings: dict[str, Any]
) -> None:
    """It would make two of one; the setting is told, its text is not."""
    script_server.answers = [answer("200 OK", BODY)]
    assert read(script_server.url(), **settings) == []
    with pytest.raises(ConfigError, match="cannot be sent") as caught:
        make(HttpTransfer, settings).stat(Url.parse(script_server.url()))
    assert script_server.asked == []
    assert "Evil: b" not in str(caught.value)


def test_a_redirect_from_https_to_http_is_refused(
    read: Read, odd_server: Odd, certificates: Certificates, other_server: ScriptServer
) -> None:
    """Unless that is configured."""
    server = odd_server(lambda _: [reply(302, Location=other_server.url("/b"))], tls(certificates.server))
    asked, ca = f"https://{server.address}/a", str(certificates.authority)
    assert read(asked, ca=ca) == []
    assert (len(server.asked), other_server.asked) == (1, [])
    assert read(asked, ca=ca, allow_downgrade=True) == [BODY]


def test_a_setting_names_all_who_are_trusted(
    read: Read, fast: bool, odd_server: Odd, certificates: Certificates, tmp_path: Path
) -> None:
    """Where it is set those of the system are not trusted, where it is not they are; a file may have any name."""
    stranger = vouched(tmp_path / "stranger")
    (named := tmp_path / "bürgen \udcff.pem").write_bytes(certificates.authority.read_bytes())
    server, other = (odd_server(same, tls(certificates.server)) for _ in "ab")
    url = f"https://{server.address}/a"

    assert read(url) == []
    assert read(url, ca=str(stranger.authority)) == []
    assert read(url, ca="/nowhere.pem") == []
    assert read(url, ca=str(named)) == [BODY]
    hashed = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", named], capture_output=True, check=True
    ).stdout
    (tmp_path / f"{hashed.decode().strip()}.0").symlink_to(named)
    for name, place in (("SSL_CERT_FILE", named), ("SSL_CERT_DIR", tmp_path)) if fast else ():
        # Of aiohttp there is nothing to see here: it reads once for all what the system trusts.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, str(place))
            own = {other.address.replace(".", "_"): {"ca": str(stranger.authority)}, "timeout": len(name)}
            assert read(url, f"https://{other.address}/a", **own) == [BODY]
    assert (len(server.asked), other.asked) == (1 + 2 * fast, [])


def test_each_server_has_settings_of_its_own(read: Read, odd_server: Odd, tmp_path: Path) -> None:
    """Also when one list follows the other: whom one trusts the other does not."""
    made = [vouched(tmp_path / name) for name in "ab"]
    servers = [odd_server(same, tls(each.server)) for each in made]
    sections = [server.address.replace(".", "_") for server in servers]
    authorities = [{"ca": str(each.authority)} for each in made]
    for trusted, came in ((authorities, [BODY]), (authorities[::-1], [])):
        named = dict(zip(sections, trusted, strict=True))
        assert [read(f"https://{server.address}/a", **named) for server in servers] == [came, came]


@pytest.mark.parametrize("wrong", [{"days": (-9, -2)}, {"days": (2, 9)}, {"address": "127.0.0.2"}, {}])
def test_a_certificate_of_another_time_or_server_is_refused(
    read: Read, odd_server: Odd, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    """Though somebody vouches for it who is trusted."""
    made = vouched(tmp_path / "certificates", **wrong)
    server = odd_server(same, tls(made.server))
    assert read(f"https://{server.address}/a", ca=str(made.authority)) == ([] if wrong else [BODY])
    assert len(server.asked) == (0 if wrong else 1)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2])
def test_an_old_tls_is_refused(
    read: Read, odd_server: Odd, certificates: Certificates, version: ssl.TLSVersion
) -> None:
    """As everywhere; 1.2 is the oldest."""
    context = tls(certificates.server)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    server = odd_server(same, context)
    is_old = version is ssl.TLSVersion.TLSv1_1
    assert read(f"https://{server.address}/a", ca=str(certificates.authority)) == ([] if is_old else [BODY])


@define(eq=False)
class Tunnel:
    """A proxy that lets through, to `port`, whatever host is asked for."""

    port: int
    heads: list[str] = field(factory=list)
    listener: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def address(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self, stack: ExitStack) -> None:
        """Serve one client."""
        client = stack.enter_context(self.listener.accept()[0])
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1 << 16)
        self.heads.append(head.decode("latin-1"))
        client.sendall(b'HTTP/1.1 200 Let through\r\nETag: "proxy"\r\n\r\n')
        server = stack.enter_context(socket.create_connection(("127.0.0.1", self.port)))
        back = threading.Thread(target=_pump, args=(server, client))
        back.start()
        _pump(client, server)
        back.join()


def _pump(here: socket.socket, there: socket.socket) -> None:
    try:
        while data := here.recv(1 << 16):
            there.sendall(data)
        there.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one of them went away


def test_a_proxy_that_lets_through_learns_no_secret(
    make: Make, fast: bool, odd_server: Odd, certificates: Certificates
) -> None:
    """It is told the host, and what is its own; the server is not told that; what the proxy says is not of the file."""
    server = odd_server(same, tls(certificates.server))
    tunnel = Tunnel(int(server.address.rpartition(":")[2]))
    with ExitStack() as stack:
        stack.enter_context(tunnel.listener)
        serving = threading.Thread(target=tunnel.serve, args=(stack,))
        serving.start()
        settings = {"ca": str(certificates.authority), "token": SECRET, "headers": {"X-Key": SECRET}}
        http = make(HttpTransfer, {**settings, "proxy": f"http://me:pass@{tunnel.address}", "fast": fast})
        found = [file for file in http.read_small([Url.parse("https://127.0.0.1/a")], 1) if file is not None]
        http.close()
        serving.join()

    assert [(file.content, file.remote.validator) for file in found] == [(BODY, None)]
    (head,) = tunnel.heads
    assert head.startswith("CONNECT 127.0.0.1:443 ")
    assert SECRET not in head
    assert "Proxy-Authorization: Basic bWU6cGFzcw==" in head
    assert server.asked[-1].headers["authorization"] == f"Bearer {SECRET}"
    assert not any(name.startswith("proxy-") for name in server.asked[-1].headers)


def test_a_proxy_is_that_of_the_configuration_or_the_environment(
    read: Read, script_server: ScriptServer, other_server: ScriptServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latter with its exceptions, as other programs read it; an empty setting means none."""
    script_server.answers = [answer("200 OK", b"proxy")]
    monkeypatch.setenv("http_proxy", script_server.url(""))
    monkeypatch.setenv("no_proxy", "archive.example")
    assert read("http://archive.invalid/a b", timeout=51) == [b"proxy"]
    assert script_server.asked[-1].target == "http://archive.invalid/a%20b"
    assert read(other_server.url(), proxy="") == [BODY]
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert read(other_server.url(), timeout=52) == [BODY]
    assert read(other_server.url(), proxy=script_server.url("")) == [b"proxy"]


def test_a_log_in_is_done_once(read: Read, script_server: ScriptServer, other_server: ScriptServer) -> None:
    """It sets a cookie and leads back, as archives of satellite data have it; others do not get that."""
    home = script_server.url("").replace("127.0.0.1", "localhost")
    script_server.answers = [
        answer("302 Found", Location="/log-in"),
        answer("302 Found", Location=f"{home}/a", Set_Cookie="pass=yes; Path=/"),
        answer("200 OK", BODY),
        answer("200 OK", BODY, Set_Cookie="theirs=1; Domain=127.0.0.1; Path=/"),
        answer("302 Found", Location=other_server.url("/there"), Set_Cookie="more=1; Path=/c"),
        answer("200 OK", BODY),
    ]
    assert read(f"{home}/a", f"{home}/b", f"{home}/c") == [BODY] * 3
    assert read(f"{home}/d", f"{home}/e", streams=2) == [BODY] * 2

    came = [(asked.target, asked.headers.get("cookie")) for asked in script_server.asked]
    assert came[:3] == [("/a", None), ("/log-in", None), ("/a", "pass=yes")]
    assert sorted(came[3:]) == [(f"/{name}", "pass=yes") for name in "bcde"]
    assert [asked.headers.get("cookie") for asked in other_server.asked] == [None]


PATHS = [
    ("/a b", "/a%20b"),
    ("/a#b?c#d", "/a%23b?c%23d"),
    ("/a?x=1&y=%20;z=[1]", "/a?x=1&y=%20;z=[1]"),
    ("/%2F%2f%41%zz%", "/%2F%2f%41%25zz%25"),
    ("/a/../b/./c/..", "/a/../b/./c/.."),
    ("/%2e%2E/a", "/%2e%2E/a"),
    ("//a//b/", "//a//b/"),
    ("/[a]{b}|^`<>\"'\\", "/[a]%7Bb%7D%7C%5E%60%3C%3E%22'%5C"),
    ("/ä\udcff", "/%C3%A4%FF"),
    ("/a\r\nX: b\t", "/a%0D%0AX:%20b%09"),
    ("/a@b:c", "/a@b:c"),
    ("/a%23b%3Fc", "/a%23b%3Fc"),
    ("/a?" + "x" * 5000, "/a?" + "x" * 5000),
    ("", "/"),
]


@pytest.mark.parametrize(("path", "sent"), PATHS)
def test_a_path_is_sent_as_it_stands(read: Read, script_server: ScriptServer, path: str, sent: str) -> None:
    """Only what no request can hold is encoded."""
    script_server.answers = [answer("200 OK", BODY)]
    assert read(script_server.url(path)) == [BODY]
    assert script_server.asked[-1].target == sent


def test_a_server_may_be_named_by_its_address(read: Read, odd_server: Odd) -> None:
    """One of IPv6 too, where there is such a thing."""
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("there is no IPv6")
    server = OddServer(same, listener=listener)
    server.start()
    port = listener.getsockname()[1]
    assert read(f"http://[::1]:{port}/a") == [BODY]
    assert server.asked[-1].headers["host"] == f"[::1]:{port}"
    server.close()
