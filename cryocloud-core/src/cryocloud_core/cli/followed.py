"""What a command that follows does between two looks: hand on what it has, notice that nobody reads it, wait.

Laws: a reader that has left ends the command even when there is nothing to print to it.
"""

from __future__ import annotations

import io
import select
import sys
import time
from typing import Final

#: seconds between two looks
EVERY_S: Final = 0.3


def pause() -> None:
    """Flush stdout and wait a moment. Raises BrokenPipeError when whoever read it has left."""
    sys.stdout.flush()
    if _is_left():
        raise BrokenPipeError
    time.sleep(EVERY_S)


def _is_left() -> bool:
    """Return True for a pipe or socket on stdout whose other end is closed."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
    except (AttributeError, io.UnsupportedOperation):
        # No stdout, or one that is no file; and there are systems without poll.
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
