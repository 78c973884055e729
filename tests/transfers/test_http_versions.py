"""Whether a file may have changed while it was read: asked after the last byte, unless it never changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.url import Url
from tests.services.scriptserver import ScriptServer, answer

BODY = b"0123456789"
HEAD = answer("200 OK", ETag='"1"', Content_Length="10")
OTHER = answer("200 OK", ETag='"2"', Content_Length="10")
#: what is configured, what the server says, whether it is asked after the last byte
Case = tuple[dict[str, Any], str, bool]
CASES: list[Case] = [
    ({}, "", True),
    ({}, "max-age=60, must-revalidate", True),
    ({"immutable": False}, "no-cache", True),
    ({"immutable": True}, "", False),
    ({"127_0_0_1": {"immutable": True}}, "", False),
    ({"elsewhere_org": {"immutable": True}}, "", True),
    ({}, "public, max-age=31536000, Immutable", False),
]


@pytest.fixture
def layer(tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], Layer]]:
    """Make layers with settings below HTTP."""
    made: list[Transfers] = []

    def make(config: dict[str, Any]) -> Layer:
        route = Route("http", "cryocloud_core.transfers.http:HttpTransfer", "HTTP")
        transfers = Transfers(Routes({"http": route}, {"HTTP": config}))
        made.append(transfers)
        return Layer(transfers, LayerSettings(tmp_path / "tmp", retries=0))

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("case", CASES)
def test_one_file_is_asked_for_again_unless_it_never_changes(
    layer: Callable[[dict[str, Any]], Layer], script_server: ScriptServer, tmp_path: Path, case: Case
) -> None:
    """By its setting, for all servers or this one, or by RFC 8246."""
    config, said, is_asked = case
    made = layer(config)
    script_server.answers = [HEAD, answer("200 OK", BODY, ETag='"1"', Cache_Control=said), HEAD]
    made.fetch(Url.parse(script_server.url()), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY
    assert [each.method for each in script_server.asked] == ["HEAD", "GET", *(["HEAD"] if is_asked else [])]


@pytest.mark.parametrize("case", CASES)
def test_small_files_are_asked_for_again_unless_they_never_change(
    layer: Callable[[dict[str, Any]], Layer], fast: bool, script_server: ScriptServer, case: Case
) -> None:
    """As one file alone is."""
    config, said, is_asked = case
    url = Url.parse(script_server.url())
    made = layer({**config, "fast": fast})
    script_server.answers = [answer("200 OK", BODY, ETag='"1"', Cache_Control=said), OTHER]
    came = [each.content for each in made.transfers.to(url).read_small([url], 1) if each is not None]
    assert came == ([] if is_asked else [BODY]), "another version was seen after the last byte"
    assert [each.method for each in script_server.asked] == ["GET", *(["HEAD"] if is_asked else [])]


def test_a_mixture_is_noticed_where_files_may_change(
    layer: Callable[[dict[str, Any]], Layer], script_server: ScriptServer, tmp_path: Path
) -> None:
    """Another version after the last byte: what came may be of both, and is fetched anew."""
    made, newer = layer({}), b"abcdefghij"
    script_server.answers = [HEAD, answer("200 OK", BODY, ETag='"1"'), OTHER]
    script_server.answers += [OTHER, answer("200 OK", newer, ETag='"2"'), OTHER]
    made.fetch(Url.parse(script_server.url()), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == newer
    assert [each.method for each in script_server.asked] == ["HEAD", "GET", "HEAD"] * 2


@pytest.mark.parametrize(("etag", "content"), [('"1"', BODY), ('"2"', b"abcdefghij")])
def test_a_version_that_only_a_read_tells_is_compared(
    layer: Callable[[dict[str, Any]], Layer], script_server: ScriptServer, tmp_path: Path, etag: str, content: bytes
) -> None:
    """Some servers tell HEAD less than GET; their files are fetched all the same, and a mixture is noticed."""
    mute = answer("200 OK", Content_Length="10")
    first = answer("206 Partial Content", b"0", Content_Range="bytes 0-0/10", ETag=etag)
    script_server.answers = [mute, answer("200 OK", BODY, ETag='"1"'), mute, first]
    if content != BODY:
        script_server.answers += [mute, answer("200 OK", content, ETag=etag), mute, first]
    layer({}).fetch(Url.parse(script_server.url()), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == content
    assert [each.method for each in script_server.asked][:4] == ["HEAD", "GET", "HEAD", "GET"]
