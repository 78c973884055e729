"""Digests that programs on the other side make, where those programs hang: known in time, and done without."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.transfer import Outgoing, Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers import ssh_digests, ssh_putting
from cryocloud_core.transfers.ssh import SshTransfer
from tests.services.sshserver import SshServer

Make = Callable[..., Transfer]
#: less than a digest may take, more than all else takes here
PATIENCE_S = 20.0


def entries(folder: Path) -> list[str]:
    """Return the names in a directory of this machine, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def with_programs(server: SshServer, **programs: str) -> SshServer:
    """Let a server find programs of these names before all others, and return it."""
    folder = server.folder / "programs"
    folder.mkdir()
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    keys = server.folder / "authorized_keys"
    keys.write_text(f'environment="PATH={folder}:/usr/local/bin:/usr/bin:/bin" {keys.read_text()}')
    server.kill()
    server.more = "PermitUserEnvironment yes"
    server.start()
    return server


HANGS = "echo $$ >> $0.called; exec sleep 600"
#: where the programs that a large file's digest is asked of hang, the transfer gives each of them half of this
SHORT_S = 1.0


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every file count as large, on a disk that may take minutes to read it."""
    monkeypatch.setattr(ssh_digests, "LARGE_BYTES", 1)
    monkeypatch.setattr(ssh_putting, "SLOWEST_DISK", 0.1)


@pytest.mark.usefixtures("large")
def test_where_openssl_hangs_digests_are_made_without_it(
    make: Make, ssh_mortal: SshServer, source: Callable[..., Outgoing]
) -> None:
    """Found out once, in a time that does not grow with the file; what arrived is compared all the same."""
    server = with_programs(ssh_mortal, openssl=HANGS)
    transfer, right = make(SshTransfer, server.config(timeout=SHORT_S)), source(b"12345")
    began = time.monotonic()
    with pytest.raises(TransferError, match="another content than was sent"):
        transfer.put(attrs.evolve(right, sha256="0" * 64), Url.parse(server.url(server.files / "a")))
    transfer.put(right, Url.parse(server.url(server.files / "b")))
    assert time.monotonic() - began < PATIENCE_S
    assert entries(server.files) == ["b"]
    assert len((server.folder / "programs/openssl.called").read_text().split()) == 1


@pytest.mark.usefixtures("large")
def test_where_every_digest_hangs_files_are_put_without(
    make: Make, ssh_mortal: SshServer, source: Callable[..., Outgoing], caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so, once; where a digest is demanded the error does, and that nobody answered."""
    server = with_programs(ssh_mortal, openssl=HANGS, sha256sum=HANGS)
    transfer = make(SshTransfer, server.config(timeout=SHORT_S))
    began = time.monotonic()
    for name in ("a", "b"):
        transfer.put(source(b"12345"), Url.parse(server.url(server.files / name)))
    assert entries(server.files) == ["a", "b"]
    assert [each.message for each in caplog.records if "sha256sum" in each.message] == [
        f"127.0.0.1:{server.port} does not answer sha256sum; what is put there is compared by its size alone"
    ]

    demanding = make(SshTransfer, server.config(timeout=SHORT_S, verify="always"))
    with pytest.raises(TransferError, match=r"does not answer sha256sum within 0\.5 s.*'auto'"):
        demanding.put(source(b"12345"), Url.parse(server.url(server.files / "c")))
    assert entries(server.files) == ["a", "b"]
    assert time.monotonic() - began < PATIENCE_S


def test_a_program_that_is_slow_to_start_is_waited_for(
    make: Make, ssh_mortal: SshServer, source: Callable[..., Outgoing]
) -> None:
    """A busy server is no server that hangs."""
    server = with_programs(ssh_mortal, sha256sum='sleep 0.3; PATH=/usr/bin:/bin exec sha256sum "$@"')
    transfer = make(SshTransfer, server.config(verify="always", timeout=20))
    with pytest.raises(TransferError, match="another content than was sent"):
        transfer.put(attrs.evolve(source(b"12345"), sha256="0" * 64), Url.parse(server.url(server.files / "a")))
