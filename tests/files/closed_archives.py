"""Archives in a directory that may only be read, and what a node is given of them."""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path
from typing import Any

from cryocloud_core.files.service import FileService
from tests.files.folder_transfer import staged


def archived(path: Path, **members: str) -> Path:
    """Write an archive, newer than any that was there."""
    at = path.stat().st_mtime_ns + 1_000_000_000 if path.exists() else None
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_", "/"), text)
    if at is not None:
        os.utime(path, ns=(at, at))
    return path


def handed_on(files: FileService, archive: Path, **how: Any) -> Path:
    """Return the path of the first entry, which a first node is given and hands on; the node has ended."""
    [first, *_] = staged(files, str(archive), unzip=True, **how)
    files.remote.release(sweep=False)
    return Path(first)


def used_at(tmp_path: Path, place: Path, ago_s: float) -> None:
    """Let what was unpacked to the directory of an entry have been used last so long ago."""
    for book in (tmp_path / "tmp/cc/meta").glob("*.json"):
        if f'"{place.parent}"' in book.read_text():
            os.utime(book, (time.time() - ago_s,) * 2)
