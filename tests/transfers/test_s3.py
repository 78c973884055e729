"""S3 against a real server: objects, prefixes and buckets, by the plain way and by the fast one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.s3 import S3Transfer
from cryocloud_core.transfers.s3_parts import PART_BYTES
from cryocloud_core.transfers.s3_sending import Body
from tests.services.s3server import S3Server
from tests.transfers.shop import Shop, outgoing

MIB = 1024 * 1024
#: The server is a tree of files underneath: it takes no `.` and `..`, and folds `//`, a leading `/` and backslashes.
KEYS = [
    "a/b/c.tif",
    "with space",
    " space first and last ",
    "hash#",
    "question?mark=1&b=2",
    "percent%",
    "not%20decoded%2F",
    "plus+",
    "new\nline",
    "tab\tand\x01control",
    "semi;colon:star*~",
    "quotes'\"`",
    "[brackets]{and}<more>|^",
    "$dollar!,@=()",
    "grønn/ø",
    "日本/地図.tif",
    "e\u0301 and \u00e9",
    "😀",
    "..hidden..",
    "x" * 200,
]


@pytest.fixture(scope="module", params=["fast", "plain"])
def shared(
    request: pytest.FixtureRequest, s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """Give a bucket for all tests of this file, reached by each of the two data planes."""
    shop = Shop(s3_server, tmp_path_factory.mktemp("shop"), {"fast": request.param == "fast"})
    shop.put("other")
    yield shop
    shop.transfer.close()


@pytest.fixture
def shop(shared: Shop) -> Shop:
    """Give a bucket that is not made yet."""
    return shared.fresh()


@pytest.mark.parametrize("size", [0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES])
def test_what_was_put_is_read_again(shared: Shop, size: int) -> None:
    """Objects of every size come back byte by byte, with their size, a validator and our checksum."""
    data = os.urandom(size)
    shared.put("some/object", data)
    told = shared.stat("some/object")

    assert shared.get("some/object") == data
    assert told.size_bytes == size
    assert told.validator
    assert told.checksum == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert not told.is_directory


def test_a_hundred_megabytes_come_and_go(shared: Shop) -> None:
    """A large object goes in parts, and the progress tells of each byte once."""
    data = os.urandom(100 * 1000 * 1000)
    sent: list[int] = []
    shared.put("large", data, moved=sent.append)

    assert sum(sent) == len(data)
    assert hashlib.sha256(shared.get("large")).digest() == hashlib.sha256(data).digest()
    assert shared.stat("large").validator is not None
    assert str(shared.stat("large").validator).endswith('-12"')
    assert shared.unfinished() == []


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_taken_as_they_stand(shared: Shop, key: str) -> None:
    """Whatever a key is made of, it names the same object in each call."""
    shared.put(f"keys/{key}", key.encode())

    assert shared.get(f"keys/{key}") == key.encode()
    assert shared.stat(f"keys/{key}").url == str(shared.url(f"keys/{key}"))
    assert shared.names("keys/") == [f"keys/{key}"]
    shared.transfer.remove(shared.url(f"keys/{key}"))
    with pytest.raises(RemoteFileMissing):
        shared.names("keys/")


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (0, 100), (10, 20), (99, 100), (99, 200), (50, None), (100, None), (150, None), (20, 20)],
)
def test_a_range_is_read(shared: Shop, start: int, stop: int | None) -> None:
    """A ranged read gives the bytes from start up to stop, and says of the object what a whole read says."""
    data = bytes(range(100))
    shared.put("object", data)
    whole = shared.stat("object")

    with shared.transfer.read(shared.url("object"), start, stop, whole.validator) as incoming:
        assert b"".join(incoming.chunks) == data[start:stop]
        assert incoming.start == start
        assert incoming.remote == whole


def test_a_changed_object_is_noticed(shared: Shop) -> None:
    """A read with the validator of an earlier version is refused, from any byte."""
    shared.put("object", b"first")
    before = shared.stat("object").validator
    shared.put("object", b"other")

    for start in (0, 2):
        with pytest.raises(RemoteFileChanged, match="object"):
            shared.get("object", start, None, before)


def test_an_object_is_replaced_whole(shared: Shop) -> None:
    """A put over an object makes it the new one, whatever their sizes."""
    for data in (b"x" * (PART_BYTES + 10), b"small", b"y" * (PART_BYTES + 20), b""):
        shared.put("object", data)
        assert shared.get("object") == data


def test_bytes_that_are_marked_as_packed_come_as_they_are(shared: Shop) -> None:
    """An object that says of itself to be gzip is not unpacked on the way."""
    shared.put("other")
    shared.ask("put_object", Key="object", Body=b"no gzip at all", ContentEncoding="gzip")

    assert shared.get("object") == b"no gzip at all"


def test_the_checksum_of_somebody_elses_object_is_the_servers(shared: Shop) -> None:
    """An object that was not put by us offers the MD5 that its ETag is, one in parts offers none."""
    shared.put("other")
    shared.ask("put_object", Key="object", Body=b"content")
    upload = shared.ask("create_multipart_upload", Key="parts")["UploadId"]
    part = shared.ask("upload_part", Key="parts", UploadId=upload, PartNumber=1, Body=b"content")["ETag"]
    done = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    shared.ask("complete_multipart_upload", Key="parts", UploadId=upload, MultipartUpload=done)

    for told in (shared.stat("object"), shared.transfer.read(shared.url("object")).remote):
        assert told.checksum == f"md5:{hashlib.md5(b'content').hexdigest()}"
    for told in (shared.stat("parts"), shared.transfer.read(shared.url("parts")).remote):
        assert told.checksum is None


def test_what_is_not_there_is_missing(shop: Shop) -> None:
    """An object, a prefix and a bucket that are not there raise the error that says so."""
    for call in (shop.get, shop.stat, shop.names):
        with pytest.raises(RemoteFileMissing, match=f'no bucket "{shop.bucket}"|no such object or bucket;'):
            call("object")
    shop.put("other")

    for call in (shop.get, shop.stat):
        with pytest.raises(RemoteFileMissing, match=r"no such object( or bucket)?; a prefix is written with /"):
            call("object")
    for call in (shop.stat, shop.names):
        with pytest.raises(RemoteFileMissing, match="no object below it"):
            call("prefix/")
    with pytest.raises(RemoteFileMissing, match="no such object"):
        shop.transfer.remove(shop.url("object"))


def test_a_bucket_is_removed_when_it_is_empty(shop: Shop) -> None:
    """A bucket with objects stays; an empty one goes."""
    shop.put("object")

    with pytest.raises(TransferError, match=f'bucket "{shop.bucket}" is not empty; remove its objects first'):
        shop.transfer.remove(shop.url())
    shop.transfer.remove(shop.url("object"))
    assert shop.stat().is_directory
    shop.transfer.remove(shop.url())
    with pytest.raises(RemoteFileMissing, match="no bucket"):
        shop.stat()


def test_a_prefix_is_listed_at_any_depth(shop: Shop) -> None:
    """A listing holds every object below a prefix and nothing beside it; markers of directories are told as such."""
    for key in ("in/a", "in/b/c", "in/b/d/e", "inside", "out"):
        shop.put(key, key.encode())
    shop.ask("put_object", Key="in/empty/", Body=b"")

    assert shop.names("in/") == ["in/a", "in/b/c", "in/b/d/e"]
    assert [told.url for told in shop.transfer.listing(shop.url("in/")) if told.is_directory] == [
        str(shop.url("in/empty/"))
    ]
    assert shop.names("in") == shop.names("in/")
    assert shop.names("in/b/") == ["in/b/c", "in/b/d/e"]
    found = {told.url: told for told in shop.transfer.listing(shop.url("in/"))}
    assert found[str(shop.url("in/b/c"))].size_bytes == 6
    assert found[str(shop.url("in/b/c"))].validator == shop.stat("in/b/c").validator
    assert shop.stat("in/").is_directory


def test_three_thousand_objects_are_listed(s3_server: S3Server, tmp_path: Path) -> None:
    """A listing goes on beyond the thousand that a server tells at a time, each key once."""
    shop = Shop(s3_server, tmp_path)
    shop.put("other")
    keys = [f"many/{number:04}" for number in range(3000)]
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda key: shop.ask("put_object", Key=key, Body=b""), keys))

    assert shop.names("many/") == keys
    first = next(iter(shop.transfer.listing(shop.url("many/"))))  # given up after the first
    assert first.url == str(shop.url(keys[0]))
    shop.transfer.close()


def test_eight_threads_use_one_transfer(shared: Shop) -> None:
    """Objects put and read by several threads at a time do not mix."""

    def there_and_back(number: int) -> bool:
        data = os.urandom(200_000 + number)
        shared.put(f"object-{number}", data)
        return shared.get(f"object-{number}") == data and shared.stat(f"object-{number}").size_bytes == len(data)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(there_and_back, range(64)))


def test_a_transfer_is_used_again_after_it_was_closed(shared: Shop) -> None:
    """Closing lets go of connections, and the next call makes new ones."""
    shared.put("object")
    shared.transfer.close()

    assert shared.get("object") == b"content"


def test_a_read_that_is_closed_before_its_end_leaves_nothing_behind(shared: Shop) -> None:
    """Who reads one chunk only, or none, gives the connection back; the object can be read again."""
    data = os.urandom(12 * MIB)
    shared.put("object", data)

    for _ in range(20):
        shared.transfer.read(shared.url("object")).close()
        with shared.transfer.read(shared.url("object")) as incoming:
            next(iter(incoming.chunks))
    assert shared.get("object") == data


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("", "names no bucket"),
        ("/", "names no bucket"),
        ("//key", "names no bucket"),
        ("/bucket", "names no object"),
        ("/no bucket!/key", '"no bucket!" cannot be the name of a bucket'),
    ],
)
def test_a_url_that_names_no_object_is_refused(s3_server: S3Server, tmp_path: Path, path: str, told: str) -> None:
    """What cannot be put to is told before anything is sent."""
    transfer = S3Transfer(TransferConfig(s3_server.config()))

    with pytest.raises(TransferError, match=told):
        transfer.put(outgoing(tmp_path, b"content"), Url.parse(f"s3://{s3_server.address}{path}"))


@pytest.mark.parametrize("size", [1000, PART_BYTES + 1000])
def test_bytes_that_change_on_the_way_are_refused(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """The server compares what arrives with its digest; the object is not made, and a second try is worth it."""
    shop = Shop(s3_server, tmp_path, {"fast": False})
    shop.put("other")
    read = Body.read
    monkeypatch.setattr(Body, "read", lambda self, size=-1, /: read(self, size).replace(b"xxx", b"xyx"))

    with pytest.raises(TransferError, match="BadDigest") as caught:
        shop.put("object", b"x" * size)
    assert caught.value.repeat
    assert shop.names() == ["other"]
    assert shop.unfinished() == []
    shop.transfer.close()
