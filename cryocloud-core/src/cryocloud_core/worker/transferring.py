"""What a task's status says of the files that are on their way.

Laws: named is what is waited for, never what is here already; figures are over everything of one preparation, also
what is here, until all of it is; when nothing is under way, all is null; it is said at most four times a second, and
the last state always.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import define, field

from cryocloud_core.files.moving import TELL_EVERY_S, Moving, Step

#: status parameters of a task while files are moved; the reference page is drawn from this table
TRANSFER: Final[Mapping[str, str]] = {
    "transfer": "what is fetched or sent for the task and is not there yet, and when and why it is asked again; null"
    " when nothing is, as the next two",
    "transfer.percent": "how much of all that is under way is there, of a list of small files how many of them; null "
    "where nobody knows",
    "transfer.rate": "bytes a second",
}


@define(eq=False)
class Transferring:
    """Publishes how far the transfers of one task are; told from any thread."""

    publish: Callable[[str, Any], None]
    now: Callable[[], float] = time.monotonic
    #: what is not there yet; what was told last stands last
    _under_way: dict[tuple[str, bool], Moving] = field(factory=dict)
    #: why it is asked again
    _again: dict[tuple[str, bool], str] = field(factory=dict)
    _began: float | None = None
    #: bytes of what is complete
    _complete: int = 0
    #: bytes that were here before, of an earlier try
    _before: int = 0
    _said_at: float = float("-inf")
    #: says later what was told too soon after the last saying
    _later: threading.Timer | None = None
    _lock: threading.Lock = field(factory=threading.Lock)

    def told(self, moving: Moving) -> None:
        """Take note of it, and publish name, percent and bytes a second, now or a little later."""
        with self._lock:
            now = self.now()
            if self._began is None:
                if moving.step is Step.OVER:
                    return
                self._began, self._before, self._complete = now, 0, 0
            self._note(moving)
            wait = self._said_at + TELL_EVERY_S - now
            if wait <= 0:
                self._say_state(now)
            elif self._later is None:
                self._later = threading.Timer(wait, self._say_late)
                self._later.daemon = True
                self._later.start()

    def over(self) -> None:
        """Say that nothing is under way any more."""
        with self._lock:
            if self._later is not None:
                self._later.cancel()
                self._later = None
            if self._began is not None:
                self._began, self._said_at = None, float("-inf")
                self._under_way.clear()
                self._again.clear()
                self._say(None, None, None)

    def _note(self, moving: Moving) -> None:
        key = moving.key
        if moving.step is Step.AGAIN:
            self._again[key] = moving.why
            # It is what is waited for: named first.
            self._under_way[key] = self._under_way.pop(key, moving)
            if not moving.why:
                self._forget_repeat(key)
            return
        before = self._under_way.pop(key, None)
        self._again.pop(key, None)
        if moving.has_figures and (before is None or not before.has_figures):
            self._before += moving.done_bytes
        if moving.is_complete:
            self._complete += moving.done_bytes
        elif moving.step is not Step.OVER:
            self._under_way[key] = moving

    def _forget_repeat(self, key: tuple[str, bool]) -> None:
        """A URL is asked again no more; one of which nothing else was told is part of something else."""
        del self._again[key]
        if self._under_way[key].step is Step.AGAIN:
            del self._under_way[key]

    def _say_late(self) -> None:
        with self._lock:
            self._later = None
            if self._began is not None:
                self._say_state(self.now())

    def _say_state(self, now: float) -> None:
        self._said_at = now
        if not self._under_way or self._began is None:
            self._say(None, None, None)
            return
        # What is asked again and has no figures of its own is one file of a tree that has.
        moves = [each for each in self._under_way.values() if each.step is not Step.AGAIN]
        sizes = [each.size_bytes for each in moves if each.size_bytes is not None]
        done, size = (self._complete + sum(part) for part in ([each.done_bytes for each in moves], sizes))
        seconds = now - self._began
        share = done / size if moves and len(sizes) == len(moves) and size > 0 else _share_of_files(moves)
        self._say(
            self._named(),
            None if share is None else round(100 * share, 1),
            round(max(0, done - self._before) / seconds) if seconds > 0 else None,
        )

    def _named(self) -> str:
        """Return the name of what was told last, with how many others are not there yet."""
        *_, last = self._under_way.values()
        why = self._again.get(last.key)
        others = max(0, sum(map(_missing, self._under_way.values())) - 1)
        name = (last.at or last.url).shown
        return f"{name}{f' ({why})' if why else ''}{f' and {others} more' if others else ''}"

    def _say(self, *values: Any) -> None:
        for name, value in zip(TRANSFER, values, strict=True):
            self.publish(name, value)


def _missing(moving: Moving) -> int:
    """Return how many files are not here yet."""
    return moving.files - max(moving.files_done, moving.came) if moving.is_batch else 1


def _share_of_files(moves: list[Moving]) -> float | None:
    """Return which part of one batch is here, whose bytes nobody knows; None for anything else."""
    return moves[0].came / moves[0].files if len(moves) == 1 and moves[0].is_batch else None
