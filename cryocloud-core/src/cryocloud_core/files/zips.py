"""The members of a zip archive; the content of each can be read by itself, by any thread.

Laws: the directory at the end says what there is; a member whose own header, size or checksum differs from it is
damage; a member never yields more than the directory says.
"""

from __future__ import annotations

import os
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self, cast

from attrs import define

from cryocloud_core.errors import ArchiveError
from cryocloud_core.files.inflate import BLOCK_BYTES, RAW, errors, inflater
from cryocloud_core.files.member import Member, MemberKind
from cryocloud_core.files.zip_names import CODE_PAGE, UTF8, renamed

_LOCAL = struct.Struct("<4s2B4HL2L2H")
_ENCRYPTED = 0x1
_OWN_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def zip_members(path: Path) -> Iterator[Member]:
    """Yield the members in the order of the directory. Raises what zipfile raises, ArchiveError."""
    with zipfile.ZipFile(path) as archive:
        for info in renamed(archive.infolist(), str(path)):
            if info.flag_bits & _ENCRYPTED:
                raise ArchiveError(f"member {info.filename!r} is encrypted", subject=str(path))
            yield _member(path, archive, info)


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    # Only archives made on Unix (3) carry a mode; those made on Windows may carry its separators.
    mode = info.external_attr >> 16 if info.create_system == 3 else 0
    name = info.filename if info.create_system else info.filename.replace("\\", "/")
    at = _time(info)
    if stat.S_ISLNK(mode):
        target = archive.read(info).decode("utf-8", "surrogateescape")
        return Member(name, MemberKind.SYMLINK, mode, at, target)
    if info.is_dir() or stat.S_ISDIR(mode):
        return Member(name, MemberKind.DIRECTORY, mode, at)
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise ArchiveError(f"member {info.filename!r} is a device or pipe", subject=str(path))
    if info.compress_type not in _OWN_METHODS:
        return Member(name, MemberKind.FILE, mode, at, open=lambda: archive.open(info))
    apart = info.compress_size
    return Member(name, MemberKind.FILE, mode, at, open=lambda: ZipContent.of(path, info), apart_bytes=apart)


def _time(info: zipfile.ZipInfo) -> float | None:
    try:
        return time.mktime((*info.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return None


@define(eq=False)
class ZipContent:
    """The content of one member, read forward; has a descriptor of its own."""

    descriptor: int
    info: zipfile.ZipInfo
    #: of the packed bytes: where the next ones are, how many are left
    _at: int
    _left: int
    _inflater: Any = None
    _packed: bytes = b""
    _size: int = 0
    _crc: int = 0

    @classmethod
    def of(cls, path: Path, info: zipfile.ZipInfo) -> IO[bytes]:
        """Open the content of a member. Raises BadZipFile when its own header is not the directory's."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            begin = _content_begin(descriptor, info)
        except BaseException:
            os.close(descriptor)
            raise
        packing = None if info.compress_type == zipfile.ZIP_STORED else inflater(RAW)
        return cast(IO[bytes], cls(descriptor, info, begin, info.compress_size, packing))

    def read(self, size: int) -> bytes:
        """Return at most so many bytes, none at the end. Raises BadZipFile for damage."""
        data = self._stored(size) if self._inflater is None else self._inflated(size)
        self._size += len(data)
        self._crc = zlib.crc32(data, self._crc)
        if self._size > self.info.file_size:
            raise _damaged(self.info, f"holds more than the {self.info.file_size} bytes it is said to")
        if not data:
            self._judge()
        return data

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_raised: object) -> None:
        """Close it."""
        os.close(self.descriptor)

    def _stored(self, size: int) -> bytes:
        return self._take(min(size, self._left))

    def _inflated(self, size: int) -> bytes:
        while not self._inflater.eof:
            packed = self._packed or self._take(min(BLOCK_BYTES, self._left))
            try:
                data: bytes = self._inflater.decompress(packed, size)
            except errors() as error:
                raise _damaged(self.info, str(error)) from error
            self._packed = self._inflater.unconsumed_tail
            if data:
                return data
            if not packed:
                raise _damaged(self.info, "its data ends in the middle")
        return b""

    def _take(self, count: int) -> bytes:
        """Return the next packed bytes, none when there are none left."""
        data = os.pread(self.descriptor, count, self._at) if count else b""
        if count and not data:
            raise _damaged(self.info, "the archive ends in the middle of it")
        self._at += len(data)
        self._left -= len(data)
        return data

    def _judge(self) -> None:
        if self._size != self.info.file_size:
            raise _damaged(self.info, f"has {self._size} bytes of {self.info.file_size}")
        if self._crc != self.info.CRC:
            raise _damaged(self.info, "its checksum is wrong")


def _content_begin(descriptor: int, info: zipfile.ZipInfo) -> int:
    """Return where a member's packed bytes begin, behind its own header."""
    header = os.pread(descriptor, _LOCAL.size, info.header_offset)
    if len(header) < _LOCAL.size:
        raise _damaged(info, "its header is cut off")
    magic, _, _, flags, *_, name_size, extra_size = _LOCAL.unpack(header)
    if magic != b"PK\x03\x04":
        raise _damaged(info, "there is no header where it should begin")
    if flags & _ENCRYPTED:
        raise _damaged(info, "is encrypted")
    name = os.pread(descriptor, name_size, info.header_offset + _LOCAL.size)
    if name.decode("utf-8" if flags & UTF8 else CODE_PAGE, "replace") != info.orig_filename:
        raise _damaged(info, "is called otherwise in its own header")
    return int(info.header_offset + _LOCAL.size + name_size + extra_size)


def _damaged(info: zipfile.ZipInfo, why: str) -> zipfile.BadZipFile:
    return zipfile.BadZipFile(f"member {info.filename!r}: {why}")
