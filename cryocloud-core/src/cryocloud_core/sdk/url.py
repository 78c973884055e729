"""Remote places as texts: `scheme://[user@]host[:port]/path`, taken apart by hand and put together again unchanged.

Laws: nothing is percent-decoded; `#`, `?` and spaces belong to the path; a text without a scheme is a path and no Url;
`str(Url.parse(text)) == text`, which is for comparing and asking; what people see is `shown`; a password in a URL is
refused, because texts end up in logs; only `file:///path` may leave its host out, which is this machine.
"""

from __future__ import annotations

import re

from attrs import frozen

from cryocloud_core.errors import ResolutionError
from cryocloud_core.url_secrets import DOTS, shown_url

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PORT = re.compile(r"[0-9]{1,5}")


def scheme_of(text: str) -> str:
    """Return the scheme of a URL in lower case, empty for a path."""
    match = _SCHEME.match(text)
    return match[1].lower() if match else ""


@frozen
class Url:
    """One remote place. `host` has no brackets, `path` is everything from the first `/` after it, empty without one."""

    text: str
    scheme: str
    host: str
    path: str
    port: int | None = None
    user: str | None = None

    @classmethod
    def parse(cls, text: str) -> Url:
        """Return the parts of a URL. Raises ResolutionError for what is none."""
        match = _SCHEME.match(text)
        if match is None:
            raise _wrong(text, "is no URL", "write scheme://host/path")
        if "\0" in text:
            raise _wrong(text, "holds a NUL byte", "no file can have such a name")
        authority, slash, path = text[match.end() :].partition("/")
        user, at, place = authority.rpartition("@")
        if ":" in user:
            raise _telling(match[1], place)
        host, port = ("", None) if not authority and match[1].lower() == "file" else _host_and_port(place, text)
        return cls(text, match[1].lower(), host, slash + path, port, user if at else None)

    @property
    def server(self) -> str:
        """The host with its port, as written: `store:9000`, `[::1]:9000`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def endpoint(self) -> str:
        """Scheme, user and server: what a connection belongs to."""
        return f"{self.scheme}://{'' if self.user is None else f'{self.user}@'}{self.server}"

    @property
    def name(self) -> str:
        """The last part of the path, empty when it ends in `/`."""
        return self.path.rpartition("/")[2]

    @property
    def shown(self) -> str:
        """The URL for people: as it was written, with dots for the secrets in it."""
        return shown_url(self.text)

    def with_path(self, path: str) -> Url:
        """Return the place at another path (from its first `/`) of the same server."""
        return Url.parse(f"{self.endpoint}{path}")

    def __str__(self) -> str:
        """Return the URL as it was written."""
        return self.text


def _host_and_port(place: str, text: str) -> tuple[str, int | None]:
    if place.startswith("["):
        host, closed, rest = place[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise _wrong(text, "has a broken [address]", "write [address]:port")
        port = rest[1:]
    else:
        host, _, port = place.partition(":")
        rest = place[len(host) :]
    if not host:
        raise _wrong(text, "names no host", "write scheme://host/path")
    if not rest:
        return host, None
    if _PORT.fullmatch(port) is None or not 0 < int(port) < 65536:
        if "@" in text:  # a password with a slash in it
            raise _telling(scheme_of(text), text.rpartition("@")[2].partition("/")[0])
        raise _wrong(text, f"has no valid port: {port!r}", "a port is a number from 1 to 65535")
    return host, int(port)


def _telling(scheme: str, place: str) -> ResolutionError:
    subject = f"{scheme}://{DOTS}@{place}/…"
    return ResolutionError("holds a password", subject=subject, remedy="use keys, or put it into the config")


def _wrong(text: str, why: str, remedy: str) -> ResolutionError:
    return ResolutionError(why, subject=repr(shown_url(text))[:200], remedy=remedy)
