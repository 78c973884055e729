"""How an answer of a web server begins, read by hand where no library does it.

Laws: pure; a head that can be taken in two ways, or is larger than that of any server of files, is none. (RFC 9112)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Self

from attrs import frozen
from multidict import CIMultiDict

#: aiohttp takes as many lines, each of so many bytes
_MOST_LINES = 128
_MOST_BYTES = 64 * 1024
#: status, reason, header lines, without the last line end; all line ends were made one
_HEAD: Final = re.compile(
    rb"HTTP/1\.[01] (\d{3})(?: ([^\r\n\0]{0,1000}))?((?:\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*)*)"
)
_FIELD: Final = re.compile(r"\n([^:]+):[ \t]*([^\n]*?)[ \t]*(?=\n|\Z)")
#: how heads begin that are not the last word
_INTERIM: Final = b"HTTP/1.1 1"


@frozen
class Head:
    """Status, what the server calls it, headers with names in any case."""

    status: int
    reason: str
    headers: CIMultiDict[str]

    @classmethod
    def of(cls, lines: Iterable[bytes]) -> Self | None:
        """Return what the lines of an answer say but for interim heads before it and trailers behind; None if odd."""
        said = b"".join(lines).replace(b"\r\n", b"\n")
        if len(said) > _MOST_BYTES or said.count(b"\n") > _MOST_LINES:
            return None
        last = next((head for head in said.split(b"\n\n") if not head.startswith(_INTERIM)), b"")
        match = _HEAD.fullmatch(last)
        if match is None:
            return None
        headers = CIMultiDict(_FIELD.findall(_text(match[3])))
        if len(headers.getall("Content-Length", ())) > ("Transfer-Encoding" not in headers):
            return None  # two lengths: who stands between may have counted by the other
        return cls(int(match[1]), _text(match[2] or b"").strip(), headers)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
