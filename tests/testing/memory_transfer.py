"""A transfer over fsspec's memory without a fault, and places in it; the tests of the kit break it."""

from __future__ import annotations

import uuid
from typing import ClassVar

import fsspec

from cryocloud_core.sdk.fsspec_transfer import FsspecTransfer
from cryocloud_core.testing.transfers import Place


class MemoryPlace(Place):
    """A folder of fsspec's memory."""

    def __init__(self) -> None:
        self.folder = uuid.uuid4().hex
        self.files = fsspec.filesystem("memory")

    def url(self, name: str) -> str:
        """Return the URL of a name."""
        return f"memory://{self.folder}/{name}".rstrip("/")

    def seed(self, name: str, content: bytes) -> None:
        """Write a file."""
        self.files.pipe_file(f"/{self.folder}/{name}", content)

    def content(self, name: str) -> bytes | None:
        """Return a file's bytes."""
        path = f"/{self.folder}/{name}"
        return bytes(self.files.cat_file(path)) if self.files.exists(path) else None

    def names(self) -> set[str]:
        """Return the files of the folder."""
        return {path.removeprefix(f"/{self.folder}/") for path in self.files.find(f"/{self.folder}")}


class Memory(FsspecTransfer):
    """A transfer without a fault."""

    protocol: ClassVar[str] = "memory"
