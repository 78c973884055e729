"""A remote place in memory that misbehaves on demand, a clock that only moves when told, a disk that fails or dies."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.files.disk import Disk
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.terms import Clock
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.transfer import Abilities, Incoming, Outgoing, RemoteFile, Transfer, TransferConfig
from cryocloud_core.sdk.url import Url

IDLE_S = 10.0


@frozen
class Mischief:
    """What goes wrong with one answer, `at` how many bytes of it, with a number for what needs one."""

    kind: str
    at: int = 0
    number: float = 0


@define(eq=False)
class VirtualClock:
    """Time that passes when somebody sleeps, or when something freezes."""

    at: float = 1000.0
    slept: list[float] = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock)

    def now(self) -> float:
        """Return the moment."""
        return self.at

    def pass_time(self, seconds: float) -> None:
        """Move on."""
        with self._lock:
            self.at += seconds

    def sleep(self, seconds: float) -> None:
        """Move on as one who sleeps; give other threads the processor, for they may be what is waited for."""
        self.slept.append(seconds)
        self.pass_time(seconds)
        os.sched_yield()

    def clock(self) -> Clock:
        """Return the clock that the layer is given."""
        return Clock(now=self.now, sleep=self.sleep, chance=lambda: 0.5, slice_s=0.001)


@define(eq=False)
class World:
    """What lies at `mem://host/path`, what it tells of itself, and the mischief waiting for the next answers.

    `versions` has every content a path ever had; a `grown` one is what the file will be after the next change.
    """

    contents: dict[str, bytes] = field(factory=dict)
    versions: dict[str, list[bytes]] = field(factory=dict)
    mischief: deque[Mischief] = field(factory=deque)
    clock: VirtualClock = field(factory=VirtualClock)
    chunk: int = 1000
    tells_size: bool = True
    tells_validator: bool = True
    tells_checksum: bool = True
    media_type: str = ""
    #: whether ranged reads look at the version they were asked for
    heeds_validator: bool = True
    #: whether another version than asked for is refused, or answered from its start
    refuses_others: bool = False
    sent: int = 0
    reads: list[tuple[str, int, int | None]] = field(factory=list)
    puts: list[str] = field(factory=list)
    #: set at the end of a test, to let go of what is frozen
    thaw: threading.Event = field(factory=threading.Event)
    lock: threading.RLock = field(factory=threading.RLock)

    def place(self, path: str, data: bytes) -> None:
        """Put a new version there."""
        with self.lock:
            self.contents[path] = data
            self.versions.setdefault(path, []).append(data)

    def told(self, url: Url) -> RemoteFile:
        """Return what the place says of a file."""
        with self.lock:
            if url.path not in self.contents:
                raise RemoteFileMissing("there is no such file", subject=str(url))
            data = self.contents[url.path]
            number = len(self.versions[url.path])
            return RemoteFile(
                str(url),
                len(data) if self.tells_size else None,
                f"v{number}" if self.tells_validator else None,
                f"sha256:{hashlib.sha256(data).hexdigest()}" if self.tells_checksum else None,
                self.media_type,
            )

    def next_mischief(self) -> Mischief:
        """Take what is to go wrong next."""
        with self.lock:
            return self.mischief.popleft() if self.mischief else Mischief("none")


class Memory(Transfer):
    """Serves a World."""

    abilities = Abilities(ranges=True, put=True, remove=True, listing=True, streams=3)

    def __init__(self, config: TransferConfig) -> None:
        super().__init__(config)
        self.world: World = config.values["world"]

    def stat(self, url: Url) -> RemoteFile:
        """Tell, or take the mischief that is meant for questions."""
        if self.world.mischief and self.world.mischief[0].kind in ("busy", "refuse", "missing", "frozen"):
            self._spoil(self.world.next_mischief(), url)
        return self.world.told(url)

    def _spoil(self, mischief: Mischief, url: Url) -> None:
        match mischief.kind:
            case "busy":
                raise TransferError("is busy", subject=str(url), repeat=True, after_s=mischief.number)
            case "refuse":
                raise TransferError("is forbidden", subject=str(url))
            case "missing":
                raise RemoteFileMissing("is not there now", subject=str(url))
            case "bug":
                raise ConnectionResetError("reset by a transfer that translates nothing")
            case "frozen":
                self._freeze()

    def _freeze(self) -> None:
        self.world.clock.pass_time(IDLE_S + 1)
        self.world.thaw.wait(60)

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Answer with bytes, and with what goes wrong."""
        world, mischief = self.world, self.world.next_mischief()
        world.reads.append((url.path, start, stop))
        self._spoil(mischief, url)
        if mischief.kind == "shorter":
            world.contents[url.path] = os.urandom(int(mischief.number))
            start, stop = 0, None
        if mischief.kind == "changed":
            world.place(url.path, os.urandom(int(mischief.number)))
        told = world.told(url)
        if world.heeds_validator and validator is not None and told.validator != validator:
            if world.refuses_others or mischief.at % 2:
                raise RemoteFileChanged("is another one", subject=str(url))
            start, stop = 0, None
        if mischief.kind == "ignored":
            start, stop = 0, None
        data = world.contents[url.path][start:stop]
        if mischief.kind == "mute":
            told, data, start = RemoteFile(str(url), told.size_bytes), world.contents[url.path], 0
        if mischief.kind == "page":
            told, data, start = RemoteFile(str(url), 100, media_type="text/html"), b"<html>sorry</html>".ljust(100), 0
        if mischief.kind == "lie" and told.size_bytes is not None:
            told = RemoteFile(str(url), max(0, told.size_bytes + int(mischief.number)), told.validator, told.checksum)
        if mischief.kind == "elsewhere":
            start += 1 + mischief.at
        return Incoming(told, self._chunks(data, mischief), start)

    def _chunks(self, data: bytes, mischief: Mischief) -> Iterator[bytes]:
        if mischief.kind == "junk":
            data += b"j" * max(1, int(mischief.number))
        if mischief.kind == "flip" and data:
            at = mischief.at % len(data)
            data = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        until = mischief.at % (len(data) + 1) if mischief.kind in ("cut", "short", "freeze", "reset") else len(data)
        for at in range(0, until, self.world.chunk):
            piece = data[at : min(at + self.world.chunk, until)]
            self.world.sent += len(piece)
            yield piece
        match mischief.kind:
            case "cut":
                raise TransferError("the line was cut", repeat=True)
            case "reset":
                raise ConnectionResetError("reset")
            case "freeze":
                self._freeze()

    def put(self, outgoing: Outgoing, url: Url) -> None:
        """Take a file, or a part of it, or nothing."""
        mischief = self.world.next_mischief()
        self.world.puts.append(url.path)
        self._spoil(mischief, url)
        data = outgoing.path.read_bytes()
        for at in range(0, len(data), self.world.chunk):
            if mischief.kind == "cut" and at >= mischief.at:
                raise TransferError("the line was cut", repeat=True)
            if mischief.kind == "freeze" and at >= mischief.at:
                self._freeze()
            if mischief.kind == "grow" and at >= mischief.at:
                outgoing.path.write_bytes(data + b"more")
            outgoing.moved(len(data[at : at + self.world.chunk]))
        if mischief.kind == "truncate":
            data = data[: mischief.at % (len(data) + 1)]
        if mischief.kind == "flip" and data:
            data = data[:-1] + bytes([data[-1] ^ 0xFF])
        self.world.place(url.path, data)

    def remove(self, url: Url) -> None:
        """Forget a file, and then answer or not."""
        mischief = self.world.next_mischief()
        with self.world.lock:
            if self.world.contents.pop(url.path, None) is None:
                raise RemoteFileMissing("there is no such file", subject=str(url))
        self._spoil(mischief, url)

    def listing(self, url: Url) -> Iterator[RemoteFile]:
        """Tell of every file below."""
        self._spoil(self.world.next_mischief(), url)
        base = url.path.rstrip("/") + "/"
        for path in sorted(self.world.contents):
            if path.startswith(base):
                yield self.world.told(url.with_path(path))


