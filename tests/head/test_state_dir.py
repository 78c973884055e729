"""The state directory: who owns it, what disk it is on, which version wrote it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from cryocloud_core.errors import LockedError, StateError
from cryocloud_core.head.database import disk_type, is_network_disk, open_database
from cryocloud_core.head.journal import Journal
from cryocloud_core.head.lock import StateLock, is_locked
from cryocloud_core.head.schema import VERSION, prepare
from cryocloud_core.head.settings import default_state_dir

HOLDER = """
import sys, time
from pathlib import Path
from cryocloud_core.head.lock import StateLock
lock = StateLock.take(Path(sys.argv[1]))
print("taken", flush=True)
time.sleep(60)
"""


def test_the_lock_names_the_process_that_has_it_and_dies_with_it(tmp_path: Path) -> None:
    """A second process is refused with the pid of the first; after SIGKILL of the first it is not."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path / "state"], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(LockedError, match=rf"pid {holder.pid}\b") as refused:
            StateLock.take(tmp_path / "state")
        holder.kill()
        holder.wait()

    assert refused.value.exit_code == 3
    StateLock.take(tmp_path / "state").release()


def test_whoever_looks_whether_a_directory_is_locked_keeps_no_head_out(tmp_path: Path) -> None:
    """Many looks while a hundred heads come and go; a look says what is so."""
    assert not is_locked(tmp_path)
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.001):
            is_locked(tmp_path)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(100):
            lock = StateLock.take(tmp_path)
            assert is_locked(tmp_path)
            lock.release()
    finally:
        over.set()
        looker.join()
    assert not is_locked(tmp_path)


def test_the_directory_is_private(tmp_path: Path) -> None:
    """It is made, or made, readable by its user alone."""
    (tmp_path / "open").mkdir(mode=0o755)
    for name in ("open", "new"):
        StateLock.take(tmp_path / name).release()
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="a read-only mount needs root")
@pytest.mark.system
def test_a_read_only_directory_is_refused_in_one_line(tmp_path: Path) -> None:
    """The error names the directory and what to do."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", disk]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a tmpfs")
    try:
        for state in (disk, disk / "state"):
            with pytest.raises(StateError, match="Read-only") as refused:
                StateLock.take(state)
            assert "--state-dir" in str(refused.value)
            assert "\n" not in str(refused.value)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_directory_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """A file in the way is an error of the start."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError):
        StateLock.take(tmp_path / "file" / "state")


@pytest.mark.parametrize(
    ("name", "folder"),
    [("Ocean Wind", "Ocean_Wind"), ("a/b/../c", "a_b_.._c"), ("..", "_"), ("Cryonite.Net", "Cryonite.Net")],
)
def test_the_default_directory_is_named_after_the_workflow(name: str, folder: str) -> None:
    """Whatever the name has in it, it stays one folder."""
    assert default_state_dir(name).name == folder
    assert default_state_dir(name).parent == default_state_dir("x").parent


# --- disks --------------------------------------------------------------------------------------------

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /data rw,relatime shared:9 - nfs4 server:/data rw
31 22 0:41 / /data/local rw,relatime - xfs /dev/sdb rw
32 22 0:42 / /odd\\040näme rw - fuse.sshfs me@host:/ rw
33 22 0:43 / /twice rw - ext4 /dev/sdc rw
34 33 0:44 / /twice rw - cifs //server/share rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/home/me/state", "ext4", False),
        ("/data/state", "nfs4", True),
        ("/data/local/state", "xfs", False),
        ("/database", "ext4", False),
        ("/odd näme/state", "fuse.sshfs", True),
        ("/twice/state", "cifs", True),
    ],
)
def test_the_disk_below_a_path_is_found(path: str, kind: str, network: bool) -> None:
    """The deepest mount decides, of two at one place the later."""
    assert disk_type(Path(path), MOUNTS) == kind
    assert is_network_disk(Path(path), MOUNTS) is network


def test_this_machine_tells_its_disks() -> None:
    """The kernel's own table is read."""
    assert disk_type(Path("/proc/self")) == "proc"


@pytest.mark.parametrize(("network", "mode"), [(False, "wal"), (True, "delete")])
def test_network_disks_get_a_rollback_journal(tmp_path: Path, network: bool, mode: str) -> None:
    """WAL is never used where its shared memory does not work; commits are always on the disk."""
    with closing(open_database(tmp_path / "x.db", network=network)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


# --- versions -----------------------------------------------------------------------------------------


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    """A head does not touch what it does not understand."""
    Journal.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (VERSION + 1,))
        connection.commit()
    before = (tmp_path / "journal.db").read_bytes()

    with pytest.raises(StateError, match=f"format {VERSION + 1}, this one knows {VERSION}"):
        Journal.open(tmp_path)
    assert (tmp_path / "journal.db").read_bytes() == before


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    """A damaged file is told in one line."""
    (tmp_path / "journal.db").write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(StateError, match="no database"):
        Journal.open(tmp_path)


STEPS = {VERSION: ["CREATE TABLE extra (x)"], VERSION + 1: ["INSERT INTO extra VALUES (1)", "ALTER TABLE extra ADD y"]}


def test_an_older_journal_is_brought_up_after_a_copy(tmp_path: Path) -> None:
    """Every step runs once, in order, and the file as it was lies beside."""
    path = tmp_path / "journal.db"
    with closing(open_database(path)) as connection:
        prepare(connection, path)
        prepare(connection, path, VERSION + 2, STEPS)
        assert connection.execute("SELECT x, y FROM extra").fetchall() == [(1, None)]
        prepare(connection, path, VERSION + 2, STEPS)
        assert connection.execute("SELECT count(*) FROM extra").fetchone() == (1,)
    with closing(sqlite3.connect(tmp_path / f"journal.format-{VERSION}.db")) as copy:
        assert copy.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == (str(VERSION),)
        assert copy.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone() == (0,)


def test_a_migration_that_fails_leaves_the_last_whole_version(tmp_path: Path) -> None:
    """A step is taken whole or not at all, and can be tried again."""
    path = tmp_path / "journal.db"
    broken = {**STEPS, VERSION + 1: ["INSERT INTO extra VALUES (1)", "NONSENSE"]}
    with closing(open_database(path)) as connection:
        prepare(connection, path)
        with pytest.raises(StateError):
            prepare(connection, path, VERSION + 2, broken)
        assert connection.execute("SELECT count(*) FROM extra").fetchone() == (0,)
        prepare(connection, path, VERSION + 2, STEPS)
        assert connection.execute("SELECT x, y FROM extra").fetchall() == [(1, None)]
