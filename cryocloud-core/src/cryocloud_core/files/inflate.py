"""Inflating what deflate packed: zlib, or isal where it is installed, which takes half the time.

Laws: a stream that ends early, carries on after its end or fails its checksum is an error, never a shorter file;
memory is bounded whatever a stream claims.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Any, Self, cast

from attrs import define

#: packed bytes that are taken at a time
BLOCK_BYTES = 256 * 1024
#: a bare stream, as zip has it; one with gzip's header and checksum
RAW, GZIP = -15, 31


def inflater(wbits: int) -> Any:
    """Return a decompressor with zlib's interface."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.decompressobj(wbits)
    return isal_zlib.decompressobj(wbits)


def errors() -> tuple[type[Exception], ...]:
    """Return what a decompressor raises for damage."""
    try:
        from isal import isal_zlib
    except ImportError:
        return (zlib.error,)
    return (zlib.error, cast("type[Exception]", isal_zlib.error))


@define(eq=False)
class GunzipReader:
    """What is inside gzip, member after member, as a file that is read forward."""

    source: Callable[[int], bytes]
    close: Callable[[], None] = lambda: None
    _inflater: Any = None
    _packed: bytes = b""
    _begun: bool = False

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end only. Raises EOFError, BadGzipFile."""
        parts: list[bytes] = []
        missing = size
        while missing and (data := self._some(missing)):
            parts.append(data)
            missing -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_raised: object) -> None:
        """Close the source."""
        self.close()

    def _some(self, size: int) -> bytes:
        """Return at most so many bytes, none at the end."""
        while self._inflater is not None or self._begin():
            packed = self._packed or self.source(BLOCK_BYTES)
            if not packed:
                raise EOFError("its compressed data ends in the middle")
            try:
                data: bytes = self._inflater.decompress(packed, size)
            except errors() as error:
                raise gzip.BadGzipFile(f"its data or its CRC is wrong: {error}") from error
            self._packed = self._inflater.unconsumed_tail
            if self._inflater.eof:
                self._packed, self._inflater = self._inflater.unused_data, None
            if data:
                return data
        return b""

    def _begin(self) -> bool:
        """Begin the next member; False at the end, which may be padded with zeros."""
        packed = self._packed or self.source(BLOCK_BYTES)
        while packed and self._begun and not packed.strip(b"\0"):
            packed = self.source(BLOCK_BYTES)
        if self._begun:
            packed = packed.lstrip(b"\0")
        if packed and len(packed) == 1:
            packed += self.source(BLOCK_BYTES)
        if not packed:
            return False
        if not packed.startswith(b"\x1f\x8b"):
            raise gzip.BadGzipFile("something that is not gzip follows its data")
        self._packed, self._begun, self._inflater = packed, True, inflater(GZIP)
        return True
