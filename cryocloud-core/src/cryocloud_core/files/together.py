"""Bringing several files at a time for one task, as one: the first that fails ends the others.

Laws: results stand in the order they were asked for; the error told is the first that happened; nothing goes on in a
thread when the call is over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from attrs import define, field

T = TypeVar("T")
R = TypeVar("R")

#: files of one task that are under way at a time; limits for each host stand in the layer
WIDTH = 8


class AbandonedError(Exception):
    """Another file of the same task failed."""


@define(eq=False)
class Together:
    """`check` is what every thread asks often: it raises when the task is to stop, or another file has failed."""

    outer: Callable[[], None] = lambda: None
    width: int = WIDTH
    _failed: threading.Event = field(factory=threading.Event)

    def check(self) -> None:
        """Raise what the outer check raises, or AbandonedError."""
        if self._failed.is_set():
            raise AbandonedError
        self.outer()

    def each(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Return what `work` returns for every item, in order. Raises the first error that happened."""
        if len(items) < 2:
            return [work(item) for item in items]
        from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

        errors: list[BaseException] = []

        def guarded(item: T) -> R:
            if self._failed.is_set():
                raise AbandonedError
            try:
                return work(item)
            except BaseException as error:
                errors.append(error)
                self._failed.set()
                raise

        try:
            with ThreadPoolExecutor(min(self.width, len(items)), "cryocloud-files") as pool:
                futures = [pool.submit(guarded, item) for item in items]
                try:
                    wait(futures, return_when=FIRST_EXCEPTION)
                except BaseException:
                    self._failed.set()
                    raise
                finally:
                    for future in futures:
                        future.cancel()
        finally:
            self._failed.clear()
        if errors:
            raise errors[0]
        return [future.result() for future in futures]
