"""Hears an interrupt while files are moved: what goes on ends in good order, a second one ends the process at once.

Laws: interrupts that arrive within a moment are one; when one was heard there is no other answer to it until the
process has ended.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field

from cryocloud_core.interrupts import Strokes


class Interrupted(Exception):
    """The person at the terminal said stop."""


@define(eq=False)
class Ear:
    """Hears an interrupt."""

    _stop: threading.Event = field(factory=threading.Event)
    _strokes: Strokes = field(factory=Strokes)

    def check(self) -> None:
        """Raise Interrupted once an interrupt has come."""
        if self._stop.is_set():
            raise Interrupted

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let the first interrupt end what goes on in good order; a second one ends the process at once."""
        before = signal.signal(signal.SIGINT, self._hear)
        try:
            yield
        finally:
            # An echo of it may come while the process says its last words.
            if not self._stop.is_set():
                signal.signal(signal.SIGINT, before)

    def _hear(self, _number: int, _frame: Any) -> None:
        if not self._strokes.is_new():
            return
        if self._stop.is_set():
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
        self._stop.set()
