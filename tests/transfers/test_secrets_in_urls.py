"""A secret in a URL is in no error of a transfer, whatever the other side says, sends us to, or does."""

from __future__ import annotations

import json
import logging
import stat
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryocloud_core.errors import CryoCloudError, TransferError
from cryocloud_core.files.bookkeeping import part_of, sidecar_of
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.transfer import Outgoing, Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.testing.transfer_reads import taken
from cryocloud_core.transfers.http import HttpTransfer
from cryocloud_core.transfers.s3 import S3Transfer
from cryocloud_core.transfers.ssh import SshTransfer
from tests.services.oddserver import OddServer, Request, reply
from tests.services.s3server import S3Server, free_ports
from tests.services.scriptserver import ScriptServer, answer
from tests.services.sshserver import SshServer

Make = Callable[..., Transfer]
SECRETS = st.text(string.ascii_letters + string.digits + "-_.~+/=% ", max_size=30).map(lambda text: f"Zq{text}9x")
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PLACES = ["/a.tif?id=1&token={}", "/a.tif?X-Amz-Date=1&X-Amz-Signature={}", "/a.tif?sig={}&page=2"]


def told(ask: Callable[[], object]) -> str:
    """Return what an error says, and what it hands to who prints it in another way."""
    with pytest.raises(CryoCloudError) as caught:
        ask()
    return f"{caught.value} {caught.value.args} {caught.value.subject}"


def holds(text: str, secret: str) -> bool:
    """Return True when a text has a secret, as it is or as URLs write it."""
    return any(each in text for each in (secret, quote(secret), quote(secret, safe="")))


def pages(secret: str, elsewhere: str) -> list[bytes]:
    """Return answers that repeat a secret in every place that an error quotes."""
    body = f"<html>Cannot GET /a.tif?token={secret}: {secret} is no token".encode()
    return [
        answer("404 Not Found", body),
        answer(f"403 Forbidden {quote(secret)}", body),
        answer("416 Nothing", b"", Content_Range=f"bytes {quote(secret)}"),
        answer("302 Found", Location=f"ftp://me:{quote(secret, safe='')}@there/?token={quote(secret)}"),
        answer("302 Found", Location=f"http://:1/?token={quote(secret)}"),
        answer("302 Found", Location=f"?password={quote(secret)}"),
        answer("302 Found", Location=f"http://127.0.0.1:{elsewhere}/?key={quote(secret)}"),
        f"HTTP/1.1 {secret} of nothing\r\nLocation: /?token={secret}\r\n\r\n".encode(),
        answer("200 OK", b"short", Content_Length="100"),
    ]


@FEW
@given(SECRETS, st.sampled_from(PLACES))
def test_no_error_of_the_web_tells_a_secret(make: Make, script_server: ScriptServer, secret: str, place: str) -> None:
    """Error pages, reasons, headers, redirects, answers that are none, and servers that are not there."""
    http = make(HttpTransfer, {})
    nobody = free_ports(1)[0]
    for page in pages(secret, str(nobody)):
        script_server.answers = [page]
        url = Url.parse(script_server.url(place.format(quote(secret))))
        said = told(lambda url=url: taken(http.read(url, 1)))  # type: ignore[misc]
        assert not holds(said, secret), page
        assert "/a.tif" in said
    assert not holds(told(lambda: http.stat(Url.parse(f"http://127.0.0.1:{nobody}{place.format(secret)}"))), secret)


@FEW
@given(SECRETS, st.sampled_from(PLACES))
def test_no_error_of_a_store_tells_a_secret(s3_server: S3Server, make: Make, secret: str, place: str) -> None:
    """A link that was signed for the web, written with `s3://`: its query is a part of the key."""
    s3 = make(S3Transfer, s3_server.config())
    url = Url.parse(s3_server.url(f"no-such-bucket{place.format(secret)}"))
    assert not holds(told(lambda: s3.stat(url)), secret)
    assert not holds(told(lambda: taken(s3.read(url))), secret)


