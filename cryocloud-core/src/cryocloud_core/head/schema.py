"""The journal's tables, their version, and the way from an older version to this one.

Laws: a newer version refuses to open; migrations go forward only, one version at a time, and only after a
copy of the file was made beside it; one row of the view `commits` is one transaction, so that a commit
takes one statement and the interpreter's lock once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cryocloud_core.errors import StateError
from cryocloud_core.head.database import unusable

VERSION: Final = 3

#: since format 2: results that may be used again, with their machine, worker, outputs and file sizes in `body`
_CACHED: Final = (
    "CREATE TABLE cached (key TEXT PRIMARY KEY, at REAL NOT NULL, expires_at REAL, body TEXT NOT NULL)",
    "CREATE INDEX cached_until ON cached (expires_at) WHERE expires_at IS NOT NULL",
)

#: since format 3: what stands for folded regions in a replay, in the engine's `format` of that time; `closes_at` is the
#: number of the pebble's event after which nothing of the region was left
_CHECKPOINTS: Final = (
    """CREATE TABLE checkpoints (
    pebble INTEGER, closes_at INTEGER, format INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (pebble, closes_at)
)""",
)

TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One row for each start of a head; `start` counts them.
CREATE TABLE heads (start INTEGER PRIMARY KEY, at REAL NOT NULL, pid INTEGER NOT NULL, machine TEXT, version TEXT);

-- Which file a workflow's name belongs to, and the newest linked graph under that name.
CREATE TABLE names (name TEXT PRIMARY KEY, path TEXT NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE workflows (digest TEXT PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL);

-- Append-only: what pebbles could read of options and configuration.
CREATE TABLE contexts (
    number INTEGER PRIMARY KEY, options TEXT NOT NULL, config TEXT NOT NULL, directory TEXT NOT NULL
);

CREATE TABLE runs (
    run INTEGER PRIMARY KEY, workflow TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL, exit_code INTEGER
);
CREATE TABLE inputs_returned (run INTEGER, input TEXT, PRIMARY KEY (run, input)) WITHOUT ROWID;

-- What arrived; `run` is 0 for keys that the input gave and the run for keys that count.
CREATE TABLE arrivals (
    workflow TEXT, input TEXT, run INTEGER, key TEXT, memo TEXT, pebble INTEGER NOT NULL,
    PRIMARY KEY (workflow, input, run, key)
) WITHOUT ROWID;

-- `state` is open, owing (closed, but some machine is still to be cleaned), closed or quarantined.
CREATE TABLE pebbles (
    pebble INTEGER PRIMARY KEY, workflow TEXT NOT NULL, run INTEGER NOT NULL, state TEXT NOT NULL,
    result TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '', nonce TEXT NOT NULL, input TEXT NOT NULL,
    arrived_at REAL NOT NULL, finished_at REAL
);
CREATE INDEX pebbles_unfinished ON pebbles (pebble) WHERE state IN ('open', 'owing');

-- `started` holds the ids of the tasks that the event started.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, pebble INTEGER NOT NULL, start INTEGER NOT NULL, context INTEGER NOT NULL,
    body TEXT NOT NULL, started TEXT
);
CREATE INDEX events_of_pebble ON events (pebble);

-- Big values, by the SHA-256 of their JSON text.
CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE blob_uses (pebble INTEGER, sha256 TEXT, PRIMARY KEY (pebble, sha256)) WITHOUT ROWID;
CREATE INDEX uses_of_blob ON blob_uses (sha256);

-- Nodes that failed, as they are told when a run ends.
CREATE TABLE failures (
    pebble INTEGER NOT NULL, run INTEGER NOT NULL, node TEXT NOT NULL, result TEXT NOT NULL, error TEXT NOT NULL
);
CREATE INDEX failures_of_run ON failures (run);
CREATE INDEX failures_of_pebble ON failures (pebble);
CREATE TABLE counters (
    run INTEGER, node TEXT, completed INTEGER NOT NULL, failed INTEGER NOT NULL, skipped INTEGER NOT NULL,
    PRIMARY KEY (run, node)
) WITHOUT ROWID;

CREATE VIEW commits AS
    SELECT 0 AS start, '[]' AS arrived, '[]' AS events, '[]' AS finished, '[]' AS failed, '[]' AS counted;

CREATE TRIGGER commit_all INSTEAD OF INSERT ON commits BEGIN
    INSERT INTO pebbles (pebble, workflow, run, state, nonce, input, arrived_at)
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), 'open',
            json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]')
        FROM json_each(new.arrived);
    -- Handlers drop known keys; should one slip through, a second pebble is better than a journal that stands still.
    INSERT OR IGNORE INTO arrivals (workflow, input, run, key, memo, pebble)
        SELECT json_extract(value, '$[1]'), json_extract(value, '$[4]'), json_extract(value, '$[6]'),
            json_extract(value, '$[7]'), json_extract(value, '$[8]'), json_extract(value, '$[0]')
        FROM json_each(new.arrived);
    INSERT INTO events (seq, pebble, start, context, body, started)
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), new.start, json_extract(value, '$[2]'),
            json_extract(value, '$[3]'), json_extract(value, '$[4]')
        FROM json_each(new.events);
    UPDATE pebbles SET
            state = json_extract(f.value, '$[1]'),
            result = coalesce(json_extract(f.value, '$[2]'), result),
            error = coalesce(json_extract(f.value, '$[3]'), error),
            finished_at = coalesce(json_extract(f.value, '$[4]'), finished_at)
        FROM json_each(new.finished) AS f WHERE pebbles.pebble = json_extract(f.value, '$[0]');
    INSERT INTO failures (pebble, run, node, result, error)
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
            json_extract(value, '$[3]'), json_extract(value, '$[4]')
        FROM json_each(new.failed);
    INSERT INTO counters (run, node, completed, failed, skipped)
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
            json_extract(value, '$[3]'), json_extract(value, '$[4]')
        FROM json_each(new.counted) WHERE true
        ON CONFLICT (run, node) DO UPDATE SET completed = completed + excluded.completed,
            failed = failed + excluded.failed, skipped = skipped + excluded.skipped;
END;
"""

