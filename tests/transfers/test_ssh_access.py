"""Who is let in over ssh, and who is believed to be the server: keys, agents, known_hosts, ssh's own configuration."""

from __future__ import annotations

import getpass
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.transfer import Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.secrets import Secret
from cryocloud_core.transfers.ssh import SshTransfer
from tests.services.httpserver import HttpServer
from tests.services.sshserver import SshServer, free_port, make_key, public

if TYPE_CHECKING:
    from collections.abc import Mapping

Make = Callable[..., Transfer]


@pytest.fixture
def refused(make: Make, ssh_server: SshServer) -> Callable[..., TransferError]:
    """Give ``refused(known_hosts=…)``: the error of the first call with these settings."""
    (ssh_server.files / "a").write_bytes(b"12345")

    def ask(**settings: Any) -> TransferError:
        with pytest.raises(TransferError) as caught:
            make(SshTransfer, ssh_server.config(**settings)).stat(Url.parse(ssh_server.url(ssh_server.files / "a")))
        assert caught.value.subject == ssh_server.url(ssh_server.files / "a")
        return caught.value

    return ask


@pytest.fixture
def size(make: Make, ssh_server: SshServer) -> Callable[..., int | None]:
    """Give ``size(settings, url)``: that of a file of five bytes, asked with these settings."""
    (ssh_server.files / "a").write_bytes(b"12345")

    def ask(settings: Mapping[str, Any], url: str = "") -> int | None:
        asked = Url.parse(url or ssh_server.url(ssh_server.files / "a"))
        return make(SshTransfer, settings).stat(asked).size_bytes

    return ask


def test_an_unknown_host_key_is_refused(refused: Callable[..., TransferError], tmp_path: Path) -> None:
    """The error tells the key, the file that does not have it, and how to get it in there."""
    known = tmp_path / "known_hosts"
    known.write_text("# nobody\n")

    error = refused(known_hosts=str(known))
    assert re.search(rf"ssh-ed25519 SHA256:\S+\) is not in {known}", error.message)
    assert "connect once: ssh -p " in error.remedy
    assert not error.repeat


@pytest.mark.parametrize(
    ("sockets", "is_told"),
    [((None, None), False), (("", None), False), (("gone", None), True), (("gone", ""), False), ((None, "gone"), True)],
)
def test_an_agent_is_spoken_of_only_where_one_is_asked(
    refused: Callable[..., TransferError],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sockets: tuple[str | None, str | None],
    is_told: bool,
) -> None:
    """The one of the environment, or the one of the settings, which may also say that there is none."""
    make_key(tmp_path / "stranger")
    variable, own = sockets
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    if variable is not None:
        monkeypatch.setenv("SSH_AUTH_SOCK", variable and str(tmp_path / variable))

    error = refused(keys=[str(tmp_path / "stranger")], agent=own and str(tmp_path / own))
    assert "does not let the user" in error.message
    assert ("and of the agent" in error.message) == is_told


def test_without_any_file_nobody_is_known(refused: Callable[..., TransferError], tmp_path: Path) -> None:
    """A file that does not exist does not switch the check off."""
    assert "is not in any known_hosts file" in refused(known_hosts=str(tmp_path / "none")).message


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_changed_host_key_is_refused(
    refused: Callable[..., TransferError], ssh_server: SshServer, tmp_path: Path, kind: str
) -> None:
    """File and line of the old key, also of one of another kind, and the command that removes it."""
    known, name = tmp_path / "known_hosts", f"[127.0.0.1]:{ssh_server.port}"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(tmp_path / "other")], check=True)
    known.write_text(f"# old\n{name} {public(tmp_path / 'other')}\n")

    error = refused(known_hosts=str(known))
    assert f"the host key of {name} is not the one in {known}:2" in error.message
    assert f"ssh-keygen -R '{name}' -f {known}" in error.remedy
    assert not error.repeat


def test_a_revoked_host_key_is_refused(
    refused: Callable[..., TransferError], ssh_server: SshServer, tmp_path: Path
) -> None:
    """Also when it is known at the same time."""
    known = tmp_path / "known_hosts"
    known.write_text(f"{ssh_server.known_hosts.read_text()}@revoked * {public(ssh_server.folder / 'host_key')}\n")

    assert f"is revoked in {known}:2" in refused(known_hosts=str(known)).message


