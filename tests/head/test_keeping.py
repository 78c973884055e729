"""What is kept beside the run: log records, old pebbles, observers' patience."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pluggy
import pytest
from desk import Desk, Feed, chain, make_head, nothing

from cryocloud_core.head import records as records_module
from cryocloud_core.head.journal import Journal
from cryocloud_core.head.observers import PATIENCE, Observers
from cryocloud_core.head.records import Records, read_records
from cryocloud_core.head.retention import STEP, Retention
from cryocloud_core.head.telling import RING, Telling
from cryocloud_core.sdk import hookspecs
from cryocloud_core.sdk.observed import LogRecord, PebbleSeen, RunSeen, TaskSeen


def record(number: int, text: str = "said", level: str = "INFO") -> LogRecord:
    """Return a log record."""
    return LogRecord(float(number), level, text, pebble=number, node="A", task=f"{number}/A/1", worker="w")


# --- records ------------------------------------------------------------------------------------------


def test_records_are_on_disk_after_a_stop_and_are_read_back(tmp_path: Path) -> None:
    """Every field survives, also odd characters as far as text can hold them."""
    records = Records(tmp_path)
    records.start()
    told = [record(1), record(2, "bad \udc80 and \0"), record(3)]
    for each in told:
        records.put(each)
    records.stop()

    assert list(read_records(tmp_path)) == [told[0], record(2, "bad \\udc80 and \\0"), told[2]]
    assert [each.pebble for each in read_records(tmp_path, last=1)] == [3]
    assert (tmp_path / "records.db").stat().st_mode & 0o077 == 0


def test_records_rotate_by_size_and_keep_two_files(tmp_path: Path) -> None:
    """The oldest go, the newest stay, and reading crosses the border."""
    records = Records(tmp_path, rotate_bytes=40_000)
    records.start()
    for number in range(600):
        records.put(record(number, "x" * 500))
        if number % 20 == 0:
            time.sleep(0.005)
    records.stop()

    found = [each.pebble for each in read_records(tmp_path, last=1000)]
    assert found == list(range(found[0], 600))
    assert found[0] > 0
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["records.1.db", "records.db"]
    with closing(sqlite3.connect(tmp_path / "records.db")) as connection:
        assert len(found) > connection.execute("SELECT count(*) FROM records").fetchone()[0]


def test_too_many_records_are_counted_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that is behind never holds anybody up."""
    monkeypatch.setattr(records_module, "QUEUE", 10)
    records = Records(tmp_path)
    for number in range(25):
        records.put(record(number))
    assert records.lost == 15
    records.start()
    records.stop()


def test_the_ring_is_bounded_and_levels_are_kept(tmp_path: Path) -> None:
    """Lines below the level go nowhere; loggers of inputs carry their node."""
    records = Records(tmp_path)
    heard: list[Any] = []
    telling = Telling(records, heard.append, "WARNING")
    for number in range(RING + 10):
        telling.record(record(number, level="ERROR"))
    telling.record(record(9999))
    telling.logger("cryocloud.input.In", workflow="flow", node="In").warning("seen %d", 5)
    telling.logger("cryocloud.input.In").info("not said")
    assert len(telling.ring) == RING
    last = telling.ring[-1]
    assert (last.text, last.node, last.workflow, last.level) == ("seen 5", "In", "flow", "WARNING")
    assert len(heard) == RING + 11
    records.start()
    records.stop()


# --- retention ----------------------------------------------------------------------------------------


def counts(directory: Path) -> dict[str, int]:
    """Return how many rows each table has."""
    tables = ("pebbles", "events", "arrivals", "failures", "blobs", "blob_uses")
    with closing(sqlite3.connect(directory / "journal.db")) as connection:
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


def finished_runs(directory: Path, keyed: bool) -> None:
    """Run two runs of three pebbles, each with a big value."""
    feed = Feed([{"n": n, "big": "x" * 70_000} for n in range(3)], keyed=keyed)
    for _ in range(2):
        desk = Desk(nothing)
        assert asyncio.run(make_head(chain(1), directory, desk, {"In": feed}).run()) == 0
        feed.infos = [{"n": n, "big": "y" * 70_000} for n in range(10, 13)]
        feed.first_key = 10  # type: ignore[attr-defined]


def test_old_pebbles_are_forgotten_but_given_keys_are_not(tmp_path: Path) -> None:
    """Events, blobs and rows go; the newest pebble stays for its number, keys stay for ever."""
    finished_runs(tmp_path, keyed=True)
    before = counts(tmp_path)
    assert (before["pebbles"], before["blobs"]) == (3, 1)
    journal = Journal.open(tmp_path)

    assert Retention(0.0, 1000).step(journal._connection, (2,)) == 2
    assert Retention(0.0, 1000).step(journal._connection, (2,)) == 0
    journal.close()
    after = counts(tmp_path)
    assert (after["pebbles"], after["arrivals"], after["blobs"], after["blob_uses"]) == (1, 3, 1, 1)
    desk = Desk(nothing)
    feed = Feed([{"n": n} for n in range(4)], keyed=True)
    assert asyncio.run(make_head(chain(1), tmp_path, desk, {"In": feed}).run()) == 0
    assert [task.pebble for task in desk.offered] == [4]


