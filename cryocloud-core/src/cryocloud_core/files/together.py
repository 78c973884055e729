"""Bringing several files at a time for one task, as one: the first that fails ends the others.

Laws: results stand in the order they were asked for; the error told is the first that happened, or of a list that is
told as a whole the first in its order, with how many others failed until all were given up, a moment later; nothing
goes on in a thread when the call is over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field

from cryocloud_core.errors import CryoCloudError, RemoteFileMissing

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")

#: files of one task that are under way at a time; limits for each host stand in the layer
WIDTH = 8
#: seconds for which a list that is told as a whole goes on after its first failure, so that others are known too
LINGER_S = 1.0
#: others that failed which are named
_NAMED = 3
#: seconds between two looks at whether a signal came that another thread took
_LOOK_S = 0.1


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

    def each(self, work: Callable[[T], R], items: Sequence[T], *, linger_s: float = 0.0) -> list[R]:
        """Return what `work` returns for every item, in order. Raises the first error that happened.

        With `linger_s` what is under way goes on so long after a failure, and as long as files are only missing what
        has not begun too; the error is then that of the first item that failed, and tells of the others.
        """
        if len(items) < 2:
            return [work(item) for item in items]
        from concurrent.futures import ThreadPoolExecutor

        errors: dict[int, BaseException] = {}

        def guarded(number: int) -> R:
            if self._failed.is_set() or not all(isinstance(each, RemoteFileMissing) for each in errors.copy().values()):
                raise AbandonedError
            try:
                return work(items[number])
            except BaseException as error:
                errors[number] = error
                if not linger_s or not isinstance(error, CryoCloudError):
                    self._failed.set()
                raise

        try:
            with ThreadPoolExecutor(min(self.width, len(items)), "cryocloud-files") as pool:
                futures = [pool.submit(guarded, number) for number in range(len(items))]
                try:
                    self._wait(futures, errors, linger_s)
                except BaseException:
                    self._failed.set()
                    raise
                finally:
                    if errors:
                        self._failed.set()
                    for future in futures:
                        future.cancel()
        finally:
            self._failed.clear()
        if errors:
            raise told_of(errors) if linger_s else next(iter(errors.values()))
        return [future.result() for future in futures]

    def _wait(self, futures: Sequence[Future[Any]], errors: Mapping[int, BaseException], linger_s: float) -> None:
        """Return when all are done, or so long after the first failure."""
        from concurrent.futures import wait

        for future in futures:  # to wait for all at a time, time and again, takes long where there are thousands
            while not errors and not future.done():
                wait([future], _LOOK_S)
        left = {future for future in futures if not future.done()}
        until = time.monotonic() + linger_s
        while left and not self._failed.is_set() and time.monotonic() < until:
            left = wait(left, _LOOK_S).not_done


def told_of(errors: Mapping[int, BaseException]) -> BaseException:
    """Return the error of the first of several items, by number, that tells of the others; first what is no failure."""
    failed = {number: error for number, error in sorted(errors.items()) if isinstance(error, CryoCloudError)}
    for error in errors.values():
        if not isinstance(error, CryoCloudError | AbandonedError):
            return error
    first, *rest = failed.values() or errors.values()
    # What is not about one file is the same for each of them.
    others = [each.subject for each in rest if isinstance(each, CryoCloudError) and not _are_alike(each, first)]
    if isinstance(first, CryoCloudError) and others:
        count = "1 other" if len(others) == 1 else f"{len(others)} others"
        more = ", …" if len(others) > _NAMED else ""
        first.message += f", and {count} failed: {', '.join(others[:_NAMED])}{more}"
    return first


def _are_alike(one: CryoCloudError, other: BaseException) -> bool:
    return isinstance(other, CryoCloudError) and (one.subject, one.message) == (other.subject, other.message)
