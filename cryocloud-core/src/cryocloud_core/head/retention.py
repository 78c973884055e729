"""Forgetting finished pebbles and expired results, a few at a time and only when nothing else is to be done.

Laws: keys of arrivals stay, so that a file seen is never taken for a new one; unfinished and quarantined
pebbles are never touched; one step is short enough for a commit to wait for.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection

from attrs import frozen

#: pebbles that one step forgets
STEP = 200
_FORGET_CACHED = "DELETE FROM cached WHERE key IN (SELECT key FROM cached WHERE expires_at <= ? LIMIT ?)"


@frozen
class Retention:
    """How long finished pebbles are kept: seconds, and at most how many."""

    keep_s: float
    keep_pebbles: int

    def step(self, connection: sqlite3.Connection, counted_runs: Collection[int]) -> int:
        """Forget up to `STEP` pebbles and return how many; counted arrivals of `counted_runs` stay."""
        pebbles = self._old(connection)
        for pebble in pebbles:
            connection.execute("DELETE FROM events WHERE pebble = ?", (pebble,))
            connection.execute("DELETE FROM failures WHERE pebble = ?", (pebble,))
            _forget_blobs(connection, pebble)
        marks = ", ".join("?" * len(pebbles))
        runs = ", ".join(str(int(run)) for run in counted_runs) or "-1"
        connection.execute(
            f"DELETE FROM arrivals WHERE run > 0 AND run NOT IN ({runs}) AND pebble IN ({marks})",  # noqa: S608
            pebbles,
        )
        connection.execute(f"DELETE FROM pebbles WHERE pebble IN ({marks})", pebbles)  # noqa: S608
        connection.execute(_FORGET_CACHED, (time.time(), STEP))
        return len(pebbles)

    def _old(self, connection: sqlite3.Connection) -> list[int]:
        """Return closed pebbles that are too old or too many, oldest first; the newest pebble stays, for its number."""
        rows = connection.execute(
            """
            SELECT pebble FROM pebbles WHERE state = 'closed' AND pebble < (SELECT max(pebble) FROM pebbles)
                AND (finished_at < ? OR pebble <= coalesce((
                    SELECT pebble FROM pebbles WHERE state = 'closed' ORDER BY pebble DESC LIMIT 1 OFFSET ?), -1))
            ORDER BY pebble LIMIT ?
            """,
            (time.time() - self.keep_s, self.keep_pebbles, STEP),
        )
        return [row[0] for row in rows]


def _forget_blobs(connection: sqlite3.Connection, pebble: int) -> None:
    """Delete the blobs that only this pebble used."""
    used = connection.execute("SELECT sha256 FROM blob_uses WHERE pebble = ?", (pebble,)).fetchall()
    connection.execute("DELETE FROM blob_uses WHERE pebble = ?", (pebble,))
    for (sha256,) in used:
        connection.execute(
            "DELETE FROM blobs WHERE sha256 = ?1 AND NOT EXISTS (SELECT 1 FROM blob_uses WHERE sha256 = ?1)", (sha256,)
        )
