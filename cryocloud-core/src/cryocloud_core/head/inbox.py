"""What is waiting to be applied: reports from the loop, arrivals from the threads of inputs.

Laws: order is kept for each sender; the loop is woken once however much comes in; one turn takes a
bounded number, so that the loop stays quick.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

#: how many items one turn of the wheel takes
TURN = 200


class Inbox:
    """A queue that calls `turn` on the loop with what came in."""

    def __init__(self) -> None:
        self.turn: Callable[[list[Any]], None] = lambda _items: None
        self._items: deque[Any] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = False

    def __len__(self) -> int:
        """Return how many items wait."""
        return len(self._items)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver on this loop from now on."""
        self._loop = loop
        if self._items:
            self._wake(loop.call_soon)

    def put(self, item: Any) -> None:
        """Add an item; to be called on the loop."""
        self._items.append(item)
        if not self._woken and self._loop is not None:
            self._wake(self._loop.call_soon)

    def put_from_thread(self, item: Any) -> None:
        """Add an item from any thread."""
        self._items.append(item)
        # A wake-up that is missed here was seen by the turn that cleared the flag: it looks again before it ends.
        if not self._woken and self._loop is not None:
            self._wake(self._loop.call_soon_threadsafe)

    def _wake(self, call_soon: Callable[[Callable[[], None]], Any]) -> None:
        self._woken = True
        call_soon(self._deliver)

    def _deliver(self) -> None:
        self._woken = False
        items = self._items
        taken = [items.popleft() for _ in range(min(TURN, len(items)))]
        if taken:
            self.turn(taken)
        if items and not self._woken and self._loop is not None:
            self._wake(self._loop.call_soon)
