"""What the files of a remote directory are called here: pure.

Laws: a name never leads out of the tree and never stands for two things; what is no name here is an error before a
byte moves, with the remote name in it; unfinished data of ours is no content.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from cryocloud_core.errors import TransferError
from cryocloud_core.files.archives import PRIVATE_PREFIX
from cryocloud_core.sdk.transfer import RemoteFile
from cryocloud_core.sdk.url import Url

#: bytes of a file name on the file systems in use
_NAME_LIMIT = 255


class Entries(NamedTuple):
    """The files of a tree by their names in it, in order, and the directories that have to be there besides.

    An empty name is the tree itself.
    """

    files: dict[str, RemoteFile]
    folders: list[str]


def entries_of(url: Url, listed: Iterable[RemoteFile], *, folds_case: bool = False) -> Entries:
    """Return what was listed below `url` by relative name. Raises TransferError for names that cannot be here.

    `folds_case` says that this disk takes `A` and `a` for one name.
    """
    base = url.path.rstrip("/") + "/"
    files: dict[str, RemoteFile] = {}
    folders: list[str] = []
    for remote in listed:
        path = Url.parse(remote.url).path
        if not path.startswith(base):
            raise _refused(url, path, "does not lie below it")
        name = path.removeprefix(base)
        if any(part.startswith(PRIVATE_PREFIX) for part in name.split("/")):
            continue
        if remote.is_directory or (name.endswith("/") and not remote.size_bytes):
            folders.append(_judged(url, name.rstrip("/")) if name.strip("/") else "")
            continue
        if not name:  # an object of which others are below
            continue
        if files.setdefault(_judged(url, name), remote) is not remote:
            raise _refused(url, name, "is there twice")
    _refuse_clashes(url, files, folders, folds_case=folds_case)
    return Entries(files, folders)


def _judged(url: Url, name: str) -> str:
    for part in name.split("/"):
        if part in ("", ".", ".."):
            raise _refused(url, name, f"holds {part!r} as the name of a directory or file")
        if len(os.fsencode(part)) > _NAME_LIMIT:
            raise _refused(url, name, f"holds a name of more than {_NAME_LIMIT} bytes")
    return name


def _refuse_clashes(url: Url, files: Iterable[str], folders: Iterable[str], *, folds_case: bool) -> None:
    seen: dict[str, str] = {}
    above = {"/".join(name.split("/")[:depth]) for name in files for depth in range(1, name.count("/") + 1)}
    above |= {"/".join(name.split("/")[:depth]) for name in folders for depth in range(1, name.count("/") + 2)}
    for name in files:
        if name in above:
            raise _refused(url, name, "is both a file and a directory")
    for name in (*files, *sorted(above)) if folds_case else ():
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise _refused(url, name, f"and {other!r} are one name on this disk")


def _refused(url: Url, name: str, why: str) -> TransferError:
    return TransferError(
        f"{name!r} {why}, so it cannot be a file here", subject=str(url), remedy="fetch the files one by one"
    )