#: version -> the statements that lead from it to the next one
MIGRATIONS: Final[Mapping[int, Sequence[str]]] = {1: _CACHED, 2: _CHECKPOINTS}


def prepare(
    connection: sqlite3.Connection,
    path: Path,
    version: int = VERSION,
    migrations: Mapping[int, Sequence[str]] = MIGRATIONS,
) -> None:
    """Make the tables, or bring those of an older version up to `version`. Raises StateError."""
    try:
        found = _version_of(connection)
        if found == 0:
            _run(connection, [*_statements(TABLES), *_CACHED, *_CHECKPOINTS, _mark(version)])
        elif found > version:
            raise StateError(
                f"the journal was written by a newer CryoCloud (format {found}, this one knows {version})",
                place=str(path),
                remedy="use that version, or give another --state-dir",
            )
        elif found < version:
            _copy(connection, path.with_name(f"{path.stem}.format-{found}{path.suffix}"))
            for step in range(found, version):
                _run(connection, [*migrations[step], _mark(step + 1)])
    except sqlite3.Error as error:
        raise unusable(path, error) from error


def _version_of(connection: sqlite3.Connection) -> int:
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
        return 0
    row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    return int(row[0]) if row else 0


def _mark(version: int) -> str:
    return f"INSERT OR REPLACE INTO meta VALUES ('format', '{version}')"  # noqa: S608 - a number of ours


def _statements(script: str) -> list[str]:
    """Split a script into statements; a trigger's body has semicolons of its own."""
    statements, current = [], ""
    for piece in script.split(";"):
        current += piece + ";"
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements


def _run(connection: sqlite3.Connection, statements: Sequence[str]) -> None:
    """Execute all statements in one transaction, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    """Write a complete copy of the database beside it."""
    target.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(target),))
