"""What the tests of S3 do again and again: a transfer to a server, a bucket of one's own, texts put and read."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field

from cryocloud_core.sdk.transfer import Outgoing, RemoteFile, TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.s3 import S3Transfer
from cryocloud_core.transfers.s3_access import Place
from tests.services.s3server import S3Server


def outgoing(folder: Path, data: bytes, moved: Callable[[int], None] = lambda _: None, **more: Any) -> Outgoing:
    """Return data as a file that is to be put."""
    path = folder / secrets.token_hex(8)
    path.write_bytes(data)
    return Outgoing(path, len(data), hashlib.sha256(data).hexdigest(), moved, **more)


@define(eq=False)
class Shop:
    """A bucket (not made yet) of a server, files to put into it, and a transfer that reaches it."""

    server: S3Server
    folder: Path
    settings: dict[str, Any] = field(factory=dict)
    bucket: str = field(factory=lambda: f"bucket-{secrets.token_hex(6)}")
    transfer: S3Transfer = field()

    @transfer.default
    def _make(self) -> S3Transfer:
        return S3Transfer(TransferConfig(self.server.config(**self.settings)))

    def fresh(self) -> Shop:
        """Return the same with another bucket."""
        return Shop(self.server, self.folder, transfer=self.transfer)

    def url(self, key: str = "") -> Url:
        """Return the URL of a key, without one of the bucket."""
        return Url.parse(self.server.url(f"{self.bucket}/{key}" if key else self.bucket))

    def put(self, key: str, data: bytes = b"content", **more: Any) -> None:
        """Put data."""
        self.transfer.put(outgoing(self.folder, data, **more), self.url(key))

    def get(self, key: str, *wanted: Any) -> bytes:
        """Return what a read gives."""
        with self.transfer.read(self.url(key), *wanted) as incoming:
            return b"".join(incoming.chunks)

    def stat(self, key: str = "") -> RemoteFile:
        """Return what is told of a key."""
        return self.transfer.stat(self.url(key))

    def names(self, prefix: str = "") -> list[str]:
        """Return the keys of files below a prefix, from the bucket."""
        base = f"{self.url()}/"
        listed = self.transfer.listing(self.url(prefix))
        return [found.url.removeprefix(base) for found in listed if not found.is_directory]

    def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a plain S3 request about the bucket."""
        client = self.transfer._server(self.url()).client
        return client.call(Place.of(self.url()), operation, **arguments)

    def unfinished(self) -> list[str]:
        """Return the keys of uploads in parts that are neither completed nor aborted."""
        return [upload["Key"] for upload in self.ask("list_multipart_uploads").get("Uploads", [])]
