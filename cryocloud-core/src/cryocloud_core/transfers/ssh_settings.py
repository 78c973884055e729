"""How a server is reached over ssh: what is configured below `SSH`, beside what the user's own ssh files say.

Laws: host keys are checked against files, whatever ssh's own configuration says; only `host_keys = "ignore"` in ours
turns that off. Nobody is asked anything: keys and agents only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from attrs import field, frozen

from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.configured import Configured

if TYPE_CHECKING:
    from asyncssh import SSHClientConnectionOptions

#: where OpenSSH looks unless it is told otherwise
KNOWN_HOSTS = (
    "~/.ssh/known_hosts",
    "~/.ssh/known_hosts2",
    "/etc/ssh/ssh_known_hosts",
    "/etc/ssh/ssh_known_hosts2",
)
#: AES in hardware moves 500 MB/s per core, three times what the others do
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
#: all names that are read
SETTINGS: Final = frozenset(
    {
        "agent",
        "config",
        "connect_timeout",
        "host_keys",
        "keys",
        "known_hosts",
        "passphrase",
        "port",
        "timeout",
        "user",
        "verify",
    }
)
CONNECT_TIMEOUT_S = 20.0
TIMEOUT_S = 60.0


@frozen
class SshSettings:
    """The settings of one server; what is None is left to the user's ssh configuration and its defaults."""

    names: ClassVar[frozenset[str]] = SETTINGS

    host: str
    port: int | None = None
    user: str | None = None
    keys: tuple[str, ...] | None = None
    passphrase: str | None = field(default=None, repr=False)
    known_hosts: tuple[str, ...] | None = None
    #: an agent's socket, empty for no agent
    agent: str | None = None
    #: a file as ~/.ssh/config, empty for none
    config: str | None = None
    checks_host_key: bool = True
    #: whether the other side is asked for the digest of what was put: `auto` where it can, `always`, `never`
    verify: str = "auto"
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    timeout_s: float = TIMEOUT_S
    #: the name of the server's settings, for messages
    section: str = "SSH"

    @classmethod
    def of(cls, config: TransferConfig, url: Url) -> SshSettings:
        """Return what is configured for the server of `url`. Raises ConfigError."""
        found = Configured(config, url, "SSH")
        return cls(
            url.host,
            url.port or found.port("port"),
            url.user if url.user is not None else found.text("user"),
            found.paths("keys"),
            found.text("passphrase"),
            found.paths("known_hosts"),
            found.path("agent"),
            found.path("config"),
            found.choice("host_keys", "check", "ignore") == "check",
            found.choice("verify", "auto", "always", "never"),
            found.seconds("connect_timeout", CONNECT_TIMEOUT_S),
            found.seconds("timeout", TIMEOUT_S),
            f"SSH.{config.section(url)}",
        )

    async def arguments(self) -> dict[str, Any]:
        """Return the arguments of `asyncssh.connect`. Raises OSError and ValueError for wrong files."""
        options = await self._options()
        user_config = options.config
        disabled = ("password_auth", "kbdint_auth", "host_based_auth", "gss_auth", "gss_kex")
        return (
            self._asked()
            | dict.fromkeys(disabled, False)
            | {
                # Without a file nothing is known; an empty list would mean ~/.ssh/known_hosts.
                "known_hosts": (self._known_hosts_files(user_config) or b"") if self.checks_host_key else None,
                "server_host_key_algs": () if user_config.get("HostKeyAlgorithms") else self._algorithms(options),
                "encryption_algs": () if user_config.get("Ciphers") else list(CIPHERS),
                "client_keys": () if self.keys is None else list(self.keys),
                "agent_path": () if self.agent is None else self.agent or None,
                "passphrase": self.passphrase,
                "preferred_auth": "publickey",
                "connect_timeout": self.connect_timeout_s,
                "login_timeout": self.connect_timeout_s,
                # Three unanswered questions within the time in which anything else would have to be answered.
                "keepalive_interval": self.timeout_s / 4,
                "keepalive_count_max": 3,
            }
        )

    async def files(self) -> tuple[Path, ...]:
        """Return the files that known host keys are looked up in."""
        return tuple(map(Path, self._known_hosts_files((await self._options()).config)))

    async def user_name(self) -> str:
        """Return as whom we come: what is configured, else what the user's ssh configuration or system says."""
        return str((await self._options()).username)

    def _asked(self) -> dict[str, Any]:
        asked: dict[str, Any] = {"host": self.host}
        if self.port is not None:
            asked["port"] = self.port
        if self.user is not None:
            asked["username"] = self.user
        if self.config is not None:
            asked["config"] = [self.config] if self.config else None
        return asked

    async def _options(self) -> SSHClientConnectionOptions:
        """Return what the user's ssh configuration says of this host, without its keys."""
        from asyncssh import SSHClientConnectionOptions  # settings are judged where no transfer is needed

        asked = self._asked() | {"client_keys": None, "known_hosts": b""}
        options: SSHClientConnectionOptions = await SSHClientConnectionOptions.construct(None, **asked)
        return options

    def _algorithms(self, options: SSHClientConnectionOptions) -> list[str] | tuple[()]:
        """Return the kinds of host keys to ask for: the known ones first, then all others.

        With the known ones alone a server whose key is now of another kind breaks off without a word.
        """
        import asyncssh
        from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

        known = asyncssh.read_known_hosts(self._known_hosts_files(options.config))
        port = options.port if options.port != asyncssh.DEFAULT_PORT else None
        keys, authorities, *_ = known.match(options.host_key_alias or options.host, "", port)
        if not (keys or authorities):
            return ()
        certified = get_default_certificate_algs() if authorities else []
        first = [*certified, *(name for key in keys for name in key.sig_algorithms)]
        return [name.decode() for name in dict.fromkeys((*first, *get_default_public_key_algs()))]

    def _known_hosts_files(self, user_config: Any) -> list[str]:
        named: Iterable[str] = self.known_hosts or (
            *(user_config.get("UserKnownHostsFile") or KNOWN_HOSTS[:2]),
            *(user_config.get("GlobalKnownHostsFile") or KNOWN_HOSTS[2:]),
        )
        return [path for path in _at_home(named) if os.access(path, os.R_OK)]


def _at_home(names: Iterable[str]) -> Iterable[str]:
    return (str(Path(name).expanduser()) for name in names)
