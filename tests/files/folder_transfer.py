"""A transfer as a plugin might bring it: a directory plays the servers, `<root>/<server>/<path>`.

Laws: it serves whatever scheme it is registered for; what it was asked is counted; a test may hold its reads up.
"""

from __future__ import annotations

import io
import os
import shutil
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from cryocloud_core.errors import RemoteFileMissing, TransferError
from cryocloud_core.files.service import FileService
from cryocloud_core.files.staging import Stage
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.transfer import Abilities, Incoming, Outgoing, RemoteFile, Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.task import Code, Preparation, Staging, StagingKind, Task

CHUNK = 64 * 1024


class FolderTransfer(Transfer):
    """Everything a transfer can do, on files below `root` of its configuration."""

    abilities = Abilities(ranges=True, put=True, remove=True, listing=True)
    asked: ClassVar[Counter[str]] = Counter()
    lock: ClassVar[threading.Lock] = threading.Lock()
    #: called before each chunk is read or written
    held_up: ClassVar[Callable[[], Any]] = staticmethod(lambda: None)

    def stat(self, url: Url) -> RemoteFile:
        """Return size and time of change."""
        path = self._path(url)
        if not path.exists():
            raise RemoteFileMissing("there is nothing of that name", subject=str(url))
        found = path.stat()
        if path.is_dir():
            return RemoteFile(str(url), is_directory=True)
        return RemoteFile(str(url), found.st_size, f"{found.st_size}-{found.st_mtime_ns}")

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Open the bytes."""
        self._count("read", url)
        remote = self.stat(url)
        if remote.is_directory:
            raise TransferError("is a directory", subject=str(url))
        return Incoming(remote, self._chunks(url, start, stop), start)

    def put(self, outgoing: Outgoing, url: Url) -> None:
        """Write beside, then rename."""
        self._count("put", url)
        path = self._path(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".part-{path.name}")
        with part.open("wb") as file, outgoing.path.open("rb") as source:
            while data := source.read(CHUNK):
                FolderTransfer.held_up()
                file.write(data)
                outgoing.moved(len(data))
        part.replace(path)

    def remove(self, url: Url) -> None:
        """Remove a file, or an empty directory for what has no key."""
        self._count("remove", url)
        path = self._path(url)
        if not path.exists():
            raise RemoteFileMissing("there is nothing of that name", subject=str(url))
        path.rmdir() if path.is_dir() else path.unlink()

    def listing(self, url: Url) -> Iterator[RemoteFile]:
        """Yield every file below."""
        base = self._path(url)
        for path in sorted(base.rglob("*")):
            if path.is_file():
                yield self.stat(Url.parse(f"{url.text.rstrip('/')}/{path.relative_to(base)}"))

    def _path(self, url: Url) -> Path:
        root = Path(self.config.get(url, "root"))
        return root / url.server / os.fsdecode(os.fsencode(url.path.strip("/")))

    def _chunks(self, url: Url, start: int, stop: int | None) -> Iterator[bytes]:
        with self._path(url).open("rb") as file:
            file.seek(start)
            while data := file.read(CHUNK if stop is None else min(CHUNK, stop - file.tell())):
                FolderTransfer.held_up()
                yield data

    def _count(self, verb: str, url: Url) -> None:
        with FolderTransfer.lock:
            FolderTransfer.asked[f"{verb} {url}"] += 1


def routes_to(root: Path, *schemes: str, hosts: dict[str, Any] | None = None) -> Routes:
    """Return routes that lead these schemes to folders below `root`."""
    route = Route("folder", f"{__name__}:FolderTransfer", "FOLDER", package="tests")
    return Routes(dict.fromkeys(schemes, route), {"FOLDER": {"root": str(root)}}, hosts or {})


def forget() -> None:
    """Let a test begin with nothing asked and nothing held up."""
    FolderTransfer.asked.clear()
    FolderTransfer.held_up = staticmethod(lambda: None)


def clear(path: Path) -> None:
    """Remove a file or a directory of a server."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def put(servers: Path, place: str, content: str | bytes = "content") -> Path:
    """Put a file on a server: `host/path`."""
    path = servers / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def zipped(**members: str) -> bytes:
    """Return a zip archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_", "/"), text)
    return made.getvalue()


def staged(files: FileService, value: Any, *origins: str, **how: Any) -> Any:
    """Return what becomes of an argument of `type: file`."""
    staging = Staging("a", Preparation(StagingKind.FILE, **how), origins)
    return Stage(files).arguments(Task("7/N/1", 7, "N", "m", "w", Code("m"), "n0", {"a": value}, staging=(staging,)))[
        "a"
    ]


def reads(*texts: str) -> int:
    """Return how often files were read, whose URLs hold one of the texts."""
    return sum(
        n for what, n in FolderTransfer.asked.items() if what.startswith("read") and any(t in what for t in texts)
    )
