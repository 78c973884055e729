"""Several files at a time: order, the first error, the end of the others."""

from __future__ import annotations

import concurrent.futures
import signal
import threading
import time
from collections.abc import Collection
from typing import Any

import pytest

from cryocloud_core.files.together import AbandonedError, Together

PATIENCE_S = 20.0


class StopRequested(Exception):
    """The task is to stop."""


def test_results_stand_in_the_order_of_the_items() -> None:
    """Whoever is done first."""
    assert Together().each(lambda n: (time.sleep(0.02 * (5 - n)), n)[1], range(5)) == [0, 1, 2, 3, 4]
    assert Together().each(str, []) == []
    assert Together().each(str, [7]) == ["7"]


def test_to_wait_for_a_long_list_costs_no_more_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits looks again and again whether a signal came, and not each time at thousands."""
    asked = []
    wait = concurrent.futures.wait

    def counted(futures: Collection[Any], *args: Any) -> Any:
        asked.append(len(futures))
        return wait(futures, *args)

    monkeypatch.setattr("concurrent.futures.wait", counted)
    go_on = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            while not asked:
                time.sleep(0.001)
            go_on.set()
        assert go_on.wait(PATIENCE_S)
        return item

    assert Together().each(work, range(300)) == list(range(300))
    assert max(asked) == 1


def test_items_are_worked_on_at_the_same_time() -> None:
    """Each waits for all others to be there."""
    barrier = threading.Barrier(4)

    assert Together(width=4).each(lambda n: (barrier.wait(PATIENCE_S), n)[1], range(4)) == [0, 1, 2, 3]


def test_the_first_error_ends_the_others_and_is_the_one_told() -> None:
    """The others would go on for ever; afterwards all is as before."""
    together = Together(width=4)
    all_there = threading.Barrier(4)
    ended = []

    def work(item: int) -> None:
        all_there.wait(PATIENCE_S)
        if item == 2:
            raise ValueError("two")
        try:
            while True:
                together.check()
                time.sleep(0.005)
        except AbandonedError:
            ended.append(item)
            raise

    with pytest.raises(ValueError, match="two"):
        together.each(work, range(4))
    assert sorted(ended) == [0, 1, 3]
    together.check()


def test_what_was_not_begun_is_never_begun_after_an_error() -> None:
    """A long list does not go on."""
    begun = []

    def work(item: int) -> None:
        begun.append(item)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Together(width=1).each(work, range(1000))
    assert begun == [0]


def test_the_outer_check_stops_every_thread() -> None:
    """As a cancelled task does."""
    stop = threading.Event()

    def outer() -> None:
        if stop.is_set():
            raise StopRequested

    together = Together(outer)

    def work(item: int) -> None:
        if item == 0:
            stop.set()
        while True:
            together.check()
            time.sleep(0.005)

    with pytest.raises(StopRequested):
        together.each(work, range(3))


def test_an_interrupt_of_the_caller_ends_the_threads_and_leaves_no_trace() -> None:
    """What comes next is checked as before."""
    together = Together(width=2)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def work(_: int) -> None:
        while True:
            together.check()
            time.sleep(0.005)

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            together.each(work, range(2))
    finally:
        signal.signal(signal.SIGALRM, before)
    together.check()
