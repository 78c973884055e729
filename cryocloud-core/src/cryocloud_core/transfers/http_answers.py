"""What the headers of an HTTP answer say of a file: size, validator, checksum, range, when to come again.

Laws: pure; a header that says nothing sure says nothing. (RFC 9110, RFC 9530, RFC 3230 for `Digest`, RFC 1864 for
`Content-MD5`.)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from attrs import frozen

from cryocloud_core.sdk.transfer import RemoteFile

#: header values as they came, by name; names in any case
Headers = Mapping[str, str]

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.IGNORECASE)
_OUT_OF_RANGE = re.compile(r"bytes \*/(\d+)", re.IGNORECASE)
#: by what RFC 3230, RFC 9530 and file servers call them; the strongest first
_ALGORITHMS: Final = {"sha-512": "sha512", "sha-256": "sha256", "sha": "sha1", "md5": "md5"}
_DIGEST = re.compile(r"([a-z0-9-]+)=:?([A-Za-z0-9+/=]+):?", re.IGNORECASE)
_HEX_HEADERS: Final = {"x-checksum-sha256": "sha256", "x-checksum-sha1": "sha1", "x-checksum-md5": "md5"}
_STATUS_LENGTH = 200
#: names whose content is compressed as it is stored, by what `Content-Encoding` calls that
_STORED: Final = {"gzip": (".gz", ".tgz"), "x-gzip": (".gz", ".tgz"), "bzip2": (".bz2",), "br": (".br",)}
_STORED_MORE: Final = {"zstd": (".zst",), "compress": (".z",), "x-compress": (".z",), "x-bzip2": (".bz2",)}


@frozen
class Span:
    """The bytes that an answer holds: from `start` up to, not including, `stop`, of `size` where that is known."""

    start: int
    stop: int
    size: int | None


def span_of(headers: Headers) -> Span | None:
    """Return what `Content-Range` says of a partial answer, None when it is no such thing."""
    match = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if match is None:
        return None
    start, stop, size = int(match[1]), int(match[2]) + 1, None if match[3] == "*" else int(match[3])
    return Span(start, stop, size) if start < stop and (size is None or stop <= size) else None


def size_out_of_range(headers: Headers) -> int | None:
    """Return the size that a refused range (416) tells."""
    match = _OUT_OF_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    return int(match[1]) if match else None


def length_of(headers: Headers) -> int | None:
    """Return `Content-Length`."""
    text = headers.get("Content-Length", "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def tells_end(headers: Headers) -> bool:
    """Return True for an answer that says where it ends without saying before how long it is: a chunked one."""
    return headers.get("Transfer-Encoding", "").rpartition(",")[2].strip().lower() == "chunked"


def validator_of(headers: Headers) -> str | None:
    """Return a strong ETag, else a weak one and `Last-Modified` together, as far as they are there."""
    etag = headers.get("ETag", "").strip()
    if etag and not etag.startswith("W/"):
        return etag
    return " ".join(filter(None, (etag, headers.get("Last-Modified", "").strip()))) or None


def if_range(validator: str) -> str | None:
    """Return the part of a validator that a server may compare before it answers a range, None when there is none."""
    if validator.startswith('"'):
        return validator
    date = validator.rpartition('"')[2].strip()
    return date or None


def checksum_of(headers: Headers, *, is_whole: bool) -> str | None:
    """Return `algorithm:hex` of the whole file, from the strongest digest that is told.

    `Content-MD5` and `Content-Digest` are of the answer's own bytes: they count where the answer is whole.
    """
    found = dict(_digests(headers, ("Repr-Digest", "Digest", *(("Content-Digest",) if is_whole else ()))))
    found |= {name: headers[header].strip().lower() for header, name in _HEX_HEADERS.items() if header in headers}
    if is_whole and "Content-MD5" in headers:
        found.setdefault("md5", _hex(headers["Content-MD5"]) or "")
    for name in _ALGORITHMS.values():
        digest = found.get(name)
        if digest and re.fullmatch(f"[0-9a-f]{{{hashlib.new(name, usedforsecurity=False).digest_size * 2}}}", digest):
            return f"{name}:{digest}"
    return None


def remote_of(url: str, headers: Headers, size: int | None, *, is_whole: bool) -> RemoteFile:
    """Return what an answer tells of the file at `url`."""
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    checksum = checksum_of(headers, is_whole=is_whole)
    in_parts = "bytes" in headers.get("Accept-Ranges", "").lower() or "Content-Range" in headers
    return RemoteFile(
        url,
        size,
        validator_of(headers),
        checksum,
        media_type,
        in_parts=in_parts,
        immutable="immutable" in _directives(headers),
    )


def retry_after(headers: Headers, now: float) -> float | None:
    """Return the seconds to wait that `Retry-After` asks for; a date counts from the server's own clock if it tells."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    at, told = _moment(text), _moment(headers.get("Date", ""))
    return None if at is None else max(0.0, at - (now if told is None else told))


def foreign_encoding(headers: Headers, name: str) -> str | None:
    """Return the coding that the body is in and the file is not, None when its bytes are the file's own.

    We ask for none; a file that is stored compressed, as its name says, is sent as it is.
    """
    coding = headers.get("Content-Encoding", "").strip().lower()
    if coding in ("", "identity") or name.lower().endswith((_STORED | _STORED_MORE).get(coding, ("\0",))):
        return None
    return coding


def first_line(body: bytes) -> str:
    """Return the first line of an error page that says anything, without its tags."""
    text = re.sub(r"(?is)<(script|style).*?</\1>|<[^>]*>", "\n", body.decode("utf-8", "replace"))
    lines = (" ".join(line.split()) for line in text.splitlines())
    line = next(filter(None, lines), "")
    return "".join(char if char.isprintable() else "�" for char in line)[:_STATUS_LENGTH]


def _directives(headers: Headers) -> set[str]:
    """Return what `Cache-Control` says, without values; `immutable` is of RFC 8246."""
    return {each.partition("=")[0].strip().lower() for each in headers.get("Cache-Control", "").split(",")}


def _digests(headers: Headers, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in reversed(names):
        for algorithm, value in _DIGEST.findall(headers.get(name, "")):
            digest = _hex(value)
            if digest is not None and algorithm.lower() in _ALGORITHMS:
                yield _ALGORITHMS[algorithm.lower()], digest


def _hex(text: str) -> str | None:
    try:
        return base64.b64decode(text.strip(), validate=True).hex()
    except binascii.Error:
        return None


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
