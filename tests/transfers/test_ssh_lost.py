"""ssh connections that break, freeze or are closed: noticed in time, told as worth repeating, made anew."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from attrs import evolve

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.transfer import Incoming, Outgoing, Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.testing.transfer_reads import pattern, taken
from cryocloud_core.transfers.ssh import SshTransfer
from tests.services.sshserver import SshServer, wait_until_dead

Make = Callable[..., Transfer]
#: more than is read ahead
LARGE = 14 << 20


def url_of(server: SshServer, name: str = "a", content: bytes = b"12345") -> Url:
    """Return the URL of a file that the server has."""
    (server.files / name).write_bytes(content)
    return Url.parse(server.url(server.files / name))


def begun(transfer: Transfer, url: Url) -> Incoming:
    """Return an answer of which the first bytes were read."""
    incoming = transfer.read(url)
    assert next(piece for piece in incoming.chunks if piece)
    return incoming


def test_one_connection_serves_all_threads(make: Make, ssh_mortal: SshServer) -> None:
    """However many ask at once, the server sees one log-in."""
    transfer, url = make(SshTransfer, ssh_mortal.config()), url_of(ssh_mortal)
    with ThreadPoolExecutor(16) as threads:
        assert {each.size_bytes for each in threads.map(transfer.stat, [url] * 64)} == {5}
    assert ssh_mortal.log().count("Accepted publickey") == 1


def test_those_who_wait_for_a_connection_share_its_fate(make: Make, ssh_mortal: SshServer) -> None:
    """Nobody waits longer than one time-out, and each is told about its own URL."""
    transfer = make(SshTransfer, ssh_mortal.config(connect_timeout=1))
    ssh_mortal.freeze()
    urls = [Url.parse(ssh_mortal.url(f"/{at}")) for at in range(8)]

    def ask(url: Url) -> TransferError:
        with pytest.raises(TransferError) as caught:
            transfer.stat(url)
        return caught.value

    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        errors = list(threads.map(ask, urls))
    assert time.monotonic() - began < 7
    assert [error.subject for error in errors] == [str(url) for url in urls]
    assert all(error.repeat for error in errors)


def test_a_server_that_dies_while_it_is_read_is_told(make: Make, ssh_mortal: SshServer) -> None:
    """Worth repeating; once it runs again the next call connects anew."""
    transfer, url = make(SshTransfer, ssh_mortal.config()), url_of(ssh_mortal, content=pattern(LARGE))
    incoming = begun(transfer, url)
    ssh_mortal.kill()

    with pytest.raises(TransferError) as caught:
        taken(incoming)
    assert (caught.value.subject, caught.value.repeat) == (str(url), True)
    ssh_mortal.start()
    assert taken(transfer.read(url)) == pattern(LARGE)


def test_a_connection_that_was_dropped_meanwhile_is_made_anew(make: Make, ssh_mortal: SshServer) -> None:
    """A server that ended an idle connection is no error."""
    transfer, url = make(SshTransfer, ssh_mortal.config()), url_of(ssh_mortal)
    assert transfer.stat(url).size_bytes == 5
    ssh_mortal.drop_connections()
    time.sleep(0.1)
    assert transfer.stat(url).size_bytes == 5


def test_a_frozen_server_is_noticed_while_it_is_read(make: Make, ssh_mortal: SshServer) -> None:
    """Within its time-out; meanwhile empty chunks let the reader look whether it is to stop."""
    transfer = make(SshTransfer, ssh_mortal.config(timeout=1.5, connect_timeout=1))
    url = url_of(ssh_mortal, content=pattern(LARGE))
    incoming = begun(transfer, url)
    ssh_mortal.freeze()

    began, heard = time.monotonic(), list[bytes]()
    with pytest.raises(TransferError, match=r"did not answer|ended the connection") as caught:
        heard.extend(incoming.chunks)
    assert caught.value.repeat
    assert time.monotonic() - began < 15
    assert heard.count(b"") > 2
    with pytest.raises(TransferError, match="did not let us in"):
        transfer.stat(url)
    ssh_mortal.thaw()
    assert transfer.stat(url).size_bytes == LARGE


def test_a_frozen_server_is_noticed_while_a_file_is_put(
    make: Make, ssh_mortal: SshServer, source: Callable[..., Outgoing]
) -> None:
    """Within its time-out; `moved` is called meanwhile, and the name holds nothing."""
    transfer = make(SshTransfer, ssh_mortal.config(timeout=1.5, connect_timeout=0.5))
    transfer.stat(url_of(ssh_mortal))
    moved: list[int] = []

    def hear(count: int) -> None:
        moved.append(count)
        ssh_mortal.freeze()

    began = time.monotonic()
    with pytest.raises(TransferError) as caught:
        transfer.put(source(pattern(LARGE), hear), Url.parse(ssh_mortal.url(ssh_mortal.files / "b")))
    assert caught.value.repeat
    assert time.monotonic() - began < 15
    assert 0 in moved
    assert not (ssh_mortal.files / "b").exists()


def test_an_idle_connection_that_froze_is_noticed(make: Make, ssh_mortal: SshServer) -> None:
    """By questions that need no caller: the next one meets no dead connection."""
    transfer, url = make(SshTransfer, ssh_mortal.config(timeout=1.2)), url_of(ssh_mortal)
    transfer.stat(url)
    frozen = ssh_mortal.sessions()
    for session in frozen:
        session.suspend()
    time.sleep(2)

    assert transfer.stat(url).size_bytes == 5


def test_what_is_half_put_is_removed_over_a_new_connection(
    make: Make, ssh_mortal: SshServer, source: Callable[..., Outgoing]
) -> None:
    """The connection that carried it broke; the server is still there."""
    transfer = make(SshTransfer, ssh_mortal.config())
    dropped = False

    def hear(_: int) -> None:
        nonlocal dropped
        if not dropped:
            dropped = True
            ssh_mortal.drop_connections()

    with pytest.raises(TransferError) as caught:
        transfer.put(source(pattern(LARGE), hear), Url.parse(ssh_mortal.url(ssh_mortal.files / "b")))
    assert caught.value.repeat
    assert list(ssh_mortal.files.iterdir()) == []


def test_what_a_server_that_died_kept_is_removed_by_the_next_put(
    make: Make, ssh_mortal: SshServer, source: Callable[..., Outgoing], tmp_path: Path
) -> None:
    """It could not be removed then, however small it was; who puts something there later does it."""
    transfer, url = make(SshTransfer, ssh_mortal.config()), Url.parse(ssh_mortal.url(ssh_mortal.files / "b"))
    notes = tmp_path / "notes"

    def hear(_: int) -> None:
        ssh_mortal.kill()

    with pytest.raises(TransferError):
        transfer.put(evolve(source(pattern(3 << 20), hear), notes=notes), url)
    assert [path.name[:4] for path in ssh_mortal.files.iterdir()] == [".cc-"]
    ssh_mortal.start()
    transfer.put(evolve(source(b"small"), notes=notes), url)

    assert [path.name for path in ssh_mortal.files.iterdir()] == ["b"]
    assert list(notes.iterdir()) == []


PUTTING = """
import os, signal, sys
from pathlib import Path
from cryocloud_core.sdk.transfer import Outgoing, TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.ssh import SshTransfer
url, source, notes, config = sys.argv[1:]
import json
Path(source).write_bytes(b"small")
die = lambda _: os.kill(os.getpid(), signal.SIGKILL)
SshTransfer(TransferConfig(json.loads(config))).put(Outgoing(Path(source), 5, "", die, Path(notes)), Url.parse(url))
"""


def test_what_a_killed_process_was_putting_is_removed_by_the_next_put(
    make: Make, ssh_mortal: SshServer, source: Callable[..., Outgoing], tmp_path: Path
) -> None:
    """However small it was: no unfinished file stays there for ever."""
    url, notes = ssh_mortal.url(ssh_mortal.files / "b"), tmp_path / "notes"
    words = [url, str(tmp_path / "killed"), str(notes), json.dumps(ssh_mortal.config())]
    killed = subprocess.run([sys.executable, "-c", PUTTING, *words], check=False)
    assert killed.returncode == -signal.SIGKILL
    wait_until_dead(ssh_mortal.sessions())
    assert [path.name[:4] for path in ssh_mortal.files.iterdir()] == [".cc-"]

    make(SshTransfer, ssh_mortal.config()).put(evolve(source(b"small"), notes=notes), Url.parse(url))
    assert [path.name for path in ssh_mortal.files.iterdir()] == ["b"]
    assert list(notes.iterdir()) == []


def test_closing_ends_what_is_read(make: Make, ssh_mortal: SshServer) -> None:
    """The reader is told, the thread is gone."""
    transfer, url = make(SshTransfer, ssh_mortal.config()), url_of(ssh_mortal, content=pattern(LARGE))
    incoming = begun(transfer, url)
    transfer.close()

    with pytest.raises(TransferError, match=r"closed meanwhile|broke") as caught:
        taken(incoming)
    assert caught.value.repeat
    wait_until_dead(ssh_mortal.sessions())


@contextmanager
def slow_line(port: int, bytes_s: int) -> Iterator[int]:
    """Give the port of a line to another port that carries so much a second, each way."""
    ends: list[socket.socket] = []

    def carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(bytes_s // 50):
                target.sendall(piece)
                time.sleep(len(piece) / bytes_s)

    def serve() -> None:
        with suppress(OSError):
            while True:
                near = listening.accept()[0]
                far = socket.create_connection(("127.0.0.1", port))
                ends.extend((near, far))
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=(source, target), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        for end in ends:
            end.close()
    thread.join()


def test_a_slow_line_is_not_a_frozen_server(make: Make, ssh_mortal: SshServer, source: Callable[..., Outgoing]) -> None:
    """What takes longer than the time-out as a whole goes through, as long as something is answered within it."""
    content = pattern(1 << 20)
    with slow_line(ssh_mortal.port, 400_000) as port:
        settings = ssh_mortal.config(timeout=1.2, host_keys="ignore")
        transfer = make(SshTransfer, {f"127_0_0_1:{port}": next(iter(settings.values()))})
        url = Url.parse(f"ssh://127.0.0.1:{port}{ssh_mortal.files}/a")
        began = time.monotonic()
        transfer.put(source(content), url)
        assert time.monotonic() - began > 2
        assert taken(transfer.read(url)) == content
        transfer.close()
