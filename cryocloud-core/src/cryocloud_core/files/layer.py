"""Moving files and trees between this machine and remote places: complete, verified and durable, or not at all.

Laws: what stands under a final name here is one whole version of the remote file; bookkeeping lies below
`<tempdir>/cc/`, unfinished data beside its target under `.cc-` names, and both survive the death of the process;
a target is waited for first, a slot of its server after it, and nothing is waited for with a slot in hand.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from attrs import define, field

from cryocloud_core.errors import ConfigError, StagingError
from cryocloud_core.files.bookkeeping import Books, settled
from cryocloud_core.files.cache import Cache, Copy, read_copy
from cryocloud_core.files.disk import Disk
from cryocloud_core.files.download import Download
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.many_files import ManyFiles
from cryocloud_core.files.moving import Moving, Progress, Step, reused
from cryocloud_core.files.other_side import OtherSide
from cryocloud_core.files.place_locks import PlaceLocks
from cryocloud_core.files.replacing import Replacing
from cryocloud_core.files.sweeping import Sweep
from cryocloud_core.files.terms import Clock, Terms
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.files.tree_download import TreeDownload
from cryocloud_core.sdk.transfer import RemoteFile
from cryocloud_core.sdk.url import Url

#: gives a path's one absolute name; `Settling` is quicker with thousands
Settle = Callable[[Path], Path]


@define(eq=False)
class Layer:
    """The transfers of one task or command on this machine; used from one thread or several.

    `check` raises when the task is told to stop; it is called often, from every thread of the layer, and what it raises
    leaves the layer within a second. `told` is handed the progress of each transfer at most four times a second, and
    what is asked, repeated and used again; from any thread, also from several at once.
    """

    transfers: Transfers
    settings: LayerSettings = field(factory=LayerSettings)
    check: Callable[[], None] = lambda: None
    told: Callable[[Moving], None] = lambda _: None
    clock: Clock = field(factory=Clock)
    disk: Disk = field(factory=Disk)
    _terms: Terms = field(init=False)
    _books: Books = field(init=False)
    _cache: Cache = field(init=False)
    _replacing: Replacing = field(init=False)
    _there: OtherSide = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._terms = Terms(self.settings, self._look, self.clock, self.disk, told=self._tell)
        self._books = Books(self.settings.tempdir)
        self._cache = Cache(self._books, self._terms)
        self._replacing = Replacing(self._cache)
        self._there = OtherSide(self._terms, self._books, self.transfers)

    def stat(self, url: Url) -> RemoteFile:
        """Return what the other side tells of a file or directory. Raises RemoteFileMissing, TransferError."""
        return self._there.stat(url)

    def fetch(self, url: Url, target: Path, *, sparing: bool = False) -> Path:
        """Bring one file to `target`, complete, verified and durable, and return it; parents are made.

        A copy fetched before is used again when nobody touched it and the other side still has that size and
        validator. The copy counts as in use until `release_all`. What lies at `target` is replaced; with `sparing`
        only a copy of `url` that nobody changed and no other task uses or used within `cache_keep`, else
        OccupiedError: what a task was given stays as it is, also for the next node, but to who asks for it again
        itself. Raises RemoteFileMissing, TransferError, ResolutionError for a scheme of nobody; then `target` is what
        it was.
        """
        self._fetch(url, settled(target), None, sparing=sparing)
        return target

    def fetch_tree(self, url: Url, target: Path, *, sparing: bool = False) -> Path:
        """Bring every file below a directory or prefix to below `target`, which appears whole, and return it.

        Sparing or not, a copy that another task uses or that holds files of others is not replaced. Raises
        OccupiedError then, RemoteFileMissing where there is no file, TransferError, also for names that cannot be files
        here.
        """
        place = settled(target)
        tree = self._tree(url, place)
        with self._alone(place, url):
            copy = self._copy(url, place)
            if copy is not None and copy.is_tree and self.settings.trust_local:
                self._reuse(copy, url)
                return target
            entries = tree.listing()
            if copy is not None and copy.is_tree and copy.is_of_all(entries):
                self._reuse(copy, url)
                return target
            self._replacing.refuse_strange(place, url, sparing=sparing)
            copy = tree.build(entries)
            with self._replacing.replaced(place, url, sparing=sparing):  # it took its time
                self._cache.announce(copy)
                tree.place()
            self._cache.replace(copy)
            self._cache.uses.add([place])
            tree.clean_up()
        return target

    def fetch_any(self, url: Url, target: Path, *, sparing: bool = False) -> Path:
        """Fetch what `url` is: a file, or a directory (also a URL that ends in `/`)."""
        known = None if url.path.endswith("/") else self.stat(url)
        if known is None or known.is_directory:
            return self.fetch_tree(url, target, sparing=sparing)
        self._fetch(url, settled(target), known, sparing=sparing)
        return target

    def fetch_small(self, wanted: Mapping[Url, Path], settle: Settle = settled) -> set[Url]:
        """Bring those of several files that are small, and use again what is here of them, many at a time.

        Each as `fetch` does it; return which. What did not come, for whatever reason, `fetch` brings, or tells why it
        cannot.
        """
        many = ManyFiles(self._terms, self._books, self._cache, self.transfers, self._there.slots)
        done: set[Url] = set()
        for endpoint in dict.fromkeys(url.endpoint for url in wanted):
            with contextlib.suppress(ConfigError):  # a wrong setting of that server: each file's own error names it
                done |= many.bring({url: settle(place) for url, place in wanted.items() if url.endpoint == endpoint})
        return done

    def put(self, path: Path, url: Url) -> None:
        """Send a file, or a directory with all in it, to `url`, over what is there, and verify that it arrived.

        What is there already with the same content is not sent again. Raises TransferError, also for a file that
        changed while it was sent; StagingError for what is no file, or a directory of nothing where there can be none.
        """
        self._there.put(path, url)

    def listing(self, url: Url) -> list[RemoteFile]:
        """Return everything below a directory or prefix, at any depth. Raises RemoteFileMissing, TransferError."""
        return self._there.listing(url)

    def content(self, url: Url, at_most: int) -> bytes:
        """Return the first bytes of a file, of which no copy is made. Raises RemoteFileMissing, TransferError."""
        return self._there.content(url, at_most)

    def remove(self, url: Url) -> None:
        """Remove what `url` names. Raises RemoteFileMissing, TransferError."""
        self._there.remove(url)

    def is_current(self, url: Url, target: Path, *, taken: bool = False) -> bool:
        """Return True when what was fetched from `url` to `target`, the copy or what was made of it, is still current.

        The copy itself may be gone (an archive that was unpacked), if what `belongs` to it is here; with `taken` it is
        no copy of ours any more. Asks the other side, but for `trust_local`. Raises TransferError.
        """
        place = settled(target)
        copy = read_copy(self._books.taken(place)) if taken else self._cache.find(place)
        if copy is None or copy.url != str(url):
            return False
        is_here = any(os.path.lexists(path) for path in copy.belongs) if copy.is_gone else copy.is_here
        if not is_here or self.settings.trust_local:
            return is_here
        if copy.is_tree:
            return copy.is_of_all(self._tree(url, copy.path).listing())
        return copy.is_of(self.stat(url))

    def begin_making(self, copy: Copy) -> None:
        """Note what is about to be made of an original that is not brought here, and is in use until `release_all`."""
        self._cache.uses.add([copy.path])
        self._books.visit(copy.path.parent)
        self._cache.keep(copy)
        for path in copy.belongs:
            self.disk.note(self._books.meta(Path(path)), {"of": copy.target})

    def belongs(self, path: Path, target: Path) -> None:
        """Note that `path` was made of the copy at `target`: it is used, current and swept together with it.

        It may be noted before it is made, should who makes it die over it, and is noted again when it is there.
        """
        self._cache.add_belonging(settled(path), settled(target))

    def made_before(self, target: Path) -> None:
        """Tell that what was made of the copy at `target` is used again, in use until `release_all`."""
        copy = self._cache.find(settled(target))
        if copy is not None:
            self._reuse(copy, Url.parse(copy.url))

    def in_use(self, path: Path) -> bool:
        """Keep the copy at `path` (or what belongs to one) from being swept until `release_all`; False for no copy."""
        owner = self._cache.owner_of(settled(path))
        if owner is not None:
            self._cache.uses.add([owner.path])
            self._cache.touch(owner.path)
        return owner is not None

    def uses(self, target: Path) -> bool:
        """Return True for a copy that is here and that this layer keeps in use."""
        return self._cache.uses.has(settled(target)) and self._cache.find(settled(target)) is not None

    def is_of(self, remote: RemoteFile, target: Path) -> bool:
        """Return True when nothing says that the copy at `target` is of another version than the other side has."""
        copy = self._cache.find(settled(target))
        return copy is None or copy.is_of(remote)

    def source_of(self, path: Path) -> Url | None:
        """Return the URL of the copy that `path` is, lies in, or was made of; None for what is no copy of ours."""
        return _source(self._cache.owner_of(settled(path)))

    def sources(self, settle: Settle) -> Callable[[Path], Url | None]:
        """Return what does as `source_of` for many paths, for a moment in which no copy comes or goes."""
        owner_of = self._cache.owners()
        return lambda path: _source(owner_of(settle(path)))

    def settle(self, seconds: float) -> None:
        """Give transfers that were given up so many seconds at most to take away what they left half."""
        self._terms.hands.settle(seconds)

    def release_all(self) -> None:
        """Let go of every copy that this layer keeps in use: the task has ended."""
        self._cache.uses.clear()

    def sweep(self) -> None:
        """Remove copies that nobody uses, the longest unused first, while over the configured size or disk share.

        Leftovers of dead transfers that are older than a day are removed too.
        """
        Sweep(self._cache).run()

    def _look(self) -> None:
        """Call `check` as it is now."""
        self.check()

    def _tell(self, moving: Moving) -> None:
        """Call `told` as it is now."""
        self.told(moving)

    def _fetch(self, url: Url, place: Path, known: RemoteFile | None, *, sparing: bool) -> None:
        with self._alone(place, url):
            copy = self._copy(url, place)
            if copy is not None and not copy.is_tree:
                if known is None and not self.settings.trust_local:
                    known = self.stat(url)
                if known is None or copy.is_of(known):
                    self._reuse(copy, url)
                    return
            if sparing:
                self._replacing.refuse_strange(place, url, sparing=True)
            if place.is_dir():
                raise StagingError("is a directory, no file can be put there", subject=str(place))
            self._cache.replace(self._downloaded(url, place, known, sparing=sparing))
            self._cache.uses.add([place])

    def _downloaded(self, url: Url, place: Path, known: RemoteFile | None, *, sparing: bool) -> Copy:
        @contextlib.contextmanager
        def naming(part: Path, remote: RemoteFile) -> Iterator[None]:
            spared = self._replacing.replaced(place, url, sparing=True) if sparing else contextlib.nullcontext()
            with spared:  # it took its time
                self._cache.announce(Copy.of(str(url), place, remote, part.stat()))
                yield

        transfer, slots = self.transfers.to(url), self._there.slots(url)
        progress = Progress(self._tell, self.clock.now, url)
        download = Download(self._terms, transfer, url, place, slots, progress, known, naming=naming)
        return Copy.of(str(url), place, download.run())

    def _copy(self, url: Url, place: Path) -> Copy | None:
        """Return the book of the copy that lies at a place untouched, if it is one of `url`."""
        copy = self._cache.find(place)
        return copy if copy is not None and copy.url == str(url) and copy.is_here else None

    def _reuse(self, copy: Copy, url: Url) -> None:
        self._cache.touch(copy.path)
        self._cache.uses.add([copy.path])
        self._tell(reused(url, copy.size_bytes, len(copy.files) if copy.is_tree else 1))

    @contextlib.contextmanager
    def _alone(self, place: Path, url: Url) -> Iterator[None]:
        """Be the only one of this machine that writes `place`; what cannot be done there is told with the URL."""
        self._tell(Moving(url, step=Step.ASKED))
        try:
            with PlaceLocks(self._books).held(place, self._terms.pause):
                self._books.visit(place.parent)
                yield
        except BaseException as error:
            self._tell(Moving(url, step=Step.OVER))
            if isinstance(error, StagingError) and error.subject != url.shown:
                error.place = error.place or url.shown
            raise

    def _tree(self, url: Url, place: Path) -> TreeDownload:
        return TreeDownload(self._terms, self.transfers.to(url), url, place, self._there.slots(url), self._tell)


def _source(owner: Copy | None) -> Url | None:
    return None if owner is None else Url.parse(owner.url)
