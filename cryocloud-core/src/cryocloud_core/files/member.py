"""One entry of an archive, whatever the archive's format.

Laws: a member says what its archive says, unchecked.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import IO

from attrs import frozen


class MemberKind(Enum):
    """What a member is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"


@frozen
class Member:
    """One entry. `name` is as the archive has it, unchecked; `link` what a link points at; `mode` 0 where unknown."""

    name: str
    kind: MemberKind
    mode: int = 0
    modified_at: float | None = None
    link: str = ""
    #: opens the content of a file
    open: Callable[[], IO[bytes]] | None = None
    #: packed bytes of content that can be read apart from the other members, by any thread at any time; 0 for others
    apart_bytes: int = 0
