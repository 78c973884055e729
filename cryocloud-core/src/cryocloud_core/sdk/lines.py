"""The line protocol: how a program without CryoCloud in it tells progress, log lines and its return value on stdout.

Laws: pure, no I/O; every line is understood, a line of no known form is plain output; bytes that are no UTF-8 are
replaced, never refused; a line is cut at `LINE_LIMIT` bytes, one that carries the return value at `RETURN_LIMIT`.

::

    [name] value      status parameter `name` = value; `[progress] 40` is the progress
    <level> text      a log line: debug info warning error critical exception, in any case
    {retval} JSON     the return value; the last one counts
    anything else     plain output
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from attrs import define, field, frozen

#: bytes of one line; what is longer is cut (64 KiB)
LINE_LIMIT = 64 * 1024
#: bytes of a line with the return value: 16 MiB of JSON and its keyword
RETURN_LIMIT = 16 * 1024 * 1024 + 64
CUT = " …(cut)"

_ENDS = re.compile(rb"\r\n|\n|\r")
_STATUS = re.compile(r"\[([\w.-]+)\][ \t]?(.*)", re.DOTALL)
_LOG = re.compile(r"<(\w+)>[ \t]?(.*)", re.DOTALL)
_RETURN = "{retval}"
_LEVELS = frozenset({"debug", "info", "warning", "error", "critical", "exception"})


@frozen
class StatusLine:
    """`[name] value`."""

    name: str
    value: str


@frozen
class LogLine:
    """`<level> text`; `level` is DEBUG INFO WARNING ERROR or CRITICAL."""

    level: str
    text: str


@frozen
class ReturnLine:
    """`{retval} JSON`; `error` says why the JSON cannot be used, empty when it can."""

    value: Any = None
    error: str = ""


@frozen
class PlainLine:
    """A line of no other form."""

    text: str


Line = StatusLine | LogLine | ReturnLine | PlainLine


def read_line(text: str) -> Line:
    """Return what one line without its line end says."""
    if text.startswith(_RETURN):
        return _read_return(text[len(_RETURN) :])
    if match := _STATUS.fullmatch(text):
        return StatusLine(match[1], match[2].strip())
    if match := _LOG.fullmatch(text):
        return LogLine(_level(match[1]), match[2])
    return PlainLine(text)


def _level(word: str) -> str:
    known = word.lower()
    if known == "exception":
        return "ERROR"
    return known.upper() if known in _LEVELS else "INFO"


def _read_return(text: str) -> ReturnLine:
    try:
        return ReturnLine(json.loads(text))
    except (ValueError, RecursionError) as error:
        return ReturnLine(error=f"{_RETURN} is not followed by JSON: {error}; got {text.strip()[:80]!r}")


def number(text: str) -> float | None:
    """Return the finite number that `text` is, None when it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@define
class ErrorStream:
    """Levels for the lines of a program's stderr: ERROR from a line with `Traceback` on, DEBUG before."""

    _raised: bool = False

    def level(self, text: str) -> str:
        """Return the level of the next line."""
        self._raised = self._raised or "Traceback" in text
        return "ERROR" if self._raised else "DEBUG"


@define
class LineSplitter:
    """Cuts a stream of bytes into lines of text, at LF, CR LF or a lone CR (progress bars).

    `limit` bytes of a line are kept and the rest is dropped, marked with `CUT`; a line that starts with `long_prefix`
    may have `long_limit` bytes. No more than that is ever held.
    """

    limit: int = LINE_LIMIT
    long_prefix: bytes = _RETURN.encode()
    long_limit: int = RETURN_LIMIT
    _held: bytearray = field(factory=bytearray)
    _dropped: bool = False
    _after_cr: bool = False

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that `data` completes, without their ends."""
        if not data:
            return []
        pieces = _ENDS.split(data[1:] if self._after_cr and data[:1] == b"\n" else data)
        self._after_cr = data[-1:] == b"\r"
        lines = []
        for piece in pieces[:-1]:
            self._hold(piece)
            lines.append(self._take())
        self._hold(pieces[-1])
        return lines

    def rest(self) -> list[str]:
        """Return the last line when it has no end, as a list of at most one."""
        return [self._take()] if self._held or self._dropped else []

    def _hold(self, piece: bytes) -> None:
        if not piece:
            return
        if len(self._held) < len(self.long_prefix):
            start = bytes(self._held) + piece[: len(self.long_prefix)]
        else:
            start = bytes(self._held[: len(self.long_prefix)])
        limit = self.long_limit if start.startswith(self.long_prefix) else self.limit
        room = max(0, limit - len(self._held))
        self._held += piece[:room]
        self._dropped = self._dropped or len(piece) > room

    def _take(self) -> str:
        # A cut in the middle of a character would show as a replacement: the mark says enough.
        text = self._held.decode("utf-8", "ignore" if self._dropped else "replace")
        line = text + CUT if self._dropped else text
        self._held.clear()
        self._dropped = False
        return line
