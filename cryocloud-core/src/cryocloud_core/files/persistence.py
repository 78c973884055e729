"""Trying again: which failures, how often, after which wait; pure but for the waits and the log.

Laws: only an error that says a repeat can help is repeated; a try that got further counts as a new beginning, so that
a bad line brings a big file in the end; every repeat is told, with its reason, in the log and to who shows progress;
every wait, also one the other side asks for, is bounded, and so is the whole.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from attrs import define

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.files.moving import Moving, Step
from cryocloud_core.files.terms import Terms
from cryocloud_core.sdk.url import Url

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: how often one file may turn out to be another before we stop running after it
CHANGES = 5
#: a try that brought so many bytes, or this part of the file, was worth it
PROGRESS_BYTES = 1024 * 1024
PROGRESS_PARTS = 100


@define(eq=False)
class Persistence:
    """Tries one thing until it works or no repeat can help. Made anew for each thing."""

    terms: Terms
    #: the moment, by the clock, after which nothing is begun
    until: float
    #: what is tried to reach
    url: Url
    _failures: int = 0
    _changes: int = 0
    _best: int = 0

    def on(self, attempt: Callable[[], T], gained: Callable[[], int] = lambda: 0) -> T:
        """Return what an attempt returns; `gained` is how many bytes are here. Raises the last error."""
        self._best = gained()
        while True:
            self.terms.check()
            try:
                result = attempt()
            except RemoteFileMissing:
                raise
            except TransferError as error:
                self.terms.check()
                self._count(error, gained())
                self._wait(error)
            else:
                if self._failures:
                    self._tell("")
                return result

    def _count(self, error: TransferError, gained: int) -> None:
        """Count a failure. Raises the error when it was one too many."""
        if isinstance(error, RemoteFileChanged):
            self._changes += 1
            if self._changes > CHANGES:
                error.remedy = error.remedy or "it changes all the time; wait until its writer is done"
                raise error
            self._failures = max(self._failures, 1)
            return
        if not error.repeat:
            raise error
        if gained - self._best >= max(PROGRESS_BYTES, gained // PROGRESS_PARTS):
            self._failures = 0
        self._best = max(self._best, gained)
        self._failures += 1
        if self._failures > self.terms.settings.retries:
            raise error

    def _wait(self, error: TransferError) -> None:
        wait = self.wait_s(self._failures, error.after_s)
        if self.terms.clock.now() + wait >= self.until:
            raise error
        logger.info("%s; again in %.1f s", error, wait)
        self._tell(f"again in {wait:.1f} s: {error.message}")
        self.terms.pause(wait)
        self._tell(f"again: {error.message}")

    def _tell(self, why: str) -> None:
        self.terms.told(Moving(self.url, step=Step.AGAIN, why=why))

    def wait_s(self, failures: int, after_s: float | None) -> float:
        """Return how long to wait after so many failures in a row, the other side's wish heard."""
        settings, chance = self.terms.settings, self.terms.clock.chance()
        wait = settings.retry_wait_s * 2.0 ** min(failures - 1, 30) * (0.5 + chance / 2)
        if after_s is not None and after_s > wait:
            wait = after_s * (1 + chance / 10)
        return min(wait, settings.retry_wait_max_s)
