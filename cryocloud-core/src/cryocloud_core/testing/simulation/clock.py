"""The virtual clock of a simulation: events that will reach the head, and what changes in the world around it.

Laws: time only goes forward; things happen in the order of their times, and of equal times in that in which they were
announced; events and alarms of a head die with it, what the world does goes on.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

from attrs import define, field

from cryocloud_core.engine.events import Event


@define(eq=False)
class Alarm:
    """What is called later, unless it is cancelled."""

    call: Callable[[], None] | None
    #: it outlives the head
    is_lasting: bool = False

    def cancel(self) -> None:
        """Call nothing."""
        self.call = None

    def ring(self) -> None:
        """Call it."""
        if self.call is not None:
            self.call()


@define(eq=False)
class Clock:
    """The time, in seconds, and what is to come."""

    chance: random.Random
    at: float = 0.0
    _count: int = 0
    _events: list[tuple[float, int, tuple[Event, ...]]] = field(factory=list)
    _alarms: list[tuple[float, int, Alarm]] = field(factory=list)

    def later(self, *events: Event, wait: float = 0.0) -> None:
        """Let events arrive later, together."""
        self._count += 1
        heapq.heappush(self._events, (self.at + wait, self._count, events))

    def alarm(self, wait_s: float, call: Callable[[], None]) -> Alarm:
        """Call something later in the life of this head."""
        return self._set(wait_s, Alarm(call))

    def happens(self, mean_s: float, call: Callable[[], None]) -> None:
        """Let something of the world happen later, whoever is head by then."""
        self._set(self.chance.expovariate(1 / mean_s), Alarm(call, is_lasting=True))

    def restart(self) -> None:
        """The head is gone, and with it all that it waits for."""
        self._events = []
        self._alarms = [each for each in self._alarms if each[2].is_lasting]
        heapq.heapify(self._alarms)

    @property
    def has_events(self) -> bool:
        """True when something will reach the head."""
        return bool(self._events)

    def due(self) -> tuple[Event, ...]:
        """Return the next events; none when something else happens before them."""
        if not self._events or self._alarms[0][:2] < self._events[0][:2]:
            return ()
        at, _, events = heapq.heappop(self._events)
        self.at = max(self.at, at)
        return events

    def go_on(self) -> None:
        """Let the next thing happen that is no event."""
        at, _, alarm = heapq.heappop(self._alarms)
        self.at = max(self.at, at)
        alarm.ring()

    def _set(self, wait_s: float, alarm: Alarm) -> Alarm:
        self._count += 1
        heapq.heappush(self._alarms, (self.at + wait_s, self._count, alarm))
        return alarm
