"""The status board: channel and parameter to value, as restrictions, people and machines read it.

Laws: pure, one thread's own; time comes in; a value that is put again unchanged changes nothing; a live channel
is asked each time, so that what is judged at a hand-out is never a moment old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen

#: a live channel's answer for a parameter it does not have
UNKNOWN: Any = object()


@frozen
class StatusValue:
    """One parameter of one channel: JSON data, since when it has that value, when it is forgotten (None: never)."""

    channel: str
    parameter: str
    value: Any
    at: float
    expires_at: float | None = None


def channel_of(workflow: str) -> str:
    """Return the name of a workflow's channel; spaces become underscores."""
    return workflow.replace(" ", "_")


class StatusBoard:
    """Every status value that this head knows, its own and others'."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], StatusValue] = {}
        self._live: dict[str, Callable[[str], Any]] = {}
        self._changed: dict[tuple[str, str], StatusValue] = {}
        self._mortal: set[tuple[str, str]] = set()

    def value(self, channel: str, parameter: str) -> Any:
        """Return the value now, None for one that is unknown or has expired."""
        channel = channel_of(channel)
        live = self._live.get(channel)
        found = UNKNOWN if live is None else live(parameter)
        if found is not UNKNOWN:
            return found
        put = self._values.get((channel, parameter))
        return None if put is None else put.value

    def known(self, channel: str, parameter: str) -> bool:
        """Return True for a parameter that was ever heard of, also while its value is None."""
        channel = channel_of(channel)
        live = self._live.get(channel)
        return (channel, parameter) in self._values or (live is not None and live(parameter) is not UNKNOWN)

    def live(self, channel: str, read: Callable[[str], Any]) -> None:
        """Ask `read` for the parameters of a channel; it returns UNKNOWN for one it does not have."""
        self._live[channel_of(channel)] = read

    def put(self, channel: str, parameter: str, value: Any, at: float, expires_at: float | None = None) -> None:
        """Set a value."""
        key = (channel, parameter)
        before = self._values.get(key)
        since = at
        if before is not None and before.value == value and type(before.value) is type(value):
            if _lives_on(before.expires_at, expires_at, at):
                return
            since = before.at
        self._changed[key] = self._keep(StatusValue(channel, parameter, value, since, expires_at))

    def take(self, given: StatusValue) -> None:
        """Set a value that is stored already; it does not count as a change."""
        self._keep(given)
        self._changed.pop((given.channel, given.parameter), None)

    def expire(self, now: float) -> None:
        """Forget the values whose time is over: they stay known, as None."""
        for key in list(self._mortal):
            put = self._values[key]
            if put.expires_at is None:
                self._mortal.discard(key)
            elif put.expires_at <= now:
                self._mortal.discard(key)
                self.put(*key, None, now)

    def changes(self) -> list[StatusValue]:
        """Return what changed since the last call, each parameter's last value."""
        changed, self._changed = list(self._changed.values()), {}
        return changed

    def channel(self, name: str) -> dict[str, Any]:
        """Return the put values of a channel by parameter."""
        return {key[1]: put.value for key, put in self._values.items() if key[0] == name}

    def _keep(self, given: StatusValue) -> StatusValue:
        key = (given.channel, given.parameter)
        self._values[key] = given
        if given.expires_at is not None:
            self._mortal.add(key)
        return given

    def __iter__(self) -> Iterator[StatusValue]:
        """Yield every put value."""
        return iter(list(self._values.values()))


def _lives_on(before: float | None, expires_at: float | None, now: float) -> bool:
    """Return True when a value put again needs no new time of expiry: it has none, or half of its time is left."""
    if before is None or expires_at is None:
        return before == expires_at
    return expires_at - before < (expires_at - now) / 2
