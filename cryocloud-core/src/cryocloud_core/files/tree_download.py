"""Bringing everything below a remote directory or prefix here, many files at a time, as one tree that appears whole.

Laws: the tree is built under a private name and renamed when every file of the listing is here and durable; a file
that a dead try completed is used again only if the listing shows the very same version of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from attrs import define, evolve, field

from cryocloud_core.errors import RemoteFileMissing
from cryocloud_core.files.archives import private_name
from cryocloud_core.files.bookkeeping import part_of, sidecar_of, tree_of
from cryocloud_core.files.cache import Copy, Leaf, leaf_of
from cryocloud_core.files.download import Download
from cryocloud_core.files.errands import Errand, Watch
from cryocloud_core.files.hosts import HostSlots, Lease
from cryocloud_core.files.moving import Moving, Progress
from cryocloud_core.files.part import boot_id, joined
from cryocloud_core.files.persistence import Persistence
from cryocloud_core.files.small_reading import SmallReading, batches
from cryocloud_core.files.terms import Terms
from cryocloud_core.files.together import Together
from cryocloud_core.files.tree_names import Entries, entries_of
from cryocloud_core.sdk.transfer import SMALL_BYTES, RemoteFile, SmallFile, Transfer
from cryocloud_core.sdk.url import Url


@define(eq=False)
class TreeDownload:
    """One tree on its way to `target`, which is replaced only if it is a copy of ours."""

    terms: Terms
    transfer: Transfer
    url: Url
    target: Path
    slots: HostSlots
    told: Callable[[Moving], None]
    #: where the tree is built, and what of it is complete
    _root: Path = field(init=False)
    _journal: Path = field(init=False)
    _notes: int = -1
    _aside: Path | None = None
    _leaves: dict[str, Leaf] = field(factory=dict)
    _lock: threading.Lock = field(factory=threading.Lock)

    def __attrs_post_init__(self) -> None:
        self._root = tree_of(self.url, self.target)
        self._journal = self._root.with_suffix(".done")

    def listing(self) -> Entries:
        """Return what is there. Raises RemoteFileMissing for nothing at all, TransferError."""
        found = listed(self.terms, self.transfer, self.url, self.slots)
        entries = entries_of(self.url, found, folds_case=self._folds_case())
        if not entries.files and not entries.folders:
            raise RemoteFileMissing("there is no file below it", subject=str(self.url))
        return entries

    def build(self, entries: Entries) -> Copy:
        """Bring every file of a listing, durably, and return the book of the tree. Raises TransferError, StagingError.

        The tree does not have its name yet.
        """
        sizes = [remote.size_bytes for remote in entries.files.values()]
        size = sum(each for each in sizes if each is not None) if None not in sizes else None
        progress = Progress(self.told, self.terms.clock.now, self.url, size, len(entries.files), is_sized=True)
        self.terms.disk.make_folder(self._root)
        self._take_up(entries, progress)
        for folder in entries.folders:
            self.terms.disk.make_folder(self._root / folder)
        self._notes = self.terms.disk.open_to_add(self._journal)
        try:
            self._bring(entries, progress)
        finally:
            os.close(self._notes)
        self.terms.disk.settle(self._root, [self._root / name for name in entries.files])
        found = self._root.stat()
        size = sum(leaf[0] for leaf in self._leaves.values())
        return Copy(
            str(self.url),
            str(self.target),
            size,
            found.st_mtime_ns,
            found.st_ino,
            is_tree=True,
            files=self._leaves,
            folders=entries.folders,
        )

    def place(self) -> None:
        """Give the tree its name, in place of an earlier copy, which is put aside. Raises StagingError."""
        if os.path.lexists(self.target):
            self._aside = self.target.with_name(private_name())
            self.terms.disk.swap_tree(self._root, self.target, self._aside)
        else:
            self.terms.disk.rename(self._root, self.target)

    def clean_up(self) -> None:
        """Remove the earlier copy and what was noted meanwhile. Raises StagingError."""
        if self._aside is not None:
            self.terms.disk.remove(self._aside)
        self.terms.disk.remove(self._journal)

    def _bring(self, entries: Entries, progress: Progress) -> None:
        missing = {name: remote for name, remote in entries.files.items() if name not in self._leaves}
        for folder in {name.rpartition("/")[0] for name in missing}:
            self.terms.disk.make_folder(self._root / folder)
        self._bring_small(missing, progress)
        waiting = deque((name, remote) for name, remote in missing.items() if name not in self._leaves)
        width = min(self.terms.settings.transfers_per_host, len(waiting))
        together = Together(self.terms.check, width)
        terms = evolve(self.terms, check=together.check)

        def work(_: int) -> None:
            lease = Lease(self.slots, terms.clock.now)
            try:
                while waiting:
                    try:
                        name, remote = waiting.popleft()
                    except IndexError:  # another thread was faster
                        return
                    self._bring_one(terms, lease, name, remote, progress)
            finally:
                lease.release()

        together.each(work, range(width))

    def _bring_small(self, missing: dict[str, RemoteFile], progress: Progress) -> None:
        """Bring the small files, as far as that goes smoothly."""
        reading = SmallReading(self.terms, self.transfer, self.slots)
        small = {Url.parse(remote.url): name for name, remote in missing.items() if reading.is_worth_trying(remote)}
        if len(small) < 2:
            return

        def take(url: Url, file: SmallFile) -> None:
            name, remote = small[url], missing[small[url]]
            if remote.size_bytes is None:
                self._drop_part(part_of(url, self._root / name))
            found = self.terms.disk.save(self._root / name, file.content)
            progress.moved(len(file.content))
            self._note(name, leaf_of(found, joined(remote, file.remote)))
            progress.file_done()

        for batch in batches(small):
            before = len(self._leaves)
            reading.read({url: missing[name] for url, name in batch.items()}, take)
            if len(self._leaves) == before:
                return

    def _drop_part(self, part: Path) -> None:
        """Take away what an earlier try left of a file that it brought alone."""
        self.terms.disk.unlink(sidecar_of(part))
        self.terms.disk.unlink(part)

    def _bring_one(self, terms: Terms, lease: Lease, name: str, remote: RemoteFile, progress: Progress) -> None:
        place = self._root / name
        url = Url.parse(remote.url)
        found = Download(terms, self.transfer, url, place, lease, progress, remote, durable=False).run()
        self._note(name, leaf_of(place.stat(), found))

    def _note(self, name: str, leaf: Leaf) -> None:
        with self._lock:
            self._leaves[name] = leaf
        self.terms.disk.add_line(self._notes, [boot_id(), name, *leaf], self._journal)

    def _take_up(self, entries: Entries, progress: Progress) -> None:
        """Keep the files that an earlier try completed, if they are what is listed now; take the others away."""
        if not any(self._root.iterdir()):
            return
        known = self._noted()
        # What came of a small file is not worth going on with: it is read whole, and nothing beside it is in the way.
        parts = {
            part_of(Url.parse(remote.url), self._root / name)
            for name, remote in entries.files.items()
            if remote.size_bytes is None or remote.size_bytes > SMALL_BYTES
        }
        for path in sorted(self._root.rglob("*"), reverse=True):
            name = str(path.relative_to(self._root))
            remote, leaf = entries.files.get(name), known.get(name)
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    self.terms.disk.remove(path)
            elif remote is not None and leaf is not None and _is_still(path, leaf, remote):
                self._leaves[name] = leaf
                progress.moved(leaf[0])
                progress.file_done()
            elif path not in parts and path.with_suffix(".part") not in parts:
                self.terms.disk.remove(path)

    def _noted(self) -> dict[str, Leaf]:
        """Return the files that were completed since the machine started: what was not flushed may be lost before."""
        found: dict[str, Leaf] = {}
        try:
            lines = self._journal.read_bytes().splitlines()
        except FileNotFoundError:
            return found
        for line in lines:
            try:
                boot, name, *leaf = json.loads(line)
            except ValueError:
                continue  # the last words of a killed process
            if boot == boot_id() != "":
                found[name] = leaf
        return found

    def _folds_case(self) -> bool:
        """Return True when the disk takes names that differ in case for one."""
        self.terms.disk.make_folder(self._root)
        folds_case = self._root.with_name(self._root.name.upper()).exists()
        with contextlib.suppress(OSError):  # it holds files of an earlier try; an empty one would stay for nothing
            self._root.rmdir()
        return folds_case


def listed(terms: Terms, transfer: Transfer, url: Url, slots: HostSlots) -> list[RemoteFile]:
    """Return everything below a directory or prefix, asked again where that can help. Raises TransferError."""
    until = terms.until()

    def listing(errand: Errand[list[RemoteFile]]) -> list[RemoteFile]:
        found = []
        for remote in transfer.listing(url):
            errand.beat()
            found.append(remote)
        return found

    def attempt() -> list[RemoteFile]:
        with slots.held():
            return Watch(terms, str(url), until).call(listing)

    return Persistence(terms, until, url).on(attempt)


def _is_still(path: Path, leaf: Leaf, remote: RemoteFile) -> bool:
    found = path.stat(follow_symlinks=False)
    book = Copy(remote.url, str(path), found.st_size, 0, 0, leaf[2], leaf[3])
    return [found.st_size, found.st_mtime_ns] == leaf[:2] and book.is_of(remote)
