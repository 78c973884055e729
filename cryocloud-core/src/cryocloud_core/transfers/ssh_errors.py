"""What goes wrong over ssh, as errors of ours: what was said, by whom, and what the user can do about it.

Laws: `repeat` is true only where the same call may succeed a moment later; a host key that is not trusted is told with
the file and line that speak against it.
"""

from __future__ import annotations

import os
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import asyncssh
from attrs import frozen

from cryocloud_core.errors import CryoCloudError, RemoteFileMissing, TransferError
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.ssh_settings import SshSettings

#: what a call may raise; anything else is a bug
RAISED = (OSError, ValueError, asyncssh.Error, asyncssh.ChannelListenError, CancelledError)
_MISSING = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)
#: the connection is of no further use
BROKEN = (
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    asyncssh.SFTPBadMessage,
    asyncssh.DisconnectError,
    asyncssh.ChannelOpenError,
    OSError,
)
_FULL = (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded)


class HostKeyRefused(Exception):
    """The other side showed a host key that is not trusted; `message` and `remedy` are for the user."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def explained(error: BaseException, url: Url, settings: SshSettings) -> CryoCloudError:
    """Return the error of a call about `url` as one of ours."""
    subject = str(url)
    match error:
        case CryoCloudError():
            return error
        case HostKeyRefused():
            return TransferError(str(error), subject=subject, remedy=error.remedy)
        case CancelledError():
            return TransferError("the transfer was closed meanwhile", subject=subject, repeat=True)
        case TimeoutError():
            told = f"{url.server} did not answer within {settings.timeout_s:g} s"
            return TransferError(told, subject=subject, repeat=True, remedy="look whether that machine hangs")
        case asyncssh.SFTPError():
            return _sftp(error, url)
        case asyncssh.KeyImportError() | asyncssh.KeyEncryptionError():
            remedy = f"name an OpenSSH private key in {settings.section}.keys; its passphrase belongs into .passphrase"
            return TransferError(f"a key cannot be read: {error}", subject=subject, remedy=remedy)
        case asyncssh.ConfigParseError() | ValueError():
            return TransferError(f"ssh's files are wrong: {error}", subject=subject)
        case asyncssh.KeyExchangeFailed() | asyncssh.ProtocolError() | asyncssh.ProtocolNotSupported():
            return TransferError(f"no agreement with {url.server}: {error.reason}", subject=subject)
        case asyncssh.DisconnectError() | asyncssh.ChannelOpenError():
            told = f"{url.server} ended the connection: {error.reason}"
            return TransferError(told, subject=subject, repeat=True, remedy="look whether sshd listens at that port")
        case OSError():
            return _unreachable(error, url, settings)
    return TransferError(f"{type(error).__name__}: {error}", subject=subject)


def _sftp(error: asyncssh.SFTPError, url: Url) -> TransferError:
    subject = str(url)
    if isinstance(error, _MISSING):
        return RemoteFileMissing(f"{url.server} has nothing of that name", subject=subject)
    if isinstance(error, asyncssh.SFTPPermissionDenied):
        remedy = f"look at the permissions there, or use another user: ssh://user@{url.server}/…"
        return TransferError(f"{url.server} denies permission", subject=subject, remedy=remedy)
    if isinstance(error, _FULL):
        return disk_full(url)
    if isinstance(error, BROKEN):
        return TransferError(f"the connection to {url.server} broke", subject=subject, repeat=True)
    return TransferError(f"{url.server} says: {error.reason or type(error).__name__}", subject=subject)


def disk_full(url: Url, free_bytes: int | None = None) -> TransferError:
    """Return the error of a full disk on the other side."""
    left = "" if free_bytes is None else f": {free_bytes} bytes are free"
    return TransferError(f"the disk of {url.server} is full{left}", subject=str(url), remedy="make room there")


def not_let_in(url: Url, settings: SshSettings, user: str) -> TransferError:
    """Return the error of a server that takes none of the keys of `user`."""
    tried = f"the keys {', '.join(settings.keys)}" if settings.keys else "the keys of ~/.ssh"
    socket = os.environ.get("SSH_AUTH_SOCK") if settings.agent is None else settings.agent
    agent = " and of the agent" if socket else ""
    where = f"name the private one in {settings.section}.keys, or the user in {settings.section}.user"
    return TransferError(
        f'{url.server} does not let the user "{user}" in with {tried}{agent}',
        subject=str(url),
        remedy=f"put a public key into ~/.ssh/authorized_keys there, {where}",
    )


def _unreachable(error: OSError, url: Url, settings: SshSettings) -> TransferError:
    if isinstance(error, ConnectionRefusedError):
        told = f"nobody answers at {url.server}: connection refused"
        return TransferError(told, subject=str(url), repeat=True, remedy="look whether sshd runs there, and its port")
    if error.filename is not None:
        told = f"{error.filename} cannot be read: {error.strerror}"
        remedy = f"correct the paths below {settings.section}, or make the file readable"
        return TransferError(told, subject=str(url), remedy=remedy)
    told = f"{url.server} cannot be reached: {error.strerror or error}"
    return TransferError(told, subject=str(url), repeat=True)


@frozen
class HostKeyLine:
    """A line of a known_hosts file that speaks of a server."""

    path: Path
    number: int
    is_revoked: bool


def refused(
    files: tuple[Path, ...], host: str, address: str, port: int, offered: asyncssh.SSHKey | None
) -> HostKeyRefused | None:
    """Return why a host key is not trusted: unknown, changed or revoked, with file and line.

    `offered` is None for a key that asyncssh refused by itself, because it is revoked.
    """
    number = port if port != asyncssh.DEFAULT_PORT else None
    name = host if number is None else f"[{host}]:{port}"
    lines = [line for path in files for line in _lines(path, host, address, number)]
    others = [line for line in lines if line.is_revoked == (offered is None)]
    if offered is None:
        told = f"the host key of {name} is revoked in {others[0].path}:{others[0].number}" if others else ""
        return HostKeyRefused(told, "ask who runs that machine") if told else None
    told = f"{offered.get_algorithm()} {offered.get_fingerprint()}"
    if others:
        return HostKeyRefused(
            f"the host key of {name} is not the one in {others[0].path}:{others[0].number}; it is {told} now",
            "somebody may be listening in; if that machine was set up anew, remove the old key: "
            f"ssh-keygen -R '{name}' -f {others[0].path}",
        )
    where = " or ".join(map(str, files)) or "any known_hosts file"
    return HostKeyRefused(
        f"the host key of {name} ({told}) is not in {where}",
        f"compare it with the machine's own and connect once: ssh{'' if number is None else f' -p {port}'} {host}",
    )


def _lines(path: Path, host: str, address: str, port: int | None) -> list[HostKeyLine]:
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        known: Any = asyncssh.import_known_hosts(line).match(host, address, port)
        for kind, keys in enumerate(known[:3]):
            found += [HostKeyLine(path, number, kind == 2)] * bool(keys)
    return found
