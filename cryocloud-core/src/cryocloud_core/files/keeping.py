"""What is brought somewhere for good: a file, a directory, or what an archive holds, for a person to keep.

Laws: what stands there is replaced only if it was brought there too and nobody changed it since; it is replaced whole,
by a rename; what fails leaves what stood there, and of itself only what the next try goes on with; errors name where
it comes from.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from attrs import evolve, field, frozen

from cryocloud_core.errors import ArchiveError, StagingError
from cryocloud_core.files.archives import MARKER, PRIVATE_PREFIX
from cryocloud_core.files.bookkeeping import Books, key_of, settled
from cryocloud_core.files.cache import Copy, read_copy
from cryocloud_core.files.copying import copy_whole
from cryocloud_core.files.disk import Disk
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.place_locks import PlaceLocks
from cryocloud_core.files.replacing import OccupiedError
from cryocloud_core.files.small_reading import batches
from cryocloud_core.files.strangers import is_unpacked
from cryocloud_core.files.targets import name_of
from cryocloud_core.files.unpacked import Unpacking, entries, is_whole, refuse_strange, unpacked_at
from cryocloud_core.sdk.url import Url
from cryocloud_core.wire import to_data

logger = logging.getLogger(__name__)


@frozen
class Keeping:
    """Brings files into directories of a person; used from several threads."""

    layer: Layer
    how: Unpacking
    disk: Disk = field(factory=Disk)

    def bring(self, source: Path | Url, folder: Path, *, unzip: bool = False) -> list[str]:
        """Bring a file or directory into a directory, under its own name, and return its path in a list.

        With `unzip` an archive's content comes, into a directory named as the archive: its entries are returned,
        sorted. Parents are made. Raises TaskError.
        """
        target = folder / (name_of(source) if isinstance(source, Url) else source.name)
        with self._ready(source, target):
            return self._unpacked(source, target) if unzip else [str(self._taken(source, target))]

    def bring_small(self, urls: Iterable[Url], folder: Path, came: dict[Url, Path]) -> None:
        """Bring those of several files that are small and whose names nothing has there, many at a time.

        `came` is filled with where they are, also when this is broken off. What did not come, for whatever reason,
        `bring` brings, or tells why it cannot. Raises ResolutionError, TaskError for a server's wrong settings.
        """
        targets = {url: folder / name_of(url) for url in urls if not url.path.endswith("/")}
        try:
            self.disk.make_folder(folder)
            self._books.visit(settled(folder))
            for batch in batches(targets):
                with PlaceLocks(self._books) as locks:
                    self._bring_batch(
                        {url: target for url, target in batch.items() if self._is_new(url, target, locks)}, came
                    )
        except StagingError as error:
            logger.debug("files are brought one by one: %s", error)

    def _is_new(self, url: Url, target: Path, locks: PlaceLocks) -> bool:
        """Return True when a name is ours alone, until the locks are left, and nothing has it, nor is to get it."""
        if not locks.take_now(settled(target)):
            return False
        return not os.path.lexists(target) and not os.path.lexists(_place_aside(url, target).parent)

    def _bring_batch(self, targets: Mapping[Url, Path], came: dict[Url, Path]) -> None:
        places = {url: _place_aside(url, target) for url, target in targets.items()}
        try:
            for url in self.layer.fetch_small(places):
                if self._is_placed(places[url], targets[url]):
                    came[url] = targets[url]
        finally:
            for place in places.values():
                with contextlib.suppress(OSError):  # there is none, or what has come is gone on with
                    place.parent.rmdir()

    def _is_placed(self, place: Path, target: Path) -> bool:
        """Give what came aside its name; False when that cannot be, and whoever brings one file tells why."""
        copy = read_copy(self._books.meta(settled(place)))
        if copy is None:
            return False
        try:
            self._place(_bare(copy), place, target)
        except OccupiedError:
            self._clear(place)
            return False
        except StagingError:
            return False
        self._clear(place)
        return True

    def _taken(self, source: Path | Url, target: Path) -> Path:
        if isinstance(source, Url) and self._is_current(source, target):
            logger.info("%s is current", target)
            return target
        if isinstance(source, Path) and os.path.exists(target) and target.samefile(source):  # noqa: PTH110
            return target
        self._refuse_strange(target)
        with self._aside(source, target) as place:
            self._place(self._brought(source, place), place, target)
        return target

    def _unpacked(self, source: Path | Url, target: Path) -> list[str]:
        """Return the entries of an archive that would have been brought to `target`, or the path of what is none."""
        if isinstance(source, Path):
            made = self._made_of(source, source, target)
            return [str(self._taken(source, target))] if made is None else entries(made)
        if os.path.lexists(target) and self._is_current(source, target):
            made = self._made_of(source, target, target)
            return [str(target)] if made is None else entries(made)
        made = self._made_before(source, target)
        if made is not None:
            logger.info("%s is current", made)
            return entries(made)
        with self._aside(source, target) as place:
            copy = self._brought(source, place)
            made = None if copy.is_tree else unpacked_at(place, target, self.how)
            if made is None:
                self._place(copy, place, target)
                return [str(target)]
            changed = (made / MARKER).stat().st_mtime_ns
            self._note(evolve(copy, belongs={str(made): changed}))
            return entries(made)

    def _is_current(self, url: Url, target: Path) -> bool:
        return self.layer.is_current(url, target, taken=True)

    def _made_of(self, source: Path | Url, archive: Path, target: Path) -> Path | None:
        """Return what an archive of this machine is unpacked to; None for what is none. Raises ArchiveError."""
        if archive.is_dir():
            return None
        with self._aside(source, target):  # where nothing can be written, nothing is unpacked elsewhere
            return unpacked_at(archive, target, self.how)

    def _made_before(self, url: Url, target: Path) -> Path | None:
        """Return what an archive was unpacked to that is still the one at its origin. Raises ArchiveError."""
        archive = _place_aside(url, target)
        book = read_copy(self._books.taken(settled(archive)))
        for made, changed in ({} if book is None else {Path(k): v for k, v in book.belongs.items()}).items():
            if not is_unpacked(made) or (made / MARKER).stat().st_mtime_ns != changed:
                continue
            refuse_strange(made, archive)
            if is_whole(made) and self._is_current(url, archive):
                return made
        return None

    def _brought(self, source: Path | Url, place: Path) -> Copy:
        """Bring something to its place aside, and return what is to be noted of it."""
        if isinstance(source, Path):
            return _looked_at(source, copy_whole(source, place))
        self.layer.fetch_any(source, place)
        copy = read_copy(self._books.meta(settled(place)))
        if copy is None:
            raise StagingError("was taken away when it had just come", subject=str(place), remedy="bring it again")
        return _bare(copy)

    def _place(self, copy: Copy, place: Path, target: Path) -> None:
        """Give what lies aside its name, over what was brought there before. Raises StagingError."""
        self._refuse_strange(target)  # bringing it took its time
        is_there, settled_target = os.path.lexists(target), settled(target)
        copy = evolve(copy, target=str(settled_target))
        old = read_copy(self._books.taken(settled_target)) if is_there else None
        self._note(copy if old is None else evolve(old, successor=copy.inode))
        if is_there and (copy.is_tree or target.is_dir()):
            self.disk.replace_tree(place, target)
        else:
            self.disk.rename(place, target)
        self._note(copy)
        self._books.swept(settled_target).unlink(missing_ok=True)

    def _refuse_strange(self, target: Path) -> None:
        """Raise OccupiedError when something stands there that is not ours to replace."""
        if not os.path.lexists(target):
            return
        copy = read_copy(self._books.taken(settled(target)))
        if copy is not None and copy.is_ours and copy.is_pure:
            return
        said = (
            "exists, and is not known to have been brought here"
            if copy is None
            else "was changed since it was brought here"
        )
        remedy = "move it away, or bring this into another directory"
        raise OccupiedError(said, subject=str(target), remedy=remedy)

    def _note(self, copy: Copy) -> None:
        self.disk.note(self._books.taken(copy.path), to_data(copy))

    @contextlib.contextmanager
    def _ready(self, source: Path | Url, target: Path) -> Iterator[None]:
        """Be the only one of this machine that brings something to `target`; errors name where it comes from."""
        said = source.shown if isinstance(source, Url) else str(source)
        try:
            self.disk.make_folder(target.parent)
            with PlaceLocks(self._books).held(settled(target), self._pause):
                yield
        except ArchiveError as error:
            error.subject = said
            raise
        except StagingError as error:
            if error.subject != said:
                error.place = error.place or said
            raise

    @contextlib.contextmanager
    def _aside(self, source: Path | Url, target: Path) -> Iterator[Path]:
        """Give a place beside `target` at which an interrupted transfer goes on the next time."""
        place = _place_aside(source, target)
        self._books.visit(settled(target).parent)
        self.disk.make_folder(place.parent)
        try:
            yield place
        except (ArchiveError, OccupiedError):
            self._clear(place)
            raise
        except BaseException:
            with contextlib.suppress(OSError):  # not empty: what has come is gone on with
                place.parent.rmdir()
            raise
        self._clear(place)

    def _clear(self, place: Path) -> None:
        self._books.meta(settled(place)).unlink(missing_ok=True)
        shutil.rmtree(place.parent, ignore_errors=True)

    @property
    def _books(self) -> Books:
        return Books(self.how.tempdir)

    def _pause(self, seconds: float) -> None:
        self.how.check()
        time.sleep(seconds)


def _place_aside(source: Path | Url, target: Path) -> Path:
    return target.with_name(f"{PRIVATE_PREFIX}{key_of(Path(str(source)))}") / target.name


def _bare(copy: Copy) -> Copy:
    """Return the book of what leaves the place of a copy."""
    return evolve(copy, belongs={}, outdated={}, successor=0)


def _looked_at(source: Path, place: Path) -> Copy:
    """Return the book of a file or directory that was copied from this machine to a place."""
    found = place.stat()
    book = Copy(str(source), str(place), found.st_size, found.st_mtime_ns, found.st_ino)
    if not place.is_dir():
        return book
    leaves = {}
    for above, folders, names in os.walk(place):
        for path in (Path(above, name) for name in (*folders, *names)):
            if path.is_symlink() or not path.is_dir():
                looks = path.stat(follow_symlinks=False)
                leaves[str(path.relative_to(place))] = [looks.st_size, looks.st_mtime_ns, None, None]
    return evolve(book, is_tree=True, files=leaves)
