"""The bar that shows how far transfers are, one line for each, and why one is repeated or not needed, on a terminal.

Laws: where there is no terminal only repeats are told, nothing is drawn and rich is not loaded; what a server calls its
files is made plain before it is shown.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from attrs import define, field

from cryocloud_core.cli.text import cut, plain
from cryocloud_core.files.moving import Moving
from cryocloud_core.sdk.url import Url

#: cells for a name
_NAME_CELLS = 32
_WEB = ("http", "https")
#: loggers of what is told of moving files, and of repeats alone
FILES = "cryocloud_core.files"
PERSISTENCE = f"{FILES}.persistence"


@contextmanager
def bar(stream: IO[str]) -> Iterator[Callable[[Moving], None]]:
    """Give what is to be told how far transfers are."""
    if not stream.isatty():
        with _heard(_Repeats(stream), PERSISTENCE):
            yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[files]}", markup=False),
    )
    console = Console(file=stream)
    with Progress(*columns, console=console, refresh_per_second=6) as progress, _heard(_Remarks(console), FILES):
        yield _Lines(progress).told


@contextmanager
def _heard(handler: logging.Handler, name: str) -> Iterator[None]:
    """Let a handler have what a logger, or one below it, is told, from INFO on."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Repeats(logging.Handler):
    """Writes one line for each repeat."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, made plain."""
        print(plain(record.getMessage()), file=self._stream, flush=True)


class _Remarks(logging.Handler):
    """Writes log records above the bar."""

    def __init__(self, console: Any) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, made plain."""
        self._console.print(plain(record.getMessage()), markup=False, highlight=False, soft_wrap=True)


@define(eq=False)
class _Lines:
    """The lines of a progress display by URL."""

    progress: Any
    _lines: dict[tuple[str, bool], Any] = field(factory=dict)
    _lock: threading.Lock = field(factory=threading.Lock)

    def told(self, moving: Moving) -> None:
        """Draw how far a transfer is."""
        with self._lock:
            line = self._lines.get(moving.key)
            if line is None:
                name = cut(plain(_name_of(moving.url)), _NAME_CELLS)
                line = self._lines[moving.key] = self.progress.add_task(name, total=None, files="")
            files = f"{moving.files_done}/{moving.files} files" if moving.files > 1 else ""
            self.progress.update(line, completed=moving.done_bytes, total=moving.size_bytes, files=files)


def _name_of(url: Url) -> str:
    """Return the last component of a URL's path, for the web with what is asked, as it is shown."""
    path, mark, asked = url.shown.partition("?") if url.scheme in _WEB else (url.shown, "", "")
    return f"{path.rstrip('/').rpartition('/')[2]}{mark}{asked}"