def test_only_so_many_pebbles_are_kept_and_counted_keys_of_ended_runs_go(tmp_path: Path) -> None:
    """The oldest beyond the number are forgotten with the keys that only their run could meet again."""
    finished_runs(tmp_path, keyed=False)
    journal = Journal.open(tmp_path)

    assert Retention(1e9, 2).step(journal._connection, (2,)) == 4
    journal.close()
    after = counts(tmp_path)
    assert (after["pebbles"], after["arrivals"], after["blobs"]) == (2, 3, 1)


def test_young_and_unfinished_pebbles_stay(tmp_path: Path) -> None:
    """Nothing goes before its time, nothing that is open or set aside goes at all."""
    finished_runs(tmp_path, keyed=False)
    journal = Journal.open(tmp_path)
    assert Retention(3600.0, 1000).step(journal._connection, ()) == 0
    journal._connection.execute("UPDATE pebbles SET state = CASE WHEN pebble < 3 THEN 'open' ELSE 'quarantined' END")
    assert Retention(0.0, 0).step(journal._connection, ()) == 0
    journal.close()


def test_a_step_is_bounded(tmp_path: Path) -> None:
    """However much is old, one step takes only so much."""
    journal = Journal.open(tmp_path)
    journal._connection.executemany(
        "INSERT INTO pebbles VALUES (?, 'flow', 1, 'closed', 'success', '', '', 'In', 1.0, 2.0)",
        [(number,) for number in range(1, STEP + 50)],
    )
    steps = [Retention(0.0, 10**6).step(journal._connection, ()) for _ in range(3)]
    assert steps == [STEP, 48, 0]
    journal.close()


# --- observers ----------------------------------------------------------------------------------------


class Watching:
    """A plugin that hears everything."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @hookspecs.hookimpl
    def run_started(self, run: RunSeen) -> None:
        """Note it."""
        self.heard.append(run)

    @hookspecs.hookimpl
    def pebble_arrived(self, pebble: PebbleSeen) -> None:
        """Note it."""
        self.heard.append(pebble)

    @hookspecs.hookimpl
    def task_ended(self, task: TaskSeen) -> None:
        """Note it."""
        self.heard.append(task)

    @hookspecs.hookimpl
    def pebble_finished(self) -> None:
        """Note that it was called; an implementation need not take the record."""
        self.heard.append("finished")

    @hookspecs.hookimpl
    def run_stopped(self, run: RunSeen) -> None:
        """Note it."""
        self.heard.append(run)


class Raising:
    """A plugin that raises whenever it is called."""

    def __init__(self) -> None:
        self.calls = 0

    @hookspecs.hookimpl
    def task_ended(self, task: TaskSeen) -> None:
        """Raise."""
        self.calls += 1
        raise ValueError("not my day")


def manager(*plugins: object) -> pluggy.PluginManager:
    """Return a plugin manager with the project's hooks."""
    made = pluggy.PluginManager(hookspecs.PROJECT)
    made.add_hookspecs(hookspecs)
    for plugin in plugins:
        made.register(plugin, name=type(plugin).__name__)
    return made


def test_observers_hear_a_run_in_order(tmp_path: Path) -> None:
    """From its start to its exit code, before `run` returns."""
    watching = Watching()
    head = make_head(chain(2), tmp_path, Desk(nothing), {"In": Feed([{"n": 1}])}, hooks=manager(watching).hook)

    assert asyncio.run(head.run()) == 0
    assert [type(each).__name__ for each in watching.heard] == [
        "RunSeen",
        "PebbleSeen",
        "TaskSeen",
        "TaskSeen",
        "str",
        "RunSeen",
    ]
    assert watching.heard[-1].exit_code == 0
    assert watching.heard[2].node == "N1"


def test_an_observer_that_keeps_raising_is_switched_off_and_the_others_hear_everything(tmp_path: Path) -> None:
    """The run does not care; the log says who and why."""
    watching, raising = Watching(), Raising()
    hooks = manager(watching, raising).hook
    head = make_head(chain(1), tmp_path, Desk(nothing), {"In": Feed([{"n": n} for n in range(10)])}, hooks=hooks)

    assert asyncio.run(head.run()) == 0
    assert raising.calls == PATIENCE
    assert sum(isinstance(each, TaskSeen) for each in watching.heard) == 10
    said = [each.text for each in head.view().log if each.logger == "cryocloud.observers"]
    assert sum("not my day" in text for text in said) == PATIENCE
    assert "switched off" in said[-1]
    assert "Raising" in said[-1]


def test_slow_observers_lose_records_and_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is bounded: the head never waits for a plugin."""
    monkeypatch.setattr("cryocloud_core.head.observers.QUEUE", 5)
    watching, said = Watching(), []
    log = logging.Logger("observers")  # noqa: LOG001 - a logger of this test alone
    log.addFilter(lambda each: said.append(each.getMessage()))
    observers = Observers(manager(watching).hook, log)
    for number in range(8):
        observers.tell("run_started", number)
    observers.start()
    observers.stop()

    assert watching.heard == [0, 1, 2, 3, 4]
    assert said == [
        "observers are too slow: records are left out for them",
        "observers were too slow: 3 records were left out for them",
    ]
    assert not observers.wants("no_such_hook")