def test_a_broken_known_hosts_file_is_named(refused: Callable[..., TransferError], tmp_path: Path) -> None:
    """It is an error, not a file without keys."""
    known = tmp_path / "known_hosts"
    known.write_text("nonsense\n")

    assert "nonsense" in refused(known_hosts=str(known)).message


def test_only_our_own_setting_ignores_host_keys(
    size: Callable[..., int], refused: Callable[..., TransferError], ssh_server: SshServer, tmp_path: Path
) -> None:
    """`host_keys = "ignore"` does; `UserKnownHostsFile none` and `StrictHostKeyChecking no` do not."""
    config = tmp_path / "config"
    config.write_text("UserKnownHostsFile none\nGlobalKnownHostsFile none\nStrictHostKeyChecking no\n")

    unknown = {"known_hosts": None, "config": str(config)}
    assert "is not in" in refused(**unknown).message
    assert size(ssh_server.config(**unknown, host_keys="ignore")) == 5


def test_a_hashed_known_hosts_file_is_read(size: Callable[..., int], ssh_server: SshServer, tmp_path: Path) -> None:
    """As OpenSSH writes it where HashKnownHosts is set."""
    known = tmp_path / "known_hosts"
    shutil.copy(ssh_server.known_hosts, known)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)

    assert "127.0.0.1" not in known.read_text()
    assert size(ssh_server.config(known_hosts=str(known))) == 5


def test_a_key_that_is_not_let_in_is_named(
    refused: Callable[..., TransferError], ssh_server: SshServer, tmp_path: Path
) -> None:
    """Which user, which keys, and where to name another; nobody is asked for a password."""
    make_key(tmp_path / "stranger")

    error = refused(keys=[str(tmp_path / "stranger")])
    assert f'does not let the user "{getpass.getuser()}" in' in error.message
    assert str(tmp_path / "stranger") in error.message
    assert f'SSH."127_0_0_1:{ssh_server.port}".keys' in error.remedy
    assert not error.repeat


def test_the_user_that_nobody_named_is_told(make: Make, ssh_server: SshServer, tmp_path: Path) -> None:
    """It is the one of the user's own ssh configuration, else who we are here."""
    make_key(tmp_path / "stranger")
    config = tmp_path / "config"
    config.write_text("User icebear\n")
    for named, user in ({"config": str(config)}, "icebear"), ({}, getpass.getuser()):
        settings = ssh_server.config(keys=str(tmp_path / "stranger"), **named)
        with pytest.raises(TransferError, match=f'the user "{user}" in'):
            make(SshTransfer, settings).stat(Url.parse(f"ssh://127.0.0.1:{ssh_server.port}/a"))


def test_a_server_that_speaks_no_ssh_is_told_with_its_port(make: Make, http_server: HttpServer) -> None:
    """A wrong port often leads to some other server."""
    transfer = make(SshTransfer, {"known_hosts": "/nowhere", "config": "", "connect_timeout": 5})
    with pytest.raises(TransferError) as caught:
        transfer.stat(Url.parse(f"ssh://127.0.0.1:{http_server.port}/a"))
    assert "look whether sshd listens at that port" in caught.value.remedy


def test_a_key_that_cannot_be_read_is_named(refused: Callable[..., TransferError], tmp_path: Path) -> None:
    """No file, and no key in it."""
    (tmp_path / "text").write_text("no key\n")

    error = refused(keys=str(tmp_path / "none"))
    assert str(tmp_path / "none") in error.message
    assert 'below SSH."127_0_0_1:' in error.remedy
    assert "cannot be read" in refused(keys=str(tmp_path / "text")).message


