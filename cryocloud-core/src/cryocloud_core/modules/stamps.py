"""Telling whether a source file changed since it was read.

Laws: the same stat means the same content only for a file that was at rest when it was read; a younger one
is read again and compared, because two writes within one tick of the file system's clock look alike.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from attrs import frozen

#: A file modified less than this before it was read may change again without showing it (whole seconds on FAT, NFSv2).
AT_REST_NS = 2_000_000_000


@frozen
class Stamp:
    """What a file looked like when it was read: its stat, the SHA-256 of its bytes, and when (ns since 1970)."""

    mtime_ns: int
    size_bytes: int
    inode: int
    digest: bytes
    read_at_ns: int

    def renewed(self, path: str) -> Stamp | None:
        """Return a stamp that holds now, None when the content changed or the file is gone."""
        try:
            found = os.stat(path)  # noqa: PTH116 - before every task, and a Path costs as much as the call
            same = (found.st_mtime_ns, found.st_size, found.st_ino) == (self.mtime_ns, self.size_bytes, self.inode)
            if same and self.read_at_ns - self.mtime_ns > AT_REST_NS:
                return self
            stamp, _ = read_stamped(path)
        except OSError:
            return None
        return stamp if stamp.digest == self.digest else None


#: Holds for no content: the file was gone when it should have been stamped.
NEVER = Stamp(0, -1, 0, b"", 0)


def read_stamped(path: str) -> tuple[Stamp, bytes]:
    """Return a file's bytes and the stamp that goes with them. Raises OSError.

    The stat is taken first: a write between stat and read then shows as a changed stat at the next look.
    """
    now = time.time_ns()
    found = Path(path).stat()
    data = Path(path).read_bytes()
    stamp = Stamp(found.st_mtime_ns, found.st_size, found.st_ino, hashlib.sha256(data).digest(), now)
    return stamp, data
