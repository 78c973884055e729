"""A place in memory that reads small files side by side, and does wrong what a test tells it to.

Laws: `spoils` says what becomes of a path's answer in `read_small` alone: whoever asks for the file by itself is served
honestly.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import define, evolve, field

from cryocloud_core.errors import RemoteFileMissing, TransferError
from cryocloud_core.files.bookkeeping import Books, settled
from cryocloud_core.files.disk import Disk, told
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.place_locks import PlaceLocks
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.transfer import SMALL_BYTES, RemoteFile, SmallFile
from cryocloud_core.sdk.url import Url
from tests.files.hostile import IDLE_S, FailingDisk, Memory, World, place

#: what an answer can be: those that hold the right file, those that hold a wrong one, those that end all
GOOD = ("right", "twice", "stranger", "nothing")
WRONG_ALONE = ("left out", "shorter", "longer", "flipped", "other size", "page", "s3 error", "directory")
#: … where it is known what the file is
WRONG = (*WRONG_ALONE, "other version")
ENDS = ("error", "refused", "reset", "freeze", "none for ever")
#: those that nothing but a checksum can tell
UNSEEN = ("flipped",)
SIZES = (0, 1, 100, 5_000, 70_000)
_PAGE = b"<html>please log in</html>"
_S3_ERROR = b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>"


@define(eq=False)
class SmallWorld(World):
    """A World with what goes wrong when its files are asked for together, by path; `asked` is what was, by the call."""

    spoils: dict[str, str] = field(factory=dict)
    asked: list[list[str]] = field(factory=list)
    #: what was asked about, by the call, and what goes wrong then, by path
    looked: list[list[str]] = field(factory=list)
    lies: dict[str, str] = field(factory=dict)
    #: files that were handed out, and the calls that came to an end
    given: int = 0
    ended: int = 0
    #: a listing tells the files' sizes, and checksums; an answer tells checksums where `tells_checksum`
    lists_size: bool = True
    lists_checksum: bool = False


class SideBySide(Memory):
    """Serves a SmallWorld."""

    abilities = evolve(Memory.abilities, side_by_side=4)
    world: SmallWorld

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield files, good ones and bad ones."""
        self.world.asked.append([url.path for url in urls])
        try:
            for url in urls:
                for file in self._answers(url, self.world.spoils.get(url.path, "right")):
                    self.world.given += file is not None
                    yield file
        finally:
            self.world.ended += 1

    def stat_many(self, urls: Sequence[Url], streams: int) -> Generator[RemoteFile | None]:
        """Yield what is told of files, right and wrong."""
        self.world.looked.append([url.path for url in urls])
        for url in urls:
            kind = self.world.lies.get(url.path, "right")
            self._interrupt(url, kind)
            try:
                told = self.world.told(url)
            except RemoteFileMissing:
                continue
            lies: dict[str, list[RemoteFile | None]] = {
                "left out": [],
                "other version": [evolve(told, validator="another", checksum=None)],
                "nothing told": [RemoteFile(told.url)],
                "directory": [RemoteFile(told.url, is_directory=True)],
                "stranger": [evolve(told, url="mem://host/of/nobody"), None],
            }
            yield from lies.get(kind, [told])

    def listing(self, url: Url) -> Iterator[RemoteFile]:
        """Tell of every file below, as much as a listing tells here."""
        for found in super().listing(url):
            content = self.world.contents[Url.parse(found.url).path]
            checksum = f"sha256:{hashlib.sha256(content).hexdigest()}" if self.world.lists_checksum else None
            yield evolve(found, size_bytes=len(content) if self.world.lists_size else None, checksum=checksum)

    def _answers(self, url: Url, kind: str) -> Iterator[SmallFile | None]:
        self._interrupt(url, kind)
        try:
            right = SmallFile(self.world.told(url), self.world.contents[url.path])
        except RemoteFileMissing:
            return
        right = evolve(right, remote=evolve(right.remote, size_bytes=len(right.content)))
        if kind == "left out" or len(right.content) > SMALL_BYTES:
            return
        if kind == "stranger":
            yield evolve(right, remote=evolve(right.remote, url="mem://host/of/nobody"))
        if kind == "nothing":
            yield None
        yield _spoilt(right, kind)
        if kind == "twice":
            yield right

    def _interrupt(self, url: Url, kind: str) -> None:
        match kind:
            case "error":
                raise TransferError("the line was cut", subject=str(url), repeat=True)
            case "refused":
                raise TransferError("is forbidden", subject=str(url))
            case "reset":
                raise ConnectionResetError("reset")
            case "freeze":
                self.world.clock.pass_time(IDLE_S + 1)
                self.world.thaw.wait(60)


