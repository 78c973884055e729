"""Timers by wall clock, on the loop.

Laws: a timer fires once, never before its time by the wall clock, whatever was done to the clock since.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

#: the longest sleep, so that a changed clock is noticed
_LONGEST_S = 60.0


class Timers:
    """Pending timers by pebble and name; `fire` is called on the loop."""

    def __init__(self, fire: Callable[[int, str], None]) -> None:
        self._fire = fire
        self._handles: dict[tuple[int, str], asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        """Return how many timers wait."""
        return len(self._handles)

    def set(self, pebble: int, timer: str, due_at: float) -> None:
        """Fire at `due_at` (seconds UTC); setting a timer again moves it."""
        key = (pebble, timer)
        earlier = self._handles.pop(key, None)
        if earlier is not None:
            earlier.cancel()
        wait = min(max(0.0, due_at - time.time()), _LONGEST_S)
        self._handles[key] = asyncio.get_running_loop().call_later(wait, self._due, key, due_at)

    def clear(self) -> None:
        """Forget all timers; they stay owed."""
        for handle in self._handles.values():
            handle.cancel()
        self._handles.clear()

    def _due(self, key: tuple[int, str], due_at: float) -> None:
        del self._handles[key]
        if time.time() < due_at:
            self.set(*key, due_at)
        else:
            self._fire(*key)
