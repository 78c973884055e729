"""Bringing one remote file here, in as many tries as it takes, until every byte is proven to be here.

Laws: a byte counts when it was written, a file when its spans have no gap, its length is right and its checksum, where
one is offered, holds; only then it gets its name. What a failed try brought stays for the next one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from attrs import define, field

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.files.bookkeeping import part_of
from cryocloud_core.files.data import HEAD_BYTES, refuse_error
from cryocloud_core.files.disk import told
from cryocloud_core.files.errands import Watch
from cryocloud_core.files.following import ALONG_BYTES, Follower, algorithm_of
from cryocloud_core.files.hosts import Slots
from cryocloud_core.files.moving import Progress
from cryocloud_core.files.part import Part
from cryocloud_core.files.persistence import Persistence
from cryocloud_core.files.pulling import Pull
from cryocloud_core.files.terms import Terms
from cryocloud_core.sdk.transfer import RemoteFile, Transfer
from cryocloud_core.sdk.url import Url


@define(eq=False)
class Download:
    """One file on its way to `target`. `remote` is what is known of it so far; it is asked for when nothing is."""

    terms: Terms
    transfer: Transfer
    url: Url
    target: Path
    slots: Slots
    progress: Progress
    remote: RemoteFile | None = None
    #: whether the disk is waited for; a file of a tree becomes durable with the tree
    durable: bool = True
    #: entered with the part and what it is when it is complete, while it gets its name
    naming: Callable[[Path, RemoteFile], AbstractContextManager[None]] = lambda *_: nullcontext()
    _follower: Follower | None = field(default=None, init=False)

    def run(self) -> RemoteFile:
        """Bring the file and return what it is. Raises TransferError, StagingError."""
        part = Part.open(part_of(self.url, self.target), self.terms.disk, self.terms.pause)
        try:
            return self._brought(part)
        finally:
            self._unfollow()
            part.close()

    def _brought(self, part: Part) -> RemoteFile:
        pull = Pull(self.terms, self.transfer, self.url, part, self.slots, self.progress)
        pull.progress.moved(part.done.total)
        until = self.terms.until()
        try:
            Persistence(self.terms, until, self.url).on(lambda: self._attempt(pull, until), lambda: part.done.total)
            part.settle(durable=self.durable)
            with self.naming(part.path, part.remote):
                part.finish(self.target, durable=self.durable)
        except RemoteFileMissing:
            pull.forget()
            raise
        finally:
            part.leave()
        self.progress.file_done()
        return part.remote

    def _attempt(self, pull: Pull, until: float) -> None:
        watch = Watch(self.terms, str(self.url), until)
        with self.slots.held():
            if self.remote is None:
                self.remote = watch.call(lambda _: self.transfer.stat(self.url))
            if self.remote.is_directory:
                raise TransferError("is a directory", subject=str(self.url), remedy="end the URL in /")
            try:
                pull.begin(self.remote)
                self._follow(pull.part)
                pull.run(watch)
                self._refuse_mixture(pull.part, watch)
            except RemoteFileChanged:
                self.remote = None
                pull.forget()
                raise
            except TransferError:
                if pull.part.remote.url:  # an answer may have told more than was known, or of a newer version
                    self.remote = pull.part.remote
                raise
        self._verify(pull)

    def _refuse_mixture(self, part: Part, watch: Watch) -> None:
        """Raise RemoteFileChanged when another version took the file's place while it was read, perhaps in the middle.

        A checksum tells more, and needs no question.
        """
        before = part.remote
        if self.transfer.abilities.snapshots or before.immutable:
            return
        if algorithm_of(before.checksum) or before.validator is None:
            return
        now = watch.call(lambda _: self.transfer.stat(self.url))
        if now.validator is None:  # some web servers tell it to GET only
            now = watch.call(lambda _: self._read_anew())
        if now.validator != before.validator:
            raise RemoteFileChanged("changed while it was read", subject=str(self.url), repeat=True)

    def _read_anew(self) -> RemoteFile:
        with self.transfer.read(self.url, 0, 1) as incoming:
            return incoming.remote

    def _follow(self, part: Part) -> None:
        """Have the file hashed while it arrives, if it is large and there is something to compare with."""
        algorithm = algorithm_of(part.remote.checksum)
        if algorithm is None or (part.remote.size_bytes or 0) < ALONG_BYTES:
            return
        if self._follower is None or self._follower.algorithm != algorithm:
            self._unfollow()
            self._follower = Follower(part, algorithm)
        self._follower.begin()

    def _unfollow(self) -> None:
        if self._follower is not None:
            self._follower.end()

    def _verify(self, pull: Pull) -> None:
        """Raise TransferError, and drop what is here, when it is not the file."""
        part = pull.part
        if not part.is_complete:
            raise TransferError("is not complete", subject=str(self.url), repeat=True)
        try:
            if not self._holds(part):
                with told(part.path):
                    refuse_error(self.url, part.remote, os.pread(part.descriptor, HEAD_BYTES, 0))
                if not pull.knows_end:
                    self.terms.doubts.any_end_looks_right(self.url)
        except TransferError:
            pull.forget()
            raise

    def _holds(self, part: Part) -> bool:
        """Return True when there is a checksum and it holds, False without one."""
        wanted = (part.remote.checksum or "").lower()
        algorithm = algorithm_of(wanted)
        if algorithm is None:
            return False
        if self._follower is None or self._follower.algorithm != algorithm:
            self._unfollow()
            self._follower = Follower(part, algorithm)
        with told(part.path):
            found = self._follower.digest(self.terms.check)
        if found != wanted:
            raise TransferError(f"came with {found} instead of {wanted}", subject=str(self.url), repeat=True)
        return True
