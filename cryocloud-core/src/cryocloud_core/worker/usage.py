"""What a task used: time, CPU time and peak memory, with its children.

Laws: a task of a millisecond pays microseconds for it. The peak of the process is read from VmHWM and set back when
it has grown past what is resident, so that one big task does not colour the next; children are summed once a second
while the task runs, and the biggest that was waited for counts in any case.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time

from attrs import define, field

from cryocloud_core.worker.kernel import descendants

#: a shorter task cannot touch enough memory to be worth reading /proc/self/status (10 µs)
SHORT_S = 0.005
#: how far the peak may lie above the resident size before it is set back
_SLACK_BYTES = 8 * 1024 * 1024
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: ru_maxrss counts kilobytes on Linux, bytes on macOS
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@define(eq=False)
class Usage:
    """Measures one task after another; `begin`, any number of `sample`, `end`."""

    _began: float = 0.0
    _cpu: float = 0.0
    _largest_child: int = 0
    _sampled: int = 0
    _status: int = field(factory=lambda: _open("/proc/self/status"))
    _statm: int = field(factory=lambda: _open("/proc/self/statm"))

    def begin(self) -> None:
        """Start measuring."""
        self._began = time.monotonic()
        self._cpu, self._largest_child = _used()
        self._sampled = 0

    def runtime_s(self) -> float:
        """Return the seconds since the task began."""
        return time.monotonic() - self._began

    def sample(self) -> tuple[float, int]:
        """Look at the process and everything below it; return CPU seconds and peak bytes so far."""
        total = self._resident() + sum(_resident_of(pid) for pid in descendants(os.getpid()))
        self._sampled = max(self._sampled, total)
        return _used()[0] - self._cpu, self._sampled

    def end(self) -> tuple[float, float, int]:
        """Return runtime and CPU time in seconds and peak memory in bytes; children must be waited for by now."""
        runtime = self.runtime_s()
        cpu, child = _used()
        peak = max(self._own_peak(runtime), self._sampled, child if child > self._largest_child else 0)
        return runtime, cpu - self._cpu, peak

    def _own_peak(self, runtime_s: float) -> int:
        if self._status < 0:
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
        if runtime_s < SHORT_S:
            return self._resident()
        peak, resident = _peak_and_resident(os.pread(self._status, 4096, 0))
        if peak - resident > _SLACK_BYTES:
            _forget_peak()
        return peak

    def _resident(self) -> int:
        return int(os.pread(self._statm, 64, 0).split()[1]) * _PAGE if self._statm >= 0 else 0


def _used() -> tuple[float, int]:
    """Return CPU seconds of the process and its waited-for children, and the peak bytes of the largest of these."""
    mine = resource.getrusage(resource.RUSAGE_SELF)
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime
    return seconds, theirs.ru_maxrss * _MAXRSS_UNIT


def _peak_and_resident(status: bytes) -> tuple[int, int]:
    values = [_kilobytes(status, name) for name in (b"\nVmHWM:", b"\nVmRSS:")]
    return values[0] * 1024, values[1] * 1024


def _kilobytes(status: bytes, name: bytes) -> int:
    start = status.find(name)
    return int(status[start + len(name) : status.index(b"kB", start)]) if start >= 0 else 0


def _forget_peak() -> None:
    """Set the peak back to what is resident; without the right to, the next tasks show the old one."""
    with contextlib.suppress(OSError):
        descriptor = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, b"5")
        finally:
            os.close(descriptor)


def _resident_of(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError, ValueError):
        descriptor = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return int(os.read(descriptor, 256).split()[1]) * _PAGE
        finally:
            os.close(descriptor)
    return 0


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
