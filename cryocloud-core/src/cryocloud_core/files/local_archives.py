"""Archives of this machine that copies were made of: their URL in the books, how they look now, which copy was last.

Laws: one that cannot be looked at counts as gone; its size and time of change tell its versions apart, as the marker of
a copy says them; of an archive that is gone only what was made of its last version may stand for it.
"""

from __future__ import annotations

from pathlib import Path

from cryocloud_core.files.bookkeeping import key_of, settled
from cryocloud_core.files.cache import Copy, pointed
from cryocloud_core.files.own_folder import own_folder
from cryocloud_core.sdk.transfer import RemoteFile
from cryocloud_core.sdk.url import Url

#: the notes on which copy of an archive was made or used last
LAST = "last"


def url_of(archive: Path) -> Url:
    """Return the URL of an archive of this machine: `file:///absolute/path`, links in the directories followed."""
    return Url.parse(f"file://{settled(archive)}")


def archive_of(url: Url) -> Path | None:
    """Return the archive of this machine that a URL of the books names, None for what lies elsewhere."""
    return Path(url.path) if url.scheme == "file" else None


def look_at(archive: Path) -> RemoteFile | None:
    """Return size and version of an archive as it is now, None when it is gone."""
    try:
        found = archive.stat()
    except OSError:
        return None
    return RemoteFile(url_of(archive).text, found.st_size, str(found.st_mtime_ns))


def is_last_of_its_kind(copy: Copy) -> bool:
    """Return True for a copy whose original lay here, and is gone or another version: nobody can make it again."""
    archive = archive_of(Url.parse(copy.url))
    if archive is None:
        return False
    now = look_at(archive)
    return now is None or not copy.is_of(now)


def last_note(archive: Path, tempdir: Path) -> Path:
    """Return where it stands which copy of an archive was made or used last."""
    return own_folder(tempdir) / LAST / f"{key_of(settled(archive))}.json"


def last_place(archive: Path, tempdir: Path) -> Path | None:
    """Return where the archive would lie that was unpacked or used last under this name; None when none is known."""
    place = pointed(last_note(archive, tempdir))
    return None if place == Path("/") else place
