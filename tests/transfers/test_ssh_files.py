"""What is particular about files over SFTP: links, odd kinds, digests, full and forbidden disks, changes under way."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import Incoming, Outgoing, Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.testing.transfer_reads import pattern, taken
from cryocloud_core.transfers import ssh_digests
from cryocloud_core.transfers.ssh import SshTransfer

if TYPE_CHECKING:
    from tests.services.sshserver import SshServer

Make = Callable[..., Transfer]
#: more than is read ahead
LARGE = 14 << 20


@pytest.fixture
def folder(ssh_server: SshServer, tmp_path: Path) -> Path:
    """Give an empty directory that sshd reaches."""
    made = tmp_path / "folder"
    made.mkdir()
    return made


def entries(folder: Path) -> list[str]:
    """Return the names in a directory of this machine, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def ssh(make: Make, ssh_server: SshServer) -> Transfer:
    """Give the transfer."""
    return make(SshTransfer, ssh_server.config())


def names(transfer: Transfer, server: SshServer, folder: Path) -> list[str]:
    """Return the names that a listing has, below the folder."""
    top = server.url(folder)
    return sorted(each.url.removeprefix(f"{top}/") for each in transfer.listing(Url.parse(top)))


def test_links_are_followed_unless_they_lead_back(ssh: Transfer, ssh_server: SshServer, folder: Path) -> None:
    """A link to a file is that file, one to a directory that tree; one to itself or above ends nowhere."""
    (folder / "a").write_bytes(b"12345")
    (folder / "tree" / "deep").mkdir(parents=True)
    (folder / "tree" / "deep" / "b").write_bytes(b"1")
    (folder / "file").symlink_to("a")
    (folder / "twin").symlink_to("tree")
    (folder / "tree" / "deep" / "up").symlink_to("../..")
    (folder / "tree" / "deep" / "self").symlink_to(".")

    assert names(ssh, ssh_server, folder) == ["a", "file", "tree/deep/b", "twin/deep/b"]
    assert ssh.stat(Url.parse(ssh_server.url(folder / "file"))).size_bytes == 5


def test_a_link_to_nothing_is_told(ssh: Transfer, ssh_server: SshServer, folder: Path) -> None:
    """A tree is fetched whole or not at all."""
    (folder / "broken").symlink_to("gone")

    with pytest.raises(RemoteFileMissing, match="is a link to nothing") as caught:
        names(ssh, ssh_server, folder)
    assert caught.value.subject == ssh_server.url(folder / "broken")


def test_what_is_no_file_is_told(ssh: Transfer, ssh_server: SshServer, folder: Path) -> None:
    """Neither a pipe nor a socket is waited for."""
    os.mkfifo(folder / "pipe")

    with pytest.raises(TransferError, match="neither a file nor a directory"):
        names(ssh, ssh_server, folder)
    with pytest.raises(TransferError, match="neither a file nor a directory"):
        ssh.stat(Url.parse(ssh_server.url(folder / "pipe")))


def test_unfinished_files_of_ours_are_not_listed(ssh: Transfer, ssh_server: SshServer, folder: Path) -> None:
    """Somebody may be putting one."""
    (folder / ".cc-1234").mkdir()
    (folder / ".cc-1234" / "a").write_bytes(b"")
    (folder / ".ccx").write_bytes(b"")

    assert names(ssh, ssh_server, folder) == [".ccx"]


def test_a_file_is_no_directory(ssh: Transfer, ssh_server: SshServer, folder: Path) -> None:
    """Listing one is an error, and so is a URL without a path."""
    (folder / "a").write_bytes(b"")

    with pytest.raises(TransferError, match="is no directory"):
        names(ssh, ssh_server, folder / "a")
    with pytest.raises(TransferError, match="names no path"):
        ssh.stat(Url.parse(f"ssh://127.0.0.1:{ssh_server.port}"))


