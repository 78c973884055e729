"""One run of the campaign's workflow as the user starts it: a process, its folders, and who belongs to it.

Laws: the same command starts it and goes on with it; all its processes carry one mark in their environment.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

from campaign.processes import MARK, Process, everybody, look, marked
from campaign.settings import WORKFLOW, Plan


class RunProcess:
    """A run in a folder of its own, started again and again by the same command."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.plan = plan
        self.mark = f"{name}-{plan.seed}-{os.getpid()}-{time.monotonic_ns()}"
        self.folder = plan.folder / name
        self.state = self.folder / "state"
        self.evidence = self.folder / "evidence"
        self.base = self.folder / "base"
        self.output = self.folder / "output.txt"
        #: (exit status, seconds) of every life
        self.lives: list[tuple[int, float]] = []
        self._head: subprocess.Popen[bytes] | None = None
        self._since = 0.0
        for path in (self.evidence / "locks", self.base):
            path.mkdir(parents=True)

    @property
    def command(self) -> list[str]:
        """The one command."""
        options = {
            "--state-dir": self.state,
            "--evidence": self.evidence,
            "--base": self.base,
            "--pebbles": self.plan.pebbles,
            "--work": self.plan.work_ms,
            "--workers": self.plan.workers,
            "--grace": 5,
        }
        words = [str(word) for pair in options.items() for word in pair]
        return [*self.plan.program, str(WORKFLOW), "--json", *words]

    def allow(self, pebbles: int) -> None:
        """Let the input make so many pebbles."""
        aside = self.evidence / ".allowed"
        aside.write_text(str(pebbles))
        aside.replace(self.evidence / "allowed")

    def start(self) -> None:
        """Start the command; what it says goes to the end of `output`."""
        with self.output.open("ab") as output:
            output.write(f"\n=== life {len(self.lives) + 1}: {shlex.join(self.command)}\n".encode())
            output.flush()
            environment = {**os.environ, MARK: self.mark, "PYTHONFAULTHANDLER": "1"}
            self._since = time.monotonic()
            self._head = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=self.folder
            )

    @property
    def head(self) -> subprocess.Popen[bytes]:
        """The process of the head."""
        assert self._head is not None
        return self._head

    def is_alive(self) -> bool:
        """Tell whether the head still runs."""
        return self.head.poll() is None

    def wait(self, seconds: float) -> int | None:
        """Wait for the head's end and note it; None when it goes on."""
        try:
            status = self.head.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return None
        self.lives.append((status, time.monotonic() - self._since))
        return status

    def workers(self) -> list[Process]:
        """Return the living worker processes: children of the head's children that run the worker's program."""
        everyone = list(everybody())
        children = {process.pid for process in everyone if process.parent == self.head.pid}
        below = (process for process in everyone if process.parent in children and process.state not in "ZX")
        return [process for process in below if "-m cryocloud_core.worker " in process.command]

    def keepers(self) -> list[Process]:
        """Return the living process between head and workers."""
        mine = (process for process in everybody() if process.parent == self.head.pid and process.state not in "ZX")
        return [process for process in mine if "-m cryocloud_core.worker.keeper " in process.command]

    def kill_head(self) -> bool:
        """Kill the head alone; False when it had ended by itself."""
        self.head.send_signal(signal.SIGKILL)
        return self.wait(10) == -signal.SIGKILL

    def kill_all(self) -> bool:
        """Kill the head and every process of the run that can be seen, as a power cut would; False as above."""
        family = [process for process in marked(self.mark) if process.pid != self.head.pid]
        self.head.send_signal(signal.SIGKILL)
        for process in family:
            process.kill()
        return self.wait(10) == -signal.SIGKILL

    def terminate(self) -> None:
        """Ask the head to stop."""
        if look(self.head.pid) is not None:
            self.head.send_signal(signal.SIGTERM)

    def last_words(self, lines: int = 15) -> str:
        """Return the end of what the run said."""
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-lines:])

    def left_tempdirs(self) -> list[Path]:
        """Return what is left where tempdirs are made."""
        return sorted(self.base.iterdir())
