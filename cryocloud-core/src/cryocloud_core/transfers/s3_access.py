"""Where an S3 URL points, and how its server is reached: what is configured below `S3`, else AWS' own sources.

Laws: a key is taken as it stands, decoded and normalised by nobody; https unless the configuration says otherwise;
no secret is ever part of a text.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from attrs import field, frozen

from cryocloud_core.errors import ConfigError, TransferError
from cryocloud_core.sdk.processor import flag
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url

#: all names that are read
SETTINGS: Final = frozenset(
    {
        "anonymous",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "connect_timeout",
        "etag_is_md5",
        "fast",
        "region",
        "secure",
        "timeout",
    }
)
_KEYS: Final = ("aws_access_key_id", "aws_secret_access_key")
CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 30.0
#: what an S3 server takes at most
KEY_BYTES = 1024
#: Amazon's servers say in their names which region they are of
_AMAZON = re.compile(r"s3[.-](?:dualstack\.)?([a-z]{2,}(?:-[a-z0-9]+)+)\.amazonaws\.com(?:\.cn)?", re.IGNORECASE)


@frozen
class Place:
    """A bucket and a key in it; the key is empty for the bucket itself and ends in `/` for a prefix."""

    url: Url
    bucket: str
    key: str

    @classmethod
    def of(cls, url: Url) -> Place:
        """Return where `url` points. Raises TransferError for what names no place of S3."""
        bucket, _, key = url.path[1:].partition("/")
        if not bucket:
            raise _wrong(url, "names no bucket", f"write s3://{url.server}/bucket/key")
        if url.user is not None:
            raise _wrong(url, "names a user", "credentials belong into the configuration, below S3")
        try:
            length = len(key.encode())
        except UnicodeEncodeError as error:
            raise _wrong(url, "is not UTF-8, which every S3 key is", "give it another name") from error
        if length > KEY_BYTES:
            raise _wrong(url, f"has a key of {length} bytes", f"S3 takes up to {KEY_BYTES}")
        return cls(url, bucket, key)

    @property
    def is_prefix(self) -> bool:
        """Whether it stands for all objects below it, not for one."""
        return not self.key or self.key.endswith("/")


@frozen
class Access:
    """How one server is reached. Without `key_id` the credentials come from where AWS' own programs find them.

    `section` is the name of what is configured for it, `key_id_at` and `secret_at` those of the settings that
    credentials are taken from or belong into, for messages.
    """

    names: ClassVar[frozenset[str]] = SETTINGS

    section: str
    endpoint: str
    key_id: str | None = None
    secret: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    anonymous: bool = False
    region: str | None = None
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    timeout_s: float = TIMEOUT_S
    fast: bool = True
    #: False where a server's ETags look like the MD5 of a content and are not
    etag_is_md5: bool = True
    key_id_at: str = ""
    secret_at: str = ""

    @classmethod
    def of(cls, config: TransferConfig, url: Url) -> Access:
        """Return what is configured for the server of `url`. Raises ConfigError."""
        section = f"S3.{config.section(url)}"

        def where(name: str) -> str:
            return f"S3.{config.where(url, name)}"

        def text(name: str) -> str | None:
            value = config.get(url, name)
            return None if value in (None, "") else str(value)

        def truth(name: str, usual: bool) -> bool:
            return _truth(config.get(url, name, usual), where(name))

        def seconds(name: str, usual: float) -> float:
            return _seconds(config.get(url, name, usual), where(name))

        key_id, secret = text("aws_access_key_id"), text("aws_secret_access_key")
        if (key_id is None) != (secret is None):
            missing, other = _KEYS if key_id is None else _KEYS[::-1]
            told = f"is missing or empty beside {where(other)}"
            raise ConfigError(told, subject=where(missing), remedy="set both or none")
        return cls(
            section,
            f"{'https' if truth('secure', True) else 'http'}://{url.server}",
            key_id,
            secret,
            text("aws_session_token"),
            truth("anonymous", False),
            text("region") or _region_of(url.host),
            seconds("connect_timeout", CONNECT_TIMEOUT_S),
            seconds("timeout", TIMEOUT_S),
            truth("fast", True),
            truth("etag_is_md5", True),
            *map(where, _KEYS),
        )

    @property
    def is_secure(self) -> bool:
        """Whether the server is spoken to through TLS."""
        return self.endpoint.startswith("https:")


def _region_of(host: str) -> str | None:
    match = _AMAZON.fullmatch(host)
    return match[1].lower() if match else None


def _truth(value: Any, name: str) -> bool:
    try:
        return flag(value)
    except ValueError as error:
        raise ConfigError(str(error), subject=name) from error


def _seconds(value: Any, name: str) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if isinstance(value, bool) or not 0 < seconds < float("inf"):
        raise ConfigError(f"must be a number of seconds above 0, got {value!r}", subject=name)
    return seconds


def _wrong(url: Url, why: str, remedy: str) -> TransferError:
    return TransferError(why, subject=str(url), remedy=remedy)
