"""Output that nobody sent as a log line: file descriptors 1 and 2 of the worker and of everything below it.

Laws: both descriptors lead into pipes that this process reads itself; reading never waits, so a grandchild that keeps
a pipe open holds up nothing; what a task wrote is read out before its outcome is sent. Lines on stdout are INFO; on
stderr INFO too, and ERROR from a traceback on, until the task ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import sys
import threading
from collections.abc import Callable
from io import TextIOWrapper
from typing import TextIO

from attrs import define, field

from cryocloud_core.sdk.lines import ErrorStream, LineSplitter
from cryocloud_core.worker.kernel import libc

#: bytes a pipe may hold before a writer waits; the kernel gives less when it must
PIPE_BYTES = 1024 * 1024
_F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", 1031)
_CHUNK = 64 * 1024
#: `_IOLBF` of stdio.h, the same in glibc, musl and macOS
_LINE_BUFFERED = 1

#: told lines of a stream (`stdout`, `stderr`), each a level and a text
OnOutput = Callable[[str, list[tuple[str, str]]], None]


@define(eq=False)
class _Stream:
    name: str
    number: int
    reader: int
    writer: int
    splitter: LineSplitter = field(factory=lambda: LineSplitter(long_limit=64 * 1024))
    errors: ErrorStream = field(factory=ErrorStream)
    #: the task wrote to it
    used: bool = False

    def level(self, text: str) -> str:
        return "INFO" if self.name == "stdout" or self.errors.level(text) == "DEBUG" else "ERROR"


def _redirected(name: str, number: int) -> _Stream:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    try:
        fcntl.fcntl(writer, _F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:  # over the user's share of pipe memory: the usual 64 KiB will do
        fcntl.fcntl(writer, fcntl.F_GETFD)
    os.dup2(writer, number)
    return _Stream(name, number, reader, writer)


@define(eq=False)
class Capture:
    """The two redirected descriptors; made once, before anything is written."""

    _tell: OnOutput
    _streams: tuple[_Stream, ...] = field(factory=tuple)
    _reading: threading.Lock = field(factory=threading.Lock)
    #: asks both pipes at once: most tasks write nothing, and a read that would wait is an exception
    _poll: select.poll = field(factory=select.poll)

    def install(self) -> None:
        """Redirect descriptors 1 and 2 and let Python's own streams write lines into them."""
        self._streams = (_redirected("stdout", 1), _redirected("stderr", 2))
        for stream in self._streams:
            self._poll.register(stream.reader, select.POLLIN)
        # New streams: those from the start may have looked at a seekable file and would ask the pipe for its position.
        sys.stdout = _by_lines(1)
        sys.stderr = _by_lines(2)
        _let_c_write_lines()

    def filenos(self) -> list[int]:
        """Return what to poll for output."""
        return [stream.reader for stream in self._streams]

    def pump(self) -> None:
        """Tell the whole lines that have arrived; returns at once when there are none."""
        with self._reading:
            for stream in self._streams:
                self._read(stream)

    def finish(self) -> None:
        """Take back the descriptors if a module moved them, and tell all that is left, unfinished lines too."""
        for text in (sys.stdout, sys.stderr):
            _flush(text)
        libc().fflush(None)
        for stream in self._streams:
            os.dup2(stream.writer, stream.number)
        with self._reading:
            written = {number for number, _ in self._poll.poll(0)}
            for stream in self._streams:
                if stream.reader in written:
                    self._read(stream)
                if stream.used:
                    self._tell_lines(stream, stream.splitter.rest())
                    stream.errors = ErrorStream()
                    stream.used = False

    def _tell_lines(self, stream: _Stream, lines: list[str]) -> None:
        if lines:
            self._tell(stream.name, [(stream.level(line), line) for line in lines])

    def _read(self, stream: _Stream) -> None:
        while True:
            try:
                data = os.read(stream.reader, _CHUNK)
            except BlockingIOError:
                return
            stream.used = True
            self._tell_lines(stream, stream.splitter.feed(data))
            # A short read emptied the pipe; asking again would only cost a call.
            if len(data) < _CHUNK:
                return


def _by_lines(number: int) -> TextIOWrapper:
    return os.fdopen(number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _let_c_write_lines() -> None:
    """Have C's stdout hand on whole lines: into a pipe it holds 4 KiB back, and they would end up behind Python's.

    To be called before anything is written. A C library that names its stream otherwise keeps its buffer; what
    is in it comes when the task ends.
    """
    try:
        stream = ctypes.c_void_p.in_dll(libc(), "__stdoutp" if sys.platform == "darwin" else "stdout")
    except ValueError:
        return
    libc().setvbuf(stream, None, _LINE_BUFFERED, 0)


def _flush(stream: TextIO) -> None:
    try:
        stream.flush()
    except (ValueError, OSError, AttributeError):  # closed or replaced by a module; `World` puts it back
        return
