"""Blocking work of transfers in threads of its own, so that whoever waits for it can stop waiting at any time.

Laws: the thread that waits looks up several times a second, whatever the other side does; an errand that was given up
changes nothing any more, however late its thread wakes; its threads never keep a process from ending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Generic, TypeVar

from attrs import define, field

from cryocloud_core.errors import TransferError
from cryocloud_core.files.terms import Terms

T = TypeVar("T")


class GivenUpError(Exception):
    """Raised in the thread of an errand that nobody waits for any more."""


@define(eq=False)
class Errand(Generic[T]):
    """One piece of blocking work. The work is handed its errand, to say that it moves and to change things safely."""

    terms: Terms
    _ended: threading.Condition
    moved_at: float
    is_over: bool = False
    error: BaseException | None = None
    _result: list[T] = field(factory=list)
    _given_up: bool = False
    _gate: threading.Lock = field(factory=threading.Lock)

    def run(self, work: Callable[[Errand[T]], T]) -> None:
        """Do the work and keep what came of it; runs in the errand's own thread."""
        try:
            self._result.append(work(self))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self.error = error
        with self._ended:
            self.is_over = True
            self._ended.notify_all()

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Say that it moves, and hold off being given up while something is changed.

        Raises GivenUpError when it was given up, and what `check` raises.
        """
        self.terms.check()
        with self._gate:
            if self._given_up:
                raise GivenUpError
            yield
            self.moved_at = self.terms.clock.now()

    def look(self) -> None:
        """Raise what `moving` raises, without saying that it moves."""
        self.terms.check()
        if self._given_up:
            raise GivenUpError

    def beat(self) -> None:
        """Say that it moves. Raises as `moving`."""
        with self.moving():
            pass

    def give_up(self) -> None:
        """From when this returns on, the errand changes nothing."""
        with self._gate:
            self._given_up = True

    @property
    def result(self) -> T:
        """What the work returned."""
        return self._result[0]


@define(eq=False)
class Watch:
    """Runs errands and waits for them: until they end, one moves no more, the time is up, or the task is to stop."""

    terms: Terms
    subject: str
    #: the moment, by the clock, when even a moving transfer has taken too long
    until: float

    def call(self, work: Callable[[Errand[T]], T]) -> T:
        """Return what the work returns; raises what it raises, TransferError when it moves no more."""
        return self.all([work])[0]

    def all(self, works: Sequence[Callable[[Errand[T]], T]]) -> list[T]:
        """Return what several works at a time return; the first error gives up the others and is raised."""
        ended = threading.Condition()
        errands = [Errand[T](self.terms, ended, self.terms.clock.now()) for _ in works]
        try:
            for errand, work in zip(errands, works, strict=True):
                self.terms.hands.do(partial(errand.run, work))
            self._wait(errands, ended)
        finally:
            for errand in errands:
                errand.give_up()
        return [errand.result for errand in errands]

    def _wait(self, errands: Sequence[Errand[T]], ended: threading.Condition) -> None:
        while True:
            with ended:
                if not any(errand.error for errand in errands) and not all(errand.is_over for errand in errands):
                    ended.wait(self.terms.clock.slice_s)
            # Before the error: what is raised in the middle of a transfer's own code may come out of it as any error.
            self.terms.check()
            for errand in errands:
                self._judge(errand)
            if all(errand.is_over for errand in errands):
                return

    def _judge(self, errand: Errand[T]) -> None:
        if errand.error is not None:
            if isinstance(errand.error, OSError):
                raise TransferError(_told(errand.error), subject=self.subject, repeat=True) from errand.error
            raise errand.error
        if errand.is_over:
            return
        now, settings = self.terms.clock.now(), self.terms.settings
        if now >= self.until:
            raise TransferError(
                f"took longer than {settings.transfer_timeout_s:g} s",
                subject=self.subject,
                remedy="set CryoCloud.Worker.transfer_timeout higher",
            )
        if settings.idle_timeout_s and now - errand.moved_at > settings.idle_timeout_s:
            raise TransferError(f"nothing moved for {settings.idle_timeout_s:g} s", subject=self.subject, repeat=True)


def _told(error: OSError) -> str:
    return f"{type(error).__name__}: {error.strerror or error}"