class NoneForEver(SideBySide):
    """Says again and again that nothing came, once a path that is spoilt so is reached."""

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield the files before that path, and None until it is closed."""
        before = []
        for url in urls:
            if self.world.spoils.get(url.path) == "none for ever":
                break
            before.append(url)
        yield from super().read_small(before, streams)
        while len(before) < len(urls):
            self.world.clock.pass_time(1.0)
            yield None


def _spoilt(right: SmallFile, kind: str) -> SmallFile:
    remote, content = right.remote, right.content
    match kind:
        case "shorter":
            return SmallFile(remote, content[:-1])
        case "longer":
            return SmallFile(remote, content + b"j")
        case "flipped":
            return SmallFile(remote, bytes(each ^ 0xFF for each in content))
        case "other size":
            return SmallFile(evolve(remote, size_bytes=None), content)
        case "other version":
            other = os.urandom(len(content) or 1)
            return SmallFile(evolve(remote, size_bytes=len(other), validator="another", checksum=None), other)
        case "page":
            return SmallFile(RemoteFile(remote.url, len(_PAGE), media_type="text/html"), _PAGE)
        case "s3 error":
            return SmallFile(RemoteFile(remote.url, len(_S3_ERROR), media_type="application/xml"), _S3_ERROR)
        case "directory":
            return SmallFile(evolve(remote, is_directory=True), content)
    return right


def small_layer(world: SmallWorld, tempdir: Path, disk: Disk | None = None, **settings: Any) -> Layer:
    """Return a layer that reaches a world as `mem://`, side by side."""
    route = Route("mem", "tests.files.small_transfer:NoneForEver", "MEM")
    chosen = {"idle_timeout_s": IDLE_S, "cache_max_share": 1.0, **settings}
    transfers = Transfers(Routes({"mem": route}, {"MEM": {"world": world}}))
    return Layer(transfers, LayerSettings(tempdir, **chosen), clock=world.clock.clock(), disk=disk or Disk())


@define(eq=False)
class FullDisk(FailingDisk):
    """A real disk that is full at its n-th step and from then on, until it is `mended`."""

    mended: threading.Event = field(factory=threading.Event)

    def _step(self, name: str) -> None:
        with self._lock:
            self.steps.append(name)
            if self.steps_left is not None and name not in ("unlink", "remove", "used_share", "open"):
                self.steps_left -= 1
                if self.steps_left < 0 and not self.mended.is_set():
                    with told(Path(f"/full/{name}")):
                        raise OSError(28, "No space left on device")


def world_of(count: int, **more: object) -> SmallWorld:
    """Return a world with so many small files, `/l/0` and on."""
    world = SmallWorld(**more)  # type: ignore[arg-type]
    for at in range(count):
        world.place(f"/l/{at}", os.urandom(SIZES[at % len(SIZES)]))
    return world


def wanted_of(world: SmallWorld, folder: Path) -> dict[Url, Path]:
    """Return where each file of a world is to go."""
    return {place(path): folder / path[1:] for path in world.contents}


def right(world: SmallWorld, wanted: dict[Url, Path]) -> set[Url]:
    """Return which files are here as they are there."""
    return {url for url, path in wanted.items() if path.is_file() and path.read_bytes() == world.contents[url.path]}


def private_files(*folders: Path) -> list[Path]:
    """Return what lies under our private names anywhere below some directories."""
    return [path for folder in folders for path in folder.rglob(".cc-*")]


def held_locks(tempdir: Path, places: Sequence[Path]) -> list[Path]:
    """Return which of these places somebody has locked, by the books of a temporary directory."""
    books, held = Books(tempdir), []
    for each in places:
        with PlaceLocks(books) as locks:
            if not locks.take_now(settled(each)):
                held.append(each)
    return held