class Killed(BaseException):
    """The process is dead: raised by whatever touches the disk from now on."""


@define(eq=False)
class FailingDisk(Disk):
    """A real disk that kills the process before its n-th step, or is full after some bytes."""

    steps_left: int | None = None
    room: int | None = None
    steps: list[str] = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock)

    def __getattribute__(self, name: str) -> Any:
        """Count each step of the disk's public methods."""
        found = super().__getattribute__(name)
        if name in vars(Disk) and not name.startswith("_"):
            self._step(name)
        return found

    def _step(self, name: str) -> None:
        with self._lock:
            self.steps.append(name)
            if self.steps_left is not None:
                if self.steps_left <= 0:
                    raise Killed
                self.steps_left -= 1

    def write(self, descriptor: int, data: bytes, at: int, path: Path) -> None:
        """Write, or be full."""
        if self.room is not None:
            self.room -= len(data)
            if self.room < 0:
                from cryocloud_core.files.disk import told

                with told(path):
                    raise OSError(28, "No space left on device")
        super().write(descriptor, data, at, path)


@contextlib.contextmanager
def quick_folder() -> Iterator[Path]:
    """Give a directory where waiting for the disk costs nothing, for many small cases."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def layer_of(world: World, tempdir: Path, disk: Disk | None = None, **settings: Any) -> Layer:
    """Return a layer that reaches a world as `mem://`."""
    config = {"MEM": {"world": world}}
    transfers = Transfers(Routes({"mem": Route("mem", "tests.files.hostile:Memory", "MEM")}, config))
    chosen = {"idle_timeout_s": IDLE_S, "parallel_min_bytes": 16_000, "cache_max_share": 1.0, **settings}
    return Layer(transfers, LayerSettings(tempdir, **chosen), clock=world.clock.clock(), disk=disk or Disk())


def place(path: str) -> Url:
    """Return the URL of a path of the world."""
    return Url.parse(f"mem://host{path}")
