"""Writing the members of an archive below one directory, and nowhere else.

Laws: every path is opened component by component without following links; links are made last, so nothing can be
written through one, and each must end inside; setuid, setgid and sticky bits are dropped; a later member of a name
replaces an earlier one; limits are checked while bytes are written, whatever the headers claim, however
many threads write.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import Factory, define, field, frozen

from cryocloud_core.errors import ArchiveError
from cryocloud_core.files.contents import Contents
from cryocloud_core.files.member import Member, MemberKind
from cryocloud_core.files.members import cores, explained

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: below this much output the ratio is not judged: small text packs well
RATIO_FLOOR_BYTES = 2**30


@frozen
class UnpackLimits:
    """What an archive may become: bytes, entries, and bytes out per byte in (judged beyond 1 GiB)."""

    max_bytes: int = 200 * 2**30
    max_entries: int = 1_000_000
    max_ratio: float = 1000.0


@define(eq=False)
class Tree:
    """A directory being filled. `written` holds the files by their parts, `links` the symlinks still to be made."""

    root: Path
    archive: str
    packed_bytes: int
    limits: UnpackLimits
    #: raises when the task was told to stop
    check: Callable[[], None]
    written: dict[tuple[str, ...], bool] = field(factory=dict)
    links: dict[tuple[str, ...], str] = field(factory=dict)
    _entries: int = 0
    _bytes: int = 0
    _parent: tuple[tuple[str, ...], int] | None = None
    _lock: threading.Lock = field(factory=threading.Lock)
    _contents: Contents = field(default=Factory(lambda self: Contents(self._count_bytes, cores()), takes_self=True))

    def add(self, member: Member) -> None:
        """Write one member, or note it if it is a link. Raises ArchiveError."""
        self.check()
        self._count_entry()
        parts = self._parts(member.name)
        if not parts:
            if member.kind is MemberKind.DIRECTORY:
                return  # "./", the root itself
            raise self._refuse(f"member {member.name!r} has no name")
        if any(parts[:end] in self.links for end in range(1, len(parts))):
            raise self._refuse(f"member {member.name!r} lies behind a link of the same archive")
        with self._told(member):
            self._add(member, parts)

    def finish(self) -> None:
        """Wait for the contents, make the links and see that each ends inside. Raises ArchiveError."""
        self._contents.finish()
        self._forget_parent()
        root = os.path.realpath(self.root)
        for parts, target in self.links.items():
            self._make_link(parts, target)
        for parts in self.links:
            path = self.root.joinpath(*parts)
            if not _inside(os.path.realpath(path), root):
                raise self._refuse(f"link {'/'.join(parts)!r} -> {self.links[parts]!r} points outside")

    def close(self) -> None:
        """Write nothing more, and let go of open directories."""
        self._contents.stop()
        self._forget_parent()

    @contextmanager
    def _told(self, member: Member) -> Iterator[None]:
        """Turn what goes wrong with a member into an ArchiveError that names it."""
        with explained(self.archive):
            try:
                yield
            except OSError as error:
                raise self._refuse(f"member {member.name!r}: {_reason(error)}") from error

    def _add(self, member: Member, parts: tuple[str, ...]) -> None:
        match member.kind:
            case MemberKind.DIRECTORY:
                self._directory(parts)
            case MemberKind.SYMLINK:
                self._note_link(parts, member.link)
            case MemberKind.HARDLINK:
                self._hard_link(parts, member)
            case MemberKind.FILE:
                self._file(parts, member)

    def _parts(self, name: str) -> tuple[str, ...]:
        if name.startswith("/") or "\0" in name:
            raise self._refuse(f"member {name!r} has an absolute or impossible name")
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if ".." in parts:
            raise self._refuse(f"member {name!r} climbs out with '..'")
        return parts

    def _directory(self, parts: tuple[str, ...]) -> None:
        self.links.pop(parts, None)
        os.close(self._open_directory(parts))

    def _file(self, parts: tuple[str, ...], member: Member) -> None:
        folder = self._folder(parts[:-1])
        self._clear(parts, folder)
        mode = (stat.S_IMODE(member.mode) & 0o777 | 0o600) if member.mode else 0o666
        descriptor = os.open(parts[-1], _NEW_FILE, mode, dir_fd=folder)
        self.written[parts] = True
        self._contents.write(member, descriptor, lambda: self._told(member))

    def _hard_link(self, parts: tuple[str, ...], member: Member) -> None:
        source = self._parts(member.link)
        if source in self.links:
            self._note_link(parts, self.links[source])
            return
        if source not in self.written:
            raise self._refuse(f"hard link {member.name!r} -> {member.link!r} names no file of the archive before it")
        if source == parts:
            return
        folder = self._folder(parts[:-1])
        self._clear(parts, folder)
        start = self._open_directory(source[:-1])
        try:
            os.link(source[-1], parts[-1], src_dir_fd=start, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(start)
        self.written[parts] = True

    def _note_link(self, parts: tuple[str, ...], target: str) -> None:
        if not target or target.startswith("/") or "\0" in target:
            raise self._refuse(f"link {'/'.join(parts)!r} -> {target!r} points outside")
        self._clear(parts, self._folder(parts[:-1]))
        self.links[parts] = target

    def _make_link(self, parts: tuple[str, ...], target: str) -> None:
        folder = self._open_directory(parts[:-1])
        try:
            os.symlink(target, parts[-1], dir_fd=folder)
        except OSError as error:
            raise self._refuse(f"link {'/'.join(parts)!r}: {_reason(error)}") from error
        finally:
            os.close(folder)

    def _clear(self, parts: tuple[str, ...], folder: int) -> None:
        """Take away an earlier member of the same name; the last one wins."""
        self.links.pop(parts, None)
        if self.written.pop(parts, False):
            os.unlink(parts[-1], dir_fd=folder)

    def _folder(self, parts: tuple[str, ...]) -> int:
        """Return an open directory; the last one stays open, as members of one directory follow each other."""
        if self._parent is None or self._parent[0] != parts:
            self._forget_parent()
            self._parent = (parts, self._open_directory(parts))
        return self._parent[1]

    def _forget_parent(self) -> None:
        if self._parent is not None:
            os.close(self._parent[1])
            self._parent = None

    def _open_directory(self, parts: tuple[str, ...]) -> int:
        """Open (and make) a directory below the root, one component at a time, following no link."""
        here = os.open(self.root, _DIRECTORY)
        for part in parts:
            try:
                here, above = _step(part, here), here
            except OSError:
                os.close(here)
                raise
            os.close(above)
        return here

    def _count_entry(self) -> None:
        self._entries += 1
        if self._entries > self.limits.max_entries:
            raise self._refuse(f"has more than {self.limits.max_entries} entries", "raise unpack_max_entries")

    def _count_bytes(self, count: int) -> None:
        self.check()
        with self._lock:
            self._bytes += count
        if self._bytes > self.limits.max_bytes:
            raise self._refuse(f"unpacks to more than {self.limits.max_bytes} bytes", "raise unpack_max_bytes")
        if self._bytes > max(RATIO_FLOOR_BYTES, self.packed_bytes * self.limits.max_ratio):
            raise self._refuse(
                f"unpacks to more than {self.limits.max_ratio:g} times its size", "raise unpack_max_ratio"
            )

    def _refuse(self, why: str, remedy: str = "") -> ArchiveError:
        return ArchiveError(why, subject=self.archive, remedy=remedy)


def _step(part: str, folder: int) -> int:
    try:
        return os.open(part, _DIRECTORY, dir_fd=folder)
    except FileNotFoundError:
        os.mkdir(part, 0o777, dir_fd=folder)
        return os.open(part, _DIRECTORY, dir_fd=folder)


def _inside(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP):
        return "the archive has both a file and a directory of that name"
    return error.strerror or str(error)
