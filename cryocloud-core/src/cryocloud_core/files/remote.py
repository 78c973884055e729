"""The remote files of one task: brought to places of this machine, unpacked, sent, removed.

Laws: the layer and all that belongs to it is imported when the first URL is met; a copy is in use until `release`;
what was unpacked is a copy like others, and the archive it came from does not stay; a process that a module forks has
threads and connections of its own.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

from attrs import Factory, define, evolve, field

from cryocloud_core.errors import ArchiveError, RemoteFileMissing, StagingError
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.moving import Moving
from cryocloud_core.files.own_folder import own_folder
from cryocloud_core.files.places import refuse_tree
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.files.unpacked import Unpacking, copy_of, entries_again, is_whole, unpacked
from cryocloud_core.sdk.url import Url

if TYPE_CHECKING:
    from cryocloud_core.files.apart import Apart
    from cryocloud_core.files.bookkeeping import Books
    from cryocloud_core.files.keeping import Keeping
    from cryocloud_core.files.landing import Landing
    from cryocloud_core.files.layer import Layer
    from cryocloud_core.files.regaining import Regaining

_WEB = ("http", "https")
#: how often a copy is held that others bring and sweep again at that very moment
_RACES = 20


@define(eq=False)
class Remote:
    """What one task does with remote places; used from several threads.

    Copies of another machine's files go below `datadir`, all others below the `tempdir` of `how`. `told` hears how far
    transfers are.
    """

    how: Unpacking
    transfers: Transfers = field(factory=Transfers)
    settings: LayerSettings = field(default=Factory(lambda self: LayerSettings(self.how.tempdir), takes_self=True))
    datadir: Path = Path("/")
    told: Callable[[Moving], None] = lambda _: None
    _layer: Layer | None = None
    _lock: threading.Lock = field(factory=threading.Lock)
    #: what belongs to the process that this one was forked from: kept, for to end it would take its threads
    _of_parent: object = None

    def __attrs_post_init__(self) -> None:
        _REMOTES.add(self)

    @property
    def layer(self) -> Layer:
        """The layer of this task, made on first use."""
        from cryocloud_core.files.layer import Layer

        with self._lock:
            if self._layer is None:
                self._layer = Layer(self.transfers, self.settings, self.how.check, self.told)
            return self._layer

    def brought(self, url: Url, *, unzip: bool = False) -> list[str]:
        """Return the local copy of a URL in a list, or with `unzip` what its archive holds. Raises TaskError."""
        return self.unpacked(url) if unzip else [str(self.fetch(url))]

    def fetch(self, url: Url) -> Path:
        """Return the local copy of a file or directory, current, and in use until `release`. Raises TaskError."""
        from cryocloud_core.files.replacing import OccupiedError

        refuse_tree(url)
        landing = self._landing()
        place = landing.place(url)
        try:
            return self.layer.fetch_any(url, place, sparing=True)
        except StagingError as error:
            # Another task may just have put a directory where this file was to lie, or the reverse.
            if landing.place(url) == place and not isinstance(error, OccupiedError):
                raise
        return self._fetch_apart(url)

    def fetch_small(self, urls: Iterable[Url]) -> dict[Url, Path]:
        """Return the local copies of those files that are here and current, or small and came; `fetch` the others."""
        from cryocloud_core.files.bookkeeping import Settling

        settle = Settling()
        landing = evolve(self._landing(), source_of=self.layer.sources(settle))
        places = landing.places(url for url in urls if not url.path.endswith("/"))
        return {url: places[url] for url in self.layer.fetch_small(places, settle)}

    def bring_small(self, urls: Iterable[Url], folder: Path | None, came: dict[Url, Path]) -> None:
        """Fetch several files as `fetch_small` does, or with a folder as `keep` does; fill `came` with where they are.

        Also with what had come when this is broken off. Raises TaskError for settings that are wrong.
        """
        if folder is not None:
            self._keeping().bring_small(urls, folder.absolute(), came)
            return
        urls = list(urls)
        try:
            came |= self.fetch_small(urls)
        except BaseException:
            came |= {url: place for url, place in self._landing().places(urls).items() if self.layer.uses(place)}
            raise

    def keep(self, source: Path | Url, folder: Path, *, unzip: bool = False) -> list[str]:
        """Bring a file or directory, from this machine too, into a directory for good: no sweep may take it.

        Returns its path in a list; with `unzip` the entries of an archive. Raises TaskError, also where something
        stands that was not brought there, or was changed since.
        """
        if isinstance(source, Url):
            refuse_tree(source)
        return self._keeping().bring(source, folder, unzip=unzip)

    def unpacked(self, url: Url) -> list[str]:
        """Return the entries of an archive's unpacked copy, sorted; the archive itself does not stay.

        What is no archive gives a list with its own path. Raises TaskError.
        """
        from cryocloud_core.files.replacing import OccupiedError
        from cryocloud_core.files.targets import numbers

        refuse_tree(url)
        landing = self._landing()
        with landing.alone(url):
            remote = self.layer.stat(url)
            if remote.is_directory:
                return [str(self.fetch(url))]
            for number in numbers():
                archive = landing.place_to_unpack(url, remote, number)
                if not self.layer.is_of(remote, archive):  # it was swept, and brought again from a newer original
                    continue
                self.layer.in_use(archive)
                ready = None if archive.exists() else copy_of(archive, self.how.tempdir)
                if ready is not None and is_whole(ready):
                    self.layer.made_before(archive)
                    return entries_again(archive, ready)
                if ready is None:
                    # What is no archive is delivered as it is, and a module may have changed it.
                    with contextlib.suppress(OccupiedError):
                        return self.unpacked_copy(self.layer.fetch(url, archive, sparing=True))
        raise AssertionError("a place of a new name is free")

    def unpacked_copy(self, copy: Path) -> list[str]:
        """Return the entries of what a copy is unpacked to, which is swept and had again with it. Raises TaskError.

        The copy itself does not stay if it was only brought for that; a task may have been handed the path of another.
        """
        from cryocloud_core.files.bookkeeping import Books, settled

        passes, noted = self._landing().is_to_unpack(copy), list[Path]()
        Books(self.how.tempdir).visit(settled(copy).parent)  # should we die over it

        def note(place: Path) -> None:
            self.layer.belongs(place, copy)
            noted.append(place)

        try:
            found = unpacked(copy, self.how, yields=not passes, before=note)
        except ArchiveError as error:
            source = self.layer.source_of(copy)
            error.subject = error.subject if source is None else source.shown
            raise
        made = None if found == [str(copy)] else copy_of(copy, self.how.tempdir)
        if made is not None:
            if noted or self.layer.source_of(made) is None:
                self.layer.belongs(made, copy)
            if passes:
                copy.unlink(missing_ok=True)
        return found

    def unpacked_apart(self, archive: Path, *, keep: bool = True) -> list[str]:
        """Return the entries of a copy of an archive of this machine beside which nothing can be put. Raises TaskError.

        The archive stays; it is an error if it is not to be kept.
        """
        return self._apart().unpacked(archive, keep=keep)

    def put(self, path: Path, url: Url) -> None:
        """Send a file or directory to a URL, over what is there. Raises TaskError."""
        transfer = self.transfers.to(url)
        if not transfer.abilities.put:
            raise transfer.cannot(f"put {path.name}", url)
        self.layer.put(path, url)

    def remove(self, url: Url, *, recursive: bool = False) -> None:
        """Remove an object, an empty bucket, or with `recursive` all objects below a prefix, which ends in `/`.

        Raises StagingError for places that only their machine clears, TransferError.
        """
        if url.scheme == "ssh":
            raise StagingError(
                "is a file on another machine, which only that machine removes",
                subject=str(url),
                remedy='run "remove" there on its plain path: "ccnode": {"stat": "NODE.node"} of the NODE that made it',
            )
        if url.scheme in _WEB:
            raise StagingError("cannot be removed: a web server only hands out files", subject=str(url))
        if not url.path.endswith("/") or not url.path.strip("/").count("/"):
            self.layer.remove(url)
            return
        if not recursive:
            raise StagingError("is everything below a prefix", subject=str(url), remedy="set recursive")
        for found in reversed(self.layer.listing(url)):  # what stands for a directory after what is in it
            with contextlib.suppress(RemoteFileMissing):  # somebody else was faster
                self.layer.remove(Url.parse(found.url))

    def hold(self, path: Path) -> bool:
        """Keep a copy of ours that is used in place by its path from being swept until `release`; False for no copy.

        One that was swept before is brought again. Raises TaskError.
        """
        meta = own_folder(self.how.tempdir) / "meta"
        if not os.path.isdir(meta) or meta.stat().st_uid != os.geteuid():  # noqa: PTH112 - Path's own raises
            return False
        from cryocloud_core.files.bookkeeping import Books, settled

        books, place = Books(self.how.tempdir), settled(path)

        def is_noted() -> bool:
            return any(books.meta(each).exists() for each in (place, *place.parents))

        is_held = False
        for _ in range(_RACES):
            is_held = is_noted() and self.layer.in_use(path)
            if os.path.lexists(path):  # looked at only now: nobody sweeps it any more
                if is_held or not is_noted() or self.layer.source_of(path) is None:
                    break
            elif not self._regaining(books).run(place):
                break
        return is_held

    def is_copy(self, path: Path) -> bool:
        """Return True for what we fetched to this machine, and for what was made of it."""
        return self._landing().is_copy(path)

    def settle(self, seconds: float) -> None:
        """Give transfers that were given up so many seconds at most to take away what they left half."""
        if self._layer is not None:
            self._layer.settle(seconds)

    def release(self, *, sweep: bool = True) -> None:
        """Let go of every copy: the task has ended; with `sweep` old copies make room. Raises TaskError.

        Those of this task do not go at once, however full the disk is: whoever is handed their paths comes now.
        """
        with self._lock:
            layer, self._layer = self._layer, None
        if layer is None:
            return
        try:
            if sweep:
                layer.sweep()
        finally:
            layer.release_all()

    def renew(self) -> None:
        """Begin anew, in a process that was forked off ours."""
        self._of_parent = (self._of_parent, self._layer, self.transfers)
        self._layer, self._lock, self.transfers = None, threading.Lock(), Transfers(self.transfers.routes)

    def _fetch_apart(self, url: Url) -> Path:
        """Return a copy beside the usual one, which is in use or holds somebody's files."""
        from cryocloud_core.files.replacing import OccupiedError
        from cryocloud_core.files.targets import numbers, place_apart

        root = own_folder(self.how.tempdir)
        for number in numbers():
            with contextlib.suppress(OccupiedError):
                return self.layer.fetch_any(url, place_apart(url, root, number), sparing=True)
        raise AssertionError("a place of a new name is free")

    def _keeping(self) -> Keeping:
        from cryocloud_core.files.keeping import Keeping

        return Keeping(self.layer, self.how)

    def _regaining(self, books: Books) -> Regaining:
        from cryocloud_core.files.regaining import Regaining

        return Regaining(books, self.layer, self._landing().alone, self.unpacked_copy, self._apart().again)

    def _apart(self) -> Apart:
        from cryocloud_core.files.apart import Apart

        return Apart(self.layer, self._landing(), self.how)

    def _landing(self) -> Landing:
        from cryocloud_core.files.landing import Landing

        return Landing(self.how.tempdir, self.datadir, self.layer.source_of, self.how.check)


#: those of this process
_REMOTES: WeakSet[Remote] = WeakSet()


def _renew_all() -> None:
    for remote in list(_REMOTES):
        remote.renew()


os.register_at_fork(after_in_child=_renew_all)
