"""Opening SQLite files so that what was committed survives a power cut, whatever disk they lie on.

Laws: WAL on local disks only: on network disks its shared memory does not work, so they get a rollback
journal; every error of a start is a StateError of one line that names the file.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Final

from cryocloud_core.errors import StateError

#: file systems on which WAL's shared memory or its locks are not to be trusted (sqlite.org/wal.html)
NETWORK_DISKS: Final = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs"}
    | {"panfs", "pvfs2", "smb3", "smbfs", "fuse.ceph", "fuse.cifs", "fuse.glusterfs", "fuse.juicefs", "fuse.rclone"}
    | {"fuse.s3fs", "fuse.sshfs"}
)

#: what a writer may wait out: no room, an I/O error, a reader in the way, a disk turned read-only
WAITABLE: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    }
)

#: how the kernel writes spaces and line ends in a path
_OCTAL = re.compile(r"\\([0-7]{3})")
#: pages of WAL before a commit also writes them back: 16 MiB, so that few commits pay for it
_CHECKPOINT_PAGES = 4_000
_BUSY_S = 10.0


def disk_type(path: Path, mountinfo: str | None = None) -> str:
    """Return the file system type below a path (`ext4`, `nfs4`, `fuse.sshfs`), empty where unknown.

    `mountinfo` is the text of `/proc/self/mountinfo`, read from there when not given.
    """
    if mountinfo is None:
        try:
            mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
    best, found = -1, ""
    real = path.resolve()
    for line in mountinfo.splitlines():
        front, _, back = line.partition(" - ")
        fields = front.split(" ")
        if len(fields) < 5 or not back:
            continue
        mount = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        if real.is_relative_to(mount) and len(mount.parts) >= best:
            best, found = len(mount.parts), back.split(" ", 1)[0]
    return found


def is_network_disk(path: Path, mountinfo: str | None = None) -> bool:
    """Return True when WAL must not be used here."""
    return disk_type(path, mountinfo) in NETWORK_DISKS


def open_database(path: Path, *, durable: bool = True, network: bool | None = None) -> sqlite3.Connection:
    """Open or make a database for its one writer, in autocommit mode. Raises StateError.

    `durable`: every commit is on the disk when it returns; otherwise the last moments may be lost in a
    power cut, never the file. `network` overrides what the disk says.
    """
    try:
        connection = _connect(path)
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    try:
        wal = not (is_network_disk(path.parent) if network is None else network)
        connection.execute(f"PRAGMA journal_mode={'WAL' if wal else 'DELETE'}").fetchall()
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}").fetchall()
        connection.execute("PRAGMA foreign_keys=OFF")
    except sqlite3.Error as error:
        connection.close()
        raise unusable(path, error) from error
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a second connection that only reads what was committed. Raises StateError."""
    try:
        connection = _connect(path)
        connection.execute("PRAGMA query_only=ON")
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    return connection


def is_waitable(error: sqlite3.Error) -> bool:
    """Return True when the same commit may succeed later: a full disk, an I/O error, a lock."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in WAITABLE


def unusable(path: Path, error: Exception) -> StateError:
    """Return the error of a database that cannot be used."""
    why = {
        sqlite3.SQLITE_FULL: "the disk is full",
        sqlite3.SQLITE_READONLY: "it is read-only",
        sqlite3.SQLITE_CANTOPEN: "it cannot be opened or written",
        sqlite3.SQLITE_NOTADB: "it is no database",
        sqlite3.SQLITE_CORRUPT: "it is damaged",
    }.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, str(error))
    return StateError(
        f"the journal cannot be used: {why}",
        place=str(path),
        remedy="make the directory writable and leave some room on its disk, or give another --state-dir",
    )


def _connect(path: Path) -> sqlite3.Connection:
    # The writer thread is not the thread that opens; each connection is used by one thread at a time.
    return sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
