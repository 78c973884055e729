"""Files on other machines over ssh: `ssh://[user@]host[:port]/absolute/path`.

Laws: one connection for each server and user, whoever asks; host keys are checked; the bytes of a path are what its
text stands for (`os.fsencode`), here and there; nothing is removed there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from cryocloud_core.errors import CryoCloudError, RemoteFileChanged, TransferError
from cryocloud_core.sdk.transfer import (
    Abilities,
    Incoming,
    Outgoing,
    RemoteFile,
    SmallFile,
    Transfer,
    TransferConfig,
)
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers import ssh_reading as reading
from cryocloud_core.transfers.loop import BackgroundLoop, Stream
from cryocloud_core.transfers.side_by_side import side_by_side
from cryocloud_core.transfers.ssh_connections import Connection, Connections
from cryocloud_core.transfers.ssh_errors import RAISED, explained
from cryocloud_core.transfers.ssh_putting import Draft, Putting, make_folder, remove_draft, undo
from cryocloud_core.transfers.ssh_settings import SETTINGS, SshSettings
from cryocloud_core.transfers.unfinished import Note, Unfinished, of_the_dead

logger = logging.getLogger(__name__)

T = TypeVar("T")
#: bytes, or files of a listing, that may wait for a slow reader
AHEAD_BYTES, AHEAD_FILES = 4 << 20, 10_000
#: the note of an upload from here on is waited for; a small one would take no longer than that
DURABLE_BYTES = 8 << 20


class SshTransfer(Transfer):
    """Reads, lists and puts files over SFTP."""

    abilities: ClassVar[Abilities] = Abilities(
        ranges=True, put=True, listing=True, folders=True, side_by_side=8, snapshots=True
    )
    settings: ClassVar[frozenset[str]] = SETTINGS

    def __init__(self, config: TransferConfig) -> None:
        super().__init__(config)
        self._loop = BackgroundLoop("ssh")
        self._connections = Connections()
        self._settings: dict[str, SshSettings] = {}

    @classmethod
    def refuse(cls, url: Url, *, put: bool = False) -> None:  # noqa: ARG003 - it is the same for both
        """Raise TransferError for what names no path."""
        reading.path_of(url)

    def stat(self, url: Url) -> RemoteFile:
        """Return size and validator of a file or directory, links followed; a checksum is never known."""
        return self._run(url, lambda connection: reading.stat(connection, url))

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Open the bytes from `start` up to `stop`; an empty chunk says that nothing came for a moment."""

        async def begin(connection: Connection) -> tuple[RemoteFile, Stream[bytes]]:
            opened = await reading.Opened.of(connection, url)
            size = opened.remote.size_bytes or 0
            if validator not in (None, opened.remote.validator):
                opened.close()
                raise RemoteFileChanged("is no longer the file that was begun with", subject=str(url))
            pieces = opened.pieces(start, size if stop is None else min(stop, size))
            return opened.remote, Stream(self._loop, pieces, b"", AHEAD_BYTES, opened.close)

        remote, stream = self._run(url, begin)
        return Incoming(remote, self._told(url, stream), start, stream.close)

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield small files whole, over the one connection."""
        return self._side_by_side(urls, streams, reading.small)

    def stat_many(self, urls: Sequence[Url], streams: int) -> Generator[RemoteFile | None]:
        """Yield what the other side tells of files, over the one connection."""
        return self._side_by_side(urls, streams, reading.stat)

    def put(self, outgoing: Outgoing, url: Url) -> None:
        """Write a file to `url` whole, durable and compared with what was sent, over what is there."""
        if outgoing.notes is not None:
            self._end_the_dead(outgoing.notes, url)
        draft = self._run(url, lambda connection: Draft.begin(connection, url, outgoing))
        note, is_over = None, False
        try:
            if outgoing.notes is not None:
                unfinished = Unfinished(url, os.fsdecode(draft.path))
                note = Note.write(outgoing.notes, unfinished, durable=outgoing.size_bytes >= DURABLE_BYTES)
            Putting(self._loop, draft, lambda error: explained(error, url, self._of(url))).run()
            is_over = True
        except BaseException:
            is_over = undo(self._loop, draft, lambda: self._connect(url))
            raise  # where the server does not answer now the next put takes the draft away
        finally:
            if note is not None:
                note.close(is_over=is_over)

    def listing(self, url: Url) -> Iterator[RemoteFile]:
        """Yield every file and every empty directory, at any depth; links are followed unless they lead back up."""

        async def begin(connection: Connection) -> Stream[list[RemoteFile]]:
            return Stream(self._loop, reading.files_below(connection, url), [], AHEAD_FILES)

        stream = self._run(url, begin)
        try:
            for batch in self._told(url, stream):
                yield from batch
        finally:
            stream.close()

    def make_folder(self, url: Url) -> None:
        """Make a directory and those above it; one that is there is fine."""
        self._run(url, lambda connection: make_folder(connection, url, reading.path_of(url).rstrip(b"/") or b"/"))

    def remove(self, url: Url) -> None:
        """Refuse: only the machine that has a file removes it."""
        raise TransferError(
            "ssh:// cannot remove",
            subject=str(url),
            remedy='run "remove" on that machine, on the plain path: "ccnode": {"stat": "NODE.node"} of who made it',
        )

    def close(self) -> None:
        """Close all connections; they are made anew when the transfer is used again."""
        connections, self._connections = self._connections, Connections()
        if self._loop.is_running:
            self._loop.run(connections.close())
        self._loop.close()

    def _of(self, url: Url) -> SshSettings:
        if url.endpoint not in self._settings:
            self._settings[url.endpoint] = SshSettings.of(self.config, url)
        return self._settings[url.endpoint]

    def _end_the_dead(self, notes: Path, url: Url) -> None:
        """Take away the drafts of processes that were killed, at this server."""
        for note, unfinished in of_the_dead(notes, url.endpoint):
            is_over = False
            try:
                self._run(url, partial(remove_draft, path=unfinished.upload))
                is_over = True
            except TransferError as error:
                logger.warning("what a killed upload left cannot be removed now: %s", error)
            finally:
                note.close(is_over=is_over)

    def _side_by_side(
        self, urls: Sequence[Url], streams: int, find: Callable[[Connection, Url], Coroutine[Any, Any, T | None]]
    ) -> Generator[T | None]:
        async def nothing(_: Connection) -> None:
            pass

        async def found(url: Url) -> T | None:
            try:
                return await find(await self._connect(url), url)
            except RAISED as error:
                raise explained(error, url, self._of(url)) from error

        self._run(urls[0], nothing)  # who is not let in once is not let in for each file anew
        return side_by_side(self._loop, urls, streams, found, (CryoCloudError, *RAISED))

    async def _connect(self, url: Url) -> Connection:
        return await self._connections.to(url, self._of(url))

    def _run(self, url: Url, work: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
        """Return what work on a connection gives. Raises TransferError."""
        settings = self._of(url)

        async def connected() -> T:
            return await work(await self._connections.to(url, settings))

        try:
            return self._loop.run(connected())
        except RAISED as error:
            raise explained(error, url, settings) from error

    def _told(self, url: Url, stream: Stream[Any]) -> Iterator[Any]:
        try:
            yield from stream
        except RAISED as error:
            raise explained(error, url, self._of(url)) from error
