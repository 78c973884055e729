"""The fast data plane of S3: used where it serves, left where it does not, and never needed."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore

from cryocloud_core.sdk.transfer import Incoming
from cryocloud_core.transfers import s3_fast, s3_server
from cryocloud_core.transfers.s3_client import Credentials, S3Client
from tests.services.s3server import S3Server
from tests.transfers.shop import Shop


@pytest.fixture
def shop(s3_server: S3Server, tmp_path: Path) -> Iterator[Shop]:
    """Give a bucket with an object that we put, and one that somebody else did."""
    shop = Shop(s3_server, tmp_path)
    shop.put("object")
    shop.ask("put_object", Key="foreign", Body=b"content")
    yield shop
    shop.transfer.close()


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the requests that the plain plane sends from now on."""
    sent: list[str] = []
    send = S3Client._send

    async def noted(self: S3Client, operation: str, **arguments: Any) -> dict[str, Any]:
        sent.append(operation)
        return await send(self, operation, **arguments)

    monkeypatch.setattr(S3Client, "_send", noted)
    return sent


def test_small_objects_of_ours_need_no_other_plane(shop: Shop, requests: list[str]) -> None:
    """Asked about, read and put by the fast plane alone."""
    shop.put("another", b"x" * 1000)

    assert shop.stat("another").size_bytes == 1000
    assert shop.get("another", 10, 20) == b"x" * 10
    assert shop.get("object") == b"content"
    assert requests == []


def test_a_small_foreign_object_proves_its_checksum_itself(shop: Shop, requests: list[str]) -> None:
    """An ETag that is the MD5 of what came is a checksum, and needs no second request."""
    for _ in range(2):
        with shop.transfer.read(shop.url("foreign")) as incoming:
            assert b"".join(incoming.chunks) == b"content"
            assert incoming.remote.checksum == f"md5:{hashlib.md5(b'content').hexdigest()}"
    assert requests == []


@pytest.mark.parametrize("etag_is_md5", [True, False])
def test_small_foreign_objects_come_side_by_side_whatever_an_etag_is_worth(
    shop: Shop, requests: list[str], etag_is_md5: bool
) -> None:
    """Those with a checksum by the fast plane alone, the others by the plain one, which asks for more of them."""
    other = Shop(shop.server, shop.folder, {"etag_is_md5": etag_is_md5}, shop.bucket)
    urls = [other.url(key) for key in ("object", "foreign")]
    found = [file for file in other.transfer.read_small(urls, 2) if file is not None]
    other.transfer.close()

    assert [file.content for file in found] == [b"content"] * 2
    assert {file.remote.url for file in found} == {str(url) for url in urls}
    assert requests == ([] if etag_is_md5 else ["get_object"])


def test_the_checksum_of_a_large_foreign_object_is_asked_for_once(shop: Shop, requests: list[str]) -> None:
    """Reading one needs to know what its ETag is worth; what was told is remembered, ranges do not need it."""
    data = os.urandom(3 << 20)
    shop.ask("put_object", Key="foreign", Body=data)
    requests.clear()

    assert shop.get("foreign", 3, 5) == data[3:5]
    assert requests == []
    for _ in range(2):
        with shop.transfer.read(shop.url("foreign")) as incoming:
            assert incoming.remote.checksum == f"md5:{hashlib.md5(data).hexdigest()}"
    assert shop.stat("foreign").checksum == incoming.remote.checksum
    assert requests == ["head_object"]


def test_a_small_foreign_object_that_was_damaged_does_not_prove_itself(
    shop: Shop, requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are not those of the ETag are told with the checksum that they should have."""
    pieces = s3_fast._Pieces.__next__
    monkeypatch.setattr(s3_fast._Pieces, "__next__", lambda self: pieces(self).replace(b"t", b"T"))

    with shop.transfer.read(shop.url("foreign")) as incoming:
        assert b"".join(incoming.chunks) == b"conTenT"
        assert incoming.remote.checksum == f"md5:{hashlib.md5(b'content').hexdigest()}"
    assert requests == ["head_object"]


def test_keys_that_it_would_change_are_not_given_to_it(shop: Shop, requests: list[str]) -> None:
    """The plain plane serves them."""
    shop.put("line\nend")

    assert shop.get("line\nend") == b"content"
    assert requests == ["put_object", "get_object"]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_a_key_that_it_can_name_is_kept(key: str) -> None:
    """Whatever passes the look is stored by obstore under the very same name."""
    if not s3_fast.can_name(key):
        return
    store = MemoryStore()
    obstore.put(store, key, b"x")

    assert [found["path"] for page in store.list() for found in page] == [key]


@pytest.mark.parametrize("key", ["/a", "a/", "a//b", ".", "a/..", "a\n", "\x7f", "a\u200b"])
def test_keys_that_it_cannot_name_are_known(key: str) -> None:
    """Slashes that would be stripped, dots and what is not to be seen."""
    assert not s3_fast.can_name(key)


def test_where_it_fails_again_and_again_it_is_left(
    shop: Shop, requests: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Three failures in a row that the plain plane does not share end its use, which is told once."""
    tried: list[str] = []

    def fail(*_: object) -> Incoming:
        tried.append("read")
        raise ValueError("not today")

    monkeypatch.setattr(s3_fast.FastPlane, "read", fail)
    with caplog.at_level(logging.WARNING, logger=s3_server.__name__):
        assert [shop.get("object") for _ in range(6)] == [b"content"] * 6
    assert len(tried) == s3_server.STRIKES
    assert requests == ["get_object"] * 6
    assert caplog.text.count("obstore is not used for http://127.0.0.1") == 1


def test_a_failure_that_both_share_is_no_strike(shop: Shop) -> None:
    """Objects that are missing are nobody's fault."""
    for _ in range(2 * s3_server.STRIKES):
        with pytest.raises(Exception, match="no such object"):
            shop.get("missing")

    assert shop.transfer._server(shop.url())._strikes == 0


def test_credentials_that_change_are_left_to_the_plain_plane(
    shop: Shop, requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What must be renewed is renewed by the library that can."""

    async def passing(_: S3Client) -> Credentials:
        return Credentials("key", "secret", "token", lasting=False)

    shop.transfer.close()
    monkeypatch.setattr(S3Client, "credentials", passing)

    assert shop.get("object") == b"content"
    assert requests == ["get_object"]


@pytest.mark.parametrize("is_there", [True, False])
def test_without_obstore_everything_works(shop: Shop, is_there: bool) -> None:
    """Where it is not installed the plain plane does all; it is not imported before it is needed."""
    hide = "importlib.util.find_spec = lambda name: None if name == 'obstore' else find(name)"
    script = f"""
import importlib.util, sys
find = importlib.util.find_spec
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.s3 import S3Transfer
assert "obstore" not in sys.modules
{"" if is_there else hide}
transfer = S3Transfer(TransferConfig({shop.server.config()!r}))
print(transfer.stat(Url.parse({str(shop.url("object"))!r})).size_bytes, "obstore" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ, check=False)

    assert done.stderr == ""
    assert done.stdout.split() == ["7", str(is_there)]


@pytest.mark.parametrize("read", [lambda shop: shop.stat("object"), lambda shop: shop.get("object")])
def test_one_that_is_switched_off_is_not_used(
    s3_server: S3Server, tmp_path: Path, requests: list[str], read: Callable[[Shop], object]
) -> None:
    """`fast = false` leaves everything to the plain plane."""
    shop = Shop(s3_server, tmp_path, {"fast": False})
    shop.put("object")
    requests.clear()
    read(shop)

    assert len(requests) == 1
    shop.transfer.close()
