"""Digests of files on the other side, made by programs there that stay and are told one name after the other.

Laws: the command is a constant and names travel on its input, so no shell ever sees one; an answer is taken only when
it names the file that was asked for; a server that runs nothing for us is asked once.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Final

import asyncssh
from attrs import define, field

#: A session costs 100 to 200 ms, a name 3 ms. Without the number xargs would wait for more names.
COMMAND: Final = "exec xargs -0 -n 1 sha256sum -b --"
#: openssl uses what the processor has for it: slower to start, 1.2 s sooner with a file of 1 GB. Where nothing makes
#: a digest that has to be said: `sh` stays, and nobody would know that no answer comes.
LARGE_COMMAND: Final = (
    "exec xargs -0 -n 1 sh -c '"
    '{ h=$(openssl dgst -sha256 -r <"$1") && printf "%s *%s\\n" "${h%% *}" "${1##*/}"; } '
    '|| sha256sum -b -- "$1" || printf "%s: no\\n" "${1##*/}"\' sh'
)
LARGE_BYTES: Final = 32 * 1024 * 1024
#: a name with odd characters is escaped, which a backslash in front tells
_LINE = re.compile(rb"\\?([0-9a-f]{64}) [ *](.*)", re.DOTALL)


@define(eq=False)
class Digests:
    """The digests of one connection, one at a time."""

    ssh: asyncssh.SSHClientConnection
    #: false once the other side has shown that it cannot
    is_possible: bool = True
    _programs: dict[str, asyncssh.SSHClientProcess[bytes]] = field(factory=dict)
    _lock: asyncio.Lock = field(factory=asyncio.Lock)

    async def prepare(self, size_bytes: int) -> None:
        """Start the program for a file of that size, which takes a while, if it does not run yet."""
        async with self._lock:
            if self.is_possible:
                with suppress(asyncssh.ChannelOpenError):
                    await self._program(_command_for(size_bytes))

    async def of(self, path: bytes, size_bytes: int, patience_s: float) -> str | None:
        """Return the sha256 of a file whose last name is its own everywhere, None when it cannot be had."""
        async with self._lock:
            found = await self._within(_command_for(size_bytes), path, patience_s) if self.is_possible else None
            self.is_possible = found is not None
            if not self.is_possible:
                while self._programs:
                    self._programs.popitem()[1].close()
            return found

    async def _within(self, command: str, path: bytes, patience_s: float) -> str | None:
        try:
            async with asyncio.timeout(patience_s):
                return await self._ask(command, path)
        except (asyncssh.ChannelOpenError, TimeoutError, BrokenPipeError):
            return None

    async def _ask(self, command: str, path: bytes) -> str | None:
        program = await self._program(command)
        program.stdin.write(path + b"\0")
        name = path.rpartition(b"/")[2]
        # What a login script prints, and the answer to somebody who did not wait for it, is passed over.
        while line := await program.stdout.readline():
            match = _LINE.match(line)
            if match is not None and name in match[2]:
                return match[1].decode()
            if match is None and name in line:
                return None
        return None

    async def _program(self, command: str) -> asyncssh.SSHClientProcess[bytes]:
        if command not in self._programs:
            program = await self.ssh.create_process(command, encoding=None, stderr=asyncssh.STDOUT)
            self._programs[command] = program
        return self._programs[command]


def _command_for(size_bytes: int) -> str:
    return COMMAND if size_bytes < LARGE_BYTES else LARGE_COMMAND
