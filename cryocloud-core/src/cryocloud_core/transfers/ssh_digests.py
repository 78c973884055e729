"""Digests of files on the other side, made by programs there that stay and are told one name after the other.

Laws: the command is a constant and names travel on its input, so no shell ever sees one; an answer is taken only when
it names the file that was asked for; a server that runs nothing for us is asked once; whether a program answers at all
is known in a time that does not grow with the file.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from contextlib import suppress
from typing import Final

import asyncssh
from attrs import define, field

logger = logging.getLogger(__name__)

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
#: The first name that a program is given: it costs 3 ms, and who cannot answer for it will not for a file of ours.
_PROBE: Final = b"/dev/null"
#: seconds that are looked for an answer which should have come long ago
_LEAST_S: Final = 0.1
#: a name with odd characters is escaped, which a backslash in front tells
_LINE = re.compile(rb"\\?([0-9a-f]{64}) [ *](.*)", re.DOTALL)


class MuteError(Exception):
    """A program there does not answer."""


@define(eq=False)
class _Program:
    """A program that runs there, since when, and whether it has answered for anything."""

    process: asyncssh.SSHClientProcess[bytes]
    began_at: float
    has_answered: bool = False

    async def answer(self, answer_s: float) -> None:
        """Wait until it answered for the probe, or ended. Raises MuteError so many seconds after it began."""
        if self.has_answered:
            return
        left_s = self.began_at + answer_s - time.monotonic()
        try:
            async with asyncio.timeout(max(left_s, _LEAST_S)):
                while (line := await self.process.stdout.readline()) and _last(_PROBE) not in line:
                    pass
        except TimeoutError as error:
            raise MuteError from error
        self.has_answered = True

    def end(self) -> None:
        """Let it go; where the server can, it is told to end."""
        with suppress(OSError, asyncssh.Error):
            self.process.terminate()
        self.process.close()


@define(eq=False)
class Digests:
    """The digests of one connection, one at a time. `answer_s` is how long a program may take to begin."""

    ssh: asyncssh.SSHClientConnection
    server: str
    answer_s: float
    #: false once the other side has shown that it cannot
    is_possible: bool = True
    #: commands that do not answer
    mute: set[str] = field(factory=set)
    _programs: dict[str, _Program] = field(factory=dict)
    _lock: asyncio.Lock = field(factory=asyncio.Lock)

    async def prepare(self, size_bytes: int) -> None:
        """Start the program for a file of that size, which takes a while, if it does not run yet."""
        async with self._lock:
            command = _command_for(size_bytes)
            if self.is_possible and command not in self.mute:
                with suppress(asyncssh.ChannelOpenError, BrokenPipeError, MuteError):
                    await self._program(command)

    async def of(self, path: bytes, size_bytes: int, patience_s: float) -> str | None:
        """Return the sha256 of a file whose last name is its own everywhere, None when it cannot be had."""
        async with self._lock:
            found = await self._made(path, size_bytes, patience_s) if self.is_possible else None
            if found is None and self.is_possible and COMMAND in self.mute:
                told = "%s does not answer sha256sum; what is put there is compared by its size alone"
                logger.warning(told, self.server)
            self.is_possible = found is not None
            if not self.is_possible:
                while self._programs:
                    self._programs.popitem()[1].end()
            return found

    async def _made(self, path: bytes, size_bytes: int, patience_s: float) -> str | None:
        """Ask the program for that size, and where it is mute the plain one."""
        for command in dict.fromkeys((_command_for(size_bytes), COMMAND)):
            if command not in self.mute:
                with suppress(MuteError):
                    return await self._within(command, path, patience_s)
        return None

    async def _within(self, command: str, path: bytes, patience_s: float) -> str | None:
        try:
            async with asyncio.timeout(patience_s):
                return await self._ask(command, path)
        except MuteError:
            self._give_up(command)
            raise
        except (asyncssh.ChannelOpenError, TimeoutError, BrokenPipeError):
            return None

    async def _ask(self, command: str, path: bytes) -> str | None:
        program = await self._program(command)
        program.process.stdin.write(path + b"\0")
        await program.answer(self.answer_s)
        name = _last(path)
        # What a login script prints, and the answer to somebody who did not wait for it, is passed over.
        while line := await program.process.stdout.readline():
            match = _LINE.match(line)
            if match is not None and name in match[2]:
                return match[1].decode()
            if match is None and name in line:
                return None
        return None

    async def _program(self, command: str) -> _Program:
        """Return the program, started if it does not run yet. Raises MuteError, ChannelOpenError."""
        if command not in self._programs:
            try:
                async with asyncio.timeout(self.answer_s):
                    process = await self.ssh.create_process(command, encoding=None, stderr=asyncssh.STDOUT)
            except TimeoutError as error:
                self._give_up(command)
                raise MuteError from error
            process.stdin.write(_PROBE + b"\0")
            self._programs[command] = _Program(process, time.monotonic())
        return self._programs[command]

    def _give_up(self, command: str) -> None:
        self.mute.add(command)
        program = self._programs.pop(command, None)
        if program is not None:
            program.end()


def _last(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def _command_for(size_bytes: int) -> str:
    return COMMAND if size_bytes < LARGE_BYTES else LARGE_COMMAND
