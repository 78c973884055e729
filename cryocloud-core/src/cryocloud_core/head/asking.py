"""Asking a running head: one request on its control socket, one answer.

Laws: no head is an answer too (None), everything else that goes wrong is an error that says what to do; a head that
does not answer is not waited for without end.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any, Final

from cryocloud_core.errors import CryoCloudError, StateError
from cryocloud_core.head.control import VERSION, address

#: seconds to wait for an answer; a commit on a full disk takes up to ten
WAIT_S: Final = 20.0
#: bytes of one answer
_MOST_BYTES: Final = 64 * 1024 * 1024


def ask(directory: Path, request: str, wait_s: float = WAIT_S, **more: Any) -> dict[str, Any] | None:
    """Return the answer of the head that runs over this state directory, None when none runs.

    Raises StateError when it does not answer, CryoCloudError with its words when it refuses.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"cannot be looked into: {error.strerror}", place=str(directory)) from error
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(wait_s)
            try:
                connection.connect(address(directory, descriptor))
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            line = _talk(connection, {"v": VERSION, "do": request, **more})
    except TimeoutError as error:
        raise StateError(f"the head does not answer within {wait_s:g} s", place=str(directory)) from error
    except OSError as error:
        raise StateError(f"the head cannot be asked: {error.strerror or error}", place=str(directory)) from error
    finally:
        os.close(descriptor)
    return _read(line, directory)


def _talk(connection: socket.socket, request: dict[str, Any]) -> bytes:
    connection.sendall(json.dumps(request).encode() + b"\n")
    found = bytearray()
    while not found.endswith(b"\n") and len(found) < _MOST_BYTES:
        piece = connection.recv(1 << 16)
        if not piece:
            break
        found += piece
    return bytes(found)


def _read(line: bytes, directory: Path) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise StateError("the head ended while it was asked", place=str(directory)) from error
    if not isinstance(answer, dict) or answer.get("v") != VERSION:
        raise StateError(f"the head speaks another version: {str(answer)[:80]}", place=str(directory))
    if not answer.get("ok"):
        refused = CryoCloudError(str(answer.get("error", "it refused")))
        refused.exit_code = int(answer.get("exit_code", 1))
        raise refused
    return answer
