"""The wire between a scheduler and a worker process: frames of JSON messages over one stream socket.

Laws: a frame is four bytes of length and a JSON list of messages; a message is a list whose first item names it; a
frame is sent whole, in the order of its messages; both sides are of one version, started by one another.

::

    to the worker    ["hello", {...}]                 who it is and how it is configured, once
                     ["task", {...}]                  a Task
                     ["cancel", id, why]              end this task: set its event, or die with it if it has no ear
                     ["recall", [id, ...]]            give back those that have not begun
                     ["stop"]                         end when nothing runs
    from the worker  ["ready", pid]                   it takes tasks
                     ["began", id, at]                nothing of the task was done before this
                     ["ended", id, {...}, [...]]      an Outcome, and runtime_s, cpu_time_s, max_memory_bytes, began_at
                     ["status", id, {...}]            status values that changed
                     ["log", {...}]                   a LogRecord
                     ["usage", id, cpu_time_s, max_memory_bytes]    of a task that goes on
                     ["returned", [id, ...]]          recalled or cancelled before they began
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from itertools import chain
from typing import Any

from attrs import define, field

from cryocloud_core.errors import WireError
from cryocloud_core.wire import json_bytes

Message = list[Any]
#: bytes of one frame; the arguments of one task may have 64 MiB, a return value 16 MiB
FRAME_LIMIT = 256 * 1024 * 1024
#: bytes that the sockets' buffers are asked to hold, so that bursts of log lines do not make tasks wait
BUFFER_BYTES = 4 * 1024 * 1024
_LENGTH = struct.Struct("<I")
#: a bigger buffer is fetched from the system anew for each read, which costs more than the read
_CHUNK = 64 * 1024


def pack(messages: list[Message]) -> bytes:
    """Return one frame. Raises ValueError for what is no JSON."""
    data = json_bytes(messages)
    return _LENGTH.pack(len(data)) + data


@define(eq=False)
class Unpacker:
    """Turns a stream of bytes back into messages."""

    _held: bytearray = field(factory=bytearray)

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that `data` completes. Raises WireError when it is no stream of frames."""
        held = self._held
        held += data
        frames: list[bytearray] = []
        start = 0
        while len(held) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(held, start)
            if length > FRAME_LIMIT:
                raise WireError(f"a frame of {length} bytes", remedy=f"{FRAME_LIMIT} are allowed")
            end = start + _LENGTH.size + length
            if len(held) < end:
                break
            frames.append(held[start + _LENGTH.size : end])
            start = end
        del held[:start]
        return _decode(frames) if frames else []


def _decode(frames: list[bytearray]) -> list[Message]:
    # Short tasks send many small frames: read as one text they cost a third.
    try:
        found = json.loads(b"[" + b",".join(frames) + b"]")
    except ValueError as error:
        raise WireError(f"a frame is not JSON: {error}") from error
    for each in found:
        if not isinstance(each, list):
            raise WireError(f"a frame holds {type(each).__name__}, not a list of messages")
    return list(chain.from_iterable(found))


class HeadGoneError(Exception):
    """The other end of the socket was closed."""


@define(eq=False)
class WorkerEnd:
    """The worker's end: sending is safe from several threads, receiving is for one at a time."""

    _socket: socket.socket
    _unpacker: Unpacker = field(factory=Unpacker)
    _sending: threading.Lock = field(factory=threading.Lock)

    def renew_after_fork(self) -> None:
        """Forget who was sending: in a forked child that thread does not exist."""
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """Return the file descriptor, for poll."""
        return self._socket.fileno()

    def send(self, frame: bytes) -> None:
        """Send one frame, waiting for room. Raises HeadGoneError."""
        try:
            with self._sending:
                self._socket.sendall(frame)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise HeadGoneError from error

    def receive(self, *, wait: bool) -> list[Message]:
        """Return what arrived; without `wait` an empty list when nothing did. Raises HeadGoneError."""
        try:
            data = self._socket.recv(_CHUNK, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except ConnectionResetError as error:
            raise HeadGoneError from error
        if not data:
            raise HeadGoneError
        return self._unpacker.feed(data)


def widen(end: socket.socket) -> None:
    """Ask for big buffers; the kernel gives what it allows."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        end.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
