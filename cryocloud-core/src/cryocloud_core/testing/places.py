"""Places on the other side, for the tests of transfers: filled and looked at beside the transfer, not through it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from attrs import frozen


class Place(ABC):
    """A folder on the other side that the tests fill and look at without the transfer."""

    @abstractmethod
    def url(self, name: str) -> str:
        """Return the URL of a file, or of the directory that is called `name`; `""` is the place itself."""

    @abstractmethod
    def seed(self, name: str, content: bytes) -> None:
        """Write a file, over what is there; make its directories."""

    @abstractmethod
    def content(self, name: str) -> bytes | None:
        """Return what a file holds, None when there is none."""

    @abstractmethod
    def names(self) -> set[str]:
        """Return the names of all files that there are, hidden and unfinished ones too."""


@frozen
class FolderPlace(Place):
    """A place that is a folder of this machine, which a server hands out; `url_of` gives the URL of a name in it."""

    folder: Path
    url_of: Callable[[str], str]

    def url(self, name: str) -> str:
        """Return the URL of a name."""
        return self.url_of(name)

    def seed(self, name: str, content: bytes) -> None:
        """Write a file that is later, by its times, than the one it replaces."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        later_s = path.stat().st_mtime + 2 if path.exists() else None
        path.write_bytes(content)
        if later_s is not None:
            os.utime(path, (later_s, later_s))

    def content(self, name: str) -> bytes | None:
        """Return a file's bytes."""
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def names(self) -> set[str]:
        """Return the files below the folder."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}
