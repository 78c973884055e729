"""A URL as it goes over the wire: the path as written, with only that encoded which no request can hold.

Laws: pure; an escape (`%2F`) is sent as it stands, so nobody has to guess who encodes; there are no fragments, `#`
belongs to the path.
"""

from __future__ import annotations

import os
import re
from typing import Final

from cryocloud_core.sdk.url import Url

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
#: RFC 3986: unreserved, reserved but `#`; everything else is not to be found in a URL
_ALLOWED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?[]@!$&'()*+,;=")
_ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}")
#: what is sent as it is
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=]+")


def request_url(url: Url) -> str:
    """Return the text to ask for, in ASCII. Non-ASCII characters become the escapes of their bytes."""
    server = url.server if url.server.isascii() else url.server.encode("idna").decode("ascii")
    return f"{url.scheme}://{server}{request_target(url.path)}"


def request_target(path: str) -> str:
    """Return a path with its query as it stands in a request: never empty, ASCII, without spaces."""
    if _PLAIN.fullmatch(path):
        return path
    data = os.fsencode(path)
    sent = bytearray()
    for at, byte in enumerate(data):
        if byte in _ALLOWED or (byte == ord("%") and _ESCAPE.match(data, at)):
            sent.append(byte)
        else:
            sent += b"%%%02X" % byte
    return sent.decode("ascii") or "/"


def origin(url: Url) -> tuple[str, str, int]:
    """Return scheme, host and port: two URLs with the same are the same server."""
    return url.scheme, url.host.lower(), url.port or DEFAULT_PORTS[url.scheme]


def name_of(url: Url) -> str:
    """Return the last part of the path, without a query."""
    return url.path.partition("?")[0].rpartition("/")[2]
