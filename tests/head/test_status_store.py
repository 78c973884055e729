"""Status on disk: the present and the past, rotation, orders of others, full disks."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from cryocloud_core.head.board import StatusValue
from cryocloud_core.head.foreign import Foreign
from cryocloud_core.head.rotating import Rotating, old_name
from cryocloud_core.head.status_search import Follower, Wanted, order, past, present
from cryocloud_core.head.status_store import STATUS_FILE, StatusStore


def value(number: int, parameter: str = "x", channel: str = "A") -> StatusValue:
    """Return a value."""
    return StatusValue(channel, parameter, number, float(number))


def stored(directory: Path, *groups: list[StatusValue], rotate_bytes: int = 10**9) -> StatusStore:
    """Write groups of changes and close."""
    store = StatusStore(directory, rotate_bytes)
    store.start()
    for group in groups:
        store.put(group)
    store.stop()
    return store


def until(claim: object, seconds: float = 5.0) -> None:
    """Return when a claim holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not claim():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_present_and_the_past_are_on_disk_after_a_stop(tmp_path: Path) -> None:
    """Every type of value comes back; the file is private."""
    kinds = [
        StatusValue("A", name, data, 3.0, 9.0) for name, data in [("n", None), ("t", "ø\n"), ("f", 1.5), ("b", True)]
    ]
    stored(tmp_path, [value(1)], [value(2), *kinds])

    assert present([tmp_path]) == [*sorted(kinds, key=lambda each: each.parameter), value(2)]
    assert [each.value for each in past([tmp_path], Wanted(("a:x",)))] == [1, 2]
    assert (tmp_path / STATUS_FILE).stat().st_mode & 0o077 == 0


def test_a_value_that_only_lives_longer_is_no_news(tmp_path: Path) -> None:
    """Its new expiry is stored, its past has one entry."""
    stored(tmp_path, [StatusValue("A", "x", 1, 0.0, 30.0)], [StatusValue("A", "x", 1, 0.0, 60.0)])

    assert present([tmp_path])[0].expires_at == 60.0
    assert len(list(past([tmp_path], Wanted()))) == 1


def test_a_new_start_goes_on_from_what_is_stored(tmp_path: Path) -> None:
    """What was stored is loaded as it was."""
    stored(tmp_path, [value(1), value(5, "y")])
    store = StatusStore(tmp_path)
    assert sorted(store.load(), key=lambda each: each.parameter) == [value(1), value(5, "y")]
    store.stop()


def test_a_full_file_is_put_aside_with_its_past_and_the_present_goes_on(tmp_path: Path) -> None:
    """Two files are kept; the newest past and every present value survive."""
    store = StatusStore(tmp_path, 60_000)
    store.start()
    store.put([value(0, "once")])
    for number in range(1, 8001):
        store.put([value(number)])
        if number % 800 == 0:
            until(store._queue.empty)
    store.stop()

    assert sorted(path.name for path in tmp_path.glob("status*.db")) == ["status.1.db", "status.db"]
    assert {each.parameter: each.value for each in present([tmp_path])} == {"once": 0, "x": 8000}
    numbers = [each.value for each in past([tmp_path], Wanted(("a:x",)))]
    assert numbers == list(range(numbers[0], 8001))
    assert numbers[0] > 1


