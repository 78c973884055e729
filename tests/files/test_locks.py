"""Locks between processes: one holder or many sharers, free when the holder dies, and slots of servers made of them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cryocloud_core.errors import StagingError
from cryocloud_core.files.bookkeeping import Books
from cryocloud_core.files.hosts import HostSlots, Lease
from cryocloud_core.files.locks import FileLock
from cryocloud_core.sdk.url import Url

HOLDER = """
import sys, time
from pathlib import Path
from cryocloud_core.files.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
assert lock.take_now()
print("held", flush=True)
time.sleep(60)
"""


def test_one_holds_and_the_other_waits(tmp_path: Path) -> None:
    """A lock that is held is not taken; released, it is. Each user has a lock object of its own."""
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")

    assert one.take_now()
    assert not other.take_now()
    one.release()
    assert other.take_now()
    other.release()


def test_sharers_keep_an_owner_off(tmp_path: Path) -> None:
    """Two share; who wants it alone has to wait for both."""
    sharers = [FileLock(tmp_path / "lock", shared=True) for _ in range(2)]
    alone = FileLock(tmp_path / "lock")

    assert [lock.take_now() for lock in sharers] == [True, True]
    assert not alone.take_now()
    sharers[0].release()
    assert not alone.take_now()
    sharers[1].release()
    assert alone.take_now()
    alone.release()


def test_a_killed_holder_frees_it(tmp_path: Path) -> None:
    """No lock outlives its process."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock")]
    lock = FileLock(tmp_path / "lock")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not lock.take_now()
        holder.kill()
        holder.wait(10)

        assert lock.take_now()
    lock.release()


def test_a_lock_that_was_taken_away_is_made_anew(tmp_path: Path) -> None:
    """Who waited for a file that its holder removed does not hold a lock without a name."""
    holder, waiter = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert holder.take_now()
    waits: list[float] = []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            holder.discard()

    waiter.take(pause)
    third = FileLock(tmp_path / "lock")
    assert not third.take_now()
    waiter.release()


def test_a_lock_that_cannot_be_taken_away_is_let_go_of(tmp_path: Path) -> None:
    """The error is told, and nobody waits for it for ever."""
    folder, away = tmp_path / "locks", tmp_path / "away"
    folder.mkdir()
    lock = FileLock(folder / "lock")
    assert lock.take_now()
    folder.rename(away)
    folder.touch()
    with pytest.raises(NotADirectoryError):
        lock.discard()
    other = FileLock(away / "lock")
    assert other.take_now()
    other.release()


def test_a_lock_between_opening_and_locking_is_not_a_file_without_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file may go after it was opened and before it was locked."""
    from cryocloud_core.files import locks

    path, real = tmp_path / "lock", locks.lock_now
    removed: list[int] = []

    def lock_late(descriptor: int, *, shared: bool = False) -> bool:
        if not removed:
            removed.append(descriptor)
            path.unlink()
        return real(descriptor, shared=shared)

    monkeypatch.setattr(locks, "lock_now", lock_late)
    ours, other = FileLock(path), FileLock(path)

    assert ours.take_now()
    assert not other.take_now()
    ours.release()


def test_waiting_is_stopped_by_what_the_pause_raises(tmp_path: Path) -> None:
    """Who is told to stop waits no longer."""
    holder = FileLock(tmp_path / "lock")
    assert holder.take_now()

    def pause(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FileLock(tmp_path / "lock").take(pause)
    holder.release()


def slots(tmp_path: Path, limit: int) -> HostSlots:
    """Return the slots of one server."""
    return HostSlots(tmp_path, limit, time.sleep)


def test_no_more_than_the_limit_hold_a_slot(tmp_path: Path) -> None:
    """Of twelve threads with three slots never more than three are inside, and all get in."""
    inside, most, done, lock = 0, 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most, done
        with slots(tmp_path, 3).held():
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.005)
            with lock:
                inside -= 1
                done += 1

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert (most, done, inside) == (3, 12, 0)


def test_further_slots_are_taken_only_when_nobody_waits(tmp_path: Path) -> None:
    """More connections for one file come after the first one of another."""
    with slots(tmp_path, 4).held():
        with slots(tmp_path, 4).more(9) as count:
            assert count == 3
        line = FileLock(tmp_path / "line")
        assert line.take_now()
        with slots(tmp_path, 4).more(9) as count:
            assert count == 0
        line.release()
        with slots(tmp_path, 4).more(0) as count:
            assert count == 0


def test_many_small_files_do_not_starve_the_others(tmp_path: Path) -> None:
    """Who takes the one slot for file after file hands it on when its time is over and somebody stands in line."""
    moment = 0.0
    busy = Lease(slots(tmp_path, 1), lambda: moment)
    with busy.held():
        pass
    got = threading.Event()

    def wait_in_line() -> None:
        with slots(tmp_path, 1).held():
            got.set()

    waiter = threading.Thread(target=wait_in_line)
    waiter.start()
    line = FileLock(tmp_path / "line")
    while line.take_now():
        line.release()
        time.sleep(0.001)
    with busy.held():
        assert not got.wait(0.05)
    moment = 1.0
    with busy.held():
        assert got.is_set()
    waiter.join(10)
    busy.release()


def test_a_failure_hands_the_slot_back(tmp_path: Path) -> None:
    """Nobody holds a slot while waiting for a second try."""
    lease = Lease(slots(tmp_path, 1), time.monotonic)

    with pytest.raises(KeyError), lease.held():
        raise KeyError
    with slots(tmp_path, 1).more(1) as count:
        assert count == 1


def test_books_in_a_strangers_directory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a shared temporary directory nobody else may own or replace our books."""
    (tmp_path / "real").mkdir()
    (tmp_path / "cc").symlink_to(tmp_path / "real")
    with pytest.raises(StagingError, match=r"CryoCloud\.Worker\.tempdir"):
        Books(tmp_path).lock(tmp_path / "f")

    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(StagingError, match="own user"):
        Books(tmp_path / "other").lock(tmp_path / "f")


def test_each_server_has_slots_of_its_own(tmp_path: Path) -> None:
    """Port and scheme tell servers apart, user and path do not."""
    books = Books(tmp_path)
    texts = ("ssh://h/a", "ssh://me@h/b", "ssh://h:23/a", "s3://h/a")
    places = [books.host(Url.parse(text)) for text in texts]

    assert places[0] == places[1]
    assert len(set(places)) == 3
    assert (tmp_path / "cc").stat().st_mode & 0o777 == 0o700
