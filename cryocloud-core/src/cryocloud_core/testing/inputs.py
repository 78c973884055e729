"""What an input module is given, for tests: the real meaning of keys, commits, restarts and crashes, in memory.

Laws: an arrival is known by its key only once it is committed; a crash forgets everything else; a key that
is known, or on its way, never makes a second pebble.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from attrs import frozen

from cryocloud_core.errors import StateError
from cryocloud_core.testing.worker import RecordingLog

#: Keys that `onAdd` does not take over: they belonged to callers of the original system.
NOT_TAKEN_OVER = ("caller", "_order")


@frozen
class Arrival:
    """One pebble that an input made: its id, values, key and memo."""

    pebble: int
    info: dict[str, Any]
    key: str | None = None
    memo: Any = None


class RecordingHandler:
    """An InputHandler that records arrivals and commits them at once, or when `release` says so.

    `arrivals` holds the new pebbles in order, `repeats` the keys that were reported again and dropped,
    `waited_for` the pebbles whose commit the input waited for. Safe in threads.
    """

    def __init__(self, name: str = "In", *, once: bool = False) -> None:
        self.name = name
        self.once = once
        self.records = RecordingLog()
        self.log = self.records.logger(f"input {name}")
        self.arrivals: list[Arrival] = []
        self.repeats: list[str] = []
        self.waited_for: list[int] = []
        self._changed = threading.Condition()
        self._ids = itertools.count(1)
        self._held = False
        self._stopped = ""
        self._committed: set[int] = set()
        self._by_key: dict[str, Arrival] = {}

    def onAdd(self, info: Mapping[str, Any], key: str | None = None, memo: Any = None) -> int:  # noqa: N802
        """Make a pebble, or return the id of the one this key made before. TypeError: not JSON data."""
        taken = {name: value for name, value in _json(info, "info").items() if name not in NOT_TAKEN_OVER}
        with self._changed:
            if key is not None and key in self._by_key:
                self.repeats.append(key)
                return self._by_key[key].pebble
            arrival = Arrival(next(self._ids), taken, key, _json(memo, "memo"))
            self.arrivals.append(arrival)
            if key is not None:
                self._by_key[key] = arrival
            if not self._held:
                self._committed.add(arrival.pebble)
            self._changed.notify_all()
            return arrival.pebble

    def accepted(self, pebble: int) -> None:
        """Return when the pebble is committed. Raises StateError when it never will be."""
        with self._changed:
            self.waited_for.append(pebble)
            if pebble not in self._committed and all(each.pebble != pebble for each in self.arrivals):
                raise StateError(f"no pebble {pebble} was made here")
            self._changed.wait_for(lambda: pebble in self._committed or self._stopped)
            if pebble not in self._committed:
                raise StateError(self._stopped, subject=f"pebble {pebble}")

    async def add(self, info: Mapping[str, Any], key: str | None = None, memo: Any = None) -> int:
        """Make a pebble, wait for its commit, return its id."""
        pebble = self.onAdd(info, key, memo)
        await asyncio.to_thread(self.accepted, pebble)
        return pebble

    def known(self) -> Mapping[str, Any]:
        """Return the memos of committed keys, as data of their own."""
        with self._changed:
            found = {key: each.memo for key, each in self._by_key.items() if each.pebble in self._committed}
            copied: dict[str, Any] = _json(found, "memo")
            return copied

    def forget(self, keys: Iterable[str]) -> None:
        """Drop keys; the next arrival under one of them is new."""
        with self._changed:
            for key in keys:
                self._by_key.pop(key, None)

    def is_ours(self, path: str) -> bool:
        """Return True for `.cc-*` and for a directory that an archive was unpacked into."""
        name = os.path.basename(os.path.normpath(path))  # noqa: PTH119 -- a path may hold any bytes
        return name.startswith((".cc-", ".cc_")) or os.path.exists(os.path.join(path, ".cc_unpacked"))  # noqa: PTH110, PTH118

    def hold(self) -> None:
        """Keep arrivals uncommitted until `release`."""
        with self._changed:
            self._held = True

    def release(self) -> None:
        """Commit what was held and, from now on, every arrival at once."""
        with self._changed:
            self._held = False
            self._committed.update(each.pebble for each in self.arrivals)
            self._changed.notify_all()

    def fail(self, why: str = "the disk is full") -> None:
        """Let every wait for an uncommitted pebble end in StateError."""
        with self._changed:
            self._held, self._stopped = True, why
            self._changed.notify_all()

    def restarted(self) -> RecordingHandler:
        """Return what the next start of the head gives this input: it knows what was committed, and nothing else."""
        fresh = RecordingHandler(self.name, once=self.once)
        with self._changed:
            for key, each in self._by_key.items():
                if each.pebble in self._committed:
                    fresh._by_key[key] = each
                    fresh._committed.add(each.pebble)
            fresh._ids = itertools.count(len(self.arrivals) + 1)
        return fresh

    def wait_for(self, count: int, timeout_s: float = 10.0) -> list[Arrival]:
        """Return the first `count` arrivals, once there are that many. Raises AssertionError when time is over."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.arrivals) >= count, timeout_s):
                raise AssertionError(
                    f"{len(self.arrivals)} of {count} arrivals within {timeout_s:g} s: {self.arrivals}"
                )
            return self.arrivals[:count]


class RunningInput:
    """An input's `start` in a thread of its own, as the head runs it."""

    def __init__(self, module: Any, handler: RecordingHandler, args: Mapping[str, Any]) -> None:
        self.handler = handler
        self.stop_event = threading.Event()
        self.error: BaseException | None = None
        given = {**_json(args, "args"), "__name__": handler.name}
        self._thread = threading.Thread(target=self._run, args=(module.start, given), daemon=True, name=handler.name)
        self._thread.start()

    @property
    def has_returned(self) -> bool:
        """Whether `start` returned or raised."""
        return not self._thread.is_alive()

    def join(self, timeout_s: float = 10.0) -> None:
        """Wait until `start` returned. Raises what it raised, AssertionError when time is over."""
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise AssertionError(f"start of input {self.handler.name!r} had not returned after {timeout_s:g} s")
        if self.error is not None:
            raise self.error

    def stop(self, timeout_s: float = 10.0) -> float:
        """Set the stop event, wait until `start` returned, return how many seconds that took."""
        began = time.monotonic()
        self.stop_event.set()
        self.join(timeout_s)
        return time.monotonic() - began

    def _run(self, start: Callable[..., Any], args: dict[str, Any]) -> None:
        try:
            start(self.handler, args, self.stop_event)
        except BaseException as error:  # noqa: BLE001 -- handed to whoever joins
            self.error = error


@contextmanager
def running(module: Any, handler: RecordingHandler, args: Mapping[str, Any] | None = None) -> Iterator[RunningInput]:
    """Run an input for the length of the block; stop it at the end and raise what it raised."""
    started = RunningInput(module, handler, args or {})
    try:
        yield started
    finally:
        started.stop_event.set()
    started.join()


def _json(value: Any, what: str) -> Any:
    """Return a copy as JSON data makes it. Raises TypeError or ValueError naming what was no JSON data."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what} must be JSON data: {error}") from error