def test_the_root_can_be_listed(ssh: Transfer, ssh_server: SshServer) -> None:
    """The first file below `/` has a URL without a double slash."""
    listing = ssh.listing(Url.parse(ssh_server.url("/")))
    first = next(listing)
    listing.close()
    assert ssh.stat(Url.parse(first.url)).url == first.url
    assert first.url.startswith(ssh_server.url("/"))
    assert "//" not in first.url.removeprefix("ssh://")


def test_nothing_is_removed_over_ssh(ssh: Transfer, ssh_server: SshServer, folder: Path) -> None:
    """The error says what to do instead."""
    with pytest.raises(TransferError, match=r'cannot remove; run "remove" on that machine.*"ccnode"'):
        ssh.remove(Url.parse(ssh_server.url(folder / "a")))


def test_a_directory_that_cannot_be_made_is_told(make: Make, ssh_server: SshServer, tmp_path: Path) -> None:
    """By its name, instead of as a file that is missing."""
    (tmp_path / "a").write_bytes(b"x")
    outgoing = Outgoing(tmp_path / "a", 1, hashlib.sha256(b"x").hexdigest(), lambda _: None)
    with pytest.raises(TransferError, match="the directory /proc/none cannot be made on 127") as caught:
        make(SshTransfer, ssh_server.config()).put(outgoing, Url.parse(ssh_server.url("/proc/none/a")))
    assert not isinstance(caught.value, RemoteFileMissing)


def test_a_file_is_not_put_over_a_directory(
    ssh: Transfer, ssh_server: SshServer, folder: Path, source: Callable[..., Outgoing]
) -> None:
    """Told as what it is; nothing is left."""
    (folder / "there").mkdir()

    with pytest.raises(TransferError, match="is a directory there"):
        ssh.put(source(b"1"), Url.parse(ssh_server.url(folder / "there")))
    assert entries(folder) == ["there"]
    assert entries(folder / "there") == []


