"""Trying again: what is repeated, how often, and how long is waited in between."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, StagingError, TransferError
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.moving import Moving, Step
from cryocloud_core.files.persistence import CHANGES, PROGRESS_BYTES, Persistence
from cryocloud_core.files.terms import Terms
from cryocloud_core.sdk.url import Url
from tests.files.hostile import VirtualClock

URL = Url.parse("http://store/a")
BUSY = TransferError("busy", repeat=True)


def persistence(clock: VirtualClock, until: float = math.inf, **settings: float) -> Persistence:
    """Return a persistence under a clock of the test's."""
    terms = Terms(LayerSettings(Path("/x"), **settings), clock=clock.clock())  # type: ignore[arg-type]
    return Persistence(terms, until, URL)


def failing(*errors: Exception) -> tuple[Callable[[], str], list[int]]:
    """Return an attempt that raises these errors, then works; and the list of its calls."""
    calls: list[int] = []

    def attempt() -> str:
        calls.append(1)
        if len(calls) <= len(errors):
            raise errors[len(calls) - 1]
        return "done"

    return attempt, calls


def test_what_a_repeat_can_help_is_repeated_with_growing_waits() -> None:
    """Four failures are overcome, each wait twice the one before."""
    clock = VirtualClock()
    attempt, _ = failing(*[BUSY] * 4)
    before = clock.now()

    assert persistence(clock).on(attempt) == "done"
    assert clock.now() - before == pytest.approx((0.5 + 1 + 2 + 4) * 0.75)


def test_every_repeat_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """With the reason and the wait: a person at a terminal, or one who reads the log later, sees why it takes long."""
    attempt, _ = failing(BUSY, BUSY)
    with caplog.at_level("INFO"):
        persistence(VirtualClock()).on(attempt)

    assert caplog.messages == ["busy; again in 0.4 s", "busy; again in 0.8 s"]


@pytest.mark.parametrize("error", [TransferError("no"), RemoteFileMissing("gone"), StagingError("full"), KeyError("x")])
def test_what_no_repeat_can_help_is_raised_at_once(error: Exception) -> None:
    """An answer that stays the same, a full disk and a bug are told after one try."""
    attempt, calls = failing(error)

    with pytest.raises(type(error)):
        persistence(VirtualClock()).on(attempt)
    assert len(calls) == 1


def test_the_last_error_is_raised_when_tries_are_used_up() -> None:
    """One try and the repeats, not more."""
    attempt, calls = failing(*[BUSY] * 9)

    with pytest.raises(TransferError, match="busy"):
        persistence(VirtualClock(), retries=2).on(attempt)
    assert len(calls) == 3


def test_a_try_that_got_further_counts_as_a_new_beginning() -> None:
    """A line that breaks each few megabytes brings a large file; one that brings a byte a time does not."""
    for step, works in ((PROGRESS_BYTES, True), (1, False)):
        attempt, calls = failing(*[BUSY] * 20)
        here = iter(range(0, 40 * step, step))

        if works:
            assert persistence(VirtualClock()).on(attempt, lambda here=here: next(here)) == "done"
        else:
            with pytest.raises(TransferError):
                persistence(VirtualClock()).on(attempt, lambda here=here: next(here))
            assert len(calls) == 5


def test_bytes_that_were_dropped_and_came_again_are_no_progress() -> None:
    """A file that arrives whole and wrong each time is given up."""
    attempt, calls = failing(*[BUSY] * 20)
    here = iter([0, *[50 * PROGRESS_BYTES, 0] * 20])

    with pytest.raises(TransferError):
        persistence(VirtualClock()).on(attempt, lambda: next(here))
    assert len(calls) < 10


def test_a_file_that_changes_all_the_time_is_given_up() -> None:
    """Running after a writer has an end, and the error says why."""
    attempt, calls = failing(*[RemoteFileChanged("changed")] * 20)

    with pytest.raises(RemoteFileChanged, match="writer is done"):
        persistence(VirtualClock()).on(attempt)
    assert len(calls) == CHANGES + 1


def test_nothing_is_begun_after_the_time_is_up() -> None:
    """A wait that would end too late is not begun."""
    clock = VirtualClock()
    attempt, calls = failing(*[TransferError("busy", repeat=True, after_s=50)] * 9)

    with pytest.raises(TransferError):
        persistence(clock, until=clock.now() + 60).on(attempt)
    assert len(calls) == 2


@given(st.integers(1, 10_000), st.none() | st.floats(), st.floats(0, 1, exclude_max=True))
def test_every_wait_is_bounded_and_some_time(failures: int, after_s: float | None, chance: float) -> None:
    """Whatever the other side asks for, infinity and nonsense too."""
    clock = VirtualClock().clock()
    wait = Persistence(Terms(clock=type(clock)(chance=lambda: chance)), 0, URL).wait_s(failures, after_s)

    assert 0.25 <= wait <= 60
    if after_s is not None and after_s * 2.0 ** -min(failures, 900) >= 0.5 and after_s <= 50:
        assert wait >= after_s


def test_a_stop_is_heard_while_waiting() -> None:
    """What the check raises ends the waits and is raised itself."""
    clock = VirtualClock()

    def check() -> None:
        if clock.now() > 1010:
            raise KeyboardInterrupt

    attempt, _ = failing(*[TransferError("busy", repeat=True, after_s=55)] * 9)
    with pytest.raises(KeyboardInterrupt):
        Persistence(Terms(check=check, clock=clock.clock()), math.inf, URL).on(attempt)
    assert clock.now() < 1011


def test_repeats_are_told_with_their_reason_until_one_works() -> None:
    """Before the wait, after it, and that it is over."""
    clock, told = VirtualClock(), list[tuple[str, Step, str]]()
    settings = LayerSettings(Path("/x"), retry_wait_s=7.0)

    def tell(moving: Moving) -> None:
        told.append((str(moving.url), moving.step, moving.why))

    terms = Terms(settings, clock=clock.clock(), told=tell)
    attempt, _ = failing(BUSY)
    assert Persistence(terms, math.inf, URL).on(attempt) == "done"
    assert [each[:2] for each in told] == [(str(URL), Step.AGAIN)] * 3
    assert [each[2].split(" s: ")[-1] for each in told] == ["busy", "again: busy", ""]
    assert told[0][2].startswith("again in ")
