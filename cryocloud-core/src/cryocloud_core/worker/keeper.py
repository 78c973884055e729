"""The process between a head and its workers: `python -P -m cryocloud_core.worker.keeper FD PARENT`.

It starts workers when asked and tells when one has ended. It never runs a module, so it is always there to see its
head die, and then it kills everything below it.

Laws: it loads what every worker needs, once, and forks; it has one thread and no state but its workers, so a fork is
as good as a fresh process, is there in milliseconds instead of a quarter of a second, and shares its memory. It adopts
the orphans of a dead worker and tells of the death only when they are dead too, so there are never two live copies of
a task; when its head is gone, however it went, nothing below it survives, whatever session or group it moved to; it
ends when nothing is left.

Lines of JSON on a stream socket::

    to the keeper     {"spawn": key, "env": {...}, "stderr": path}   with the worker's end of a socket attached;
                                                                     env is added to the keeper's own
                      {"stderr": path}                               where the keeper itself complains from now on
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
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from cryocloud_core.worker.kernel import adopt_orphans, die_with_parent, show_as, start_time
from cryocloud_core.worker.strays import kill_children

_MAX_FDS = 64


class Keeper:
    """The state of the process: who is alive, and what the head has said but not finished saying."""

    def __init__(self, head: socket.socket, signals: tuple[int, int]) -> None:
        """Keep workers for `head`; the first end of the pipe `signals` is readable after a child's death."""
        self._head = head
        self._signals = signals
        #: a worker's life, given the descriptor of its socket and the keeper's pid; None until it could be loaded
        self._work: Callable[[int, int], None] | None = None
        self._workers: dict[int, int] = {}
        self._descriptors: deque[int] = deque()
        self._held = b""

    def load(self) -> str:
        """Load what every worker needs, if that is still to be done; return the traceback when it cannot be."""
        if self._work is None:
            try:
                self._work = _load_a_worker()
            except Exception:  # noqa: BLE001 - a broken installation: it may be mended while we wait
                return traceback.format_exc()
        return ""

    def serve(self) -> None:
        """Obey until the head says end or is gone."""
        poll = select.poll()
        woken = self._signals[0]
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
            case {"stderr": path}:
                _lead_stderr_to(path)
            case {"kill": key}:
                for pid in [pid for pid, known in self._workers.items() if known == key]:
                    os.kill(pid, signal.SIGKILL)
            case _:
                return False
        return True

    def _spawn(self, key: int, env: dict[str, str], stderr: str) -> None:
        descriptor = self._descriptors.popleft()
        me, broken, why = os.getpid(), self.load(), "cannot start"
        if broken:
            with contextlib.suppress(OSError):  # where a worker's own last words would be
                Path(stderr).write_text(broken, "utf-8")
        try:
            pid = -1 if broken else os.fork()
        except OSError as error:
            pid, why = -1, f"cannot start: {error.strerror}"
        if pid < 0:
            self._tell({"failed": key, "why": why})
            os.close(descriptor)
            return
        if pid == 0:
            self._become_worker(descriptor, me, env, stderr)
        os.close(descriptor)
        self._workers[pid] = key
        self._tell({"spawned": key, "pid": pid, "start": start_time(pid)})

    def _become_worker(self, descriptor: int, parent: int, env: dict[str, str], stderr: str) -> NoReturn:
        """Go on as a worker: nothing of the keeper is left but what is loaded."""
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGUSR1):
                signal.signal(number, signal.SIG_DFL)
            for end in (self._head.fileno(), *self._signals, *self._descriptors):
                os.close(end)
            _lead_stderr_to(stderr)
            show_as([sys.executable, "-P", "-m", "cryocloud_core.worker", str(descriptor), str(parent)])
            os.environ.update(env)
            assert self._work is not None
            self._work(descriptor, parent)
        except BaseException:  # noqa: BLE001 - the last thing this process says
            traceback.print_exc()
        finally:
            os._exit(1)

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


def _listen_to_signals(parent: int) -> tuple[int, int]:
    """Return a pipe whose first end is readable after a child's death and after the head's (SIGUSR1)."""
    woken, waker = os.pipe()
    for end in (woken, waker):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, lambda *_: None)
    die_with_parent(signal.SIGUSR1)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGUSR1)
    return woken, waker


def _lead_stderr_to(path: str) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(opened, 2)
    os.close(opened)


def main(number: int, parent: int) -> None:
    """Keep workers for the head at the other end of a socket."""
    os.setsid()
    adopt_orphans()
    os.set_inheritable(number, False)
    signals = _listen_to_signals(parent)
    keeper = Keeper(socket.socket(fileno=number), signals)
    try:
        keeper.load()
        keeper.serve()
    finally:
        keeper.bury_all()


def _load_a_worker() -> Callable[[int, int], None]:
    """Import all that a worker needs before its first task, and return its life."""
    import gc

    import cryocloud_core.worker.ear  # noqa: F401 - a session imports it when it begins to serve
    from cryocloud_core.worker.__main__ import main as work

    # What is loaded lives for ever: a look for garbage would only copy its pages into every worker.
    gc.freeze()
    return work


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
