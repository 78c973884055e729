"""The control socket of a running head: JSON lines in, JSON lines out, for this user alone.

Laws: there only while the head runs; one client never holds up another or the head: each has its turn, a limit on what
it may send and on how long it may take; a bad request is answered, a bad line ends the connection; a run that can have
no socket goes on without one and says so.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from cryocloud_core.errors import CryoCloudError, UsageError

SOCKET_FILE: Final = "control.sock"
#: the version of requests and answers
VERSION: Final = 1
#: bytes of one request
LINE_BYTES: Final = 256 * 1024
#: seconds that a client may be silent between requests, and that it may take to read an answer
SILENCE_S: Final = 60.0
READ_S: Final = 10.0
#: clients at once
MOST_CLIENTS: Final = 32

Answerer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
Complain = Callable[[str], None]


@asynccontextmanager
async def control_socket(directory: Path, answer: Answerer, complain: Complain) -> AsyncIterator[None]:
    """Answer on the socket of a state directory while the body runs; the caller owns the directory's lock."""
    descriptor = None
    control = None
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        control = Control(answer, complain)
        await control.start(_bind(directory, descriptor))
    except OSError as error:
        complain(f"no control socket in {directory}: {error.strerror or error}; this run cannot be asked or steered")
    try:
        yield
    finally:
        if control is not None:
            await control.stop()
        if descriptor is not None:
            with suppress(OSError):
                os.unlink(SOCKET_FILE, dir_fd=descriptor)
            os.close(descriptor)


def address(directory: Path, descriptor: int) -> str:
    """Return a path of the socket that is short enough for the kernel, however long that of the directory is."""
    through = f"/proc/self/fd/{descriptor}"
    return f"{through}/{SOCKET_FILE}" if Path(through).exists() else str(directory / SOCKET_FILE)


def _bind(directory: Path, descriptor: int) -> socket.socket:
    """Return a bound socket; one that an earlier head left is removed first."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.stat(SOCKET_FILE, dir_fd=descriptor, follow_symlinks=False).st_mode):
            os.unlink(SOCKET_FILE, dir_fd=descriptor)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(address(directory, descriptor))
        # Nobody can connect before it listens.
        os.chmod(SOCKET_FILE, 0o600, dir_fd=descriptor)
    except OSError:
        bound.close()
        raise
    return bound


@define(eq=False)
class Control:
    """Serves clients on one socket."""

    answer: Answerer
    complain: Complain
    _clients: set[asyncio.Task[None]] = field(factory=set)
    _server: asyncio.Server | None = None

    async def start(self, bound: socket.socket) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._client, sock=bound, limit=LINE_BYTES)

    async def stop(self) -> None:
        """End; whoever is still there sees the connection close."""
        if self._server is not None:
            self._server.close()
        for client in list(self._clients):
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._clients) >= MOST_CLIENTS or not _is_ours(writer):
            writer.transport.abort()
            return
        self._clients.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, ValueError, TimeoutError, asyncio.CancelledError):
            # It left, sent no line, or does not read; a cancel is the end of the run. It is nobody's fault here.
            writer.transport.abort()
        finally:
            self._clients.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer line by line until the client leaves. Raises ValueError for a line that is too long."""
        while line := await asyncio.wait_for(reader.readline(), SILENCE_S):
            writer.write(json.dumps(await self._answered(line)).encode() + b"\n")
            await asyncio.wait_for(writer.drain(), READ_S)

    async def _answered(self, line: bytes) -> dict[str, Any]:
        """Return the answer to one line, an error too."""
        try:
            return {"v": VERSION, "ok": True, **await self.answer(_request(line))}
        except CryoCloudError as error:
            return {"v": VERSION, "ok": False, "error": str(error), "exit_code": error.exit_code}
        except Exception as error:  # noqa: BLE001 - a bug in an answer must not end the run that is asked
            self.complain(f"a request could not be answered: {type(error).__name__}: {error}")
            return {"v": VERSION, "ok": False, "error": f"{type(error).__name__}: {error}", "exit_code": 1}


def _request(line: bytes) -> dict[str, Any]:
    """Return a request. Raises UsageError for anything else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"a request is one line of JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError("a request is a JSON object")
    if found.get("v") != VERSION:
        raise UsageError(f"this head speaks version {VERSION}, the request has {found.get('v')!r}")
    return found


def _is_ours(writer: asyncio.StreamWriter) -> bool:
    """Return True for a client of this user, or root; where the system does not say, the directory's mode decides."""
    peer: socket.socket = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return uid in (0, os.getuid())
