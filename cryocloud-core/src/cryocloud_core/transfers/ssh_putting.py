"""How a file is put over SFTP: under a private name beside its place, made durable, looked at, then renamed.

Laws: the final name holds the old file or the whole new one; the file here is read, and `moved` is called, by the
caller's thread; what could not be finished is removed there, if the other side still answers.
"""

from __future__ import annotations

import asyncio
import os
import posixpath
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any, TypeVar

import asyncssh
from attrs import define, frozen

from cryocloud_core.errors import CryoCloudError, TransferError
from cryocloud_core.sdk.transfer import Outgoing
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.loop import BEAT_S, BackgroundLoop
from cryocloud_core.transfers.ssh_connections import Connection
from cryocloud_core.transfers.ssh_errors import RAISED, disk_full
from cryocloud_core.transfers.ssh_reading import AS_IT_IS, PRIVATE, path_of

T = TypeVar("T")
BLOCK = 1 << 20
#: what goes in one request: on a slow line the answers to larger ones would be too far apart to tell it from a dead one
PIECE = 64 * 1024
#: blocks on their way at a time
BLOCKS = 4
#: a disk that is slower than this, bytes a second, is taken for one that hangs
SLOWEST_DISK = 5e6


@frozen
class Draft:
    """The unfinished file on the other side."""

    connection: Connection
    url: Url
    path: bytes
    file: asyncssh.SFTPClientFile
    outgoing: Outgoing

    @classmethod
    async def begin(cls, connection: Connection, url: Url, outgoing: Outgoing) -> Draft:
        """Make it; missing parents too."""
        folder = posixpath.dirname(path_of(url))
        path = posixpath.join(folder, PRIVATE + uuid.uuid4().hex.encode())
        try:
            file = await connection.answer(connection.sftp.open(path, "wb", block_size=AS_IT_IS))
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            await make_folder(connection, url, folder)
            file = await connection.answer(connection.sftp.open(path, "wb", block_size=AS_IT_IS))
        if connection.settings.verify != "never":
            connection.aside(lambda: connection.digests.prepare(outgoing.size_bytes))
        return cls(connection, url, path, file, outgoing)

    async def write(self, data: bytes, at: int) -> int:
        """Write a block and return its size."""
        size = min(len(data), PIECE, self.connection.sftp.limits.max_write_len)
        pieces = [(data[begin : begin + size], at + begin) for begin in range(0, len(data), size)]
        await asyncio.gather(*(self._write(*piece) for piece in pieces))
        return len(data)

    async def _write(self, piece: bytes, at: int) -> None:
        # The request is made by whoever waits for it: a task that is cancelled before it begins makes none.
        await self.connection.answer(self.file.write(piece, at))

    async def finish(self) -> None:
        """Make it durable, see that it is what was sent, give it its name."""
        answer, sftp = self.connection.answer, self.connection.sftp
        with suppress(asyncssh.SFTPOpUnsupported):
            await answer(self.file.fsync(), self._extra_s)
        size = (await answer(self.file.stat())).size
        await answer(self.file.close())
        if size != self.outgoing.size_bytes:
            told = f"{self.url.server} has {size} bytes of the {self.outgoing.size_bytes} that were sent"
            raise TransferError(told, subject=str(self.url), repeat=True)
        await self._verify()
        try:
            await answer(sftp.posix_rename(self.path, path_of(self.url)))
        except asyncssh.SFTPOpUnsupported as error:
            raise TransferError(
                f"{self.url.server} cannot replace a file in one step", subject=str(self.url)
            ) from error
        except asyncssh.SFTPError as error:
            if await answer(sftp.isdir(path_of(self.url))):
                raise TransferError("is a directory there", subject=str(self.url)) from error
            raise

    async def undo(self, connection: Connection) -> None:
        """Remove it, over any connection to its server."""
        if connection is self.connection:
            self.connection.aside(self.file.close)
        await connection.answer(connection.sftp.remove(self.path))

    async def full_disk(self) -> TransferError | None:
        """Return the error of a full disk when that is why writing failed: version 3 of SFTP only says "failure"."""
        if not self.connection.is_usable:
            return None
        with suppress(asyncssh.Error, OSError):
            disk = await self.connection.answer(self.connection.sftp.statvfs(posixpath.dirname(self.path)))
            free = (disk.bavail or 0) * (disk.frsize or disk.bsize or 0)
            if free < BLOCK and free < self.outgoing.size_bytes:
                return disk_full(self.url, free)
        return None

    @property
    def _extra_s(self) -> float:
        return self.outgoing.size_bytes / SLOWEST_DISK

    async def _verify(self) -> None:
        """Compare digests, where the other side can make one. Raises TransferError."""
        wanted = self.connection.settings.verify
        if wanted == "never":
            return
        patience_s = self.connection.settings.timeout_s + self._extra_s
        digests = self.connection.digests
        found = await digests.of(self.path, self.outgoing.size_bytes, patience_s)
        if found is None and wanted == "always":
            remedy = "set verify to 'auto' to go without"
            mute = f"does not answer sha256sum within {digests.answer_s:g} s"
            why = mute if digests.mute else "cannot run sha256sum for us"
            raise TransferError(f"{self.url.server} {why}", subject=str(self.url), remedy=remedy)
        if found not in (None, self.outgoing.sha256):
            told = f"{self.url.server} has another content than was sent: sha256 {found}"
            raise TransferError(told, subject=str(self.url), repeat=True)


