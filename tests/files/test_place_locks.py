"""Locks of places: one writer for each, whoever it is; many for one descriptor; free when their holder dies."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cryocloud_core.errors import StagingError
from cryocloud_core.files import place_locks
from cryocloud_core.files.bookkeeping import Books
from cryocloud_core.files.place_locks import PlaceLocks

HOLDER = """
import sys, time
from pathlib import Path
from cryocloud_core.files.bookkeeping import Books
from cryocloud_core.files.place_locks import PlaceLocks
locks = PlaceLocks(Books(Path(sys.argv[1])))
print(*[locks.take_now(Path(each)) for each in sys.argv[2:]], flush=True)
time.sleep(60)
"""
A, B, C = Path("/p/a"), Path("/p/b"), Path("/p/c")


@pytest.fixture(params=["bytes", "files"])
def books(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Books:
    """Give books on a system that locks single bytes, and on one that does not."""
    if request.param == "files":
        monkeypatch.setattr(place_locks, "_change", unknown)
    return Books(tmp_path)


def unknown(*_: int) -> None:
    """Say what a kernel says of a lock it does not know."""
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def is_free(books: Books, place: Path) -> bool:
    """Return True when somebody else could have a place."""
    with PlaceLocks(books) as other:
        return other.take_now(place)


def test_a_place_has_one_holder(books: Books) -> None:
    """Also within a process; other places are free, and so is one that was let go of."""
    with PlaceLocks(books) as locks:
        assert [locks.take_now(A), locks.take_now(B)] == [True, True]
        assert [is_free(books, place) for place in (A, B, C)] == [False, False, True]
        locks.release(A)
        assert [is_free(books, place) for place in (A, B, C)] == [True, False, True]
        assert locks.take_now(A)
    assert [is_free(books, place) for place in (A, B, C)] == [True, True, True]
    assert locks.take_now(C)
    locks.release_all()


def test_what_somebody_has_is_not_lost_by_who_wanted_it(books: Books) -> None:
    """A look in vain, and its end, change nothing for the holder."""
    with PlaceLocks(books) as locks:
        assert locks.take_now(A)
        with PlaceLocks(books) as other:
            assert [other.take_now(A), other.take_now(B)] == [False, True]
            other.release(B)
        assert not is_free(books, A)


def test_who_waits_gets_it_next(books: Books) -> None:
    """As soon as it is free; a wait can be stopped, and holds nothing then."""
    got = threading.Event()

    def wait() -> None:
        with PlaceLocks(books).held(A, time.sleep):
            got.set()

    with PlaceLocks(books) as locks:
        assert locks.take_now(A)
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not got.wait(0.1)
        with pytest.raises(KeyError), PlaceLocks(books).held(A, stopped):
            pytest.fail("somebody has it")
    assert got.wait(20)
    waiting.join(20)
    assert is_free(books, A)


def stopped(_: float) -> None:
    """Stop a wait."""
    raise KeyError


def test_a_killed_holder_frees_all(tmp_path: Path) -> None:
    """Its places are free at once, not before."""
    words = [sys.executable, "-c", HOLDER, str(tmp_path), str(A), str(B)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True True\n"
        assert [is_free(Books(tmp_path), place) for place in (A, B, C)] == [False, False, True]
        holder.kill()
    assert [is_free(Books(tmp_path), place) for place in (A, B, C)] == [True, True, True]


def test_a_child_of_the_process_keeps_nothing(books: Books) -> None:
    """A module may have left children behind that hold all its descriptors."""
    with PlaceLocks(books) as locks:
        assert locks.take_now(A)
        held = [locks._descriptor, *(lock._descriptor or 0 for lock in locks._files.values())]
        child = subprocess.Popen(["sleep", "60"], pass_fds=held)
    with child:
        assert is_free(books, A)
        child.kill()


def test_thousands_need_one_descriptor(tmp_path: Path) -> None:
    """A long list does not use up what a process may have open."""
    places = [Path(f"/p/{number}") for number in range(3000)]
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with PlaceLocks(Books(tmp_path)) as locks:
        assert all(locks.take_now(place) for place in places)
        assert len(os.listdir("/proc/self/fd")) == before + 1  # noqa: PTH208
        assert not any(is_free(Books(tmp_path), place) for place in places[::500])
    assert all(is_free(Books(tmp_path), place) for place in places[::500])


def test_a_disk_that_refuses_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do."""

    def broken(*_: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(place_locks, "_change", broken)
    with PlaceLocks(Books(tmp_path)) as locks, pytest.raises(StagingError, match="No locks available") as told:
        locks.take_now(A)
    assert told.value.subject == str(Books(tmp_path).folder("locks") / "places")
    assert "tempdir" in told.value.remedy
