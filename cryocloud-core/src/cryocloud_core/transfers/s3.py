"""Files in S3 buckets: `s3://server[:port]/bucket/key`, of Amazon's or anybody else's servers.

Laws: a key is taken verbatim; a server has one session, made by the first URL that names it and used by all threads.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Generator, Iterator, Sequence
from typing import ClassVar

from cryocloud_core.errors import TransferError
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
from cryocloud_core.transfers.loop import BackgroundLoop
from cryocloud_core.transfers.s3_access import SETTINGS, Access, Place
from cryocloud_core.transfers.s3_client import S3Client, Sessions
from cryocloud_core.transfers.s3_parts import PARTS_OF_ALL
from cryocloud_core.transfers.s3_server import S3Server


class S3Transfer(Transfer):
    """Reads, puts, removes and lists objects; removes empty buckets."""

    abilities: ClassVar[Abilities] = Abilities(
        ranges=True, put=True, remove=True, listing=True, streams=4, folders=True, side_by_side=8, snapshots=True
    )
    settings: ClassVar[frozenset[str]] = SETTINGS

    def __init__(self, config: TransferConfig) -> None:
        super().__init__(config)
        self._loop = BackgroundLoop("cc-s3")
        self._sessions = Sessions()
        self._servers: dict[str, S3Server] = {}
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(PARTS_OF_ALL)

    @classmethod
    def refuse(cls, url: Url, *, put: bool = False) -> None:
        """Raise TransferError for what names no bucket, or with `put` no object, and for keys that there are not."""
        if Place.of(url).is_prefix and put:
            raise TransferError("names no object", subject=str(url), remedy=f"write s3://{url.server}/bucket/key")

    def stat(self, url: Url) -> RemoteFile:
        """Return what the server tells of an object; a prefix with something below it is a directory."""
        return self._server(url).stat(Place.of(url))

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Open the bytes from `start` up to, not including, `stop`; chunks may be empty while nothing comes."""
        return self._server(url).read(Place.of(url), start, stop, validator)

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield small objects whole."""
        return self._server(urls[0]).read_small([Place.of(url) for url in urls], streams)

    def stat_many(self, urls: Sequence[Url], streams: int) -> Generator[RemoteFile | None]:
        """Yield what the server tells of objects; a checksum that is not ours only `stat` tells in any case."""
        return self._server(urls[0]).stat_many([Place.of(url) for url in urls], streams)

    def put(self, outgoing: Outgoing, url: Url) -> None:
        """Write a file, whole or not at all, with its SHA-256 in the metadata; its bucket is made if missing."""
        self.refuse(url, put=True)
        self._server(url).put(Place.of(url), outgoing)

    def make_folder(self, url: Url) -> None:
        """Write an empty object whose key ends in `/`, by which consoles and other programs know a directory."""
        self._server(url).make_folder(Place.of(Url.parse(f"{url.text.rstrip('/')}/")))

    def remove(self, url: Url) -> None:
        """Remove an object; without a key the bucket, which must be empty."""
        self._server(url).remove(Place.of(url))

    def listing(self, url: Url) -> Iterator[RemoteFile]:
        """Yield every object below a prefix, in the order of their keys."""
        return self._server(url).listing(Place.of(url))

    def close(self) -> None:
        """Let go of all connections."""
        atexit.unregister(self.close)
        with self._lock:
            servers, self._servers = list(self._servers.values()), {}
        for server in servers:
            server.close()
        self._loop.close()

    def _server(self, url: Url) -> S3Server:
        """Return what is done at the server of `url`. Raises ConfigError."""
        with self._lock:
            if url.endpoint not in self._servers:
                atexit.register(self.close)  # connections that are left to the end are complained about in the log
                client = S3Client(Access.of(self.config, url), self._loop, self._sessions)
                self._servers[url.endpoint] = S3Server(client, self._loop, self._room)
            return self._servers[url.endpoint]
