"""Run a child program safely: no shell, an own process group, its output streamed, its end certain.

Laws: whatever happens, no process of the group is alive when `run_program` returns; callbacks run on the caller's
thread, one line at a time; a program is asked to end (SIGTERM) before it is killed; limits are told apart in
`Completed.stopped`. Only the program's own process group is signalled: a descendant that left it is the worker's.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from attrs import define, field, frozen

from cryocloud_core.errors import TaskError
from cryocloud_core.sdk.limits import CancelEvent, Limits, Stopped, group_is_alive
from cryocloud_core.sdk.lines import LineSplitter

#: how often cancel, limits and the program's end are looked at, seconds
TICK_S = 0.05
#: how long output is awaited from descendants that outlive the program, seconds
DRAIN_S = 0.5
#: how long killed processes are awaited, seconds; only one that hangs in the kernel takes longer
BURY_S = 5.0
#: lines of stderr that are kept for an error text
TAIL_LINES = 20
_CHUNK = 256 * 1024

OnLine = Callable[[str], None]


@frozen
class Completed:
    """How a program ended.

    `returncode` is negative for a signal. `stopped` is None when it ended by itself. `cpu_time_s` is user + system of
    the program and the children it waited for; `max_memory_bytes` the peak resident size of the largest of them.
    """

    returncode: int
    cpu_time_s: float = 0.0
    max_memory_bytes: int = 0
    stderr_tail: tuple[str, ...] = ()
    stopped: Stopped | None = None

    def describe(self) -> str:
        """Return how it ended as half a sentence: `ended with exit code 3`, `was killed by SIGSEGV`."""
        if self.stopped is not None:
            return f"was stopped: {self.stopped.value}"
        if self.returncode < 0:
            with contextlib.suppress(ValueError):
                return f"was killed by {signal.Signals(-self.returncode).name}"
            return f"was killed by signal {-self.returncode}"
        return f"ended with exit code {self.returncode}"


def run_program(
    argv: Sequence[str | Path],
    *,
    cancel_event: CancelEvent | None = None,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: OnLine | None = None,
    on_error_line: OnLine | None = None,
    stdin: bytes | None = None,
    max_time_s: float | None = None,
    max_idle_s: float | None = None,
    max_memory_bytes: int | None = None,
    grace_s: float = 10.0,
) -> Completed:
    """Run `argv` to its end and return how it ended; `env` is added to the environment.

    `on_line` and `on_error_line` get each line of stdout and stderr without its end; without them the output is
    dropped (a tail of stderr is kept). What a callback raises ends the program and is raised here. `max_idle_s` limits
    the time without any output, `max_memory_bytes` the resident size of the process group.

    Raises:
        TaskError: when the program cannot be started.
    """
    limits = Limits(cancel_event, max_time_s, max_idle_s, max_memory_bytes, grace_s)
    run = _Run(_start(argv, cwd, env, stdin), limits, on_line, on_error_line, stdin or b"")
    try:
        return run.to_the_end()
    finally:
        run.close()


def _start(
    argv: Sequence[str | Path], cwd: str | Path | None, env: Mapping[str, str] | None, stdin: bytes | None
) -> subprocess.Popen[bytes]:
    words = [os.fspath(word) for word in argv]
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=None if env is None else {**os.environ, **env},
            process_group=0,
            bufsize=0,
        )
    except (OSError, ValueError, IndexError) as error:
        name = words[0] if words else "(empty command)"
        missing = isinstance(error, FileNotFoundError)
        place = f"in {cwd}" if cwd else ""
        remedy = "is it installed and on PATH, and does the working directory exist?" if missing else ""
        raise TaskError(f"cannot start: {error}", subject=f"program {name!r}", place=place, remedy=remedy) from error


@define(eq=False)
class _Stream:
    """One output pipe on its way into lines."""

    pipe: IO[bytes]
    tell: OnLine | None
    splitter: LineSplitter = field(factory=LineSplitter)
    tail: deque[str] = field(factory=lambda: deque(maxlen=TAIL_LINES))

    def read(self) -> bool:
        """Hand on what is there; False at the end of the stream."""
        try:
            data = os.read(self.pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return True
        self._tell(self.splitter.feed(data) if data else self.splitter.rest())
        return bool(data)

    def finish(self) -> None:
        self._tell(self.splitter.rest())

    def _tell(self, lines: list[str]) -> None:
        for line in lines:
            self.tail.append(line)
            if self.tell is not None:
                self.tell(line)


@define(eq=False)
class _Run:
    """One program between its start and its end."""

    child: subprocess.Popen[bytes]
    limits: Limits
    on_line: OnLine | None
    on_error_line: OnLine | None
    stdin: bytes
    selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector)
    out: _Stream = field(init=False)
    err: _Stream = field(init=False)
    told_at: float | None = None
    stopped: Stopped | None = None
    status: tuple[int, float, int] | None = None
    pidfd: int | None = None

    def __attrs_post_init__(self) -> None:
        assert self.child.stdout is not None
        assert self.child.stderr is not None
        self.out = _Stream(self.child.stdout, self.on_line)
        self.err = _Stream(self.child.stderr, self.on_error_line)
        for stream in (self.out, self.err):
            os.set_blocking(stream.pipe.fileno(), False)
            self.selector.register(stream.pipe, selectors.EVENT_READ, stream)
        if sys.platform == "linux":  # its end wakes the selector; elsewhere the tick finds it
            self.pidfd = os.pidfd_open(self.child.pid)
            self.selector.register(self.pidfd, selectors.EVENT_READ)
        if self.child.stdin is not None:
            os.set_blocking(self.child.stdin.fileno(), False)
            self.selector.register(self.child.stdin, selectors.EVENT_WRITE)

    def to_the_end(self) -> Completed:
        """Stream, watch the limits, wait; then make sure that the group is gone and take what it still said."""
        while self.status is None:
            self._turn(TICK_S)
            self._reap()
            if self.status is None:
                self._watch()
        if self.pidfd is not None:
            self.selector.unregister(self.pidfd)
        deadline = time.monotonic() + DRAIN_S
        while self._reading() and time.monotonic() < deadline:
            self._turn(TICK_S)
        self.out.finish()
        self.err.finish()
        self._bury()
        code, cpu_time_s, memory = self.status
        return Completed(code, cpu_time_s, memory, tuple(self.err.tail), self.stopped)

    def close(self) -> None:
        """Leave nothing behind: no process of the group, no pipe."""
        if self.status is None:
            self._signal(signal.SIGKILL)
            self.child.wait()
            self._bury()
        self.selector.close()
        if self.pidfd is not None:
            os.close(self.pidfd)
        for pipe in (self.child.stdin, self.child.stdout, self.child.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _reading(self) -> bool:
        return any(key.data is not None for key in self.selector.get_map().values())

    def _turn(self, wait_s: float) -> None:
        for key, _ in self.selector.select(wait_s):
            if key.fileobj is self.child.stdin:
                self._write()
            elif key.data is not None:
                self.limits.heard = time.monotonic()
                if not key.data.read():
                    self.selector.unregister(key.fileobj)

    def _write(self) -> None:
        assert self.child.stdin is not None
        try:
            self.stdin = self.stdin[os.write(self.child.stdin.fileno(), self.stdin[:_CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.stdin = b""
        if not self.stdin:
            self.selector.unregister(self.child.stdin)
            self.child.stdin.close()

    def _reap(self) -> None:
        """Take the program's end if it came; the rest of its group dies while its own pid still names the group."""
        try:
            if os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
                return
            self._signal(signal.SIGKILL)
            _, status, usage = os.wait4(self.child.pid, 0)
        except ChildProcessError:  # somebody else waited for it: its code is lost, its end is not
            self.status = (self.child.poll() or 0, 0.0, 0)
            return
        self.child.returncode = os.waitstatus_to_exitcode(status)
        self.status = (self.child.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)

    def _bury(self) -> None:
        """Wait until the killed rest of the group is dead: a kill is a request, the kernel takes its time."""
        deadline = time.monotonic() + BURY_S
        while self._signal(signal.SIGKILL) and group_is_alive(self.child.pid) and time.monotonic() < deadline:
            time.sleep(0.002)

    def _watch(self) -> None:
        """Ask the program to end when a limit is passed, kill it when it was asked long enough ago."""
        now = time.monotonic()
        if self.told_at is None:
            self.stopped = self.limits.passed(self.child.pid)
            if self.stopped is not None:
                self.told_at = now
                self._signal(signal.SIGTERM)
                self._signal(signal.SIGCONT)
        elif now - self.told_at >= self.limits.grace_s:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> bool:
        try:
            os.killpg(self.child.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True
