"""Notes of uploads that are under way, so that a later process ends those of one that was killed.

A server keeps what nobody completed or took away: the parts of an S3 upload, unseen and paid for, the draft of a file
over ssh. Laws: a note is written as soon as the upload has a name there and taken away when it is over; who writes one
holds a lock on it for as long as it lives, so that a note without a lock is a dead process's; nobody else's uploads are
ever touched.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, frozen

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.url import Url

_SUFFIX = ".upload"


@frozen
class Unfinished:
    """An upload: to which URL, and what it is called at the server."""

    url: Url
    upload: str


@define(eq=False)
class Note:
    """The note of one upload, locked while it is open."""

    path: Path
    descriptor: int

    @classmethod
    def write(cls, folder: Path, unfinished: Unfinished, *, durable: bool = True) -> Note:
        """Note an upload in a folder, which is made. Raises TransferError when that cannot be done.

        One that is not `durable` outlives the process, but not a power cut.
        """
        path = folder / f"{secrets.token_hex(16)}{_SUFFIX}"
        text = json.dumps({"url": str(unfinished.url), "upload": unfinished.upload})
        try:
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            # Between these two somebody may look at it: an empty note is let be.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, text.encode())
            if durable:
                os.fsync(descriptor)
        except OSError as error:
            told = f"cannot note the upload: {error.strerror}"
            raise TransferError(told, subject=str(unfinished.url), place=str(folder)) from error
        return cls(path, descriptor)

    def close(self, *, is_over: bool) -> None:
        """Let go of it; one of an upload that is over is taken away."""
        if is_over:
            self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


def of_the_dead(folder: Path, endpoint: str) -> Iterator[tuple[Note, Unfinished]]:
    """Yield the notes whose writers are dead, of uploads to one server, each with the lock on it: to be closed."""
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        note = _taken(path)
        if note is None:
            continue
        unfinished = _read(note)
        if unfinished is not None and unfinished.url.endpoint == endpoint:
            yield note, unfinished
        else:
            note.close(is_over=False)


def _taken(path: Path) -> Note | None:
    """Return a note with its lock, None when somebody has it or it is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:  # gone meanwhile, or another user's
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return Note(path, descriptor)


def _read(note: Note) -> Unfinished | None:
    """Return what a note says; None for one that nobody has written yet."""
    try:
        data: dict[str, Any] = json.loads(os.pread(note.descriptor, 1 << 20, 0))
        return Unfinished(Url.parse(data["url"]), str(data["upload"]))
    except (ValueError, KeyError, TypeError):
        return None
