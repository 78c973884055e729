"""Values that the journal cannot hold, whoever brings them."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from cryocloud_core.errors import StateError
from cryocloud_core.head.batch import Batch
from cryocloud_core.head.journal import JOURNAL_FILE, Journal

if TYPE_CHECKING:
    from pathlib import Path


def test_a_value_that_cannot_be_stored_breaks_the_journal_and_is_told(tmp_path: Path) -> None:
    """A writer that ended without a word would let the run wait for ever."""

    async def run() -> tuple[StateError, str]:
        journal = Journal.open(tmp_path)
        journal.attach(asyncio.get_running_loop())
        with pytest.raises(StateError, match="surrogates") as refused:
            await asyncio.wait_for(journal.run(lambda c: c.execute("SELECT ?", ("\ud800",)).fetchall()), 5)
        broken: asyncio.Future[StateError] = asyncio.get_running_loop().create_future()
        journal.on_broken = broken.set_result
        batch = Batch()
        batch.event(1, 1, 1, "{}", ())
        batch.also("INSERT INTO inputs_returned VALUES (?, ?)", 1, "\ud800")
        journal.submit(batch, lambda: None)
        error = await asyncio.wait_for(broken, 5)
        journal.close()
        return error, str(refused.value)

    told, refused = asyncio.run(run())
    assert "surrogates" in str(told)
    assert "surrogates" in refused
    with closing(sqlite3.connect(tmp_path / JOURNAL_FILE)) as connection:
        assert connection.execute("SELECT * FROM events").fetchall() == []
