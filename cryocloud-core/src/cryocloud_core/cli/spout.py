"""A line printer with a thread of its own, so that a slow terminal or pipe never holds up a run.

Laws: lines come out in order; when far too many wait the newest are dropped and counted, and the count is told;
a reader that went away ends the printing, not the run; a line after a silence comes at once, in a flood many come
together, because each time this thread wakes it takes the interpreter from the run.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

#: About 20 MB of lines: a reader this far behind is not reading.
AT_MOST = 100_000
#: seconds between two prints
PAUSE_S = 0.05


class Spout:
    """Prints lines to `stream` from a thread; `dropped` makes the line that tells how many were left out."""

    def __init__(self, stream: TextIO, dropped: Callable[[int], str], at_most: int = AT_MOST) -> None:
        self._stream = stream
        self._dropped = dropped
        self._at_most = at_most
        self._lines: deque[str] = deque()
        self._lost = 0
        self._gone = False
        self._closing = False
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._print, name="spout", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Take a line to print; never waits."""
        with self._changed:
            if self._gone:
                return
            if len(self._lines) >= self._at_most:
                self._lost += 1
                return
            self._lines.append(line)
            self._changed.notify()

    def close(self) -> None:
        """Print what waits and end the thread; lines that come later are ignored."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._ending.set()
        self._thread.join()
        self._gone = True

    def _take(self) -> list[str]:
        """Return every line that waits, as soon as there is one; an empty list at the end."""
        with self._changed:
            while not self._lines and not self._closing:
                self._changed.wait()
            lines = list(self._lines)
            self._lines.clear()
            if self._lost:
                lines.append(self._dropped(self._lost))
                self._lost = 0
            return lines

    def _print(self) -> None:
        while lines := self._take():
            try:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()
            except (BrokenPipeError, ValueError):
                # The reader left (`… | head`), or the stream was closed under us: the run goes on unseen.
                self._gone = True
                return
            self._ending.wait(PAUSE_S)