@pytest.fixture(params=[1, ssh_digests.LARGE_BYTES])
def either_program(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have digests made by the program for large files, or by that for small ones."""
    monkeypatch.setattr(ssh_digests, "LARGE_BYTES", request.param)


@pytest.mark.usefixtures("either_program")
@pytest.mark.parametrize("verify", ["auto", "always", "never"])
def test_what_arrived_is_compared(
    make: Make, ssh_server: SshServer, folder: Path, source: Callable[..., Outgoing], verify: str
) -> None:
    """Another digest than was said: no such file appears, unless nobody is to look; with either program."""
    right = source(b"12345")
    sent, url = attrs.evolve(right, sha256="0" * 64), Url.parse(ssh_server.url(folder / "odd\nname"))
    transfer = make(SshTransfer, ssh_server.config(verify=verify))

    if verify == "never":
        transfer.put(sent, url)
        assert entries(folder) == ["odd\nname"]
        return
    with pytest.raises(TransferError, match="another content than was sent") as caught:
        transfer.put(sent, url)
    assert caught.value.repeat
    assert entries(folder) == []
    transfer.put(right, Url.parse(ssh_server.url(folder / "fine")))
    assert entries(folder) == ["fine"]


@pytest.mark.parametrize("programs", [["openssl"], []])
def test_the_digests_of_large_files_need_no_openssl(tmp_path: Path, programs: list[str]) -> None:
    """They are the same with and without; of what cannot be read only the name is said."""
    binaries, odd = tmp_path / "bin", tmp_path / "odd\nfolder $(exit) 'it'"
    binaries.mkdir()
    odd.mkdir()
    for name in ("sh", "xargs", "sha256sum", *programs):
        if found := shutil.which(name):  # where there is no openssl both cases are the same
            (binaries / name).symlink_to(found)
    (odd / "a").write_bytes(b"12345")
    told = subprocess.run(
        ["/bin/sh", "-c", ssh_digests.LARGE_COMMAND],
        input=b"\0".join(os.fsencode(odd / name) for name in ("none", "a")) + b"\0",
        env={"PATH": str(binaries)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    ).stdout
    wrong, right = told[: told.rindex(b"\n", 0, -1)], told.splitlines()[-1]
    assert (b"none" in wrong, b" *" in wrong) == (True, False)
    assert right.lstrip(b"\\").startswith(hashlib.sha256(b"12345").hexdigest().encode() + b" *")
    assert right.endswith(b"a")


@pytest.mark.parametrize("sha256sum", [True, False], ids=["sha256sum", "none"])
@pytest.mark.parametrize("openssl", [True, False], ids=["broken openssl", "no openssl"])
def test_who_asks_for_the_digest_of_a_large_file_is_always_answered(
    tmp_path: Path, sha256sum: bool, openssl: bool
) -> None:
    """While the program still waits for more names: by another program where one fails, or that there is none."""
    binaries, file = tmp_path / "bin", tmp_path / "a file"
    binaries.mkdir()
    for name in ("sh", "xargs", *["sha256sum"] * sha256sum):
        (binaries / name).symlink_to(shutil.which(name) or "")
    if openssl:
        (binaries / "openssl").write_text("#!/bin/sh\necho it is of no use\nexit 1\n")
        (binaries / "openssl").chmod(0o755)
    file.write_bytes(b"12345")
    with subprocess.Popen(
        ["/bin/sh", "-c", ssh_digests.LARGE_COMMAND],
        env={"PATH": str(binaries)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(os.fsencode(file) + b"\0")
        program.stdin.flush()
        answer = next(line for line in program.stdout if b"a file" in line)
        program.stdin.close()
    right = hashlib.sha256(b"12345").hexdigest().encode() + b" *" + os.fsencode(file)
    assert answer.strip() == (right if sha256sum else b"a file: no")


@pytest.fixture
def files_only(ssh_mortal: SshServer) -> SshServer:
    """Give an sshd that serves files and runs nothing."""
    ssh_mortal.kill()
    ssh_mortal.more = "ForceCommand internal-sftp"
    ssh_mortal.start()
    return ssh_mortal


def test_a_server_that_runs_nothing_is_asked_once(
    make: Make, files_only: SshServer, source: Callable[..., Outgoing]
) -> None:
    """Its files are put all the same, unless the digest is demanded."""
    put = make(SshTransfer, files_only.config()).put
    for name in ("a", "b", "c"):
        put(source(b"12345"), Url.parse(files_only.url(files_only.files / name)))
    assert entries(files_only.files) == ["a", "b", "c"]
    assert files_only.log().count("Starting session") == 2

    with pytest.raises(TransferError, match="cannot run sha256sum for us"):
        make(SshTransfer, files_only.config(verify="always")).put(
            source(b"12345"), Url.parse(files_only.url(files_only.files / "d"))
        )
    assert entries(files_only.files) == ["a", "b", "c"]


def test_what_a_login_script_prints_is_no_digest(
    make: Make, ssh_mortal: SshServer, source: Callable[..., Outgoing]
) -> None:
    """Words before the digests do no harm."""
    script = ssh_mortal.folder / "talkative"
    script.write_text(
        "case $SSH_ORIGINAL_COMMAND in\n"
        f"exec*) echo Welcome; echo {'0' * 64} '*/.cc-other'; eval \"$SSH_ORIGINAL_COMMAND\";;\n"
        "*) exec /usr/lib/openssh/sftp-server;;\n"
        "esac\n"
    )
    ssh_mortal.kill()
    ssh_mortal.more = f"ForceCommand /bin/sh {script}"
    ssh_mortal.start()

    make(SshTransfer, ssh_mortal.config(verify="always")).put(
        source(b"12345"), Url.parse(ssh_mortal.url(ssh_mortal.files / "a"))
    )
    assert (ssh_mortal.files / "a").read_bytes() == b"12345"


def test_a_read_only_server_is_told(make: Make, ssh_mortal: SshServer, source: Callable[..., Outgoing]) -> None:
    """Permission denied, for this URL; worth no repeat."""
    ssh_mortal.kill()
    ssh_mortal.more = "ForceCommand internal-sftp -R"
    ssh_mortal.start()

    url = ssh_mortal.url(ssh_mortal.files / "a")
    with pytest.raises(TransferError, match="denies permission") as caught:
        make(SshTransfer, ssh_mortal.config()).put(source(b"12345"), Url.parse(url))
    assert (caught.value.subject, caught.value.repeat) == (url, False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a directory on a disk of 3 MiB; only root can have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"cannot mount a small disk: {made.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def open_files(server: SshServer, folder: Path) -> list[str]:
    """Return what the server's processes have open below a directory."""
    links = (link for each in server.sessions() for link in Path(f"/proc/{each.pid}/fd").iterdir())
    found = []
    for link in links:
        with suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    return [path for path in found if path.startswith(str(folder))]


def test_a_full_disk_is_told(
    ssh: Transfer, ssh_server: SshServer, small_disk: Path, source: Callable[..., Outgoing]
) -> None:
    """As what it is, though SFTP only says "failure"; the old file stays, nothing is left beside it."""
    (small_disk / "a").write_bytes(b"old")

    with pytest.raises(TransferError, match=r"the disk of .* is full: \d+ bytes are free; make room"):
        ssh.put(source(pattern(8 << 20)), Url.parse(ssh_server.url(small_disk / "a")))
    assert entries(small_disk) == ["a"]
    assert (small_disk / "a").read_bytes() == b"old"
    deadline = time.monotonic() + 10
    while open_files(ssh_server, small_disk):
        assert time.monotonic() < deadline, "a draft that is given up is closed, or its disk stays full"
        time.sleep(0.02)


def begun(ssh: Transfer, ssh_server: SshServer, path: Path) -> Incoming:
    """Return a large file of which the first bytes were read."""
    path.write_bytes(pattern(LARGE))
    incoming = ssh.read(Url.parse(ssh_server.url(path)))
    assert next(piece for piece in incoming.chunks if piece)
    return incoming


def test_a_file_that_is_written_to_meanwhile_is_not_taken(ssh: Transfer, ssh_server: SshServer, folder: Path) -> None:
    """Its last chunk is followed by RemoteFileChanged."""
    incoming = begun(ssh, ssh_server, folder / "a")
    with (folder / "a").open("r+b") as file:
        file.write(b"new")
    os.utime(folder / "a", (1, 1))

    with pytest.raises(RemoteFileChanged, match="was written to"):
        taken(incoming)


def test_a_file_that_is_cut_meanwhile_is_not_taken(ssh: Transfer, ssh_server: SshServer, folder: Path) -> None:
    """What is missing does not become zeros."""
    incoming = begun(ssh, ssh_server, folder / "a")
    os.truncate(folder / "a", LARGE // 2)

    with pytest.raises(RemoteFileChanged, match="became shorter"):
        taken(incoming)


def test_a_file_that_is_replaced_meanwhile_is_read_as_it_was(
    ssh: Transfer, ssh_server: SshServer, folder: Path
) -> None:
    """A rename over it leaves the open file alone."""
    incoming = begun(ssh, ssh_server, folder / "a")
    (folder / "new").write_bytes(b"new")
    (folder / "new").replace(folder / "a")

    assert len(taken(incoming)) + 0 < LARGE  # the first chunk was taken before
    assert ssh.stat(Url.parse(ssh_server.url(folder / "a"))).size_bytes == 3


def test_a_socket_in_a_tree_is_told(ssh: Transfer, ssh_server: SshServer, folder: Path) -> None:
    """It has nothing that could be fetched."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "s"))
        with pytest.raises(TransferError, match="neither a file nor a directory"):
            names(ssh, ssh_server, folder)
