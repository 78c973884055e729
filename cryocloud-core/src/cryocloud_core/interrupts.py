"""Signals that ask a program to stop, counted: the first says stop in good order, a later one says at once.

Laws: signals that arrive within a moment are one, for `timeout` and some supervisors send theirs to a process and, in
the same breath, to its whole group; a person who presses a key again means it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from attrs import define

#: seconds within which signals are one
MOMENT_S = 0.25


@define(eq=False)
class Strokes:
    """Tells a new signal from an echo of the last one; used from one thread."""

    now: Callable[[], float] = time.monotonic
    _last_at: float = float("-inf")

    def is_new(self) -> bool:
        """Return True for a signal that came just now, unless it belongs to the one before it."""
        at = self.now()
        if at - self._last_at < MOMENT_S:
            return False
        self._last_at = at
        return True
