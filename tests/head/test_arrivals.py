"""The door of the inputs: what is accepted is on disk, what is known is dropped, nobody waits for ever."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.errors import StateError
from cryocloud_core.head import arrivals
from cryocloud_core.head.arrivals import Door, Handler
from cryocloud_core.head.batch import Arrival, Batch
from cryocloud_core.head.journal import Journal


class Hall:
    """A journal with one handler; what arrives is committed when the test says so."""

    def __init__(self, directory: Path, counted: tuple[int, int] = (0, 0), run: int = 1) -> None:
        self.journal = Journal.open(directory)
        self.journal.begin(Batch(), "here")
        self.items: list[Any] = []
        ids = itertools.count(1 + (self.journal.reader.execute("SELECT max(pebble) FROM pebbles").fetchone()[0] or 0))
        door = Door(self.items.append, ids, self.journal.path, lambda path: ".cc-" in path)
        log = logging.Logger("in")  # noqa: LOG001 - a logger of this test alone
        self.handler = Handler(door, "flow", "In", run, once=False, log=log, counted=counted)

    def commit(self) -> list[Arrival]:
        """Write what has arrived and tell the handler."""
        batch, came = Batch(), [item for item in self.items if isinstance(item, Arrival)]
        for item in self.items:
            if isinstance(item, Arrival):
                batch.arrived(item, "nonce", 1.0)
            else:
                item(batch)
        self.items.clear()
        self.journal._write(batch)
        for arrival in came:
            self.handler.durable(arrival.pebble)
        return came

    def close(self) -> None:
        """Close all files."""
        self.handler.close()
        self.journal.close()


@pytest.fixture
def hall(tmp_path: Path) -> Any:
    """Give a hall, closed afterwards."""
    with closing(Hall(tmp_path)) as made:
        yield made


def test_accepted_returns_only_after_the_commit(hall: Hall) -> None:
    """A thread that waits is let go by the commit, and not before."""
    pebble = hall.handler.onAdd({"a": 1})
    waits = threading.Thread(target=hall.handler.accepted, args=(pebble,))
    waits.start()
    waits.join(0.05)
    assert waits.is_alive()

    hall.commit()
    waits.join(5)
    assert not waits.is_alive()
    hall.handler.accepted(pebble)


def test_a_key_that_waits_or_is_stored_gives_the_first_pebble_again(hall: Hall) -> None:
    """Two arrivals with one key are one; without a key each is a new one."""
    first = hall.handler.onAdd({}, key="k\udc80")
    assert hall.handler.onAdd({}, key="k\udc80") == first
    hall.commit()
    assert hall.handler.onAdd({}, key="k\udc80") == first
    other = hall.handler.onAdd({})
    assert len({first, other, hall.handler.onAdd({})}) == 3
    assert [(a.key_run, a.key) for a in hall.commit()] == [(1, "0"), (1, "1")]


def test_keys_given_and_keys_counted_do_not_meet(hall: Hall) -> None:
    """An input that happens to give the key `0` is not taken for its own first arrival."""
    assert hall.handler.onAdd({}, key="0") != hall.handler.onAdd({})


def test_memos_are_known_until_they_are_forgotten(hall: Hall) -> None:
    """`known` tells what is on disk, whatever characters its key has."""
    keys = ["plain", "ö\n\0\\", "\udcff"]
    for key in keys:
        hall.handler.onAdd({}, key=key, memo={"of": 1})
    hall.handler.onAdd({})
    assert hall.handler.known() == {}
    hall.commit()
    assert hall.handler.known() == {key: {"of": 1} for key in keys}

    hall.handler.forget(keys[1:])
    hall.commit()
    assert list(hall.handler.known()) == ["plain"]
    before = hall.handler.onAdd({}, key="plain")
    assert hall.handler.onAdd({}, key=keys[1]) > before


def test_counted_arrivals_of_a_run_that_goes_on_are_dropped_when_they_come_again(tmp_path: Path) -> None:
    """An input that is started again in the same run makes only what it had not made; in a new run all of it."""
    with closing(Hall(tmp_path)) as hall:
        ids = [hall.handler.onAdd({}) for _ in range(2)]
        hall.commit()
    with closing(Hall(tmp_path, counted=(0, 2))) as hall:
        assert [hall.handler.onAdd({}) for _ in range(3)] == [*ids, 3]
    with closing(Hall(tmp_path, run=2)) as hall:
        assert hall.handler.onAdd({}) not in ids


def test_a_full_window_holds_the_input_up(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many arrivals wait for their commit; the next one waits for a place."""
    for _ in range(arrivals.WINDOW):
        hall.handler.onAdd({})
    came: list[int] = []
    more = threading.Thread(target=lambda: came.append(hall.handler.onAdd({})))
    more.start()
    more.join(0.05)
    assert came == []

    hall.commit()
    more.join(5)
    assert came == [arrivals.WINDOW + 1]


