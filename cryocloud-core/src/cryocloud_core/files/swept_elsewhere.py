"""Copies that another machine swept: what they were copies of, as its own notes tell over ssh.

Laws: a note is followed only where it lies in the directory that the missing path itself lies in, for who could write
it could have put a file there; what is noted elsewhere is told and no more; what cannot be read tells nothing; nothing
is fetched here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from attrs import frozen

from cryocloud_core.errors import RemoteFileMissing, ResolutionError, StagingError, WireError
from cryocloud_core.files.bookkeeping import key_of
from cryocloud_core.files.cache import Copy
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.local_archives import archive_of
from cryocloud_core.files.own_folder import own_folder
from cryocloud_core.files.places import place_of
from cryocloud_core.sdk.transfer import RemoteFile
from cryocloud_core.sdk.url import Url
from cryocloud_core.wire import from_data

REMEDY = (
    "copies make room for others: raise CryoCloud.Worker.cache_keep or cache_max_share there, or run the node on that "
    'machine: "ccnode": {"stat": "NODE.node"} of the NODE that returned the path'
)
#: our folder on another machine, by what lies in it; the first of a path: what a copy holds may be called so too
_FOLDER = re.compile(r"(.*?/cc(?:-[0-9]+)?)/(?:s3|unpacked|[a-z][a-z0-9+.-]*/[^/]+/[0-9a-f]{32})/", re.DOTALL)
#: no book of a copy that was swept is larger
_MOST_BYTES = 2 * 1024 * 1024


@frozen
class Swept:
    """A copy that is gone from another machine: its book, and the place that went with it, where `asked` lies."""

    copy: Copy
    place: PurePosixPath
    asked: Url

    @property
    def original(self) -> Url:
        """What it was a copy of, as it is called from here."""
        url = Url.parse(self.copy.url)
        return url if archive_of(url) is None else self.asked.with_path(url.path)

    @property
    def below(self) -> PurePosixPath:
        """What was asked for, below the copy or what it was unpacked to; `.` for that itself."""
        return PurePosixPath(self.asked.path).relative_to(self.place)

    @property
    def is_of_local_archive(self) -> bool:
        """Whether its original is an archive on its own machine."""
        return archive_of(Url.parse(self.copy.url)) is not None

    @property
    def is_unpacked(self) -> bool:
        """Whether it was in an archive's contents."""
        return str(self.place) != self.copy.target


@frozen
class Elsewhere:
    """The notes of other machines, read through a layer; `tempdir` is where theirs are looked for besides."""

    layer: Layer
    tempdir: Path

    def find(self, url: Url) -> Swept | None:
        """Return what is gone where a URL's machine has nothing; None where that was no copy that was swept."""
        folder = _folder_of(url)
        return None if folder is None or url.scheme != "ssh" else self._find(url, folder)

    def remedy(self, url: Url) -> str:
        """Return what can be done about a file that is missing and may have been a copy, empty where it was none."""
        if url.scheme != "ssh":
            return ""
        if _folder_of(url) is not None:
            return REMEDY
        swept = self._find(url, str(own_folder(self.tempdir)))
        return "" if swept is None else f"it was a copy of {swept.original.shown}; {REMEDY}"

    def _find(self, url: Url, folder: str) -> Swept | None:
        path = PurePosixPath(url.path)
        for place in (path, *path.parents[:-1]):
            if str(place) == folder or self._is_there(url.with_path(str(place))):
                return None
            for copy in self._noted(url, folder, place):
                return Swept(copy, place, url)
        return None

    def _noted(self, url: Url, folder: str, place: PurePosixPath) -> Iterator[Copy]:
        """Yield the copies that lay at a place, or that it was made of, as the books below a folder tell."""
        for data in self._books(url, folder, str(place)):
            copy = _copy(data)
            if copy is not None:
                if copy.target == str(place) and _is_elsewhere(copy.url):
                    yield copy
                continue
            of = _pointed(data)
            for copy in map(_copy, self._books(url, folder, of) if of else ()):
                if copy is not None and str(place) in copy.made and _is_known(copy.url):
                    yield copy

    def _books(self, url: Url, folder: str, place: str) -> Iterator[bytes]:
        for book in ("meta", "swept"):
            try:
                yield self.layer.content(url.with_path(f"{folder}/{book}/{key_of(Path(place))}.json"), _MOST_BYTES)
            except StagingError:
                continue

    def _is_there(self, url: Url) -> bool:
        """Return False for what is known to be missing."""
        try:
            self.layer.stat(url)
        except RemoteFileMissing:
            return False
        except StagingError:
            return True
        return True


def _folder_of(url: Url) -> str | None:
    """Return the folder on its machine in which a path lies among copies; None where none are."""
    found = _FOLDER.match(url.path)
    return found[1] if found else None


def is_same_archive(there: RemoteFile, copy: Copy) -> bool:
    """Return True for an archive that ssh tells to be as it was when another machine unpacked its own.

    Of the time of change, in nanoseconds in the book, ssh tells whole seconds.
    """
    changed = (there.validator or "").rpartition("-")[2].partition(".")[0]
    return there.size_bytes == copy.size_bytes and changed == (copy.validator or "")[:-9] != ""


def _is_elsewhere(url: str) -> bool:
    """Return True for what is fetched from a server, and no file of whoever asks."""
    try:
        return isinstance(place_of(url), Url)
    except ResolutionError:
        return False


def _is_known(url: str) -> bool:
    """Return True for a URL of the books, which may be of an archive on the machine that unpacked it."""
    try:
        return Url.parse(url).scheme != "file" or Url.parse(url).path.startswith("/")
    except ResolutionError:
        return False


def _copy(data: bytes) -> Copy | None:
    found = _table(data)
    try:
        return from_data(found, Copy) if found else None
    except WireError:
        return None


def _pointed(data: bytes) -> str:
    of = _table(data).get("of")
    return of if isinstance(of, str) else ""


def _table(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):  # nested without end
        return {}
    return found if isinstance(found, dict) else {}
