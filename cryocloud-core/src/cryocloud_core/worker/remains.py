"""What a head notes about its processes, and how the next head makes sure that none of them is alive.

Laws: a process is named by its pid, its start time and the boot; only a process that matches all three is killed, or
one that carries this state directory's own marker in its environment, as everything below a worker does.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from pathlib import Path

from attrs import define, evolve, field, frozen

from cryocloud_core.worker.ahead import MARKER
from cryocloud_core.worker.kernel import all_pids, boot_id, descendants, is_alive, start_time

FILE_NAME = "processes.json"
#: a keeper whose head has died needs a moment to end what it keeps, seconds
KEEPER_PATIENCE_S = 3.0
#: how long killed processes are awaited, seconds
DEATH_PATIENCE_S = 10.0


@frozen
class Note:
    """One run's processes: pid and start time of keeper and workers, in the boot they belong to."""

    marker: str
    boot: str = ""
    keeper: tuple[int, int] | None = None
    processes: tuple[tuple[int, int], ...] = ()


@define(eq=False)
class Remains:
    """The note in a state directory."""

    path: Path
    note: Note
    killed: list[int] = field(factory=list)

    @classmethod
    def read(cls, state_dir: Path) -> Remains:
        """Return what an earlier head noted; an empty note with a fresh marker when there is none to read."""
        path = state_dir / FILE_NAME
        try:
            data = json.loads(path.read_text("ascii"))
            keeper = data["keeper"]
            note = Note(
                str(data["marker"]),
                str(data["boot"]),
                None if keeper is None else (int(keeper[0]), int(keeper[1])),
                tuple((int(pid), int(start)) for pid, start in data["processes"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            # Unwritten, or cut short by a power failure, after which nothing of it is alive.
            note = Note(secrets.token_hex(16))
        return cls(path, note)

    def write(self, keeper: tuple[int, int] | None, processes: tuple[tuple[int, int], ...]) -> None:
        """Note the processes of this run. Raises OSError."""
        self.note = evolve(self.note, boot=boot_id(), keeper=keeper, processes=processes)
        part = self.path.with_name(f"{self.path.name}.part")
        data = {
            "marker": self.note.marker,
            "boot": self.note.boot,
            "keeper": keeper,
            "processes": [list(process) for process in processes],
        }
        part.write_text(json.dumps(data), "ascii")
        part.replace(self.path)

    def mark(self, marker: str) -> None:
        """Go on with the marker of processes that were started before this run was known."""
        self.note = evolve(self.note, marker=marker)

    def clear(self) -> list[int]:
        """Kill everything of the earlier run that is alive and return its pids; when this returns all are dead."""
        if self.note.boot == boot_id():
            self._await_keeper()
            for pid, start in self.note.processes:
                if _is(pid, start):
                    self._kill([pid, *descendants(pid)])
        marked = f"{MARKER}={self.note.marker}".encode()
        deadline = time.monotonic() + DEATH_PATIENCE_S
        # Killing may miss what is being started at this moment, so it is looked for until nothing is found.
        while (found := _carriers(marked)) and time.monotonic() < deadline:
            self._kill(found)
            time.sleep(0.005)
        return self.killed

    def _await_keeper(self) -> None:
        """Let a keeper end what it keeps, as it finds even what left no trace; then end the keeper."""
        if self.note.keeper is None:
            return
        pid, start = self.note.keeper
        deadline = time.monotonic() + KEEPER_PATIENCE_S
        while _is(pid, start):
            if time.monotonic() > deadline:
                self._kill([*descendants(pid), pid])
                return
            time.sleep(0.01)

    def _kill(self, pids: list[int]) -> None:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
            self.killed.append(pid)


def _is(pid: int, start: int) -> bool:
    return is_alive(pid) and start_time(pid) == start


def _carriers(marked: bytes) -> list[int]:
    """Return the living processes with the marker in their environment."""
    me = os.getpid()
    return [pid for pid in all_pids() if pid != me and marked in _environment(pid) and is_alive(pid)]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