def test_a_repeated_key_takes_no_place_in_the_window(hall: Hall) -> None:
    """Known arrivals never fill the window."""
    for _ in range(arrivals.WINDOW + 1):
        hall.handler.onAdd({}, key="same")
    assert len(hall.items) == 1


def test_the_awaited_way_returns_after_the_commit(hall: Hall) -> None:
    """`add` does both, on whatever loop it is called."""

    async def run() -> None:
        adding = asyncio.create_task(hall.handler.add({"a": 1}, key="k"))
        await asyncio.sleep(0.05)
        assert not adding.done()
        await asyncio.to_thread(hall.commit)
        assert await adding == 1
        assert await hall.handler.add({}, key="k") == 1

    asyncio.run(run())


def test_a_journal_that_breaks_lets_everybody_go_with_an_error(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a commit or a place is told that it cannot be; later arrivals are refused."""
    monkeypatch.setattr(arrivals, "_LOOK_S", 0.02)
    pebble = hall.handler.onAdd({})
    failures: list[StateError] = []

    def wait() -> None:
        try:
            hall.handler.accepted(pebble)
        except StateError as error:
            failures.append(error)

    async def run() -> None:
        adding = asyncio.create_task(hall.handler.add({}))
        waits = threading.Thread(target=wait)
        waits.start()
        await asyncio.sleep(0.05)
        hall.handler.broken(StateError("no more"))
        with pytest.raises(StateError):
            await adding
        await asyncio.to_thread(waits.join, 5)

    asyncio.run(run())
    assert len(failures) == 1
    with pytest.raises(StateError):
        hall.handler.onAdd({})


@pytest.mark.parametrize("info", [{"a": {1, 2}}, {"a": float("nan")}, {"b": Path("/x")}, {1: "x"}])
def test_what_is_no_json_is_refused_in_the_inputs_own_thread(hall: Hall, info: dict[Any, Any]) -> None:
    """The error names the key, and the window is as it was."""
    with pytest.raises(TypeError, match=r"info\[|keys"):
        hall.handler.onAdd(info)
    assert hall.items == []


def test_what_is_reported_is_a_copy_without_control_keys(hall: Hall) -> None:
    """An input may change its map afterwards; `caller` and `_order` are ignored."""
    info = {"a": [1], "caller": "In", "_order": 5}
    hall.handler.onAdd(info)
    info["a"].append(2)  # type: ignore[attr-defined]
    assert hall.items[0].values == {"a": [1]}
    assert hall.handler.is_ours("/x/.cc-1")


def test_many_threads_with_the_same_keys_make_one_pebble_each(hall: Hall) -> None:
    """Whoever wins, every key is one pebble."""
    found: list[dict[str, int]] = []

    def report() -> None:
        found.append({str(n): hall.handler.onAdd({}, key=str(n)) for n in range(50)})

    threads = [threading.Thread(target=report) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(each == found[0] for each in found)
    assert len(hall.commit()) == 50
    with closing(sqlite3.connect(hall.journal.path)) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT key) FROM arrivals").fetchone() == (50, 50)
