"""A real sshd for the tests: keys, known_hosts and port of its own, on loopback.

Laws: one server per test process, started by the first test that asks for it and killed at the end; a test that
freezes or kills its server has one of its own (`ssh_mortal`). Nothing of the user's own ssh is read or written. Shells
there count as of the second level, which do not run .bashrc: it may take long, and break when it is killed.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from attrs import define

PATIENCE_S = 20.0
SETTINGS = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin prohibit-password
AllowUsers {user}
Subsystem sftp internal-sftp
MaxStartups 100:30:200
LogLevel VERBOSE
SetEnv SHLVL=2
{more}
"""


@define(eq=False)
class SshServer:
    """One sshd: its folder (with `files/` for the tests), its port, its process while it runs.

    `more` are further lines of its configuration.
    """

    program: str
    folder: Path
    port: int = 0
    more: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def files(self) -> Path:
        """The directory that tests put their files into."""
        return self.folder / "files"

    @property
    def key(self) -> Path:
        """The private key that this server lets in."""
        return self.folder / "user_key"

    @property
    def known_hosts(self) -> Path:
        """The file that knows this server's host key."""
        return self.folder / "known_hosts"

    def url(self, path: object) -> str:
        """Return the URL of an absolute path on this server."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def config(self, **more: Any) -> dict[str, Any]:
        """Return the settings below `SSH` with which this server is reached."""
        own = {"known_hosts": str(self.known_hosts), "keys": [str(self.key)], "config": "", "agent": ""}
        return {f"127_0_0_1:{self.port}": own | more}

    def make_keys(self) -> None:
        """Make the keys of host and user, and the files that know them."""
        self.files.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        make_key(self.folder / "host_key")
        make_key(self.key)
        (self.folder / "authorized_keys").write_bytes(self.key.with_suffix(".pub").read_bytes())
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public(self.folder / 'host_key')}\n")

    def start(self) -> None:
        """Start it, on the port of its last life, and wait until it listens."""
        settings, log = self.folder / "sshd_config", self.folder / "log"
        settings.write_text(SETTINGS.format(port=self.port, folder=self.folder, user=getpass.getuser(), more=self.more))
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's, for the separation of privileges
        log.write_bytes(b"")
        with log.open("ab") as told:
            self.process = subprocess.Popen(
                [*dying_with_us(), self.program, "-D", "-e", "-f", settings],
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
            )
        deadline = time.monotonic() + PATIENCE_S
        while "Server listening" not in self.log():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(self.log())
            time.sleep(0.01)

    def sessions(self) -> list[psutil.Process]:
        """Return the processes that serve connections."""
        return [] if self.process is None else psutil.Process(self.process.pid).children(recursive=True)

    def send(self, kind: signal.Signals) -> None:
        """Send a signal to the sshd that listens and to all that serve connections."""
        for each in [*self.sessions(), self.process]:
            try:
                if each is not None:
                    each.send_signal(kind)
            except psutil.NoSuchProcess:
                pass  # a session that just ended

    def freeze(self) -> None:
        """Let it hold still: its connections stay open and silent until `thaw`."""
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """End it and its connections as a power cut would."""
        if self.process is not None:
            sessions = self.sessions()
            self.send(signal.SIGKILL)
            self.process.wait()
            wait_until_dead(sessions)
            self.process = None

    def drop_connections(self) -> None:
        """End its connections; it goes on listening."""
        sessions = self.sessions()
        for each in sessions:
            with suppress(psutil.NoSuchProcess):  # one ends when another of its connection does
                each.kill()
        wait_until_dead(sessions)

    def log(self) -> str:
        """Return the end of what it wrote."""
        return (self.folder / "log").read_text(errors="replace")[-8000:]


def dying_with_us() -> list[str]:
    """Return what is put before a command so that it does not outlive a killed test process, where that can be had."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def wait_until_dead(processes: list[psutil.Process]) -> None:
    """Wait until processes ended; one that only waits to be fetched by its parent has ended."""
    deadline = time.monotonic() + PATIENCE_S
    while any(is_alive(each) for each in processes):
        if time.monotonic() > deadline:
            raise TimeoutError(str(processes))
        time.sleep(0.005)


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process runs."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def make_key(path: Path, passphrase: str = "") -> None:
    """Make a key pair."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def public(path: Path) -> str:
    """Return type and key of a pair, as known_hosts has them."""
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _run(program: Callable[[str], str]) -> Iterator[SshServer]:
    with tempfile.TemporaryDirectory(prefix="sshserver-") as folder:
        server = SshServer(program("ssh"), Path(folder))
        server.make_keys()
        try:
            server.start()
            yield server
        finally:
            server.kill()


@pytest.fixture(scope="session")
def ssh_server(program: Callable[[str], str]) -> Iterator[SshServer]:
    """Give this test process' sshd; it must not be stopped."""
    yield from _run(program)


@pytest.fixture
def ssh_mortal(program: Callable[[str], str]) -> Iterator[SshServer]:
    """Give a test an sshd that it may freeze, kill, configure and start again; it takes 50 ms."""
    yield from _run(program)
