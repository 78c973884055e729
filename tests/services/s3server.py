"""A real S3 server for the tests: SeaweedFS with authentication, on loopback.

Laws: one server per test process, started by the first test that asks for it and killed at the end; a test that kills
its server has one of its own (`s3_mortal`). Nothing is left behind, the sockets that it puts into /tmp neither.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

#: The key of the test's user, who may do everything, and of one who may read and list.
KEY, SECRET = "testkey", "testsecret"
READER, READER_SECRET = "readerkey", "readersecret"
#: a bucket, not made yet, that everybody may read
PUBLIC = "public"
IDENTITIES = {
    "identities": [
        {
            "name": "admin",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {
            "name": "reader",
            "credentials": [{"accessKey": READER, "secretKey": READER_SECRET}],
            "actions": ["Read", "List"],
        },
        {"name": "anonymous", "actions": [f"Read:{PUBLIC}", f"List:{PUBLIC}"]},
    ]
}
ROLES = ("master", "volume", "filer", "s3")
#: weed's second port of each role is 10 000 above the first; both stay below the ports of outgoing connections.
FIRST_PORT, LAST_PORT, GRPC = 11_000, 22_000, 10_000
PATIENCE_S = 60.0


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a port of loopback."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Return ports that are free, as is the one 10 000 above each."""
    chosen: set[int] = set()
    while len(chosen) < count:
        port = random.randrange(FIRST_PORT, LAST_PORT)
        if is_free(port) and is_free(port + GRPC):
            chosen.add(port)
    return sorted(chosen)


@define(eq=False)
class S3Server:
    """One SeaweedFS: its folder, its program, its ports by role, its process while it runs."""

    program: str
    folder: Path
    ports: dict[str, int] = field(factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """`127.0.0.1:port` of the S3 service."""
        return f"127.0.0.1:{self.ports['s3']}"

    def url(self, path: str) -> str:
        """Return the URL of `bucket/key` on this server."""
        return f"s3://{self.address}/{path}"

    def config(self, key: str = KEY, secret: str = SECRET, **more: Any) -> dict[str, Any]:
        """Return the settings below `S3` with which this server is reached."""
        access = {"aws_access_key_id": key, "aws_secret_access_key": secret, "secure": False}
        return {self.address.replace(".", "_"): access | more}

    def start(self) -> None:
        """Start it, on the ports of its last life if it had one, and wait until it answers."""
        for _ in range(1 if self.ports else 3):  # somebody may take a port between the look and the start
            ports = self.ports or dict(zip(ROLES, free_ports(len(ROLES)), strict=True))
            if self._begin(ports):
                return
        raise RuntimeError(self.log())

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """Let it hold still: its connections stay open and silent until `thaw`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        """Return the end of what it wrote."""
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    def clean(self) -> None:
        """Kill it and remove the sockets that it names after its ports."""
        self.kill()
        for role, port in self.ports.items():
            for name in (f"seaweedfs-{role}-{port}.sock", f"seaweedfs-{role}-grpc-{port + GRPC}.sock"):
                Path("/tmp", name).unlink(missing_ok=True)

    def _begin(self, ports: dict[str, int]) -> bool:
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        (self.folder / "identities.json").write_text(json.dumps(IDENTITIES))
        self.ports = ports
        # One volume per bucket instead of seven: a test's bucket is small, and there are many.
        environment = os.environ | {"HOME": str(self.folder), "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=environment,
            )
        if self._comes_up():
            return True
        self.clean()
        self.ports = {}
        return False

    def _command(self) -> list[str]:
        ports = [f"-{role}.port={port}" for role, port in self.ports.items()]
        storage = [f"-dir={self.folder / 'data'}", "-volume.max=400", "-master.volumeSizeLimitMB=512"]
        # A restart waits for this time-out, ten seconds unless told.
        quiet = ["-master.electionTimeout=1s", "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        bound = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        # As Amazon's do: a bucket is made by a request of its own, and removed only when it is empty.
        strict = ["-s3.autoCreateBucket=false", "-s3.allowDeleteBucketNotEmpty=false"]
        access = ["-filer", "-s3", f"-s3.config={self.folder / 'identities.json'}", *strict]
        # Killed tests take it with them.
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        return [*leash, self.program, f"-logdir={self.folder}", "server", *bound, *ports, *storage, *access, *quiet]

    def _comes_up(self) -> bool:
        """Wait until the service answers; False when the process ended instead."""
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            if answers(f"http://{self.address}/healthz"):
                return True
            time.sleep(0.05)
        return False


def answers(url: str) -> bool:
    """Tell whether something speaks HTTP there, whatever it says."""
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _run(program: Callable[[str], str]) -> Iterator[S3Server]:
    with tempfile.TemporaryDirectory(prefix="s3server-", ignore_cleanup_errors=True) as folder:
        server = S3Server(program("s3"), Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.clean()


@pytest.fixture(scope="session")
def s3_server(program: Callable[[str], str]) -> Iterator[S3Server]:
    """Give this test process' S3 server; it must not be stopped."""
    yield from _run(program)


@pytest.fixture(scope="module")
def s3_mortal(program: Callable[[str], str]) -> Iterator[S3Server]:
    """Give a file of tests an S3 server that they may kill and start again."""
    yield from _run(program)
