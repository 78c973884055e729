"""The process between a head and its workers: `python -P -m cryocloud_core.worker.keeper FD PARENT`.

It starts workers when asked and tells when one has ended. It never runs a module, so it is always there to see its
head die, and then it kills everything below it.

Laws: it adopts the orphans of a dead worker and tells of the death only when they are dead too, so there are never two
live copies of a task; when its head is gone, however it went, nothing below it survives, whatever session or group it
moved to; it ends when nothing is left.

Lines of JSON on a stream socket::

    to the keeper     {"spawn": key, "env": {...}, "stderr": path}   with the worker's end of a socket attached;
                                                                     env is added to the keeper's own
                      {"kill": key}
                      {"end": true}                                  kill all and go
    from the keeper   {"spawned": key, "pid": pid, "start": ticks} or {"failed": key, "why": text}
                      {"exited": key, "status": wait status, "strays": number}
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections import deque
from typing import Any

from cryocloud_core.worker.kernel import adopt_orphans, die_with_parent, start_time
from cryocloud_core.worker.strays import kill_children

#: the descriptor that a worker finds its socket at
WORKER_FD = 3
_MAX_FDS = 64


class Keeper:
    """The state of the process: who is alive, and what the head has said but not finished saying."""

    # No attrs class: importing attrs would double the time that every run's first task waits for this process.
    def __init__(self, head: socket.socket) -> None:
        self._head = head
        self._workers: dict[int, int] = {}
        self._descriptors: deque[int] = deque()
        self._held = b""

    def serve(self, woken: int) -> None:
        """Obey until the head says end or is gone; `woken` is readable when a child died or a signal came."""
        poll = select.poll()
        poll.register(self._head, select.POLLIN)
        poll.register(woken, select.POLLIN)
        while True:
            heard = {number for number, _ in poll.poll()}
            if woken in heard and signal.SIGUSR1 in os.read(woken, 4096):
                return
            self._reap()
            if self._head.fileno() in heard and not self._obey():
                return

    def bury_all(self) -> None:
        """Kill every worker and everything they leave behind."""
        self._workers.clear()
        kill_children()

    def _obey(self) -> bool:
        """Do what the head asks; False when it wants no more or is gone."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._head, 65536, _MAX_FDS)
        except ConnectionResetError:
            return False
        self._descriptors.extend(descriptors)
        if not data:
            return False
        *lines, self._held = (self._held + data).split(b"\n")
        return all(self._do(json.loads(line)) for line in lines)

    def _do(self, request: dict[str, Any]) -> bool:
        match request:
            case {"spawn": key, "env": env, "stderr": path}:
                self._spawn(key, env, path)
            case {"kill": key}:
                for pid in [pid for pid, known in self._workers.items() if known == key]:
                    os.kill(pid, signal.SIGKILL)
            case _:
                return False
        return True

    def _spawn(self, key: int, env: dict[str, str], stderr: str) -> None:
        descriptor = self._descriptors.popleft()
        argv = [sys.executable, "-P", "-m", "cryocloud_core.worker", str(WORKER_FD), str(os.getpid())]
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, descriptor, WORKER_FD),
        ]
        try:
            pid = os.posix_spawn(sys.executable, argv, {**os.environ, **env}, file_actions=actions)
        except OSError as error:
            self._tell({"failed": key, "why": f"cannot start {sys.executable}: {error.strerror}"})
            return
        finally:
            os.close(descriptor)
        self._workers[pid] = key
        self._tell({"spawned": key, "pid": pid, "start": start_time(pid)})

    def _reap(self) -> None:
        """Take dead workers away, kill what they left, then tell."""
        dead: list[tuple[int, int]] = []
        for pid in list(self._workers):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                dead.append((self._workers.pop(pid), status))
        if dead:
            strays = kill_children(keep=self._workers)
            for key, status in dead:
                self._tell({"exited": key, "status": status, "strays": len(strays)})

    def _tell(self, report: dict[str, Any]) -> None:
        # A head that is gone is seen by `_obey`, right after.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._head.sendall(json.dumps(report).encode() + b"\n")


def _listen_to_signals(parent: int) -> int:
    """Return a descriptor that is readable after a child's death and after the head's (SIGUSR1)."""
    woken, waker = os.pipe()
    for end in (woken, waker):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, lambda *_: None)
    die_with_parent(signal.SIGUSR1)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGUSR1)
    return woken


def main(number: int, parent: int) -> None:
    """Keep workers for the head at the other end of a socket."""
    os.setsid()
    adopt_orphans()
    os.set_inheritable(number, False)
    keeper = Keeper(socket.socket(fileno=number))
    try:
        keeper.serve(_listen_to_signals(parent))
    finally:
        keeper.bury_all()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
