"""What a task's status says of the files that are on their way.

Laws: figures are over everything that is under way at the moment; when nothing is, they are null.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import define, field

from cryocloud_core.files.moving import Moving

#: status parameters of a task while files are moved; the reference page is drawn from this table
TRANSFER: Final[Mapping[str, str]] = {
    "transfer": "what is fetched or sent for the task; null when nothing is, as the next two",
    "transfer.percent": "how much of all that is under way is there; null where a size is not known",
    "transfer.rate": "bytes a second",
}


@define(eq=False)
class Transferring:
    """Publishes how far the transfers of one task are; told from any thread."""

    publish: Callable[[str, Any], None]
    now: Callable[[], float] = time.monotonic
    _moving: dict[str, Moving] = field(factory=dict)
    _began: float | None = None
    #: bytes that were here before, of an earlier try
    _before: int = 0
    _lock: threading.Lock = field(factory=threading.Lock)

    def told(self, moving: Moving) -> None:
        """Publish name, percent and bytes a second."""
        with self._lock:
            now = self.now()
            if self._began is None:
                self._began, self._before = now, 0
            if moving.url.text not in self._moving:
                self._before += moving.done_bytes
            self._moving[moving.url.text] = moving
            done = sum(each.done_bytes for each in self._moving.values())
            known = [each.size_bytes for each in self._moving.values() if each.size_bytes is not None]
            is_known = len(known) == len(self._moving) and sum(known) > 0
            seconds = now - self._began
            self._say(
                _named(moving, len(self._moving) - 1),
                round(100 * done / sum(known), 1) if is_known else None,
                round(max(0, done - self._before) / seconds) if seconds > 0 else None,
            )

    def over(self) -> None:
        """Say that nothing is under way any more."""
        with self._lock:
            if self._began is not None:
                self._began = None
                self._moving.clear()
                self._say(None, None, None)

    def _say(self, *values: Any) -> None:
        for name, value in zip(TRANSFER, values, strict=True):
            self.publish(name, value)


def _named(moving: Moving, others: int) -> str:
    name = moving.url.shown
    return f"{name} and {others} more" if others else name
