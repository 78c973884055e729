"""The connections of one process to ssh servers: one for each server and user, made when needed, made anew when lost.

Laws: everything here runs on the transfer's loop; who waits for a connection that is being made shares its fate; a
connection that did not answer in time is dropped, so that the next call does not wait for it again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import asyncssh
from attrs import define, field

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.ssh_digests import Digests
from cryocloud_core.transfers.ssh_errors import BROKEN, explained, not_let_in, refused
from cryocloud_core.transfers.ssh_settings import SshSettings

T = TypeVar("T")


class _Door(asyncssh.SSHClient):
    """Keeps the host key that was not trusted, to be told about."""

    def __init__(self, settings: SshSettings) -> None:
        self.offered: asyncssh.SSHKey | None = None
        self.place: tuple[str, str, int] = (settings.host, "", settings.port or asyncssh.DEFAULT_PORT)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Trust no key that the files do not know; remember it."""
        self.offered, self.place = key, (host, addr, port)
        return False


@define(eq=False)
class Connection:
    """One connection with its SFTP session and the digests that the other side makes for us."""

    ssh: asyncssh.SSHClientConnection
    sftp: asyncssh.SFTPClient
    settings: SshSettings
    digests: Digests
    _is_broken: bool = False
    _heard_at: float = 0.0
    _aside: set[asyncio.Task[None]] = field(factory=set)

    @property
    def is_usable(self) -> bool:
        """Whether it may still work."""
        return not self._is_broken and not self.ssh.is_closed()

    def drop(self) -> None:
        """Give it up at once, whatever still runs over it."""
        self._is_broken = True
        self.ssh.abort()

    def saw(self, error: BaseException) -> None:
        """Note what went wrong over it: drop it when it is of no further use."""
        if isinstance(error, BROKEN) and not isinstance(error, FileNotFoundError):
            self.drop()

    async def answer(self, work: Awaitable[T], extra_s: float = 0.0) -> T:
        """Return what a request gives. Raises TimeoutError and whatever asyncssh raises.

        TimeoutError comes after the server's time without any answer, to this or another request: on a slow line one
        may have to wait for many. `extra_s` is what this request may take beyond that.
        """
        asking, began = asyncio.ensure_future(work), time.monotonic()
        try:
            while not asking.done():
                until = max(began, self._heard_at) + self.settings.timeout_s + extra_s
                await self._wait(asking, until - time.monotonic())
            self._heard_at = time.monotonic()
            return asking.result()
        except (OSError, asyncssh.Error) as error:
            self.saw(error)
            raise
        finally:
            asking.cancel()

    async def _wait(self, asking: asyncio.Future[T], seconds: float) -> None:
        if seconds <= 0:
            raise TimeoutError
        await asyncio.wait((asking,), timeout=seconds)

    def aside(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Do something whose failure harms nobody, without waiting for it."""
        task = asyncio.create_task(self._quietly(work))
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def _quietly(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        with suppress(OSError, asyncssh.Error):
            await self.answer(work())


@define(eq=False)
class Connections:
    """The connections by server, port and user as a URL names them."""

    _open: dict[str, asyncio.Task[Connection]] = field(factory=dict)

    async def to(self, url: Url, settings: SshSettings) -> Connection:
        """Return a connection that works as far as anybody knows. Raises TransferError."""
        making = self._open.get(url.endpoint)
        if making is None or (making.done() and not _is_usable(making)):
            making = self._open[url.endpoint] = asyncio.create_task(_connect(url, settings))
        try:
            return await asyncio.shield(making)
        except TransferError as error:
            # Each who waited gets an error about its own URL.
            raise type(error)(
                error.message, subject=str(url), remedy=error.remedy, repeat=error.repeat
            ) from error.__cause__

    async def close(self) -> None:
        """Close all connections."""
        making, self._open = list(self._open.values()), {}
        for task in making:
            task.cancel()
        for found in await asyncio.gather(*making, return_exceptions=True):
            if isinstance(found, Connection):
                found.ssh.close()
                await _closed(found)


def _is_usable(making: asyncio.Task[Connection]) -> bool:
    return not making.cancelled() and making.exception() is None and making.result().is_usable


async def _closed(connection: Connection) -> None:
    """Wait until a connection is closed; one whose other side is silent is given up."""
    try:
        async with asyncio.timeout(1.0):
            await connection.ssh.wait_closed()
    except TimeoutError:
        connection.drop()
        await connection.ssh.wait_closed()


def _quieten() -> None:
    """Keep asyncssh's own story out of the tasks' logs, unless somebody gave its logger a level."""
    logger = logging.getLogger("asyncssh")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)


async def _connect(url: Url, settings: SshSettings) -> Connection:
    _quieten()
    door = _Door(settings)
    try:
        async with asyncio.timeout(settings.connect_timeout_s * 2):
            ssh = await asyncssh.connect(client_factory=lambda: door, **await settings.arguments())
            # Half: who hears nothing of the other half gives the whole connection up.
            digests = Digests(ssh, url.server, settings.timeout_s / 2)
            return Connection(ssh, await ssh.start_sftp_client(path_encoding=None), settings, digests)
    except TimeoutError as error:
        told = f"{url.server} did not let us in within {settings.connect_timeout_s:g} s"
        raise TransferError(told, subject=str(url), repeat=True, remedy="look whether that machine hangs") from error
    except asyncssh.HostKeyNotVerifiable as error:
        why = refused(await settings.files(), *door.place, door.offered)
        raise explained(why or error, url, settings) from error
    except asyncssh.PermissionDenied as error:
        raise not_let_in(url, settings, await settings.user_name()) from error
    except (OSError, ValueError, asyncssh.Error) as error:
        raise explained(error, url, settings) from error
