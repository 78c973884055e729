"""The checksum of a file that is still arriving: hashed behind the bytes that came, while others come.

Laws: only bytes up to the first gap are read, as they lie in the file; bytes that were written again are read again; a
file that is here from an earlier try is read like any other.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from typing import Any

from attrs import define, field

from cryocloud_core.files.part import Part

_BLOCK_BYTES = 1024 * 1024
#: a smaller file is hashed when it is complete: a thread costs more than it saves
ALONG_BYTES = 8 * 1024 * 1024


def algorithm_of(checksum: str | None) -> str | None:
    """Return the algorithm of a `name:hex` checksum that can be computed here, None for any other."""
    name = (checksum or "").partition(":")[0]
    return name if name in hashlib.algorithms_available and not name.startswith("shake") else None


@define(eq=False)
class Follower:
    """Hashes a part from its first byte on. `begin` starts the thread, `digest` takes the rest over from it."""

    part: Part
    algorithm: str
    _hash: Any = None
    _at: int = 0
    _generation: int = -1
    _thread: threading.Thread | None = None
    _stopping: bool = False
    _block: bytearray = field(factory=lambda: bytearray(_BLOCK_BYTES))

    def begin(self) -> None:
        """Hash along while the file arrives."""
        if self._thread is None:
            self._stopping = False
            self._thread = threading.Thread(target=self._follow, name="cc-hash", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Stop hashing along; what was hashed stays."""
        with self.part.changed:
            self._stopping = True
            self.part.changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def digest(self, check: Callable[[], None]) -> str:
        """Return `algorithm:hex` of the file, which is complete. `check` raises to stop. Raises StagingError."""
        self.end()
        while self._step():
            check()
        return f"{self.algorithm}:{self._hash.hexdigest()}"

    def _follow(self) -> None:
        with self.part.changed:
            while True:
                self.part.changed.wait_for(self._has_work)
                if self._stopping:
                    return
                self.part.changed.release()
                try:
                    self._step()
                except OSError:
                    return  # `digest` reads it again and tells
                finally:
                    self.part.changed.acquire()

    def _has_work(self) -> bool:
        is_behind = self.part.done.frontier - self._at >= _BLOCK_BYTES
        return self._stopping or is_behind or self._generation != self.part.generation

    def _step(self) -> bool:
        """Hash the next block; False when there is none."""
        with self.part.changed:
            frontier, generation = self.part.done.frontier, self.part.generation
        if generation != self._generation:
            self._hash, self._at, self._generation = hashlib.new(self.algorithm, usedforsecurity=False), 0, generation
        wanted = min(_BLOCK_BYTES, frontier - self._at)
        if wanted <= 0:
            return False
        with memoryview(self._block)[:wanted] as view:
            count = os.preadv(self.part.descriptor, [view], self._at)
            self._hash.update(view[:count])
        self._at += count
        return count > 0
