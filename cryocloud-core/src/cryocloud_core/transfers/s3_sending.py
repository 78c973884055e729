"""One file on its way to S3: the requests for it, how many of its bytes were taken, and when to stop waiting.

Laws: whoever waits looks up several times a second, says how far it is and hears when it is to stop; a connection that
takes nothing for the server's read time-out is given up, however long its kernel would wait.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from attrs import define, field

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.transfer import Outgoing
from cryocloud_core.transfers.s3_access import Place
from cryocloud_core.transfers.s3_client import S3Client
from cryocloud_core.transfers.s3_reading import SHA256

#: seconds after which who waits looks up
LOOK_S = 0.2

Answering = Future[dict[str, Any]]


class Body(io.BytesIO):
    """Bytes that are sent; `taken` is how many of them a connection took, those that are sent again counted once."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.taken = 0
        self.md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode("ascii")

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        data = super().read(size)
        self.taken = max(self.taken, self.tell())
        return data


@define(eq=False)
class Sending:
    """A file and where it goes to. `descriptor` is the open file."""

    client: S3Client
    place: Place
    outgoing: Outgoing
    descriptor: int
    _bodies: list[Body] = field(factory=list)
    _sent: int = 0
    _taken: int = 0
    _told: int = 0
    _moved_at: float = field(factory=time.monotonic)

    @property
    def metadata(self) -> dict[str, str]:
        """What the object is to say of itself."""
        return {SHA256: self.outgoing.sha256}

    def start(self, operation: str, **arguments: Any) -> Answering:
        """Begin a request about the object."""
        return self.client.start(self.place, operation, Key=self.place.key, **arguments)

    def send(self, operation: str, data: bytes, **arguments: Any) -> tuple[Answering, Body]:
        """Begin a request that sends bytes; the body is to be dropped when it was answered."""
        body = Body(data)
        self._bodies.append(body)
        return self.start(operation, Body=body, ContentMD5=body.md5, **arguments), body

    def drop(self, body: Body) -> None:
        """Let go of bytes that were sent."""
        self._bodies.remove(body)
        self._sent += body.taken

    def read(self, start: int, size: int) -> bytes:
        """Return bytes of the file. Raises TransferError when there are fewer."""
        pieces = []
        while size > 0 and (piece := os.pread(self.descriptor, size, start)):
            pieces.append(piece)
            start, size = start + len(piece), size - len(piece)
        if size:
            raise TransferError("became shorter while it was sent", subject=str(self.outgoing.path))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def answer(self, future: Answering) -> dict[str, Any]:
        """Return the answer to a request. Raises TransferError and what `moved` raises."""
        try:
            while not future.done():
                self.ended([future])
            return future.result()
        finally:
            future.cancel()

    def ended(self, futures: Iterable[Answering]) -> set[Answering]:
        """Return the requests that ended, after a short wait at most. Raises as `answer`."""
        done = wait(futures, timeout=LOOK_S, return_when=FIRST_COMPLETED).done
        access = self.client.access
        patience = access.connect_timeout_s + access.timeout_s
        if self._look() or done:
            self._moved_at = time.monotonic()
        elif time.monotonic() - self._moved_at > patience:
            told = f"{access.endpoint} took nothing for {patience:g} s"
            raise TransferError(told, subject=str(self.place.url), repeat=True)
        self.tell(self._taken)
        return done

    def tell(self, taken: int) -> None:
        """Say that so many bytes were taken in all, none of them twice."""
        more = max(0, taken - self._told)
        self._told += more
        self.outgoing.moved(more)

    def again(self) -> None:
        """Begin from the first byte."""
        self._bodies.clear()
        self._sent = self._taken = 0

    def rest(self) -> None:
        """Wait a moment for somebody else. Raises what `moved` raises."""
        self.outgoing.moved(0)
        self._moved_at = time.monotonic()

    def _look(self) -> bool:
        """Return True when the connections took more since the last look."""
        before, self._taken = self._taken, self._sent + sum(body.taken for body in self._bodies)
        return self._taken > before
