"""Any fsspec filesystem as a transfer: subclass FsspecTransfer, name the protocol, offer the class.

Laws: fsspec is imported with this module and by nobody else here; an fsspec file that is left in an error is committed
as far as it was written, so what is put gets its name only when it is complete; paths are never taken for patterns.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import fsspec
from fsspec.spec import AbstractFileSystem

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import Abilities, Incoming, Outgoing, RemoteFile, Transfer
from cryocloud_core.sdk.url import Url

BLOCK = 1 << 20
#: our own unfinished files
PRIVATE = ".cc-"


class FsspecTransfer(Transfer):
    """A transfer over the fsspec filesystem `protocol`. `raised` is what its library raises beside OSError."""

    abilities: ClassVar[Abilities] = Abilities(ranges=True, put=True, remove=True, listing=True, snapshots=True)
    protocol: ClassVar[str]
    raised: ClassVar[tuple[type[Exception], ...]] = ()

    def options(self, url: Url) -> dict[str, Any]:  # noqa: ARG002 - for those that have several servers
        """Return the filesystem's storage options for the server of `url`, from `self.config`."""
        return {}

    def path_of(self, url: Url) -> str:
        """Return what the filesystem calls the file."""
        return f"{url.host}{url.path}"

    def move(self, files: AbstractFileSystem, old: str, new: str) -> None:
        """Give a complete file its name, over what is there. Override it where the filesystem can in one step."""
        files.cp_file(old, new)
        files.rm_file(old)

    def validator_of(self, info: dict[str, Any]) -> str | None:
        """Return what changes with a file's content, from what the filesystem tells of it; None when nothing does."""
        found = (info.get(name) for name in ("ETag", "etag", "mtime", "modified", "LastModified", "created"))
        changed = next((each for each in found if each is not None), None)
        return None if changed is None else f"{info.get('size')}-{changed}"

    def filesystem(self, url: Url) -> AbstractFileSystem:
        """Return the filesystem of `url`; fsspec keeps one for each set of options."""
        return fsspec.filesystem(self.protocol, **self.options(url))

    def stat(self, url: Url) -> RemoteFile:
        """Return what the filesystem tells of a file or directory."""
        with self._explained(url):
            return self._remote(str(url), self.filesystem(url).info(self.path_of(url)))

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Open the bytes from `start` up to `stop`."""
        remote = self.stat(url)
        if remote.is_directory:
            raise TransferError("is a directory", subject=str(url))
        if validator not in (None, remote.validator):
            raise RemoteFileChanged("is no longer the file that was begun with", subject=str(url))
        with self._explained(url):
            file = self.filesystem(url).open(self.path_of(url), "rb")
        ends = [end for end in (stop, remote.size_bytes) if end is not None]
        pieces = self._pieces(url, file, remote, (start, min(ends) if ends else None))
        return Incoming(remote, pieces, start, file.close)

    def put(self, outgoing: Outgoing, url: Url) -> None:
        """Write a file under a private name beside its place, compare its size, then move it there."""
        files, path = self.filesystem(url), self.path_of(url)
        folder = path.rpartition("/")[0]
        draft = f"{folder}/{PRIVATE}{uuid.uuid4().hex}"
        try:
            with self._explained(url):
                files.makedirs(folder, exist_ok=True)
            for count in self._sent(files, draft, outgoing, url):
                outgoing.moved(count)
            with self._explained(url):
                self._check_size(files.info(draft).get("size"), outgoing, url)
                self.move(files, draft, path)
        finally:
            with self._explained(url):
                if files.exists(draft):
                    files.rm_file(draft)

    def remove(self, url: Url) -> None:
        """Remove a file."""
        with self._explained(url):
            files, path = self.filesystem(url), self.path_of(url)
            files.info(path)  # not every filesystem says that there is nothing
            files.rm_file(path)

    def listing(self, url: Url) -> Iterator[RemoteFile]:
        """Yield every file below a directory, at any depth."""
        with self._explained(url):
            files, top = self.filesystem(url), self.path_of(url).rstrip("/")
            files.info(top)
            found = files.find(top, detail=True)
        base, cut = url.text.rstrip("/"), len(files._strip_protocol(top))  # noqa: SLF001 - as the names below are
        for path, info in found.items():
            below = path[cut:].lstrip("/")
            if below and not below.rpartition("/")[2].startswith(PRIVATE):
                yield self._remote(f"{base}/{below}", info)

    def _remote(self, url: str, info: dict[str, Any]) -> RemoteFile:
        if info.get("type") == "directory":
            return RemoteFile(url, is_directory=True)
        return RemoteFile(url, info.get("size"), self.validator_of(info))

    def _pieces(self, url: Url, file: Any, remote: RemoteFile, span: tuple[int, int | None]) -> Iterator[bytes]:
        at, stop = span
        with self._explained(url), file:
            file.seek(at)
            while stop is None or at < stop:
                piece = file.read(BLOCK if stop is None else min(BLOCK, stop - at))
                if not piece:
                    break
                at += len(piece)
                yield piece
        if stop is not None and at < stop:
            raise RemoteFileChanged("became shorter while it was read", subject=str(url))
        if self.stat(url).validator != remote.validator:
            raise RemoteFileChanged("was written to while it was read", subject=str(url))

    def _sent(self, files: AbstractFileSystem, draft: str, outgoing: Outgoing, url: Url) -> Iterator[int]:
        with self._explained(url), outgoing.path.open("rb") as source, files.open(draft, "wb") as target:
            while piece := source.read(BLOCK):
                target.write(piece)
                yield len(piece)

    def _check_size(self, found: int | None, outgoing: Outgoing, url: Url) -> None:
        if found is not None and found != outgoing.size_bytes:
            told = f"{found} bytes arrived of {outgoing.size_bytes} that were to be sent"
            raise TransferError(told, subject=str(url), repeat=True)

    def _failures(self) -> tuple[type[Exception], ...]:
        return (OSError, *self.raised)

    @contextmanager
    def _explained(self, url: Url) -> Iterator[None]:
        """Say what the filesystem refused about `url`."""
        try:
            yield
        except FileNotFoundError as error:
            raise RemoteFileMissing("there is nothing of that name", subject=str(url)) from error
        except self._failures() as error:
            repeat = isinstance(error, ConnectionError | TimeoutError)
            told = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise TransferError(told, subject=str(url), repeat=repeat) from error