@pytest.mark.parametrize("fast", [True, False])
def test_what_a_store_repeats_is_not_told(make: Make, odd_server: Callable[..., OddServer], *, fast: bool) -> None:
    """Its messages may quote what was asked for."""
    secret = "Zq1+/=9x"
    page = f"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no {secret}, {quote(secret)}</Message>"

    def refuse(_: Request) -> list[bytes]:
        return [reply(403, f"{page}</Error>".encode(), Content_Type="application/xml")]

    own = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "secure": False, "fast": fast}
    s3 = make(S3Transfer, {"127_0_0_1": own})
    url = Url.parse(f"s3://{odd_server(refuse).address}/bucket/a?token={secret}")
    said = told(lambda: taken(s3.read(url)))
    assert "/bucket/a?token=•••" in said
    assert not holds(said, secret)


@FEW
@given(SECRETS)
def test_no_error_over_ssh_tells_a_secret(make: Make, ssh_server: SshServer, tmp_path: Path, secret: str) -> None:
    """Of names that are not there, and of directories that cannot be made."""
    ssh = make(SshTransfer, ssh_server.config())
    (tmp_path / "file").write_text("x")
    there = Url.parse(ssh_server.url(f"{tmp_path}/file/a?token={secret}"))
    gone = Url.parse(ssh_server.url(f"{tmp_path}/a?token={secret}"))
    source = Outgoing(tmp_path / "file", 1, "0" * 64)
    for ask in (lambda: ssh.stat(gone), lambda: taken(ssh.read(gone)), lambda: ssh.put(source, there)):
        assert not holds(told(ask), secret)


@pytest.fixture
def layer(tmp_path: Path) -> Iterator[Layer]:
    """Give a layer that tries again once, at once."""
    routes = Routes({"http": Route("http", "cryocloud_core.transfers.http:HttpTransfer", "HTTP")})
    chosen = LayerSettings(tmp_path / "tmp", retries=1, retry_wait_s=0.01)
    transfers = Transfers(routes)
    yield Layer(transfers, chosen)
    transfers.close()


def test_repeats_are_told_without_secrets(
    layer: Layer, script_server: ScriptServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log, with what names the file."""
    caplog.set_level(logging.INFO)
    script_server.answers = [answer("503 Busy", b"bad Zq123 here")]
    url = Url.parse(script_server.url("/a.tif?id=42&token=Zq123"))
    with pytest.raises(TransferError) as caught:
        layer.fetch(url, tmp_path / "a.tif")
    assert "again in" in caplog.text
    assert "/a.tif?id=42&token=•••" in caplog.text
    assert "Zq123" not in caplog.text + str(caught.value)
    assert caught.value.place == ""


def test_what_is_kept_of_a_url_is_for_our_eyes_alone(layer: Layer, script_server: ScriptServer, tmp_path: Path) -> None:
    """The sidecar in a directory of others names the whole URL; nobody else can read it."""
    headers = {"Content_Length": "4194304", "ETag": '"v"'}
    script_server.answers = [answer("200 OK", **headers), answer("200 OK", b"x" * (2 << 20), **headers)]
    url = Url.parse(script_server.url("/a.tif?token=Zq123"))
    with pytest.raises(TransferError):
        layer.fetch(url, tmp_path / "open" / "a.tif")
    sidecar = sidecar_of(part_of(url, tmp_path / "open" / "a.tif"))
    assert json.loads(sidecar.read_text())["url"] == str(url)
    assert stat.S_IMODE(sidecar.stat().st_mode) == 0o600
    own = tmp_path / "tmp" / "cc"
    assert stat.S_IMODE(own.stat().st_mode) == 0o700


def test_little_is_told_of_an_answer_that_is_none(make: Make, script_server: ScriptServer) -> None:
    """However much came."""
    script_server.answers = [answer("200 OK", b"x" * (2 << 20), Content_Length="4194304")]
    http = make(HttpTransfer, {})
    assert len(told(lambda: http.stat(Url.parse(script_server.url("/a"))))) < 2000


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_the_password_of_a_proxy_is_not_told(make: Make, script_server: ScriptServer, scheme: str) -> None:
    """It is used, with the scheme of URLs or without, as other programs take it."""
    script_server.answers = [answer("407 Proxy Authentication Required")]
    proxy = f"{scheme}me:Zq123secret@127.0.0.1:{script_server.port}"
    said = told(lambda: make(HttpTransfer, {"proxy": proxy}).stat(Url.parse("http://store.invalid/a")))
    assert "407" in said
    assert "Zq123secret" not in said
    assert script_server.asked[0].headers["proxy-authorization"].startswith("Basic ")
    assert script_server.asked[0].target == "http://store.invalid/a"
