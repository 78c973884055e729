"""What `dirwatcher` sees: looks at a directory, whole or at single paths, and what kind of disk it is on.

Laws: only reads; dotfiles and what CryoCloud wrote itself are not there. A path that cannot be read is reported as
unread, never as absent. Links to files are followed; links to directories only at the top level of a flat watch, so
that no loop is walked.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from attrs import define, field

from cryocloud_modules_builtin.watching import Entry

#: file systems whose changes may be made by other machines, of which no event tells
NETWORK = re.compile(r"(nfs|cifs|smb|ceph|lustre|gpfs|beegfs|gluster|afs|9p|virtiofs|vboxsf|fuse|orangefs|ocfs|gfs)")


@define
class Sighting:
    """What a look found: entries by path, and the paths that could not be read with the reason."""

    entries: dict[str, Entry] = field(factory=dict)
    unread: dict[str, str] = field(factory=dict)


@define
class Tree:
    """The directory `root`. Recursive: files at any depth. Flat: files and directories directly in it."""

    root: str
    recursive: bool
    is_ours: Callable[[str], bool]

    def look(self) -> Sighting:
        """Look at everything. Raises OSError when the root itself cannot be read."""
        seen = Sighting()
        with os.scandir(self.root) as found:
            names = [entry.name for entry in found]
        for name in names:
            self._take(os.path.join(self.root, name), seen)
        return seen

    def look_at(self, paths: Iterable[str]) -> Sighting:
        """Look at these paths and what is below them."""
        seen = Sighting()
        for path in paths:
            if self._is_visible(path):
                self._take(path, seen)
        return seen

    def _take(self, path: str, seen: Sighting) -> None:
        try:
            if not _is_hidden(path):
                self._take_visible(path, seen)
        except (FileNotFoundError, NotADirectoryError):
            return  # it went while we looked
        except OSError as error:
            seen.unread[path] = error.strerror or str(error)

    def _take_visible(self, path: str, seen: Sighting) -> None:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            seen.entries[path] = Entry(status.st_size, status.st_mtime)
        elif stat.S_ISDIR(status.st_mode) and not self.is_ours(path):
            if not self.recursive:
                seen.entries[path] = measure(path)
            elif not os.path.islink(path):
                with os.scandir(path) as found:
                    names = [entry.name for entry in found]
                for name in names:
                    self._take(os.path.join(path, name), seen)

    def _is_visible(self, path: str) -> bool:
        """Tell whether a look at everything would come by this path."""
        parent = os.path.dirname(path)
        if parent == self.root:
            return True
        inside = self.recursive and parent.startswith(self.root.rstrip("/") + "/")
        if not inside or _is_hidden(parent) or os.path.islink(parent) or self.is_ours(parent):
            return False
        return self._is_visible(parent)


def measure(path: str) -> Entry:
    """Return size and newest change of a file, or of all below a directory. Raises OSError for what is unreadable."""
    status = os.stat(path)
    if not stat.S_ISDIR(status.st_mode):
        return Entry(status.st_size, status.st_mtime)
    below = [(each.st_size, each.st_mtime) for each in _files_below(path)]
    newest = max((mtime for _, mtime in below), default=status.st_mtime)
    return Entry(sum(size for size, _ in below), newest, is_dir=True)


def is_network_disk(path: str) -> bool:
    """Tell whether a path is on a disk that other machines may change without any event here."""
    mounts = Path("/proc/self/mountinfo")
    if not mounts.exists():
        return True
    return NETWORK.match(disk_type(os.path.realpath(path), mounts.read_text("utf-8", "surrogateescape"))) is not None


def disk_type(path: str, mountinfo: str) -> str:
    """Return the type of the file system that holds an absolute path, from the text of /proc/self/mountinfo."""
    best, kind = "", ""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), before.split(" ")[4])
        if f"{path}/".startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, kind = point, after.split(" ")[0]
    return kind


def _files_below(path: str) -> Iterator[os.stat_result]:
    """Yield the status of every file that belongs to a directory product; our own leftovers do not belong to it."""
    with os.scandir(path) as found:
        entries = [entry for entry in found if not entry.name.startswith(".cc")]
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_below(entry.path)
            else:
                yield entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # it went while we looked


def _is_hidden(path: str) -> bool:
    return os.path.basename(path).startswith(".")
