"""What is asked of the other side, and sent there: nothing here is a copy, and nothing of it stays on this machine.

Laws: a question is asked again where that can help; a slot of the server is held for each, and given back in between.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from attrs import frozen

from cryocloud_core.errors import RemoteFileMissing
from cryocloud_core.files.bookkeeping import Books
from cryocloud_core.files.errands import Watch
from cryocloud_core.files.hosts import HostSlots
from cryocloud_core.files.moving import Moving, Progress, Step
from cryocloud_core.files.persistence import Persistence
from cryocloud_core.files.terms import Terms
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.files.tree_download import listed
from cryocloud_core.files.uploads import Look, TreeUpload, Upload, tree_below
from cryocloud_core.sdk.transfer import RemoteFile, Transfer
from cryocloud_core.sdk.url import Url

T = TypeVar("T")


@frozen
class OtherSide:
    """All servers, as one task speaks with them; used from one thread or several."""

    terms: Terms
    books: Books
    transfers: Transfers

    def slots(self, url: Url) -> HostSlots:
        """Return the slots of a server."""
        return HostSlots(self.books.host(url), self.terms.settings.transfers_per_host, self.terms.pause)

    def stat(self, url: Url) -> RemoteFile:
        """Return what the other side tells of a file or directory. Raises RemoteFileMissing, TransferError."""
        self.terms.told(Moving(url, step=Step.ASKED))
        try:
            return self._ask(url, lambda transfer: transfer.stat(url))
        finally:
            self.terms.told(Moving(url, step=Step.OVER))

    def put(self, path: Path, url: Url) -> None:
        """Send a file, or a directory with all in it, to `url`, over what is there, and verify that it arrived.

        What is there already with the same content is not sent again. Raises TransferError, also for a file that
        changed while it was sent; StagingError for what is no file, or a directory of nothing where there can be none.
        """
        transfer, slots = self.transfers.to(url), self.slots(url)
        if not path.is_dir():
            Upload(self.terms, transfer, path, url, slots, self._progress(url), self.books.uploads).run()
            return
        names, folders = tree_below(path)
        size = sum(Look.at(path / name).size_bytes for name in names)
        progress = Progress(self.terms.told, self.terms.clock.now, url, size, len(names), is_sized=True)
        TreeUpload(self.terms, transfer, path, url, slots, progress, self.books.uploads).run(names, folders)

    def listing(self, url: Url) -> list[RemoteFile]:
        """Return everything below a directory or prefix, at any depth. Raises RemoteFileMissing, TransferError."""
        return listed(self.terms, self.transfers.to(url), url, self.slots(url))

    def content(self, url: Url, at_most: int) -> bytes:
        """Return the first bytes of a file, of which no copy is made. Raises RemoteFileMissing, TransferError."""

        def read(transfer: Transfer) -> bytes:
            with transfer.read(url, 0, at_most) as incoming:
                return b"".join(incoming.chunks)

        return self._ask(url, read)

    def remove(self, url: Url) -> None:
        """Remove what `url` names. Raises RemoteFileMissing, TransferError."""
        tries = 0

        def remove(transfer: Transfer) -> None:
            nonlocal tries
            tries += 1
            try:
                transfer.remove(url)
            except RemoteFileMissing:
                if tries == 1:  # else an earlier try removed it and the answer was lost
                    raise

        self._ask(url, remove)

    def _ask(self, url: Url, question: Callable[[Transfer], T]) -> T:
        """Return what the other side answers, asked again where that can help."""
        transfer, slots, until = self.transfers.to(url), self.slots(url), self.terms.until()

        def attempt() -> T:
            with slots.held():
                return Watch(self.terms, str(url), until).call(lambda _: question(transfer))

        return Persistence(self.terms, until, url).on(attempt)

    def _progress(self, url: Url) -> Progress:
        return Progress(self.terms.told, self.terms.clock.now, url)
