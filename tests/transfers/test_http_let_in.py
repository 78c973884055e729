"""What is told of a web server that does not let us in: where that belongs which would, or where what it refused is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cryocloud_core.errors import ConfigError, TransferError
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.http import HttpTransfer
from cryocloud_core.transfers.http_settings import HttpSettings
from tests.services.scriptserver import ScriptServer, answer
from tests.transfers.conftest import Make


@pytest.fixture
def other_server() -> Iterator[ScriptServer]:
    """Give a second server, at another port and so another one."""
    server = ScriptServer()
    server.start()
    yield server
    server.stop()


REFUSED = "says was sent and is refused: correct it, or have it allowed"


def remedy(make: Make, url: str, values: dict[str, Any]) -> str:
    """Return what is to be done about a file that cannot be had."""
    with pytest.raises(TransferError) as caught:
        make(HttpTransfer, values).stat(Url.parse(url))
    return caught.value.remedy


def own(port: int, **settings: Any) -> dict[str, Any]:
    """Return settings of this machine's server, as a file with its quoted name gives them."""
    return {"127": {"0": {"0": {f"1:{port}": settings}}}}


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_what_is_configured_and_refused_is_named(make: Make, script_server: ScriptServer, status: str) -> None:
    """Where it stands, in words that are TOML; else where it belongs."""
    script_server.answers = [answer(status)] * 8
    url, port = script_server.url("/a"), script_server.port
    section = f'HTTP."127.0.0.1:{port}"'

    def told(values: dict[str, Any]) -> str:
        return remedy(make, url, values)

    assert told({}) == f"what lets us in belongs into HTTP.127_0_0_1_{port}.token, .headers or .user and .password"
    assert told(own(port, fast=True)).startswith(f"what lets us in belongs into {section}.token, ")
    assert told(own(port, token="t")) == f"what {section}.token {REFUSED}"
    assert told({"token": "t"}) == f"what HTTP.token {REFUSED}"
    assert told({"headers": {"authorization": "x"}, "token": "t"}) == f"what HTTP.headers {REFUSED}"
    assert told({"headers": {"X-Key": "x"}}) == f"what HTTP.headers {REFUSED}"
    assert told({"user": "me", "password": "p"}) == f"what HTTP.user and .password {REFUSED}"
    url = url.replace("127.", "me@127.")
    assert told({"password": "p"}) == f"what the URL {REFUSED}"


def test_what_was_not_sent_is_not_called_refused(
    make: Make, script_server: ScriptServer, other_server: ScriptServer
) -> None:
    """A server that we are only sent on to gets nothing that is meant for all."""
    script_server.answers = [answer("302 Found", Location=other_server.url("/b"))]
    other_server.answers = [answer("401 Unauthorized")]
    assert remedy(make, script_server.url("/a"), {"token": "t"}).startswith(
        "what lets us in belongs into HTTP.127_0_0_1_"
    )
    assert "authorization" not in other_server.asked[-1].headers


def test_a_proxy_that_asks_who_we_are_is_told_with_its_setting(make: Make, script_server: ScriptServer) -> None:
    """Not with that of the server behind it."""
    script_server.answers = [answer("407 Proxy Authentication Required")]
    said = remedy(make, "http://store.invalid/a", {"proxy": f"127.0.0.1:{script_server.port}", "token": "t"})
    assert said == "who we are belongs into the proxy's URL, before its host: HTTP.proxy"


@pytest.mark.parametrize("proxy", ["::bad", "http://", "http://h:port", "socks5://h:1", "http://[::1", "me:Zq123@"])
def test_a_proxy_that_is_none_is_told_before_anything_is_sent(
    make: Make, script_server: ScriptServer, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """By the name of the setting, or of the variable it comes from; it may hold a password and is not repeated."""
    monkeypatch.delenv("no_proxy", raising=False)
    for values, name in (
        ({"proxy": proxy}, "HTTP.proxy"),
        (own(script_server.port, proxy=proxy), f'HTTP."127.0.0.1:{script_server.port}".proxy'),
        ({}, "environment variable http_proxy"),
    ):
        monkeypatch.setenv("http_proxy", "" if values else proxy)
        with pytest.raises(ConfigError) as caught:
            make(HttpTransfer, values).stat(Url.parse(script_server.url("/a")))
        assert str(caught.value) == f'{name}: names no proxy; write "http://host:port", or "" for none'
    assert not script_server.asked


@pytest.mark.parametrize("proxy", ["proxy", "proxy:3128", "https://me:p%40@proxy:3128/", "http://[::1]:3128"])
def test_a_proxy_that_is_one_is_taken(proxy: str) -> None:
    """With a port or without, with a scheme or without."""
    found = HttpSettings.of(TransferConfig({"proxy": proxy}), Url.parse("http://h/a"))
    assert found.proxy == (proxy if "://" in proxy else f"http://{proxy}")
