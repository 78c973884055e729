"""Sending files and directories: hashed, sent, looked at on the other side, and again if it went wrong.

Laws: what is there already with the same size and SHA-256 is not sent again, so a repeat after a crash costs nothing;
a file that changes while it is sent is an error, before the other side gives it its name wherever that can be.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections import deque
from pathlib import Path

from attrs import define, evolve, frozen

from cryocloud_core.errors import RemoteFileMissing, StagingError, TransferError
from cryocloud_core.files.archives import PRIVATE_PREFIX
from cryocloud_core.files.errands import Errand, Watch
from cryocloud_core.files.hosts import HostSlots, Lease, Slots
from cryocloud_core.files.moving import Progress
from cryocloud_core.files.persistence import Persistence
from cryocloud_core.files.terms import Terms
from cryocloud_core.files.together import Together
from cryocloud_core.sdk.transfer import Outgoing, RemoteFile, Transfer
from cryocloud_core.sdk.url import Url

logger = logging.getLogger(__name__)

_BLOCK_BYTES = 1024 * 1024


@frozen
class Look:
    """What tells one state of a local file from another."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def at(cls, path: Path) -> Look:
        """Return how a file looks now. Raises StagingError for what is no file."""
        try:
            found = path.stat()
        except OSError as error:
            raise StagingError(f"cannot be sent: {error.strerror}", subject=str(path)) from error
        if not stat.S_ISREG(found.st_mode):
            raise StagingError("cannot be sent: it is no regular file", subject=str(path))
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


@define(eq=False)
class Upload:
    """One file on its way to `url`."""

    terms: Terms
    transfer: Transfer
    path: Path
    url: Url
    slots: Slots
    progress: Progress
    #: where the transfer may note what it must clear away after a crash
    notes: Path | None = None

    def run(self) -> None:
        """Send the file. Raises TransferError, StagingError."""
        look = Look.at(self.path)
        self.progress.sized(look.size_bytes)
        digest = self._digest()
        until = self.terms.until()
        Persistence(self.terms, until, self.url).on(lambda: self._attempt(look, digest, until))
        self.progress.file_done()

    def _attempt(self, look: Look, digest: str, until: float) -> None:
        watch = Watch(self.terms, str(self.url), until)
        sent = 0
        with self.slots.held():
            if self._is_there(watch, look, digest):
                self.progress.moved(look.size_bytes)
                return
            self._refuse_change(look)

            def put(errand: Errand[None]) -> None:
                def moved(count: int) -> None:
                    nonlocal sent
                    with errand.moving():
                        sent += count
                        self.progress.moved(count)
                    self._refuse_change(look)

                self.transfer.put(Outgoing(self.path, look.size_bytes, digest, moved, self.notes), self.url)

            try:
                watch.call(put)
                self._refuse_change(look)
                self._verify(watch, look, digest)
            except BaseException:
                self.progress.moved(-sent)
                raise
            self.progress.moved(look.size_bytes - sent)

    def _is_there(self, watch: Watch, look: Look, digest: str) -> bool:
        """Return True when the other side has this very content already."""
        try:
            there = watch.call(lambda _: self.transfer.stat(self.url))
        except RemoteFileMissing:
            return False
        return there.size_bytes == look.size_bytes and (there.checksum or "").lower() == f"sha256:{digest}"

    def _verify(self, watch: Watch, look: Look, digest: str) -> None:
        try:
            there = watch.call(lambda _: self.transfer.stat(self.url))
        except RemoteFileMissing as error:
            raise self._error("is not there after it was sent") from error
        if there.size_bytes is not None and there.size_bytes != look.size_bytes:
            raise self._error(f"has {there.size_bytes} bytes there after {look.size_bytes} were sent")
        wrong = _contradiction(there, digest)
        if wrong:
            raise self._error(f"has the checksum {wrong} there, sha256:{digest} was sent")

    def _refuse_change(self, look: Look) -> None:
        if Look.at(self.path) != look:
            raise TransferError(
                "was changed while it was sent", subject=str(self.path), remedy="send it when its writer is done"
            )

    def _digest(self) -> str:
        digest = hashlib.sha256()
        try:
            with self.path.open("rb", buffering=0) as file:
                while block := file.read(_BLOCK_BYTES):
                    digest.update(block)
                    self.terms.check()
        except OSError as error:
            raise StagingError(f"cannot be read: {error.strerror}", subject=str(self.path)) from error
        return digest.hexdigest()

    def _error(self, message: str) -> TransferError:
        return TransferError(message, subject=str(self.url), repeat=True)


