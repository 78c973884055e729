"""Where the copies of remote files lie on this machine.

Laws: a place follows from the URL alone and no two URLs share one; names are kept as they are but for those that no
disk can hold or that would lead elsewhere (NUL, `.`, `..`, an empty one, one that is too long, one of our own
`.cc-…`); what is put in their stead no other name is given.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from cryocloud_core.files.archives import PRIVATE_PREFIX
from cryocloud_core.sdk.url import Url

#: bytes of one name on the file systems in use, and of a whole path below our folder
_NAME_LIMIT = 255
_PATH_LIMIT = 3000
#: how many places of one copy are looked at, when one is in use, lacks something or holds what others put there
_PLACES = 20
_WEB = ("http", "https")
_STANDING_IN = {"": "%2F", ".": "%2E", "..": "%2E%2E"}
#: what a name that was changed may look like; one that looks so by itself is changed too
_CHANGED = re.compile(r"%2F|%2E|%2E%2E|.*%[0-9a-f]{32}(\.[^.%]*)?", re.DOTALL)
_SUFFIX = re.compile(r"\.[^.%/\0]{1,20}\Z", re.DOTALL)


def copy_place(url: Url, root: Path) -> Path:
    """Return where the copy of a remote file lies: readable, and below `<root>/<scheme>`; `root` is our own folder.

    S3: `<server>/<bucket>/<key>`; http and what plugins serve: `<host>/<digest>/<name>`, those of one directory there
    beside each other here; what stands for a directory, and ssh, each in a folder of its own.
    """
    if url.scheme == "ssh" or url.path.endswith("/"):
        return place_apart(url, root)
    if url.scheme != "s3":
        return _place_beside(url, root)
    parts = url.path[1:].split("/")
    if sum(len(os.fsencode(part)) + 1 for part in parts) > _PATH_LIMIT:
        return place_apart(url, root)
    return root.joinpath(url.scheme, _name(url.server), *map(_name, parts))


def _place_beside(url: Url, root: Path) -> Path:
    path, mark, query = url.path.partition("?") if url.scheme in _WEB else (url.path, "", "")
    above, _, name = path.rpartition("/")
    if not name:
        return place_apart(url, root)
    # No URL holds a NUL: this is the text of no other place.
    return _in_folder(url, root, f"{url.endpoint}{above}\0{mark}{query}")


def place_apart(url: Url, root: Path, number: int = 0) -> Path:
    """Return a place that lies in no other copy's way: a folder of its own, named by a digest of the URL.

    Each `number` gives another one.
    """
    return _in_folder(url, root, f"{number}\0{url.text}" if number else url.text)


def _in_folder(url: Url, root: Path, told: str) -> Path:
    """Return the place of a copy in the folder that some text stands for."""
    scheme = "http" if url.scheme == "https" else url.scheme
    digest = hashlib.sha256(os.fsencode(told)).hexdigest()[:32]
    # No bucket's folder begins so.
    folder = f"%{digest}" if scheme == "s3" else digest
    server = url.server if url.user is None else f"{url.user}@{url.server}"
    return Path(f"{root}/{scheme}/{_name(server)}/{folder}/{name_of(url)}")


def numbers() -> Iterator[int]:
    """Yield the numbers of places for one copy: those that every task looks at, then one that nobody has."""
    yield from range(_PLACES)
    yield uuid.uuid4().int


def name_of(url: Url) -> str:
    """Return the name of a copy: the last component of the URL's path."""
    path = url.path.partition("?")[0] if url.scheme in _WEB else url.path
    return _name(path.rstrip("/").rpartition("/")[2] or "index")


def datadir_place(url: Url, datadir: Path) -> Path | None:
    """Return where a file of another machine lies below `datadir` under its own path; None where that cannot be."""
    parts = [part for part in url.path.strip("/").split("/") if part]
    if not parts or any(_name(part) != part for part in parts):
        return None
    return datadir.joinpath(*parts)


def _name(part: str) -> str:
    """Return the name that stands for one component of a path: itself wherever that can be."""
    if part in _STANDING_IN:
        return _STANDING_IN[part]
    plain = part.replace("\0", "%00")
    too_long = len(os.fsencode(plain)) > _NAME_LIMIT
    if plain == part and not too_long and not part.startswith(PRIVATE_PREFIX) and not _CHANGED.fullmatch(part):
        return part
    found = _SUFFIX.search(plain)
    suffix = found[0] if found else ""
    digest = hashlib.sha256(os.fsencode(part)).hexdigest()[:32]
    stem = os.fsencode(plain.removesuffix(suffix).lstrip("."))
    room = _NAME_LIMIT - len(digest) - 1 - len(os.fsencode(suffix))
    return f"{stem[:room].decode('utf-8', 'ignore')}%{digest}{suffix}"
