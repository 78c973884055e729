"""What the two threads of a worker say to the head, and in which order it arrives."""

from __future__ import annotations

import threading
from typing import Any

from attrs import define, field

from cryocloud_core.worker.channel import Unpacker, pack
from cryocloud_core.worker.session import Session


@define(eq=False)
class SlowEnd:
    """The worker's end of its socket; a thread called `ear` is held up just before it writes."""

    frames: bytearray = field(factory=bytearray)
    reached: threading.Event = field(factory=threading.Event)
    go_on: threading.Event = field(factory=threading.Event)

    def send(self, frame: bytes) -> None:
        """Write a frame, late on one of the threads."""
        if threading.current_thread().name == "ear":
            self.reached.set()
            assert self.go_on.wait(10)
        self.frames += frame


def test_the_end_of_a_task_arrives_before_the_begin_of_the_next_whoever_sends_it() -> None:
    """A thread that took the end along and was held up is not overtaken: the head would drop that end."""
    end: Any = SlowEnd()
    session = Session(end)
    session._unsent = pack([["ended", "1/N/1", {}, []]])
    ear = threading.Thread(target=session.send, args=([["status", "1/N/1", {"a": 1}]],), name="ear")
    main = threading.Thread(target=session.send, args=([["began", "2/N/1", 0.0]],), name="main")
    ear.start()
    assert end.reached.wait(10)
    main.start()
    main.join(0.2)
    end.go_on.set()
    for thread in (ear, main):
        thread.join(10)

    assert [message[0] for message in Unpacker().feed(bytes(end.frames))] == ["ended", "status", "began"]
