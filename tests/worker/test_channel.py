"""The wire between head and worker: messages come out as they went in, however the stream is chopped."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.errors import WireError
from cryocloud_core.worker.channel import HeadGoneError, Message, Unpacker, WorkerEnd, pack

DATA = st.none() | st.integers() | st.text() | st.lists(st.text())
MESSAGES = st.lists(st.lists(st.text() | DATA, min_size=1, max_size=4), max_size=4)


@given(st.lists(MESSAGES, max_size=5), st.data())
def test_messages_survive_any_chopping(frames: list[list[Message]], data: st.DataObject) -> None:
    """Text that is no valid Unicode included, as file names are."""
    stream = b"".join(pack(messages) for messages in frames)
    unpacker = Unpacker()

    found: list[Message] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += unpacker.feed(stream[:size])
        stream = stream[size:]
    assert found == [message for messages in frames for message in messages]


@pytest.mark.parametrize("stream", [b"\xff\xff\xff\xff", b"\x01\0\0\0x", b"\x02\0\0\0{}"])
def test_what_is_no_frame_is_told(stream: bytes) -> None:
    """A length that cannot be, no JSON, no list."""
    with pytest.raises(WireError):
        Unpacker().feed(stream)


def test_a_number_that_json_has_not_is_refused_by_the_sender() -> None:
    """The receiver could not read it."""
    with pytest.raises(ValueError, match="JSON"):
        pack([["x", float("nan")]])


def test_a_closed_end_is_told() -> None:
    """Both when sending and when receiving."""
    ours, theirs = socket.socketpair()
    end = WorkerEnd(ours)
    assert end.receive(wait=False) == []
    theirs.close()

    with pytest.raises(HeadGoneError):
        end.receive(wait=True)
    with pytest.raises(HeadGoneError):
        end.send(b"x")
    ours.close()
