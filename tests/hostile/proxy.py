"""A line that breaks: between us and a real server, cut, reset or silent after so many bytes of a connection."""

from __future__ import annotations

import random
import socket
import struct
import threading
from enum import Enum

from attrs import define, field, frozen

_CHUNK = 16 * 1024


class Break(Enum):
    """How a connection ends before its time."""

    CUT = "cut"
    RESET = "reset"
    FREEZE = "freeze"


@frozen
class Breaking:
    """One connection's end: after so many bytes of both directions together."""

    kind: Break
    after_bytes: int

    @classmethod
    def drawn(cls, chance: random.Random, size: int) -> Breaking:
        """Draw one: in the greeting, anywhere in a body of that size, or just behind it."""
        places = (chance.randint(0, 6_000), chance.randint(0, size + 8_000), size + chance.randint(0, 10_000))
        return cls(chance.choice(list(Break)), chance.choice(places))


@define(eq=False)
class BreakingLine:
    """Listens on a port of its own and passes everything on to `port`. `breaks` are used up one a connection."""

    port: int
    breaks: list[Breaking]
    #: how many there were
    connections: int = 0
    _listener: socket.socket = field(init=False)
    _lock: threading.Lock = field(factory=threading.Lock)
    _open: list[socket.socket] = field(factory=list)
    _closed: threading.Event = field(factory=threading.Event)

    def __attrs_post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, name="breaking line", daemon=True).start()

    @property
    def own_port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def mend(self) -> None:
        """Let every connection from now on be."""
        with self._lock:
            self.breaks.clear()

    def close(self) -> None:
        """End it and everything that runs through it."""
        self._closed.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for each in self._open:
                _end(each)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                ours, _ = self._listener.accept()
                theirs = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open += [ours, theirs]
                breaking = self.breaks.pop(0) if self.breaks else None
            line = _Line(ours, theirs, breaking, self._closed)
            for source, sink in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=line.carry, args=(source, sink), daemon=True).start()


@define(eq=False)
class _Line:
    ours: socket.socket
    theirs: socket.socket
    breaking: Breaking | None
    closed: threading.Event
    _carried: int = 0
    _lock: threading.Lock = field(factory=threading.Lock)

    def carry(self, source: socket.socket, sink: socket.socket) -> None:
        """Carry one direction until an end is reached, or the line breaks."""
        try:
            while data := source.recv(_CHUNK):
                share = self._share(len(data))
                sink.sendall(data[:share])
                if share < len(data):
                    self._break()
                    return
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            _end(source)
            _end(sink)

    def _share(self, count: int) -> int:
        """Return how many of so many bytes still get through."""
        if self.breaking is None:
            return count
        with self._lock:
            room = max(0, self.breaking.after_bytes - self._carried)
            self._carried += count
        return min(count, room)

    def _break(self) -> None:
        assert self.breaking is not None
        if self.breaking.kind is Break.FREEZE:
            self.closed.wait(60)
        if self.breaking.kind is Break.RESET:
            for each in (self.ours, self.theirs):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # shutdown wakes the thread of the other direction, which close alone does not
        _end(self.ours)
        _end(self.theirs)


def _end(connection: socket.socket) -> None:
    try:
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == b"\0" * 8:
            connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it had ended before
    connection.close()