def test_a_passphrase_is_a_secret(
    size: Callable[..., int],
    refused: Callable[..., TransferError],
    ssh_server: SshServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A key with a passphrase works with a handle to it, and not without the right one."""
    key = tmp_path / "key"
    shutil.copy(ssh_server.key, key)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(key)], check=True)
    monkeypatch.setenv("KEY_WORDS", "open sesame")
    settings = {"keys": str(key), "passphrase": Secret.read({"env": "KEY_WORDS"}, tmp_path)}

    assert size(ssh_server.config(**settings)) == 5
    monkeypatch.setenv("KEY_WORDS", "wrong")
    for wrong in (settings, {"keys": str(key)}):
        error = refused(**wrong)
        assert "passphrase" in error.remedy
        assert "wrong" not in str(error)


def test_ssh_s_own_configuration_is_read(size: Callable[..., int], ssh_server: SshServer, tmp_path: Path) -> None:
    """An alias brings host, port, user, key and known hosts."""
    config = tmp_path / "config"
    config.write_text(
        f"Host archive\n  HostName 127.0.0.1\n  Port {ssh_server.port}\n  IdentityFile {ssh_server.key}\n"
        f"  UserKnownHostsFile {ssh_server.known_hosts}\n"
    )

    assert size({"config": str(config), "agent": ""}, f"ssh://archive{ssh_server.files}/a") == 5


@pytest.fixture
def agent(tmp_path: Path, ssh_server: SshServer) -> Iterator[str]:
    """Give the socket of an agent that has the server's key."""
    told = subprocess.run(
        ["ssh-agent", "-s", "-a", str(tmp_path / "agent")], capture_output=True, text=True, check=True
    )
    process = int(re.findall(r"SSH_AGENT_PID=(\d+)", told.stdout)[0])
    try:
        env = os.environ | {"SSH_AUTH_SOCK": str(tmp_path / "agent")}
        subprocess.run(["ssh-add", "-q", str(ssh_server.key)], env=env, check=True)
        yield str(tmp_path / "agent")
    finally:
        os.kill(process, signal.SIGTERM)


def test_an_agent_lets_us_in(size: Callable[..., int], agent: str, ssh_server: SshServer, tmp_path: Path) -> None:
    """The key itself is nowhere in the settings."""
    make_key(tmp_path / "stranger")

    assert size(ssh_server.config(keys=str(tmp_path / "stranger"), agent=agent)) == 5


def test_nothing_is_written_into_the_task_s_log(
    size: Callable[..., int], ssh_server: SshServer, caplog: pytest.LogCaptureFixture
) -> None:
    """However much is wanted: the library's own story is nobody's."""
    with caplog.at_level(logging.DEBUG):
        assert size(ssh_server.config()) == 5
    assert [record for record in caplog.records if record.name != "asyncio"] == []


def test_nobody_at_the_port_is_told_at_once(make: Make, ssh_server: SshServer) -> None:
    """Refused: worth repeating, since a machine may be starting."""
    port = free_port()
    with pytest.raises(TransferError, match=f"nobody answers at 127.0.0.1:{port}: connection refused") as caught:
        make(SshTransfer, ssh_server.config()).stat(Url.parse(f"ssh://127.0.0.1:{port}/a"))
    assert caught.value.repeat


def test_a_host_without_an_address_is_told(make: Make) -> None:
    """The name that was looked up is in the error."""
    with pytest.raises(TransferError, match=r"nowhere\.invalid cannot be reached") as caught:
        make(SshTransfer, {}).stat(Url.parse("ssh://nowhere.invalid/a"))
    assert caught.value.repeat


def test_a_server_that_says_nothing_is_given_up(make: Make) -> None:
    """It accepts the connection and is silent: told within the time for connecting, to all who wait."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(TransferError, match=r"did not let us in within 0\.3 s") as caught:
            make(SshTransfer, {"connect_timeout": 0.3}).stat(Url.parse(f"ssh://127.0.0.1:{port}/a"))
    assert caught.value.repeat
    assert time.monotonic() - began < 10


def test_a_program_that_speaks_no_ssh_is_told(make: Make) -> None:
    """A wrong port: whoever answers there ends the connection."""
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            with other.accept()[0] as talk:
                talk.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
                talk.recv(1000)

        thread = threading.Thread(target=answer)
        thread.start()
        url = Url.parse(f"ssh://127.0.0.1:{other.getsockname()[1]}/a")
        with pytest.raises(TransferError, match="ended the connection"):
            make(SshTransfer, {"connect_timeout": 5}).stat(url)
        thread.join()
