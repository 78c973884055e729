"""How far a transfer is, told as often as a person can read.

Laws: the first and the last state are told, between them at most four a second, whichever thread moves the bytes; that
a URL is asked, asked again or needs no transfer is told each time, and whoever shows it sees to how often that is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum

from attrs import define, evolve, field, frozen

from cryocloud_core.sdk.url import Url

#: seconds between two tellings
TELL_EVERY_S = 0.25


class Step(Enum):
    """What is told of a URL."""

    #: how far it is
    MOVES = "moves"
    #: a copy that is here is used again
    REUSED = "reused"
    #: it is asked what it is; no figure is known
    ASKED = "asked"
    #: it is asked once more, now or after a wait: `why` says it, empty when that is over; no figure is told
    AGAIN = "again"
    #: it has answered, or was given up: nothing of it is under way
    OVER = "over"


@frozen
class Moving:
    """How far it is: bytes that are here (or there), of how many if known; files that are complete, of how many.

    `is_kept`: what came of a file that is not complete is gone on with after an interrupt. `is_batch`: these are
    several files, told under the name of the first one; `at` is the one that is waited for, `came` says how many are
    here, be it without their names.
    """

    url: Url
    done_bytes: int = 0
    size_bytes: int | None = None
    files_done: int = 0
    files: int = 1
    is_kept: bool = False
    step: Step = Step.MOVES
    why: str = ""
    is_batch: bool = False
    at: Url | None = None
    came: int = 0

    @property
    def key(self) -> tuple[str, bool]:
        """What is told of: a batch is something else than its first file."""
        return self.url.text, self.is_batch

    @property
    def has_figures(self) -> bool:
        """True when bytes and files are told."""
        return self.step in (Step.MOVES, Step.REUSED)

    @property
    def is_complete(self) -> bool:
        """True when nothing more is to come."""
        return self.has_figures and self.files_done >= self.files


def reused(url: Url, size_bytes: int, files: int = 1) -> Moving:
    """Return what is told of a copy that is used again."""
    return Moving(url, size_bytes, size_bytes, files, files, step=Step.REUSED)


@define(eq=False)
class Progress:
    """Gathers what several threads move of one transfer and tells it on, one teller at a time."""

    told: Callable[[Moving], None]
    now: Callable[[], float]
    url: Url
    size_bytes: int | None = None
    files: int = 1
    #: whether the size is that of all files together, which no single one changes
    is_sized: bool = False
    #: whether these are files that have nothing to do with each other
    is_batch: bool = False
    #: the one of a batch that is waited for
    at: Url | None = None
    #: how many of a batch are here
    came: int = 0
    _done_bytes: int = 0
    _files_done: int = 0
    _is_kept: bool = False
    _next_at: float = float("-inf")
    _lock: threading.Lock = field(factory=threading.Lock)

    def moved(self, count: int) -> None:
        """Add bytes; a negative count takes back what turned out to be worth nothing."""
        with self._lock:
            self._done_bytes += count
            self._tell()

    def sized(self, size_bytes: int | None) -> None:
        """Say how many bytes the one file has."""
        if self.is_sized:
            return
        with self._lock:
            self.size_bytes = size_bytes
            self._tell()

    def kept(self, is_kept: bool) -> None:
        """Say whether what is here of a file would be gone on with; a change is always told."""
        with self._lock:
            if is_kept != self._is_kept:
                self._is_kept = is_kept
                self._tell(last=True)

    def file_done(self) -> None:
        """Count a file that is complete; the last one is always told."""
        with self._lock:
            self._files_done += 1
            self._tell(last=self._files_done >= self.files)

    def leave(self) -> None:
        """Say that the files that did not come are somebody else's from now on."""
        with self._lock:
            if self._files_done < self.files and self._next_at > float("-inf"):
                self.files, self.size_bytes = self._files_done, self._done_bytes
                self._tell(last=True)

    def _tell(self, *, last: bool = False) -> None:
        at = self.now()
        if last or at >= self._next_at:
            self._next_at = at + TELL_EVERY_S
            done, files = self._done_bytes, self._files_done
            about = Moving(self.url, done, self.size_bytes, files, self.files, self._is_kept)
            self.told(evolve(about, is_batch=True, at=self.at, came=self.came) if self.is_batch else about)
