"""Where S3 URLs point and how their servers are reached, by the configuration alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.errors import ConfigError, TransferError
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.secrets import Secret
from cryocloud_core.transfers.s3_access import Access, Place
from cryocloud_core.transfers.s3_parts import MIB, MOST_PARTS, PART_BYTES, part_bytes

KEYS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200)


def access(url: str = "s3://store.local:9000/bucket/key", **settings: object) -> Access:
    """Return how a server is reached with settings of its own."""
    return Access.of(TransferConfig({"store_local:9000": settings}), Url.parse(url))


@given(KEYS)
def test_a_key_is_everything_after_the_bucket(key: str) -> None:
    """Two slashes split a URL; whatever follows is the key, as it is written."""
    place = Place.of(Url.parse(f"s3://store:9000/bucket/{key}"))

    assert (place.bucket, place.key) == ("bucket", key)
    assert place.is_prefix == (key == "" or key.endswith("/"))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://store", "names no bucket; write s3://store/bucket/key"),
        ("s3://store/", "names no bucket"),
        ("s3://store//key", "names no bucket"),
        ("s3://me@store/bucket/key", "names a user; credentials belong into the configuration, below S3"),
        ("s3://store/bucket/caf\udce9", "is not UTF-8"),
        (f"s3://store/bucket/{'é' * 513}", "has a key of 1026 bytes; S3 takes up to 1024"),
    ],
)
def test_what_names_no_place_is_refused(url: str, told: str) -> None:
    """The error says what is missing or too much, and is not worth repeating."""
    with pytest.raises(TransferError, match=told) as caught:
        Place.of(Url.parse(url))
    assert caught.value.subject == url
    assert not caught.value.repeat


def test_a_server_is_spoken_to_through_tls_unless_told() -> None:
    """By https; `secure` turns it off, as a word too; the port goes with it."""
    assert access().endpoint == "https://store.local:9000"
    assert access(secure=False).endpoint == "http://store.local:9000"
    assert access(secure="no").endpoint == "http://store.local:9000"
    assert access("s3://[::1]/bucket/key").endpoint == "https://[::1]"


@pytest.mark.parametrize(
    ("values", "section"),
    [
        ({}, "S3.store_local_9000"),
        ({"store_local": {}}, "S3.store_local"),
        ({"store_local": {}, "store_local:9000": {}}, 'S3."store_local:9000"'),
        ({"region": "x"}, "S3.store_local_9000"),
    ],
)
def test_messages_name_the_section_that_is_there(values: dict[str, object], section: str) -> None:
    """What is written is named, else what is best written."""
    found = Access.of(TransferConfig(values), Url.parse("s3://store.local:9000/bucket"))

    assert found.section == section


def test_a_server_has_its_own_settings_before_those_of_all() -> None:
    """With its port, without it, then what stands for every server."""
    values = {"region": "all", "timeout": 9, "store_local": {"region": "host"}, "store_local_9000": {"fast": "no"}}
    found = Access.of(TransferConfig(values), Url.parse("s3://store.local:9000/bucket"))

    assert (found.region, found.timeout_s, found.fast) == ("host", 9.0, False)


def test_secrets_are_revealed_for_use_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handle becomes the secret, which no representation shows."""
    monkeypatch.setenv("STORE_SECRET", "nobody-sees-this")
    handle = Secret.read({"env": "STORE_SECRET"}, directory=None)  # type: ignore[arg-type]
    found = access(aws_access_key_id="key", aws_secret_access_key=handle, aws_session_token=handle)

    assert (found.secret, found.token) == ("nobody-sees-this", "nobody-sees-this")
    assert "nobody-sees-this" not in repr(found)


@pytest.mark.parametrize("missing", ["aws_access_key_id", "aws_secret_access_key"])
def test_half_of_the_credentials_is_refused(missing: str) -> None:
    """One without the other names the one that is missing."""
    both = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    with pytest.raises(ConfigError, match=f'S3."store_local:9000".{missing}: is missing'):
        access(**{name: value for name, value in both.items() if name != missing})


@pytest.mark.parametrize(
    ("name", "value"),
    [("secure", "maybe"), ("fast", 7), ("timeout", 0), ("connect_timeout", "soon"), ("timeout", True)],
)
def test_wrong_settings_are_named(name: str, value: object) -> None:
    """A word that is no truth, a time that is none: the error names the setting and what it holds."""
    with pytest.raises(ConfigError, match=f'S3."store_local:9000".{name}: .*{value!r}'):
        access(**{name: value})


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("s3.amazonaws.com", None),
        ("s3.eu-north-1.amazonaws.com", "eu-north-1"),
        ("s3-us-west-2.amazonaws.com", "us-west-2"),
        ("s3.dualstack.eu-central-1.amazonaws.com", "eu-central-1"),
        ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("s3.eu-north-1.example.com", None),
    ],
)
def test_amazons_servers_tell_their_region(host: str, region: str | None) -> None:
    """A region in the server's name need not be configured."""
    assert Access.of(TransferConfig(), Url.parse(f"s3://{host}/bucket")).region == region


@given(st.integers(1, 5 * 1024**4))
def test_no_file_has_more_parts_than_s3_takes(size: int) -> None:
    """Parts are whole MiB of at least the usual size, and at most ten thousand."""
    step = part_bytes(size)

    assert step >= PART_BYTES
    assert step % MIB == 0
    assert -(-size // step) <= MOST_PARTS
