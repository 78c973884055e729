"""What an archive holds, as one plain list of members whatever its format.

Laws: the format is recognised by content, never by name; members come once, in order, and their contents are read
forward, those that can be read apart by several threads; nothing is written here; whatever is wrong with an archive is
an ArchiveError that names it.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import IO, Any, cast

from attrs import frozen

from cryocloud_core.errors import ArchiveError
from cryocloud_core.files.inflate import GunzipReader
from cryocloud_core.files.member import Member, MemberKind
from cryocloud_core.files.readahead import BLOCK_BYTES, ReadAhead
from cryocloud_core.files.zips import zip_members

#: a tar header that describes a name may be this long; a longer one is a bomb, tarfile would read it into memory
_HEADER_LIMIT = 1024 * 1024
_TAR_BLOCK = 512
#: bytes of a tar that are read at a time; tarfile's usual 10 KiB cost more than decompressing
_TAR_READ = BLOCK_BYTES
#: tar pads to 10 KiB, tapes to some MiB; more is no padding
_PADDING_LIMIT = 64 * 1024 * 1024
_LONG_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    gzip.BadGzipFile,
    NotImplementedError,
    UnicodeError,
    ValueError,
)


class Format(Enum):
    """How an archive is packed."""

    ZIP = "zip"
    TAR = "tar"
    SINGLE = "single"


@frozen
class Packing:
    """What a file's content says: its format, and the compression around it (`gz bz2 xz` or empty)."""

    format: Format
    compression: str = ""


def packing_of(path: Path) -> Packing | None:
    """Return how a file is packed, None when it is no archive. Raises ArchiveError when it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_TAR_BLOCK)
    except OSError as error:
        raise ArchiveError(f"cannot be read: {error.strerror}", subject=str(path)) from error
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Packing(Format.ZIP)
    if _is_tar(head, path):
        return Packing(Format.TAR)
    compression = _compression(head)
    if compression is None:
        return None
    with _explained(path), _decompressed(path, compression) as stream:
        inside = stream.read(_TAR_BLOCK)
    return Packing(Format.TAR if _is_tar(inside, path) else Format.SINGLE, compression)


def _compression(head: bytes) -> str | None:
    if head.startswith(b"\x1f\x8b\x08"):
        return "gz"
    if head.startswith(b"BZh") and head[4:10] == b"1AY&SY":
        return "bz2"
    return "xz" if head.startswith(b"\xfd7zXZ\x00") else None


def _is_tar(head: bytes, path: Path) -> bool:
    """Judge the first block by its checksum, as old tars have no magic; zeros alone are an empty tar only by name."""
    if len(head) < _TAR_BLOCK:
        return False
    if not any(head):
        return ".tar" in path.suffixes or path.suffix in {".tgz", ".tbz2", ".txz"}
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def members_of(path: Path, packing: Packing) -> Iterator[Member]:
    """Yield the members; the content of one can be read until the next is asked for. Raises ArchiveError."""
    with _explained(path):
        match packing.format:
            case Format.ZIP:
                yield from zip_members(path)
            case Format.TAR:
                yield from _tar_members(path, packing.compression)
            case Format.SINGLE:
                yield from _single_member(path, packing.compression)


@contextmanager
def explained(subject: str) -> Iterator[None]:
    """Turn what the readers of damaged archives raise into one ArchiveError naming `subject`."""
    try:
        yield
    except ArchiveError:
        raise
    except _DAMAGE as error:
        raise ArchiveError(f"is damaged or no complete archive: {error}", subject=subject) from error
    except RuntimeError as error:  # zipfile's way to say "encrypted"
        raise ArchiveError(f"cannot be unpacked: {error}", subject=subject) from error


def _explained(path: Path) -> Any:
    return explained(str(path))


class _StrictInfo(tarfile.TarInfo):
    """A tar header that does not let damage pass for the end of the archive, as tarfile does after the first member."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _StrictInfo:
        info = super().frombuf(buf, encoding, errors)
        if info.type in _LONG_HEADERS and info.size > _HEADER_LIMIT:
            raise tarfile.ReadError(f"a header of {info.size} bytes")
        return info

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> _StrictInfo:
        try:
            return super().fromtarfile(tarfile)
        except _EndOfArchive:
            raise
        except _HeaderError as error:
            raise ArchiveError(f"is damaged or cut off: {error}", subject=str(tarfile.name)) from error


_HeaderError = tarfile.HeaderError
#: two blocks of zeros: the only end that a complete tar has
_EndOfArchive: type[Exception] = vars(tarfile)["EOFHeaderError"]


def _tar_members(path: Path, compression: str) -> Iterator[Member]:
    with (
        _ahead(path, compression) as stream,
        tarfile.open(
            str(path),
            mode="r|",
            fileobj=cast(Any, stream),
            bufsize=_TAR_READ,
            tarinfo=_StrictInfo,
            errors="surrogateescape",
        ) as archive,
    ):
        while (info := archive.next()) is not None:
            yield _tar_member(path, archive, info)
            # tarfile keeps every header for look-ups by name; a million of them is a gigabyte.
            vars(archive)["members"].clear()
        _read_out(stream, path)


def _read_out(stream: IO[bytes], path: Path) -> None:
    """Read what follows the last member: the checksum of the compression is judged at its very end."""
    left = _PADDING_LIMIT
    while left > 0 and (data := stream.read(1024 * 1024)):
        left -= len(data)
    if left <= 0:
        raise ArchiveError(f"more than {_PADDING_LIMIT} bytes follow its end", subject=str(path))


def _tar_member(path: Path, archive: tarfile.TarFile, info: tarfile.TarInfo) -> Member:
    if info.isdir():
        return Member(info.name, MemberKind.DIRECTORY, info.mode, info.mtime)
    if info.issym():
        return Member(info.name, MemberKind.SYMLINK, info.mode, info.mtime, info.linkname)
    if info.islnk():
        return Member(info.name, MemberKind.HARDLINK, info.mode, info.mtime, info.linkname)
    if not info.isreg():
        raise ArchiveError(f"member {info.name!r} is a device or pipe", subject=str(path))

    def content() -> IO[bytes]:
        stream = archive.extractfile(info)
        assert stream is not None
        return stream

    return Member(info.name, MemberKind.FILE, info.mode, info.mtime, open=content)


def _single_member(path: Path, compression: str) -> Iterator[Member]:
    with _ahead(path, compression) as stream:
        yield Member(single_name(path.name, compression), MemberKind.FILE, open=lambda: stream)


def single_name(name: str, compression: str) -> str:
    """Return the name of the file in a compressed single file: `a.txt` for `a.txt.gz`."""
    plain = name.removesuffix(f".{compression}")
    return plain if plain and plain != name else f"{name}.unpacked"


def _ahead(path: Path, compression: str) -> IO[bytes]:
    """Open a file as the bytes inside its compression, decompressed by another thread where there is a core for it."""
    stream = _decompressed(path, compression)
    return cast(IO[bytes], ReadAhead(stream)) if compression and cores() > 1 else stream


def _decompressed(path: Path, compression: str) -> IO[bytes]:
    """Open a file as the bytes inside its compression."""
    match compression:
        case "gz":
            source = path.open("rb", buffering=0)
            return cast(IO[bytes], GunzipReader(source.read, source.close))
        case "bz2":
            return cast(IO[bytes], bz2.open(path, "rb"))
        case "xz":
            return cast(IO[bytes], lzma.open(path, "rb"))
        case _:
            return path.open("rb")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
