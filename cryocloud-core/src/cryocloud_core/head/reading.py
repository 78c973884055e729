"""Looking into a journal from outside, beside a running head or without one.

Laws: nothing is made, migrated or locked; a journal of another format is refused.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cryocloud_core.errors import StateError
from cryocloud_core.head.database import open_reader, unusable
from cryocloud_core.head.journal import JOURNAL_FILE
from cryocloud_core.head.schema import VERSION


def open_journal(directory: Path) -> sqlite3.Connection:
    """Return a connection that reads the journal of a state directory. Raises StateError."""
    path = directory / JOURNAL_FILE
    if not path.is_file():
        raise StateError("there is no journal here", place=str(directory), remedy="name another with --state-dir")
    connection = open_reader(path)
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise unusable(path, error) from error
    found = 0 if row is None else int(row[0])
    if found != VERSION:
        connection.close()
        raise StateError(
            f"the journal has format {found}, this version of CryoCloud reads {VERSION}",
            place=str(path),
            remedy="the next start of its run brings it up to date" if found < VERSION else "use the newer version",
        )
    return connection