@define(eq=False)
class Putting:
    """One upload, driven by the caller's thread. `explain` makes an error of ours of what a call there raised."""

    loop: BackgroundLoop
    draft: Draft
    explain: Callable[[BaseException], CryoCloudError]

    def run(self) -> None:
        """Send everything and finish. Raises TransferError, and whatever `moved` raises."""
        waiting: deque[Future[int]] = deque()
        try:
            self._send(waiting)
            while waiting:
                self.draft.outgoing.moved(self._wait(waiting.popleft()))
            self._wait(self.loop.submit(self.draft.finish()))
        finally:
            for each in waiting:
                each.cancel()

    def _send(self, waiting: deque[Future[int]]) -> None:
        at, outgoing = 0, self.draft.outgoing
        for block in _blocks(outgoing, self.draft.url):
            waiting.append(self.loop.submit(self.draft.write(block, at)))
            at += len(block)
            if len(waiting) >= BLOCKS:
                outgoing.moved(self._wait(waiting.popleft()))

    def _wait(self, future: Future[T]) -> T:
        """Return a result; while there is none `moved` can say that the transfer is to stop."""
        try:
            while not wait((future,), BEAT_S).done:
                self.draft.outgoing.moved(0)
            return future.result()
        except asyncssh.SFTPFailure as error:
            raise self.loop.run(self.draft.full_disk()) or self.explain(error) from error
        except RAISED as error:
            raise self.explain(error) from error
        finally:
            future.cancel()


def _blocks(outgoing: Outgoing, url: Url) -> Iterator[bytes]:
    """Yield the content of our file. Raises TransferError when it cannot be read or has another size by now."""
    count = 0
    try:
        with outgoing.path.open("rb") as source:
            while block := source.read(BLOCK):
                count += len(block)
                yield block
    except OSError as error:
        raise TransferError(f"{outgoing.path} cannot be read: {error.strerror}", subject=str(url)) from error
    if count != outgoing.size_bytes:
        told = f"{outgoing.path} has {count} bytes now, {outgoing.size_bytes} were to be sent"
        raise TransferError(told, subject=str(url))


async def make_folder(connection: Connection, url: Url, folder: bytes) -> None:
    """Make a directory and its parents. Raises TransferError, whatever else asyncssh raises."""
    try:
        await connection.answer(connection.sftp.makedirs(folder, exist_ok=True))
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as error:
        told = f"the directory {os.fsdecode(folder)} cannot be made on {url.server}"
        raise TransferError(told, subject=str(url), remedy="name another one, or make it there") from error


def undo(loop: BackgroundLoop, draft: Draft, connection: Any) -> bool:
    """Remove a draft over its own connection, or over a new one; False when the server does not answer and keeps it."""
    with suppress(TransferError, OSError, asyncssh.Error):
        loop.run(_undo(draft, connection))
        return True
    return False


async def remove_draft(connection: Connection, path: str) -> None:
    """Take away what a dead process left; what is gone already is fine."""
    with suppress(asyncssh.SFTPNoSuchFile):
        await connection.answer(connection.sftp.remove(os.fsencode(path)))


async def _undo(draft: Draft, connection: Any) -> None:
    await draft.undo(draft.connection if draft.connection.is_usable else await connection())
