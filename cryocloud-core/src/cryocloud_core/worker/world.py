"""The process as the next task should find it: directory, environment, umask, signal handlers, alarms.

Laws: what one task changed is put back before the next begins; putting back costs microseconds, for it is done after
every task, the shortest too.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, TextIO

from attrs import define, field

_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGPIPE,
    signal.SIGALRM,
    signal.SIGTERM,
    signal.SIGCHLD,
)

#: signal.getsignal without the look-up of enum members, a microsecond for each signal after each task
_handler: Callable[[int], Any] = vars(signal)["_signal"].getsignal


def _environment() -> dict[bytes, bytes]:
    # os.environ's own map: a copy through its public face decodes every entry, 15 µs instead of 0.2 for each task.
    data: dict[bytes, bytes] = vars(os.environ)["_data"]
    return data


def _own_umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


@define(eq=False)
class World:
    """A picture of the process, taken once; `restore` makes it true again."""

    _directory: int = field(factory=lambda: os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    _environment: dict[bytes, bytes] = field(factory=lambda: dict(_environment()))
    _umask: int = field(factory=_own_umask)
    _handlers: dict[int, Any] = field(factory=lambda: {int(number): _handler(number) for number in _SIGNALS})
    _streams: tuple[TextIO, TextIO] = field(factory=lambda: (sys.stdout, sys.stderr))
    _path: list[str] = field(factory=lambda: list(sys.path))

    def accept_imports(self) -> None:
        """Keep what importing a module did to environment and import path: it will not be imported again."""
        self._environment = dict(_environment())
        self._path = list(sys.path)

    def restore(self) -> None:
        """Put everything back. Runs on the main thread, as signal handlers demand."""
        os.fchdir(self._directory)
        os.umask(self._umask)
        if _environment() != self._environment:
            self._restore_environment()
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._handlers.items():
            if _handler(number) is not handler:
                # A handler that C code installed reads as None and cannot be put back from here.
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._restore_streams()
        if sys.path != self._path:
            sys.path[:] = self._path

    def _restore_environment(self) -> None:
        for name in [name for name in os.environb if name not in self._environment]:
            del os.environb[name]
        for name, value in self._environment.items():
            os.environb[name] = value

    def _restore_streams(self) -> None:
        if (sys.stdout, sys.stderr) != self._streams:
            _quietly(getattr(sys.stdout, "flush", None))
            _quietly(getattr(sys.stderr, "flush", None))
            sys.stdout, sys.stderr = self._streams


def _quietly(flush: Callable[[], None] | None) -> None:
    """Flush what a module put in the place of a stream; one that was closed has nothing more to say."""
    if flush is None:
        return
    try:
        flush()
    except (ValueError, OSError):
        return