def test_a_file_that_is_read_is_put_aside_later_and_whole(tmp_path: Path) -> None:
    """A reader in the middle of a look holds the file; nothing is lost, the next file inherits no old log."""
    tables = "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, x TEXT);"
    file = Rotating(tmp_path / "a.db", tables, 5_000)
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM t").fetchall()
        for _ in range(200):
            file.connection.execute("INSERT INTO t (x) VALUES (?)", ("x" * 100,))
        assert not file.rotate()
        reader.execute("COMMIT")
        assert file.rotate()
        assert reader.execute("SELECT count(*) FROM t").fetchone() == (200,)
    file.connection.execute("INSERT INTO t (x) VALUES ('new')")
    file.close()

    counts = [closing(sqlite3.connect(tmp_path / name)) for name in (old_name("a.db"), "a.db")]
    for count, expected in zip(counts, (200, 1), strict=True):
        with count as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (expected,)
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_could_not_be_written_is_written_when_there_is_room(tmp_path: Path) -> None:
    """A writer in the way of ours costs no value: the last of each is tried again."""
    store = StatusStore(tmp_path)
    store._file.connection.execute("PRAGMA busy_timeout=10").fetchone()
    store.start()
    with closing(sqlite3.connect(tmp_path / STATUS_FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store.put([value(1), value(1, "y")])
        store.put([value(2)])
        until(lambda: len(store._owed) == 2 and {each.value for each in store._owed} == {1, 2})
        other.execute("COMMIT")
    store.put([value(3, "z")])
    store.stop()

    assert {each.parameter: each.value for each in present([tmp_path])} == {"x": 2, "y": 1, "z": 3}


def test_an_order_is_stored_at_once_and_reaches_the_head(tmp_path: Path) -> None:
    """With a head it is told; without one the next head loads it."""
    orders: list[StatusValue] = []
    store = StatusStore(tmp_path)
    store.on_orders = orders.extend
    store.start()
    order(tmp_path, "A", "limit", 4, 9.0)

    assert present([tmp_path]) == [StatusValue("A", "limit", 4, 9.0)]
    until(lambda: orders == [StatusValue("A", "limit", 4, 9.0)])
    store.stop()
    with closing(sqlite3.connect(tmp_path / STATUS_FILE)) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)


def test_a_follower_sees_each_change_once_across_a_rotation(tmp_path: Path) -> None:
    """Only what is wanted, only what came after it began."""
    stored(tmp_path, [value(1)])
    follower = Follower(tmp_path, Wanted(("x",)))
    stored(tmp_path, [value(2), value(2, "other")], [value(3, "y" * 3000)], rotate_bytes=1)

    assert follower.fresh() == [value(2)]
    assert follower.fresh() == []


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        (Wanted(), True),
        (Wanted(("WIND.p", "nothing")), True),
        (Wanted(("nothing",)), False),
        (Wanted(channel="Flow"), True),
        (Wanted(channel="F?o*"), True),
        (Wanted(channel="flow"), False),
        (Wanted(since=5.0), True),
        (Wanted(since=5.1), False),
        (Wanted(("flow:wind",), channel="Flow", since=1.0), True),
    ],
)
def test_what_is_wanted(wanted: Wanted, holds: bool) -> None:
    """Any word in any case, the channel by name or pattern, not before; all conditions together."""
    assert wanted.holds(StatusValue("Flow", "Wind.pending", 1, 5.0)) is holds


# --- other heads -------------------------------------------------------------------------------------


def test_channels_of_other_runs_are_read_when_somebody_follows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only followed channels, the newest of two directories, at once and then as they change; never our own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    for name in ("own", "one", "two"):
        (tmp_path / name).mkdir()
    stored(tmp_path / "own", [value(100)])
    stored(tmp_path / "one", [value(1), value(1, "y", "B")])
    stored(tmp_path / "two", [value(2)])
    told: list[StatusValue] = []
    foreign = Foreign(tmp_path / "own", told.extend)

    assert foreign.follow([]) == []
    assert foreign.follow(["A"]) == [value(2)]
    stored(tmp_path / "one", [value(7)])
    until(lambda: value(7) in told)
    foreign.stop()


def test_a_directory_of_somebody_else_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody opens our gate by leaving a file beside our state directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    for name in ("own", "theirs"):
        (tmp_path / name).mkdir()
    stored(tmp_path / "theirs", [value(1)])
    foreign = Foreign(tmp_path / "own", lambda _values: None)
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)

    assert foreign.follow(["A"]) == []
    foreign.stop()


def test_a_file_put_aside_inherits_no_old_log(tmp_path: Path) -> None:
    """What an earlier file left beside its name goes with it."""
    file = Rotating(tmp_path / "a.db", "CREATE TABLE IF NOT EXISTS t (x TEXT);", 1)
    (tmp_path / "a.1.db-wal").write_bytes(b"of an older file")
    assert file.rotate()
    file.close()

    assert not (tmp_path / "a.1.db-wal").exists() or (tmp_path / "a.1.db-wal").stat().st_size == 0
