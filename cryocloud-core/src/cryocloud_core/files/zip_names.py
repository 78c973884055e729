"""What the members of a zip archive are called, where the archive does not say how its names are encoded.

Laws: pure; a name that is marked as UTF-8, or plain ASCII, is what zipfile made of it; of the others the Unicode Path
of Info-ZIP counts if it belongs to that very name, then UTF-8 if the bytes are that, which others hardly ever are by
chance, and code page 437 at last; names that are two for zipfile never become one here. (APPNOTE.TXT 4.4.4, 4.6.9)
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from zipfile import ZipInfo

from cryocloud_core.errors import ArchiveError

#: the flag of a member whose name is UTF-8
UTF8 = 0x800
#: what zipfile reads all other names as; every byte is a character of it
CODE_PAGE = "cp437"
_UNICODE_PATH = 0x7075
_FIELD = struct.Struct("<2H")
#: version and checksum of the name that the field belongs to
_PATH = struct.Struct("<BL")


def renamed(infos: Iterable[ZipInfo], archive: str) -> Iterator[ZipInfo]:
    """Yield the members under their right names. Raises ArchiveError for two that come to the same one."""
    before: dict[str, str] = {}
    for info in infos:
        info.filename = _name(info)
        written = info.orig_filename.partition("\0")[0]
        if before.setdefault(info.filename, written) != written:
            raise ArchiveError(
                f"has two members that are called {info.filename!r}, one of them in UTF-8", subject=archive
            )
        yield info


def _name(info: ZipInfo) -> str:
    if info.flag_bits & UTF8:
        return info.filename
    raw = info.orig_filename.encode(CODE_PAGE)
    told = _unicode_path(info.extra, raw)
    if told is not None:
        return told
    if raw.isascii():
        return info.filename
    return _utf8(raw) or info.filename


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """Return the name that a field says beside `raw`, None where there is none that was made for it."""
    at = 0
    while at + _FIELD.size <= len(extra):
        kind, size = _FIELD.unpack_from(extra, at)
        data = extra[at + _FIELD.size : at + _FIELD.size + size]
        if kind == _UNICODE_PATH and len(data) == size > _PATH.size:
            version, checksum = _PATH.unpack_from(data)
            if version == 1 and checksum == zlib.crc32(raw):
                return _utf8(data[_PATH.size :])
        at += _FIELD.size + size
    return None


def _utf8(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
