"""Threads that are kept for the next piece of work."""

from __future__ import annotations

import threading
import time

import pytest

from cryocloud_core.files import hands as module
from cryocloud_core.files.hands import Hands


def do(hands: Hands) -> int:
    """Have something done and return which thread did it."""
    done: list[int] = []
    ended = threading.Event()
    hands.do(lambda: (done.append(threading.get_ident()), ended.set()))  # type: ignore[func-returns-value]
    assert ended.wait(10)
    while not hands._idle:  # it lies down after its work
        time.sleep(0.0005)
    return done[0]


def test_a_thread_that_is_done_takes_the_next_work() -> None:
    """One after the other needs one thread."""
    hands = Hands()

    assert len({do(hands) for _ in range(20)}) == 1


def test_a_thread_that_does_not_come_back_is_not_waited_for() -> None:
    """Others are started beside it."""
    hands, thaw = Hands(), threading.Event()
    hands.do(lambda: thaw.wait(60))  # type: ignore[arg-type, return-value]

    assert do(hands)
    thaw.set()


def test_idle_threads_end_and_later_work_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the work comes before, while or after a thread ends."""
    monkeypatch.setattr(module, "IDLE_S", 0.002)
    hands, done, lock = Hands(), [], threading.Lock()

    def work() -> None:
        with lock:
            done.append(1)

    for number in range(300):
        hands.do(work)
        time.sleep(0.002 if number % 3 else 0)
    deadline = time.monotonic() + 10
    while (len(done) < 300 or hands._idle) and time.monotonic() < deadline:
        time.sleep(0.001)

    assert len(done) == 300
    assert hands._idle == []


def test_work_that_ends_soon_is_waited_for() -> None:
    """For as long as one is ready to wait."""
    hands, go = Hands(), threading.Event()
    assert hands.settle(0.0)

    def wait() -> None:
        go.wait(10)

    hands.do(wait)
    assert not hands.settle(0.01)
    go.set()
    assert hands.settle(10)


def test_what_could_not_begin_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may have no more threads leaves all the same, and goes on when it may."""
    hands = Hands()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        with pytest.raises(RuntimeError):
            hands.do(print)
    assert hands.settle(0.0)
    assert do(hands)


def refused(_: threading.Thread) -> None:
    """Say what Python says of one thread too many."""
    raise RuntimeError("can't start new thread")
