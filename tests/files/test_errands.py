"""Blocking work in threads of its own: whoever waits can stop waiting, and what was given up changes nothing."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path

import pytest

from cryocloud_core.errors import TransferError
from cryocloud_core.files.errands import Errand, GivenUpError, Watch
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.terms import Clock, Terms


class StopError(Exception):
    """The task was told to stop."""


def watch(until: float = math.inf, idle_s: float = 60.0, stop: threading.Event | None = None) -> Watch:
    """Return a watch over real time."""

    def check() -> None:
        if stop is not None and stop.is_set():
            raise StopError

    return Watch(Terms(LayerSettings(Path("/x"), idle_timeout_s=idle_s), check, Clock(slice_s=0.02)), "x://y/z", until)


def test_works_run_beside_each_other_and_return_in_order() -> None:
    """Each of three works waits for the other two."""
    barrier = threading.Barrier(3)

    def work(number: int) -> int:
        barrier.wait(10)
        return number

    assert watch().all([lambda _, n=n: work(n) for n in range(3)]) == [0, 1, 2]


def test_a_frozen_errand_is_left_within_a_second_of_a_stop() -> None:
    """Work that hears nothing does not keep the one who waits."""
    stop, thaw = threading.Event(), threading.Event()
    threading.Timer(0.05, stop.set).start()
    began = time.monotonic()

    with pytest.raises(StopError):
        watch(stop=stop).call(lambda _: thaw.wait(60))
    assert time.monotonic() - began < 1
    thaw.set()


def test_silence_and_overtime_are_told_apart() -> None:
    """Silence may be repeated, overtime not: it would take as long again."""
    thaw = threading.Event()
    with pytest.raises(TransferError, match=r"nothing moved for 0\.05 s") as idle:
        watch(idle_s=0.05).call(lambda _: thaw.wait(60))
    with pytest.raises(TransferError, match="took longer") as late:
        watch(until=time.monotonic() + 0.05).call(lambda _: thaw.wait(60))

    assert (idle.value.repeat, late.value.repeat) == (True, False)
    thaw.set()


def test_an_errand_that_moves_is_not_idle() -> None:
    """Slow is not dead."""

    def work(errand: Errand[str]) -> str:
        for _ in range(6):
            time.sleep(0.05)
            errand.beat()
        return "slow"

    assert watch(idle_s=0.15).call(work) == "slow"


def test_the_first_error_gives_up_the_others() -> None:
    """The error is raised while another work is still frozen, and that one can change nothing later."""
    thaw, changed, ended = threading.Event(), [], threading.Event()

    def frozen(errand: Errand[None]) -> None:
        thaw.wait(60)
        try:
            with errand.moving():
                changed.append("late")
        except GivenUpError:
            ended.set()
            raise

    def fails(_: Errand[None]) -> None:
        raise TransferError("no")

    with pytest.raises(TransferError, match="no"):
        watch().all([frozen, fails])
    thaw.set()

    assert ended.wait(10)
    assert changed == []


def test_an_errand_that_only_looks_is_idle_and_ends_when_it_is_given_up() -> None:
    """What says again and again that nothing came does not move, and does not go on for ever behind our back."""
    ended = threading.Event()

    def looks(errand: Errand[None]) -> None:
        try:
            while True:
                time.sleep(0.005)
                errand.look()
        except GivenUpError:
            ended.set()
            raise

    with pytest.raises(TransferError, match="nothing moved"):
        watch(idle_s=0.05).call(looks)
    assert ended.wait(10)


def test_giving_up_waits_for_a_change_under_way() -> None:
    """When the call is over no thread of it is in the middle of a write."""
    inside, changes = threading.Event(), []

    def writes(errand: Errand[None]) -> None:
        with errand.moving():
            inside.set()
            time.sleep(0.2)
            changes.append("whole")

    def fails(_: Errand[None]) -> None:
        inside.wait(10)
        raise TransferError("no")

    with pytest.raises(TransferError):
        watch().all([writes, fails])
    assert changes == ["whole"]


def test_a_stop_that_a_transfer_wraps_is_still_a_stop() -> None:
    """A transfer's own code may turn what `check` raised into an error of its own."""
    stop = threading.Event()

    def work(errand: Errand[None]) -> None:
        stop.set()
        try:
            errand.beat()
        except StopError as error:
            raise TransferError("failed somehow", repeat=True) from error

    with pytest.raises(StopError):
        watch(stop=stop).call(work)


def test_an_untranslated_os_error_may_be_repeated() -> None:
    """A transfer that lets a reset through is treated as if it had told."""

    def work(_: Errand[None]) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    with pytest.raises(TransferError, match="ConnectionResetError: Connection reset by peer") as told:
        watch().call(work)
    assert told.value.repeat


def test_bugs_keep_their_type() -> None:
    """What is no OSError comes out as it is."""

    def work(_: Errand[None]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        watch().call(work)
