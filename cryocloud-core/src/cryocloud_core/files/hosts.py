"""Slots of a server: how many transfers with it this machine has under way, over all of its processes.

Laws: a slot is waited for by one at a time, the others stand in line behind, so nobody is passed for ever; whoever has
a slot never waits for another one or for a target; a slot of a dead process is free.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from attrs import define

from cryocloud_core.files.locks import FIRST_LOOK_S, LAST_LOOK_S, FileLock

#: seconds for which a slot is kept over many small files before others are let in
LEASE_S = 0.5


class Slots(Protocol):
    """What a transfer asks for its connections."""

    def held(self) -> contextlib.AbstractContextManager[None]:
        """Wait for a slot and hold it for a while."""
        ...

    def more(self, count: int) -> contextlib.AbstractContextManager[int]:
        """Hold up to so many further slots if they are free; gives how many."""
        ...


@define(eq=False)
class HostSlots:
    """The slots of one server: files `0` to `limit - 1` in a directory of the books."""

    folder: Path
    limit: int
    pause: Callable[[float], None]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Wait for a slot and hold it for a while."""
        slot = self.take()
        try:
            yield
        finally:
            slot.release()

    def take(self) -> FileLock:
        """Wait for a slot and return it, to be released."""
        wait = FIRST_LOOK_S
        with FileLock(self.folder / "line").held(self.pause):
            while True:
                taken = self._free(1)
                if taken:
                    return taken[0]
                self.pause(wait)
                wait = min(wait * 1.5, LAST_LOOK_S)

    @contextlib.contextmanager
    def more(self, count: int) -> Iterator[int]:
        """Hold up to so many further slots if they are free now and nobody stands in line; gives how many."""
        line, taken = FileLock(self.folder / "line"), []
        if count > 0 and line.take_now():
            try:
                taken = self._free(count)
            finally:
                line.release()
        try:
            yield len(taken)
        finally:
            for slot in taken:
                slot.release()

    def _free(self, count: int) -> list[FileLock]:
        taken: list[FileLock] = []
        for number in range(self.limit):
            slot = FileLock(self.folder / str(number))
            if slot.take_now():
                taken.append(slot)
                if len(taken) == count:
                    break
        return taken


@define(eq=False)
class Lease:
    """The slot of one thread that moves many small files: kept for a while, handed back when something fails."""

    slots: HostSlots
    now: Callable[[], float]
    _taken: FileLock | None = None
    _until: float = 0.0

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the slot, taken anew when it was kept long enough."""
        if self._taken is not None and self.now() >= self._until:
            self.release()
        if self._taken is None:
            self._taken = self.slots.take()
            self._until = self.now() + LEASE_S
        try:
            yield
        except BaseException:
            self.release()
            raise

    def more(self, count: int) -> contextlib.AbstractContextManager[int]:
        """Hold up to so many further slots if they are free; gives how many."""
        return self.slots.more(count)

    def release(self) -> None:
        """Hand the slot back."""
        if self._taken is not None:
            taken, self._taken = self._taken, None
            taken.release()
