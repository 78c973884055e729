"""What a real S3 server refuses, and servers that are not there: who, as whom, why and what can be done."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cryocloud_core.errors import ConfigError, TransferError
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.s3 import S3Transfer
from tests.services.s3server import KEY, PUBLIC, READER, READER_SECRET, SECRET, S3Server
from tests.transfers.shop import Shop, outgoing

WRONG = "wrongsecret-which-nobody-may-see"


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give each test a machine on which AWS' own programs would find nothing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


@pytest.fixture(scope="module")
def filled(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Give a bucket with one object."""
    shop = Shop(s3_server, tmp_path_factory.mktemp("shop"))
    shop.put("object")
    yield shop
    shop.transfer.close()


@pytest.fixture(params=["fast", "plain"])
def visitor(request: pytest.FixtureRequest, filled: Shop, tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Give ``visitor(key, secret)``: that bucket, reached with other settings by each data plane."""
    made: list[Shop] = []

    def make(**settings: object) -> Shop:
        made.append(Shop(filled.server, tmp_path, settings | {"fast": request.param == "fast"}, filled.bucket))
        return made[-1]

    yield make
    for shop in made:
        shop.transfer.close()


def every_call(shop: Shop) -> dict[str, Callable[[], object]]:
    """Return one call of each kind."""
    return {
        "stat": lambda: shop.stat("object"),
        "read": lambda: shop.get("object"),
        "range": lambda: shop.get("object", 1, 3),
        "put": lambda: shop.put("other"),
        "parts": lambda: shop.put("other", b"x" * 9_000_000),
        "remove": lambda: shop.transfer.remove(shop.url("object")),
        "list": shop.names,
    }


def raised(call: Callable[[], object]) -> TransferError:
    """Return what a call raises."""
    with pytest.raises(TransferError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    ("key", "secret", "told", "setting"),
    [
        ("nobodys", SECRET, 'does not know the access key id "nobodys"', "aws_access_key_id"),
        (KEY, WRONG, f'not the one that belongs to the access key id "{KEY}"', "aws_secret_access_key"),
    ],
)
def test_wrong_credentials_are_told_with_the_remedy(
    visitor: Callable[..., Shop], key: str, secret: str, told: str, setting: str
) -> None:
    """Every call says who answered, which key id was used and which setting is wrong, never the secret."""
    shop = visitor(aws_access_key_id=key, aws_secret_access_key=secret)
    section = shop.server.address.replace(".", "_")

    for kind, call in every_call(shop).items():
        error = raised(call)
        assert (type(error), error.repeat) == (TransferError, False), kind
        assert f"http://{shop.server.address} answers 403" in error.message, kind
        assert told in error.message, kind
        assert error.subject.startswith(str(shop.url())), kind
        assert error.remedy == f'correct S3."{section}".{setting}', kind
        assert WRONG not in f"{error!r} {error} {error.__cause__!r}", kind


@pytest.mark.parametrize(("kind", "doing"), [("put", "write"), ("parts", "write"), ("remove", "remove")])
def test_what_a_key_may_not_do_is_told(visitor: Callable[..., Shop], kind: str, doing: str) -> None:
    """A key that may only read is told what it may not do, and in which bucket."""
    shop = visitor(aws_access_key_id=READER, aws_secret_access_key=READER_SECRET)
    error = raised(every_call(shop)[kind])

    assert f'"{READER}" may not {doing} in bucket "{shop.bucket}"' in error.message
    assert error.remedy.startswith("have it allowed")
    assert not error.repeat
    assert shop.get("object") == b"content"


def test_a_bucket_that_may_not_be_made_is_told(visitor: Callable[..., Shop]) -> None:
    """A put into a bucket that is missing says that the key may not make it."""
    shop = visitor(aws_access_key_id=READER, aws_secret_access_key=READER_SECRET).fresh()

    assert "AccessDenied" in raised(lambda: shop.put("object")).message


def test_without_credentials_it_is_told_where_to_put_them(visitor: Callable[..., Shop]) -> None:
    """With nothing configured and nothing in AWS' own places the settings are named."""
    error = raised(lambda: visitor(aws_access_key_id="", aws_secret_access_key="").stat("object"))

    assert "there are no credentials" in error.message
    assert ".aws_access_key_id and .aws_secret_access_key, or .anonymous = true" in error.remedy
    assert not error.repeat


def test_half_of_the_credentials_is_an_error_of_the_configuration(visitor: Callable[..., Shop]) -> None:
    """A key id without its secret is not mixed with what is found elsewhere."""
    with pytest.raises(ConfigError, match=r'S3\."127_0_0_1:\d+"\.aws_secret_access_key: is missing'):
        visitor(aws_secret_access_key=None).stat("object")


@pytest.mark.parametrize("place", ["environment", "file"])
def test_credentials_are_found_where_aws_programs_find_them(
    visitor: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    """Without any in the configuration those of the environment or the shared file are used, and named in errors."""
    if place == "environment":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", READER_SECRET)
    else:
        text = f"[default]\naws_access_key_id = {READER}\naws_secret_access_key = {READER_SECRET}\n"
        (tmp_path / "credentials").write_text(text)
    shop = visitor(aws_access_key_id=None, aws_secret_access_key=None)

    assert shop.get("object") == b"content"
    assert f'"{READER}" may not write' in raised(lambda: shop.put("other")).message
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobodys")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    error = raised(lambda: visitor(aws_access_key_id=None, aws_secret_access_key=None).stat("object"))
    assert error.remedy == "correct AWS_ACCESS_KEY_ID, or where else AWS' programs find it"


def test_an_anonymous_user_reads_what_is_public(filled: Shop, visitor: Callable[..., Shop]) -> None:
    """Without a signature what everybody may read is read, and nothing else."""
    shop = visitor(anonymous=True)
    shop.bucket = PUBLIC
    Shop(filled.server, filled.folder, {}, PUBLIC, filled.transfer).put("object", b"for all")

    assert shop.get("object") == b"for all"
    assert shop.names() == ["object"]
    assert "an anonymous user may not" in raised(lambda: shop.put("other")).message
    assert "an anonymous user may not read" in raised(lambda: Shop.get(visitor(anonymous=True), "object")).message


@pytest.mark.parametrize("fast", [True, False])
def test_a_server_that_is_down_is_worth_another_try(tmp_path: Path, fast: bool) -> None:
    """Nobody listening is told at once, by every call, and may pass."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    settings = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "secure": False, "fast": fast}
    transfer = S3Transfer(TransferConfig({"127_0_0_1": settings}))
    url = Url.parse(f"s3://{address}/bucket/key")
    began = time.monotonic()
    calls: list[Callable[[], object]] = [
        lambda: transfer.stat(url),
        lambda: transfer.read(url),
        lambda: transfer.put(outgoing(tmp_path, b"content"), url),
        lambda: list(transfer.listing(url)),
    ]
    for call in calls:
        error = raised(call)
        assert f"nobody listens at http://{address}" in error.message
        assert error.repeat
    assert time.monotonic() - began < 5
    transfer.close()


def test_a_host_that_nobody_knows_is_told() -> None:
    """A name without an address names the host."""
    transfer = S3Transfer(TransferConfig({"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}))

    error = raised(lambda: transfer.stat(Url.parse("s3://no-such-host.invalid/bucket/key")))
    assert "nobody knows the host no-such-host.invalid" in error.message
    transfer.close()


def test_a_server_without_tls_is_told_with_the_setting(filled: Shop, visitor: Callable[..., Shop]) -> None:
    """S3 is spoken over https unless told; a server that does not is met with the setting for it."""
    shop = visitor(secure=True)
    error = raised(lambda: shop.stat("object"))

    assert f"https://{shop.server.address} does not speak TLS" in error.message
    assert ".secure = false" in error.remedy
    assert not error.repeat


def test_logs_at_debug_tell_nothing_that_is_signed(filled: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """With everything logged, neither secrets nor signatures are in it."""
    for name in ("botocore", "aiobotocore", "s3fs", "fsspec", "aiohttp"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    shop = Shop(filled.server, filled.folder, {"fast": False}, filled.bucket)
    with caplog.at_level(logging.DEBUG):
        shop.put("logged")
        assert shop.get("logged") == b"content"
        raised(lambda: Shop(filled.server, filled.folder, {"aws_secret_access_key": WRONG}).stat("object"))
    shop.transfer.close()

    for text in (SECRET, WRONG, "Signature=", "AWS4-HMAC", "Credential="):
        assert text not in caplog.text


def test_what_is_printed_of_a_server_holds_no_secret(filled: Shop) -> None:
    """The representation of what holds a secret does not."""
    server = filled.transfer._server(filled.url())

    assert SECRET not in repr(server.client.access)
    assert SECRET not in repr(filled.transfer._loop.run(server.client.credentials()))
