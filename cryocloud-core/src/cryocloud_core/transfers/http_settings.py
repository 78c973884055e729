"""How a web server is asked: what is configured below `HTTP`, for all servers and for each.

Laws: what lets us in at one server is sent to no other: a server that we are only redirected to gets what stands under
its own name, never what is meant for all.
"""

from __future__ import annotations

import base64
import re
import ssl
import urllib.parse
import urllib.request
from typing import ClassVar, Final

from attrs import field, frozen

from cryocloud_core.errors import ConfigError, TransferError
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.configured import Configured

CREDENTIALS: Final = ("headers", "token", "user", "password")
#: all names that are read
SETTINGS: Final = frozenset(
    {
        "allow_downgrade",
        "ca",
        "connect_timeout",
        "fast",
        "headers",
        "immutable",
        "password",
        "proxy",
        "timeout",
        "token",
        "user",
    }
)
#: what ends a header, or is none of its name's letters (RFC 9110): the rest would be read as headers of their own
_BREAK: Final = re.compile(r"[\r\n\0]")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CONNECT_TIMEOUT_S = 20.0
TIMEOUT_S = 60.0


@frozen
class HttpSettings:
    """The settings for one request. `headers` hold what lets us in."""

    names: ClassVar[frozenset[str]] = SETTINGS

    headers: dict[str, str] = field(factory=dict, repr=False)
    #: a file with the certificates to trust instead of the system's
    ca: str | None = None
    #: a proxy's URL, None to go straight
    proxy: str | None = None
    allows_downgrade: bool = False
    #: whether no file of this server ever changes under its name
    immutable: bool = False
    #: whether small files may be asked for with libcurl where it is installed
    fast: bool = True
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    timeout_s: float = TIMEOUT_S

    @classmethod
    def of(cls, config: TransferConfig, url: Url, *, is_named: bool = True) -> HttpSettings:
        """Return what is configured for the server of `url`; `is_named` is false for one we were redirected to.

        Raises ConfigError.
        """
        if not is_named:
            config = config.without(CREDENTIALS)
        found = Configured(config, url, "HTTP")
        return cls(
            _checked(_headers(found, url), found),
            found.path("ca"),
            _proxy(found, url),
            found.truth("allow_downgrade", usual=False),
            found.truth("immutable", usual=False),
            found.truth("fast", usual=True),
            found.seconds("connect_timeout", CONNECT_TIMEOUT_S),
            found.seconds("timeout", TIMEOUT_S),
        )

    def tls(self, url: Url) -> ssl.SSLContext | bool:
        """Return what to trust. Raises TransferError when the file cannot be read."""
        if self.ca is None:
            return True
        try:
            return ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            told = f"the certificates in {self.ca} cannot be read: {error.strerror or error}"
            raise TransferError(told, subject=str(url), remedy="setting ca names a PEM file") from error


def _headers(found: Configured, url: Url) -> dict[str, str]:
    headers, token, user = found.texts("headers"), found.text("token"), url.user or found.text("user")
    if any(name.lower() == "authorization" for name in headers):
        return headers
    if token is not None:
        return headers | {"Authorization": f"Bearer {token}"}
    if user is not None:
        both = f"{user}:{found.text('password') or ''}".encode()
        return headers | {"Authorization": f"Basic {base64.b64encode(both).decode()}"}
    return headers


def _checked(headers: dict[str, str], found: Configured) -> dict[str, str]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or _BREAK.search(value):
            raise ConfigError(
                f"header {name!r} cannot be sent: its name has odd characters, or its text a line end or NUL",
                subject=found.name("headers"),
                remedy="look for a line end at the end of the text, or of what it is read from",
            )
    return headers


def way_in(config: TransferConfig, url: Url) -> str | None:
    """Return what lets us in at the server of `url`: where it is configured, or "the URL"; None for nothing."""
    found = Configured(config, url, "HTTP")
    named = {name: found.name(name) for name in ("headers", "token") if config.get(url, name)}
    if any(name.lower() == "authorization" for name in found.texts("headers")):
        return named["headers"]
    if "token" in named:
        return named["token"]
    if url.user is not None:
        return "the URL"
    if config.get(url, "user") is not None:
        return f"{found.name('user')} and .password"
    return named.get("headers")


def _proxy(found: Configured, url: Url) -> str | None:
    """Return the proxy as a URL: `host:port` is one of http, as other programs read it. Raises ConfigError."""
    configured = found.text("proxy")
    written = _proxy_of(url) if configured is None else configured
    if not written:
        return None
    proxy = written if "://" in written else f"http://{written}"
    if not _is_web_server(proxy):
        # It is not repeated: it may hold a password.
        raise ConfigError(
            "names no proxy",
            subject=f"environment variable {url.scheme}_proxy" if configured is None else found.name("proxy"),
            remedy='write "http://host:port", or "" for none',
        )
    return proxy


def _is_web_server(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _proxy_of(url: Url) -> str | None:
    """Return the proxy that the environment names for a URL, as other programs read it."""
    if urllib.request.proxy_bypass(url.host):
        return None
    return urllib.request.getproxies().get(url.scheme)