@define(eq=False)
class TreeUpload:
    """A directory with all that is in it on its way to below `url`, many at a time."""

    terms: Terms
    transfer: Transfer
    path: Path
    url: Url
    slots: HostSlots
    progress: Progress
    notes: Path | None = None

    def run(self, names: list[str], folders: list[str]) -> None:
        """Send files and empty directories by their names in the directory. Raises TransferError, StagingError."""
        can_be_empty = self.transfer.abilities.folders
        if not names and not can_be_empty:
            raise StagingError("cannot be sent: there is no file in it", subject=str(self.path))
        self._send(names)
        if can_be_empty:
            self._make(folders)
        elif folders:
            told = "%s: %d directories with nothing in them are not sent, %s:// has no such"
            logger.warning(told, self.url.shown, len(folders), self.url.scheme)

    def _make(self, folders: list[str]) -> None:
        together = Together(self.terms.check, self.terms.settings.transfers_per_host)
        terms = evolve(self.terms, check=together.check)

        def make(name: str) -> None:
            url, until = Url.parse("/".join(filter(None, (self.url.text.rstrip("/"), name)))), terms.until()

            def attempt() -> None:
                with self.slots.held():
                    Watch(terms, str(url), until).call(lambda _: self.transfer.make_folder(url))

            Persistence(terms, until, url).on(attempt)

        together.each(make, folders)

    def _send(self, names: list[str]) -> None:
        base = self.url.text.rstrip("/")
        waiting = deque(names)
        width = min(self.terms.settings.transfers_per_host, len(waiting))
        together = Together(self.terms.check, width)
        terms = evolve(self.terms, check=together.check)

        def work(_: int) -> None:
            lease = Lease(self.slots, terms.clock.now)
            try:
                while waiting:
                    try:
                        name = waiting.popleft()
                    except IndexError:  # another thread was faster
                        return
                    url = Url.parse(f"{base}/{name}")
                    Upload(terms, self.transfer, self.path / name, url, lease, self.progress, self.notes).run()
            finally:
                lease.release()

        together.each(work, range(width))


def tree_below(root: Path) -> tuple[list[str], list[str]]:
    """Return the files of a directory by relative name, and the directories with nothing in them, an empty name for it.

    Links are followed; what is unfinished is no content. Raises StagingError for what cannot be read.
    """
    found: list[str] = []
    empty: list[str] = []
    above: dict[str, frozenset[tuple[int, int]]] = {}
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_raise):
        here = Path(folder)
        status = here.stat()
        key = (status.st_dev, status.st_ino)
        seen = above.get(folder, frozenset())
        if key in seen:
            raise StagingError("cannot be sent: a link in it leads to a directory above", subject=str(here))
        folders[:] = [name for name in folders if not name.startswith(PRIVATE_PREFIX)]
        above.update({os.path.join(folder, name): seen | {key} for name in folders})  # noqa: PTH118 - os.walk's own keys
        content = [name for name in files if not name.startswith(PRIVATE_PREFIX)]
        found += [str((here / name).relative_to(root)) for name in content]
        if not content and not folders:
            empty.append("" if here == root else str(here.relative_to(root)))
    return sorted(found), sorted(empty)


def _raise(error: OSError) -> None:
    raise StagingError(f"cannot be read: {error.strerror}", subject=str(error.filename)) from error


def _contradiction(there: RemoteFile, digest: str) -> str:
    """Return the other side's SHA-256 when it is another one; checksums of other kinds say nothing here."""
    found = (there.checksum or "").lower()
    return found if found.startswith("sha256:") and found != f"sha256:{digest}" else ""
