"""What a text that names a file means: a path on this machine, a remote place, or a mistake.

Laws: parsed by hand, nothing is percent-decoded, `#`, `?` and spaces belong to the path; `file:///path` is that path.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from cryocloud_core.errors import ResolutionError, StagingError
from cryocloud_core.sdk.url import Url, scheme_of

_THIS_MACHINE = ("", "localhost")
_WITH_DIRECTORIES = ("", "file", "ssh")
_WEB = ("http", "https")
_WHOLE = 'write it whole, from "/" on: nothing says in which directory a relative one begins'
#: a URL that lacks one of its slashes
_ONE_SLASH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)")


def place_of(value: Any) -> Path | Url:
    """Return the absolute path or the remote place that `value` names; it need not exist.

    Raises ResolutionError for what can never be either: no text, a relative path, a broken URL.
    """
    if not isinstance(value, str):
        raise ResolutionError(f"must be a path, got {type(value).__name__}", subject=repr(value)[:80])
    scheme = scheme_of(value)
    if not scheme:
        return _path(value, value)
    _encoded(value)
    url = Url.parse(value)
    if scheme != "file":
        return url
    if url.host not in _THIS_MACHINE or url.port is not None:
        raise ResolutionError(
            f"is a file on this machine, not on {url.server}", subject=value, remedy="write ssh://host/path"
        )
    return _path(url.path, value)


def local_path(value: Any) -> Path:
    """Return the absolute path on this machine that `value` names; it need not exist.

    Raises ResolutionError for what can never be one: no text, a relative path, a remote place.
    """
    place = place_of(value)
    if isinstance(place, Url):
        raise ResolutionError(f"must be a path on this machine, {place.scheme}:// is not", subject=value)
    return place


def address_of(path: Path, target: str) -> str:
    """Return the text under which what is put at `target` can be found again.

    Where there are no directories, a name that ends in `/` means everything below it.
    """
    has_directories = scheme_of(target) in _WITH_DIRECTORIES
    return target if has_directories or target.endswith("/") or not path.is_dir() else f"{target}/"


def refuse_tree(url: Url) -> None:
    """Raise StagingError for a URL that names a directory of a web server."""
    if url.scheme in _WEB and (url.path or "/").endswith("/") and "?" not in url.path:
        raise StagingError(
            "is a directory, and http cannot list one", subject=str(url), remedy="name each file, or use s3 or ssh"
        )


def _path(path: str, value: str) -> Path:
    short = _ONE_SLASH.match(value)
    if not path.startswith("/") or "\0" in path:
        raise ResolutionError(
            "need absolute path",
            subject=repr(value)[:200],
            remedy=f"a URL has two slashes: write {short[1]}://…" if short else _WHOLE,
        )
    _encoded(path)
    return Path(path)


def _encoded(value: str) -> bytes:
    try:
        return os.fsencode(value)
    except UnicodeEncodeError as error:
        raise ResolutionError("holds characters that no file name can have", subject=repr(value)[:200]) from error
