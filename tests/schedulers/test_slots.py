"""A worker as the head sees it: what it sends in pieces is heard whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import define

from cryocloud_core.schedulers.slots import Slot
from cryocloud_core.worker.channel import pack


@define(eq=False)
class Pieces:
    """The head's end of a socket that gives one piece at a time, as big frames come."""

    pieces: Iterator[bytes]

    def recv(self, _most: int) -> bytes:
        """Return the next piece, nothing after the last."""
        return next(self.pieces, b"")


def test_the_last_words_of_a_dead_worker_are_heard_however_big_they_are() -> None:
    """An outcome that fills several reads counts, with what came after it."""
    frames = pack([["ended", "1/N/1", {"x": "y" * 1000}, []]]) + pack([["began", "2/N/1", 0.0]])
    end: Any = Pieces(frames[start : start + 100] for start in range(0, len(frames), 100))
    slot = Slot(1, "w", "normal", "m")
    slot.end = end

    assert [message[0] for message in slot.read_rest()] == ["ended", "began"]
    assert slot.hung_up
    assert slot.read_rest() == []
