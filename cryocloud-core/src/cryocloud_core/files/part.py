"""The unfinished data of one file beside its target, and the sidecar that says what of it is worth something.

Laws: a span stands in the sidecar only after its bytes were written, and counts after a power cut only if they were
flushed before; data of another version of the file is forgotten, the sidecar first; one process at a time has a part.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from attrs import define, field

from cryocloud_core.errors import StagingError
from cryocloud_core.files.bookkeeping import sidecar_of
from cryocloud_core.files.disk import Disk
from cryocloud_core.files.locks import FIRST_LOOK_S, is_at, lock_now
from cryocloud_core.files.spans import Spans
from cryocloud_core.sdk.transfer import RemoteFile

#: below this a file is written without taking its room beforehand and without a note of how far it is
SMALL_BYTES = 1024 * 1024
#: the sidecar is written each time this part of a file came, so that a kill costs little of it
NOTES = 64
#: written bytes are flushed to the disk this often while more come, which costs nothing at the end
FLUSH_BYTES = 64 * 1024 * 1024


@define(eq=False)
class Part:
    """What is here of a remote file. Several threads write; whoever opened it closes it."""

    path: Path
    disk: Disk
    descriptor: int
    remote: RemoteFile
    done: Spans = field(factory=Spans)
    #: raised by one whenever bytes that were here are gone or were written again: what was read of them may be wrong
    generation: int = 0
    #: told when more is here, or nothing any more
    changed: threading.Condition = field(factory=threading.Condition)
    _flushed: Spans = field(factory=Spans)
    _unnoted: int = 0
    _unflushed: int = 0
    _flusher: threading.Thread | None = None
    _flush_error: BaseException | None = None
    _is_finished: bool = False
    _sidecar: Path = field(init=False)
    #: nothing was ever written to it, and nothing is said of it
    _is_fresh: bool = False

    def __attrs_post_init__(self) -> None:
        self._sidecar = sidecar_of(self.path)

    @classmethod
    def open(cls, path: Path, disk: Disk, pause: Callable[[float], None]) -> Part:
        """Open the part at `path`, made if there is none, once nobody else has it. Raises StagingError."""
        while True:
            descriptor = disk.open(path)
            if lock_now(descriptor) and is_at(descriptor, path):
                break
            os.close(descriptor)
            pause(FIRST_LOOK_S)
        part = cls(path, disk, descriptor, RemoteFile(""))
        part._load()
        return part

    def begin(self, remote: RemoteFile) -> None:
        """Go on with what is here if it is of this very version of the file, else start anew. Raises StagingError."""
        if not is_same(self.remote, remote):
            self.forget()
            if remote.size_bytes is not None and remote.size_bytes >= SMALL_BYTES:
                self._reserve(remote.size_bytes)
        self.remote = remote

    def forget(self) -> None:
        """Drop everything that is here."""
        if self._is_fresh:
            return
        self._join()
        with self.changed:
            self.generation += 1
            self.done.clear()
            self._flushed.clear()
            self._unnoted = self._unflushed = 0
            self.disk.unlink(self._sidecar)
            self.disk.truncate(self.descriptor, 0, self.path)
            self.remote = RemoteFile("")
            self.changed.notify_all()

    def write(self, data: bytes, at: int) -> int:
        """Write bytes and return how many of them were not here before. Raises StagingError."""
        self._is_fresh = False
        self.disk.write(self.descriptor, data, at, self.path)
        with self.changed:
            fresh = self.done.add(at, at + len(data))
            self.generation += fresh < len(data)
            self._unnoted += len(data)
            self._unflushed += len(data)
            if self._unnoted >= max(SMALL_BYTES, (self.remote.size_bytes or 0) // NOTES):
                self._note()
            if self._unflushed >= FLUSH_BYTES:
                self._flush_beside()
            self.changed.notify_all()
        return fresh

    def missing(self) -> list[tuple[int, int]]:
        """Return the spans that are not here yet of a file whose size is known."""
        return self.done.missing(self.remote.size_bytes or 0)

    @property
    def is_complete(self) -> bool:
        """Whether every byte of a file of known size is here, and none behind its end."""
        return self.done.frontier == self.done.end == self.remote.size_bytes

    def learn(self, remote: RemoteFile) -> None:
        """Know more of the same version of the file than before."""
        with self.changed:
            self.remote = remote

    def settle(self, *, durable: bool = True) -> None:
        """Make sure that what is here is on the disk. Raises StagingError."""
        self._join()
        if self._flush_error is not None:
            raise self._flush_error
        if durable:
            self.disk.flush(self.descriptor, self.path)

    def finish(self, target: Path, *, durable: bool = True) -> None:
        """Give what is here, and settled, its name. Raises StagingError."""
        self.disk.unlink(self._sidecar)
        self.disk.rename(self.path, target, durable=durable)
        self._is_finished = True

    def leave(self) -> None:
        """Note what is here for the next try, which may be another process's; an empty part is taken away."""
        if self._is_finished:
            return
        with self.changed:
            if self.done.total:
                # On a full disk there may be no room for it: what ended the try is the error to tell.
                with contextlib.suppress(StagingError):
                    self._note()
            else:
                self.disk.unlink(self._sidecar)
                self.disk.unlink(self.path)

    def close(self) -> None:
        """Let go of it; what is on the disk stays."""
        self._join()
        os.close(self.descriptor)

    def _load(self) -> None:
        """Take up what a sidecar says that belongs to this file."""
        if os.fstat(self.descriptor).st_size == 0:
            self._is_fresh = not os.path.lexists(self._sidecar)
            return
        try:
            self._take_up(json.loads(self._sidecar.read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            self.remote = RemoteFile("")
            self.done.clear()

    def _take_up(self, data: dict[str, Any]) -> None:
        found = os.fstat(self.descriptor)
        spans = Spans.read(data["done"] if data["boot"] == boot_id() != "" else data["flushed"])
        if data["inode"] != found.st_ino or spans is None or spans.end > found.st_size:
            return
        if data["size"] is None and spans.end < found.st_size:
            # Written after the note, by a process that died: the file may end before it, and nothing else cuts it off.
            self.disk.truncate(self.descriptor, spans.end, self.path)
        self.remote = RemoteFile(data["url"], data["size"], data["validator"], data["checksum"])
        self.done, self._flushed = spans, Spans.read(data["flushed"]) or Spans()

    def _note(self) -> None:
        self._unnoted = 0
        data = {
            "url": self.remote.url,
            "size": self.remote.size_bytes,
            "validator": self.remote.validator,
            "checksum": self.remote.checksum,
            "inode": os.fstat(self.descriptor).st_ino,
            "boot": boot_id(),
            "done": list(self.done),
            "flushed": list(self._flushed),
        }
        self.disk.note(self._sidecar, data)

    def _reserve(self, size_bytes: int) -> None:
        self._is_fresh = False
        try:
            self.disk.reserve(self.descriptor, size_bytes, self.path)
        except StagingError:
            self.disk.truncate(self.descriptor, 0, self.path)
            raise

    def _flush_beside(self) -> None:
        if self._flusher is None or not self._flusher.is_alive():
            self._unflushed = 0
            self._flusher = threading.Thread(target=self._flush, args=(self.done.copy(),), name="cc-flush", daemon=True)
            self._flusher.start()

    def _flush(self, done: Spans) -> None:
        try:
            self.disk.flush(self.descriptor, self.path)
        except BaseException as error:  # noqa: BLE001 - raised by `finish`, in the thread that waits
            self._flush_error = error
            return
        with self.changed:
            self._flushed = done

    def _join(self) -> None:
        if self._flusher is not None:
            self._flusher.join()
            self._flusher = None


def is_same(one: RemoteFile, other: RemoteFile) -> bool:
    """Return True when both are surely one version of one file: nothing differs, and something tells versions apart."""
    if one.url != other.url or differs(one, other):
        return False
    return one.validator == other.validator is not None or one.checksum == other.checksum is not None


def differs(one: RemoteFile, other: RemoteFile) -> bool:
    """Return True when what both say of size, validator or checksum cannot be of one version of a file."""
    pairs = (
        (one.size_bytes, other.size_bytes),
        (one.validator, other.validator),
        (one.checksum, other.checksum),
    )
    return any(mine is not None and theirs is not None and mine != theirs for mine, theirs in pairs)


def joined(known: RemoteFile, told: RemoteFile) -> RemoteFile:
    """Return what is known of a file with what was told beside."""
    return RemoteFile(
        known.url,
        told.size_bytes if known.size_bytes is None else known.size_bytes,
        known.validator or told.validator,
        known.checksum or told.checksum,
        known.media_type or told.media_type,
        known.is_directory,
        known.immutable or told.immutable,
        known.in_parts or told.in_parts,
    )


@cache
def boot_id() -> str:
    """Return what tells this start of the machine from others, empty where it cannot be told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
