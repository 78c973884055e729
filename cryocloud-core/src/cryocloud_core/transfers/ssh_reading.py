"""What is read over SFTP: attributes, the bytes of a file in order, the files of a tree.

Laws: a file's bytes are those of one version of it, judged by the attributes of the open file before and after; names
are bytes on the wire and keep them; a name that could leave its directory is refused.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final

import asyncssh
from asyncssh.constants import FILEXFER_TYPE_DIRECTORY, FILEXFER_TYPE_REGULAR, FILEXFER_TYPE_SYMLINK
from attrs import frozen

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import SMALL_BYTES, RemoteFile, SmallFile
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.ssh_connections import Connection

#: the largest answer that OpenSSH gives to a read; smaller ones halve the speed
BLOCK = 255 * 1024
#: bytes that were asked for and did not come yet, and the most requests for them
UNDER_WAY_BYTES, MOST_READS = 4 << 20, 128
#: asyncssh then sends our requests as they are, instead of cutting them up in tasks of its own that outlive ours
AS_IT_IS = 0
#: our own unfinished files, here and there
PRIVATE: Final = b".cc-"
ITSELF: Final = (b".", b"..")


def path_of(url: Url) -> bytes:
    """Return the absolute path on the other side. Raises TransferError for none."""
    if not url.path:
        raise TransferError("names no path", subject=str(url), remedy=f"write {url.endpoint}/absolute/path")
    return os.fsencode(url.path)


def remote_file(url: str, attributes: asyncssh.SFTPAttrs) -> RemoteFile:
    """Return what attributes tell. Raises TransferError for what is neither file nor directory."""
    if attributes.type == FILEXFER_TYPE_DIRECTORY:
        return RemoteFile(url, is_directory=True)
    if attributes.type != FILEXFER_TYPE_REGULAR:
        raise TransferError("is neither a file nor a directory", subject=url)
    # Version 3 of the protocol, OpenSSH's, tells no more than whole seconds.
    changed = f"{attributes.mtime}.{attributes.mtime_ns or 0:09}"
    return RemoteFile(url, attributes.size, f"{attributes.size}-{changed}")


def _regular(remote: RemoteFile) -> RemoteFile:
    if remote.is_directory:
        raise TransferError("is a directory", subject=remote.url)
    return remote


async def stat(connection: Connection, url: Url) -> RemoteFile:
    """Return what the other side tells of a file or directory, links followed."""
    return remote_file(str(url), await connection.answer(connection.sftp.stat(path_of(url))))


@frozen
class Opened:
    """A file that is open there, as it was when it was opened."""

    connection: Connection
    file: asyncssh.SFTPClientFile
    remote: RemoteFile

    @classmethod
    async def of(cls, connection: Connection, url: Url) -> Opened:
        """Open a file. Raises TransferError for a directory, and what asyncssh raises."""
        file = await connection.answer(connection.sftp.open(path_of(url), "rb", block_size=AS_IT_IS))
        opened = cls(connection, file, RemoteFile(str(url)))
        try:
            remote = _regular(remote_file(str(url), await connection.answer(file.stat())))
        except BaseException:
            opened.close()
            raise
        return cls(connection, file, remote)

    def close(self) -> None:
        """Close it, without waiting for that."""
        if self.connection.is_usable:
            self.connection.aside(self.file.close)

    async def pieces(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` up to `stop`, in order. Raises RemoteFileChanged, and what asyncssh raises."""
        waiting: deque[tuple[int, asyncio.Task[bytes]]] = deque()
        block = min(BLOCK, self.connection.sftp.limits.max_read_len)
        at = start
        try:
            while waiting or at < stop:
                while at < stop and len(waiting) < min(UNDER_WAY_BYTES // block, MOST_READS):
                    size = min(block, stop - at)
                    waiting.append((size, asyncio.create_task(self._block(at, size))))
                    at += size
                size, reading = waiting[0]
                piece = await self.connection.answer(reading)
                waiting.popleft()
                if len(piece) != size:
                    raise RemoteFileChanged("became shorter while it was read", subject=self.remote.url)
                yield piece
        finally:
            for _, reading in waiting:
                reading.cancel()
            await asyncio.gather(*(reading for _, reading in waiting), return_exceptions=True)
        await self._look_again()

    async def _block(self, at: int, size: int) -> bytes:
        """Return the bytes at a place; fewer only at the end of the file."""
        piece = await self._read(at, size)
        while piece and len(piece) < size and (more := await self._read(at + len(piece), size - len(piece))):
            piece += more
        return piece

    async def _read(self, at: int, size: int) -> bytes:
        found: bytes = await self.file.read(size, at)
        return found

    async def _look_again(self) -> None:
        now = remote_file(self.remote.url, await self.connection.answer(self.file.stat()))
        if now.validator != self.remote.validator:
            raise RemoteFileChanged("was written to while it was read", subject=self.remote.url)


async def small(connection: Connection, url: Url) -> SmallFile | None:
    """Return a small file whole, None for a larger one. Raises RemoteFileChanged, and what asyncssh raises."""
    opened = await Opened.of(connection, url)
    try:
        size = opened.remote.size_bytes or 0
        if size > SMALL_BYTES:
            return None
        return SmallFile(opened.remote, b"".join([piece async for piece in opened.pieces(0, size)]))
    finally:
        opened.close()


@frozen
class _Folder:
    """A directory of a tree: its name below the top, and the real paths of itself and those above it."""

    name: bytes
    reals: tuple[bytes, ...]


async def files_below(connection: Connection, url: Url) -> AsyncGenerator[list[RemoteFile], None]:
    """Yield files and empty directories below one by the batch, at any depth, links followed unless they lead back up.

    Raises RemoteFileMissing also for a link to nothing, TransferError for what is neither file nor directory.
    """
    if not (await stat(connection, url)).is_directory:
        raise TransferError("is no directory", subject=str(url))
    waiting = [_Folder(b"", (await connection.answer(connection.sftp.realpath(path_of(url))),))]
    while waiting:
        folder = waiting.pop()
        files, deeper = await _look_into(connection, url, folder)
        waiting += deeper
        if files:
            yield files
        elif not deeper:
            yield [RemoteFile(f"{url.text.rstrip('/')}/{os.fsdecode(folder.name)}", is_directory=True)]


async def _look_into(connection: Connection, top: Url, folder: _Folder) -> tuple[list[RemoteFile], list[_Folder]]:
    files, deeper = [], []
    base, root = top.text.rstrip("/"), path_of(top).rstrip(b"/")
    for name, attributes in await connection.answer(_entries(connection, root + b"/" + folder.name, top)):
        below = folder.name + b"/" + name if folder.name else name
        url, path = f"{base}/{os.fsdecode(below)}", root + b"/" + below
        is_link = attributes.type == FILEXFER_TYPE_SYMLINK
        there = await _followed(connection, path, url) if is_link else attributes
        if there.type != FILEXFER_TYPE_DIRECTORY:
            files.append(remote_file(url, there))
            continue
        real = (
            await connection.answer(connection.sftp.realpath(path))
            if is_link
            else folder.reals[-1].rstrip(b"/") + b"/" + name
        )
        if real not in folder.reals:
            deeper.append(_Folder(below, (*folder.reals, real)))
    return files, deeper


async def _entries(connection: Connection, path: bytes, top: Url) -> list[tuple[bytes, asyncssh.SFTPAttrs]]:
    found = [(_checked(entry.filename, top), entry.attrs) async for entry in connection.sftp.scandir(path)]
    return [(name, attributes) for name, attributes in found if name not in ITSELF and not name.startswith(PRIVATE)]


async def _followed(connection: Connection, path: bytes, url: str) -> asyncssh.SFTPAttrs:
    try:
        return await connection.answer(connection.sftp.stat(path))
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as error:
        raise RemoteFileMissing("is a link to nothing", subject=url) from error


def _checked(name: bytes | str, top: Url) -> bytes:
    if not isinstance(name, bytes) or not name or b"/" in name or b"\0" in name:
        raise TransferError(f"holds the impossible name {name!r}", subject=str(top))
    return name
