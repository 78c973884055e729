"""Reading a stream in a thread of its own, a little ahead of who uses it: inflating and writing at the same time.

Laws: what is ahead is bounded; an error comes where its bytes would have; the thread is over when the reader is closed.
"""

from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import IO, Any, Self

from attrs import define, field

#: bytes that are handed over at a time; who reads so many gets them without a copy
BLOCK_BYTES = 256 * 1024
_BLOCKS = 16
#: seconds after which a thread that waits looks whether it is to end
_LOOK_S = 0.1


@define(eq=False)
class ReadAhead:
    """A stream that is read forward by one reader. Closes the stream when it is left."""

    stream: IO[bytes]
    _blocks: queue.Queue[bytes | Exception] = field(factory=lambda: queue.Queue(_BLOCKS))
    _block: bytes = b""
    _at: int = 0
    _over: bool = False
    _closed: threading.Event = field(factory=threading.Event)
    _thread: threading.Thread | None = None

    def read(self, size: int) -> bytes:
        """Return at most so many bytes, none at the end. Raises what the stream raised."""
        if self._at == len(self._block) and not self._over:
            self._block, self._at = self._next(), 0
        if self._at == 0 and size >= len(self._block):
            self._at = len(self._block)
            return self._block
        begin, self._at = self._at, min(self._at + size, len(self._block))
        return self._block[begin : self._at]

    def close(self) -> None:
        """End the thread and close the stream."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        self.stream.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _next(self) -> bytes:
        if self._thread is None:
            self._thread = threading.Thread(target=self._fill, name="cc-readahead", daemon=True)
            self._thread.start()
        found = self._blocks.get()
        if isinstance(found, Exception):
            self._over = True
            raise found
        self._over = not found
        return found

    def _fill(self) -> None:
        block: Any = None
        while block is None or (isinstance(block, bytes) and block):
            try:
                block = self.stream.read(BLOCK_BYTES)
            except Exception as error:  # noqa: BLE001 - raised again where its bytes would have been
                block = error
            while not self._closed.is_set():
                try:
                    self._blocks.put(block, timeout=_LOOK_S)
                    break
                except queue.Full:
                    continue
            if self._closed.is_set():
                return
