"""Copies of remote files on this machine: what each is a copy of, whether it still is, who uses it.

Laws: a copy is used again only if nobody touched it here and the other side shows the same size and validator (or
checksum); what we have no book of is not ours.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import Factory, define, evolve, field, frozen

from cryocloud_core.errors import StagingError, WireError
from cryocloud_core.files.archives import PRIVATE_PREFIX
from cryocloud_core.files.bookkeeping import Books
from cryocloud_core.files.strangers import holds_strange, is_unpacked
from cryocloud_core.files.terms import Terms
from cryocloud_core.files.tree_names import Entries
from cryocloud_core.files.uses import Uses
from cryocloud_core.sdk.transfer import RemoteFile
from cryocloud_core.wire import from_json, to_data

#: how much is noted of a copy that was swept; of a larger tree it is forgotten which files it had
_NOTE_BYTES = 1024 * 1024
#: `[size, mtime_ns, validator, checksum]` of a file of a tree
Leaf = list[Any]


@frozen
class Copy:
    """What we fetched: from where, to where, how it looked here then, and what the other side said of it.

    `files` has a Leaf by name for a tree, whose own size is that of all its files, and `folders` the directories that
    were told of besides; `belongs` has the bytes of each path that was made of the copy, `outdated` of each that was
    made of an earlier version.
    """

    url: str
    target: str
    size_bytes: int
    mtime_ns: int
    inode: int
    validator: str | None = None
    checksum: str | None = None
    is_tree: bool = False
    files: dict[str, Any] = field(factory=dict)
    belongs: dict[str, int] = field(factory=dict)
    outdated: dict[str, int] = field(factory=dict)
    #: the inode of the newer version that is getting the name right now; it is ours too if we die over it
    successor: int = 0
    folders: list[str] = field(factory=list)

    @classmethod
    def of(cls, url: str, target: Path, remote: RemoteFile, looks: os.stat_result | None = None) -> Copy:
        """Return the book of a file that was just fetched; `looks`: how it looks where it lies until it is renamed."""
        found = looks or target.stat()
        return cls(url, str(target), found.st_size, found.st_mtime_ns, found.st_ino, remote.validator, remote.checksum)

    @property
    def path(self) -> Path:
        """Where the copy lies."""
        return Path(self.target)

    @property
    def made(self) -> dict[str, int]:
        """The bytes of each path that was made of the copy, of whichever version."""
        return {**self.belongs, **self.outdated}

    @property
    def is_ours(self) -> bool:
        """Whether nothing else lies there; of a tree only its directory is looked at."""
        try:
            found = self.path.stat(follow_symlinks=False)
        except OSError:
            return True
        if self.is_tree or found.st_ino != self.inode:
            return found.st_ino in (self.inode, self.successor)
        return (found.st_size, found.st_mtime_ns) == (self.size_bytes, self.mtime_ns)

    @property
    def is_here(self) -> bool:
        """Whether it lies there still, as it was fetched, file by file."""
        if self.is_gone or not self.is_ours or self.path.stat(follow_symlinks=False).st_ino != self.inode:
            return False
        if not all(os.path.isdir(self.path / name) for name in self.folders):  # noqa: PTH112 - Path's own raises
            return False
        return all(_looks(self.path / name) == tuple(leaf[:2]) for name, leaf in self.files.items())

    @property
    def is_pure(self) -> bool:
        """Whether nobody changed or added a file of a tree; what is gone or was unpacked by us does not count.

        False where a directory cannot be looked into.
        """
        if not self.is_tree or self.is_gone or self.path.stat(follow_symlinks=False).st_ino == self.successor:
            return True  # of a successor nothing is noted yet
        closed: list[OSError] = []
        for folder, folders, names in os.walk(self.path, onerror=closed.append):
            here = Path(folder)
            links = [name for name in folders if os.path.islink(here / name)]  # noqa: PTH114 - Path's own raises
            ours = [name for name in folders if _is_of_us(here / name)]
            if any(holds_strange(here / name) for name in ours):
                return False
            folders[:] = [name for name in folders if name not in ours]
            for name in (*names, *links):
                leaf = self.files.get(str((here / name).relative_to(self.path)), (None, None))
                if not name.startswith(PRIVATE_PREFIX) and _looks(here / name) != tuple(leaf[:2]):
                    return False
        return all(isinstance(error, FileNotFoundError) for error in closed)

    @property
    def is_gone(self) -> bool:
        """Whether nothing lies there any more."""
        return not os.path.lexists(self.target)

    def is_of(self, remote: RemoteFile) -> bool:
        """Return True when the other side still has what this file was fetched from, as far as it tells."""
        if remote.size_bytes is not None and remote.size_bytes != self.size_bytes:
            return False
        return _agree(self.validator, self.checksum, remote)

    def is_of_all(self, there: Entries) -> bool:
        """Return True when the other side still has exactly the files and directories that this tree was made of."""
        if there.files.keys() != self.files.keys() or set(there.folders) != set(self.folders):
            return False
        return all(
            there.files[name].size_bytes == leaf[0] and _agree(leaf[2], leaf[3], there.files[name])
            for name, leaf in self.files.items()
        )

    def is_version_of(self, other: Copy) -> bool:
        """Return True when both were fetched from the same version, as far as the other side told."""
        if self.is_tree:
            named = {name: _remote(other, *leaf[:1], *leaf[2:]) for name, leaf in other.files.items()}
            return other.is_tree and self.is_of_all(Entries(named, other.folders))
        return not other.is_tree and self.is_of(_remote(other, other.size_bytes, other.validator, other.checksum))


def leaf_of(found: os.stat_result, remote: RemoteFile) -> Leaf:
    """Return what the book of a tree says of a file that was just fetched."""
    return [found.st_size, found.st_mtime_ns, remote.validator, remote.checksum]


@define(eq=False)
class Cache:
    """The books of the copies on this machine, and which of them one task uses."""

    books: Books
    terms: Terms
    uses: Uses = field(default=Factory(lambda self: Uses(self.books, self.terms.pause), takes_self=True))

    def find(self, target: Path) -> Copy | None:
        """Return the book of the copy at a settled path, None when there is none."""
        return read_copy(self.books.meta(target))

    def keep(self, copy: Copy) -> None:
        """Write the book of a copy. Raises StagingError."""
        self.books.folder("meta")
        self.terms.disk.note(self.books.meta(copy.path), to_data(copy))

    def keep_first(self, copy: Copy) -> None:
        """Write the book of a copy that has none and gets its name now; `meta/` is made. Raises StagingError."""
        self.terms.disk.note_first(self.books.meta(copy.target), to_data(copy))

    def announce(self, copy: Copy) -> None:
        """Note a copy that is about to get its name, over an earlier one or not. Raises StagingError."""
        old = self.find(copy.path)
        if old is None or old.is_gone:
            self.replace(copy)
        else:
            self.keep(evolve(old, successor=copy.inode))

    def replace(self, copy: Copy) -> None:
        """Write the book of a new copy; what was made of the old one is still beside it, and swept with it."""
        old = self.find(copy.path)
        made = {} if old is None else {path: size for path, size in old.made.items() if os.path.lexists(path)}
        self.keep(evolve(copy, outdated=made))

    def touch(self, target: Path) -> None:
        """Note that a copy was used now."""
        try:
            os.utime(self.books.meta(target))
        except FileNotFoundError:
            return

    def is_awaited(self, target: Path) -> bool:
        """Return True for a copy that was used a moment ago, not by us: a next node may have been handed its path."""
        if self.uses.has(target):
            return False
        try:
            ago = self.terms.clock.wall() - self.books.meta(target).stat().st_mtime
        except FileNotFoundError:
            return False
        return 0 <= ago < self.terms.settings.cache_keep_s

    def owner_of(self, path: Path) -> Copy | None:
        """Return the copy that a settled path is, lies in, or was made of; None for what is not ours."""
        return self.owners()(path)

    def owners(self) -> Callable[[Path], Copy | None]:
        """Return what does as `owner_of` for many paths, for a moment in which no copy comes or goes."""
        root, known = str(self.books.root), dict[str, Copy | None]()

        def owner_of(path: Path) -> Copy | None:
            owner, place, passed = None, str(path), list[str]()
            while place not in known:
                passed.append(place)
                owner = self._made_at(Path(place)) if self.books.is_noted(place) else None
                above = os.path.dirname(place)  # noqa: PTH120 - asked for every file of a long list
                if owner is not None or above in (place, root):
                    break
                place = above
            owner = known.get(place, owner)
            known.update(dict.fromkeys(passed, owner))
            return owner

        return owner_of

    def forget(self, copy: Copy, *, is_swept: bool) -> None:
        """Take a copy, and what was made of it, out of the books; of one that `is_swept` it stays noted what it was."""
        if is_swept:
            self._remember_made(copy)
        for path in (*map(Path, copy.made), copy.path):
            book = self.books.meta(path)
            with contextlib.suppress(FileNotFoundError):
                if is_swept and book.stat().st_size > _NOTE_BYTES:
                    self.terms.disk.note(book, to_data(evolve(copy, files={}, folders=[])))
                if is_swept:
                    os.utime(book)
                    book.replace(self.books.swept(path))
                book.unlink(missing_ok=True)

    def _remember_made(self, copy: Copy) -> None:
        """Note with a copy what was made of it before it was swept an earlier time: somebody may come for that yet."""
        earlier = read_copy(self.books.swept(copy.path))
        if earlier is not None and earlier.url == copy.url and not earlier.made.keys() <= copy.made.keys():
            with contextlib.suppress(StagingError):  # a disk without room even for a note needs this most
                self.keep(evolve(copy, belongs={**earlier.made, **copy.belongs}))

    def add_belonging(self, path: Path, target: Path) -> None:
        """Note that `path` was, or is about to be, made of the copy at `target`. Raises StagingError."""
        copy = self.find(target)
        if copy is not None:
            outdated = {name: size for name, size in copy.outdated.items() if name != str(path)}
            self.keep(evolve(copy, belongs={**copy.belongs, str(path): _bytes_of(path)}, outdated=outdated))
            self.terms.disk.note(self.books.meta(path), {"of": str(target)})

    def all(self) -> Iterator[tuple[float, Copy]]:
        """Yield every copy with the moment when it was last used."""
        for path in self.books.folder("meta").glob("*.json"):
            copy = read_copy(path)
            if copy is not None:
                with contextlib.suppress(FileNotFoundError):  # somebody forgets it right now
                    yield path.stat().st_mtime, copy

    def _made_at(self, place: Path) -> Copy | None:
        pointer = self.books.meta(place)
        copy = read_copy(pointer)
        if copy is None:
            copy = read_copy(self.books.meta(pointed(pointer)))
            return copy if copy is not None and str(place) in copy.made else None
        return copy if copy.is_ours else None


def read_copy(path: Path) -> Copy | None:
    """Return the book of a copy, None for what is none."""
    try:
        return from_json(path.read_bytes(), Copy)
    except (OSError, WireError):
        return None


def _agree(validator: str | None, checksum: str | None, remote: RemoteFile) -> bool:
    """Return True when something that tells versions apart is the same, and nothing differs."""
    pairs = [(validator, remote.validator), (checksum, remote.checksum)]
    known = [mine == theirs for mine, theirs in pairs if mine is not None and theirs is not None]
    return bool(known) and all(known)


def _remote(copy: Copy, size_bytes: int, validator: str | None, checksum: str | None) -> RemoteFile:
    return RemoteFile(copy.url, size_bytes, validator, checksum)


def _looks(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _is_of_us(folder: Path) -> bool:
    return folder.name.startswith(PRIVATE_PREFIX) or is_unpacked(folder)


def _bytes_of(path: Path) -> int:
    if not os.path.lexists(path):
        return 0
    if not path.is_dir():
        return path.stat().st_size
    return sum(each.stat(follow_symlinks=False).st_size for each in path.rglob("*") if not each.is_dir())


def pointed(pointer: Path) -> Path:
    """Return the copy's key that a pointer of something that belongs to it names."""
    try:
        return Path(json.loads(pointer.read_text("utf-8"))["of"])
    except (OSError, ValueError, KeyError, TypeError):
        return Path("/")
