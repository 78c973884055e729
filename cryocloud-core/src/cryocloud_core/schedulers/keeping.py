"""The head's end of the keeper: asks for workers, hears of their deaths.

Laws: a worker's death is told after everything it left behind is dead; a keeper that dies takes its workers with it and
is told of like a death of all of them; nothing here waits, except `end`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field

from cryocloud_core.errors import StartError
from cryocloud_core.worker.ahead import KeeperProcess
from cryocloud_core.worker.channel import widen
from cryocloud_core.worker.kernel import start_time

_CHUNK = 64 * 1024


@define(eq=False)
class Keeping:
    """One keeper process. `tell` hears its reports, `gone` its unexpected end."""

    loop: asyncio.AbstractEventLoop
    tell: Callable[[dict[str, Any]], None]
    gone: Callable[[], None]
    pid: int = 0
    start_ticks: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _socket: socket.socket | None = None
    _held: bytes = b""
    _ended: asyncio.Event = field(factory=asyncio.Event)

    def start(self, marker: str, stderr: Path) -> None:
        """Start the process, which complains in `stderr`. Raises StartError."""
        try:
            started = KeeperProcess(marker)
        except OSError as error:
            raise StartError(f"cannot start worker processes: {error}", subject=sys.executable) from error
        self.take_over(started, stderr)

    def take_over(self, started: KeeperProcess, stderr: Path) -> None:
        """Keep workers with a process that is there already."""
        started.take()
        self._process, self._socket = started.process, started.end
        self.pid, self.start_ticks = started.process.pid, start_time(started.process.pid)
        self.loop.add_reader(started.end, self._hear)
        self._say({"stderr": str(stderr)})

    def spawn(self, key: int, env: dict[str, str], stderr: Path) -> socket.socket:
        """Ask for a worker and return our end of its socket."""
        ours, theirs = socket.socketpair()
        widen(ours)
        self._say({"spawn": key, "env": env, "stderr": str(stderr)}, theirs)
        theirs.close()
        return ours

    def kill(self, key: int) -> None:
        """Kill a worker and everything below it; its death is told as any other."""
        self._say({"kill": key})

    async def end(self) -> None:
        """Kill all workers and the keeper; when this returns nothing of them is alive."""
        self._say({"end": True})
        if self._socket is not None:
            await self._ended.wait()
        await self.reap()

    async def reap(self) -> None:
        """Wait until the process, which has closed its socket, is gone."""
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)

    def _say(self, request: dict[str, Any], attached: socket.socket | None = None) -> None:
        if self._socket is None:
            return
        line = json.dumps(request).encode() + b"\n"
        try:
            if attached is None:
                self._socket.sendall(line)
                return
            sent = socket.send_fds(self._socket, [line], [attached.fileno()])
            self._socket.sendall(line[sent:])
        except (BrokenPipeError, ConnectionResetError):
            return  # it is dead; `_hear` will say so

    def _hear(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self._close()
            return
        *lines, self._held = (self._held + data).split(b"\n")
        for line in lines:
            self.tell(json.loads(line))

    def _close(self) -> None:
        assert self._socket is not None
        self.loop.remove_reader(self._socket)
        self._socket.close()
        self._socket = None
        self._ended.set()
        self.gone()
