"""What a module must leave as it found it: directory, environment, file mode mask, signal handlers, path, children.

Laws: a difference is told in words; nothing is repaired here, so that a test sees what a module did.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Any

import psutil
from attrs import frozen

#: How long a child or thread that is ending on its own may take.
ENDING_S = 1.0


@frozen
class Surroundings:
    """The state of this process that outlives a call."""

    cwd: str
    environ: dict[str, str]
    umask: int
    handlers: dict[str, Any]
    path: list[str]
    children: frozenset[int]
    threads: frozenset[str]

    @classmethod
    def now(cls) -> Surroundings:
        """Return the present state."""
        umask = os.umask(0)
        os.umask(umask)
        return cls(
            os.getcwd(),  # noqa: PTH109 -- the very text that chdir changes
            dict(os.environ),
            umask,
            {each.name: signal.getsignal(each) for each in signal.Signals},
            list(sys.path),
            frozenset(child.pid for child in psutil.Process().children(recursive=True)),
            frozenset(thread.name for thread in threading.enumerate() if not thread.daemon),
        )

    def left_changed(self, wait_s: float = ENDING_S) -> list[str]:
        """Return what differs from this state now, in words; what is ending on its own gets `wait_s`."""
        deadline = time.monotonic() + wait_s
        while self._left_running(Surroundings.now()) and time.monotonic() < deadline:
            time.sleep(0.02)
        now = Surroundings.now()
        return [*self._settings_changed(now), *self._left_running(now)]

    def _settings_changed(self, now: Surroundings) -> list[str]:
        told = []
        if now.cwd != self.cwd:
            told.append(f"the working directory is {now.cwd}, it was {self.cwd}")
        names = sorted(set(self.environ.items()) ^ set(now.environ.items()))
        # pytest notes the running test in a variable of its own.
        changed = sorted({name for name, _ in names} - {"PYTEST_CURRENT_TEST"})
        if changed:
            told.append(f"environment variables differ: {', '.join(changed)}")
        if now.umask != self.umask:
            told.append(f"the umask is {now.umask:o}, it was {self.umask:o}")
        told += [
            f"the handler of {name} differs" for name in self.handlers if now.handlers[name] != self.handlers[name]
        ]
        if now.path != self.path:
            told.append(f"sys.path differs: {sorted(set(now.path) ^ set(self.path))}")
        return told

    def _left_running(self, now: Surroundings) -> list[str]:
        told = [f"child process {pid} is alive" for pid in sorted(now.children - self.children)]
        return told + [f"thread {name} is alive" for name in sorted(now.threads - self.threads)]
