"""Running one program to its end: how long it took, what CPU and memory it and its children cost.

Laws: what is written is on the disk before the clock stops; a program that is not installed is None, not an error.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

#: does what it is told, then `sync` and `sha256sum` of everything it brought: what CryoCloud promises after a transfer
_FOLLOWED = 'set -e; "$@"; sync -f "$CHECKED"; find "$CHECKED" -type f -exec sha256sum {} + >/dev/null'

#: a process this small between us and the program: the kernel counts the memory of who starts one as the program's own
_LAUNCHER = """
import os, sys, time
began = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, used = os.wait4(pid, 0)
code = os.waitstatus_to_exitcode(status)
print([time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024])
sys.exit(code if code >= 0 else 128 - code)
"""


@frozen
class Cost:
    """What one run took: seconds, CPU seconds of the program and all its children, peak bytes of the largest."""

    seconds: float
    cpu_s: float
    memory_bytes: int


def found(name: str) -> str | None:
    """Return the path of a program, beside this Python or on PATH, None when it is not installed."""
    own = Path(sys.executable).with_name(name)
    return str(own) if own.exists() else shutil.which(name)


def cost(words: Sequence[str | Path], *, checked: Path | None = None, environ: dict[str, str] | None = None) -> Cost:
    """Run a program; with `checked` what lies there is synced and hashed as well. Raises RuntimeError when it fails."""
    command = [str(word) for word in words]
    if checked is not None:
        command = ["sh", "-c", _FOLLOWED, "sh", *command]
    env = {**os.environ, **(environ or {}), "CHECKED": str(checked or "")}
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]
    run = subprocess.run(launcher, capture_output=True, text=True, errors="replace", env=env, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"{command} ended with {run.returncode}: {run.stderr[-2000:]}")
    return Cost(*json.loads(run.stdout))


def best(costs: Sequence[Cost]) -> Cost:
    """Return the quickest: what disturbs a run only makes it longer."""
    return min(costs, key=lambda each: each.seconds)
