"""The door through which inputs make pebbles: `InputHandler` as the head implements it.

Laws: an arrival counts once it is durable, and `accepted` returns only then; two arrivals with one key are
one; no more than `WINDOW` arrivals of an input wait for their commit; memory does not grow with keys: they
are looked up in the journal.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from logging import Logger
from pathlib import Path
from typing import Any

from attrs import frozen

from cryocloud_core.errors import StateError
from cryocloud_core.head.batch import Arrival, Batch, stored_key
from cryocloud_core.head.database import open_reader
from cryocloud_core.head.settings import IsOurs

#: arrivals of one input that may wait for their commit
WINDOW = 1_000
#: seconds between looks at whether the head is still there
_LOOK_S = 0.5

_FIND = "SELECT pebble FROM arrivals WHERE workflow = ? AND input = ? AND run = ? AND key = ?"
_KNOWN = "SELECT key, memo FROM arrivals WHERE workflow = ? AND input = ? AND run = 0"
_FORGET = "DELETE FROM arrivals WHERE workflow = ? AND input = ? AND run = 0 AND key = ?"


@frozen(eq=False)
class Door:
    """What the handlers of all inputs share: where arrivals go, the next pebble's id, the journal to look into."""

    put: Callable[[Arrival | Callable[[Batch], None]], None]
    ids: Iterator[int]
    journal: Path
    is_ours: IsOurs


class Handler:
    """The handler of one input; see `cryocloud_core.sdk.inputs.InputHandler`."""

    def __init__(
        self, door: Door, workflow: str, name: str, run: int, *, once: bool, log: Logger, counted: tuple[int, int]
    ) -> None:
        """Make a handler; `counted` is the number of the first arrival without a key, and of the first unknown one."""
        self.name = name
        self.once = once
        self.log = log
        #: how many arrivals this start of the input made
        self.added = 0
        self._door = door
        self._workflow = workflow
        self._run = run
        self._ordinal, self._unknown = counted
        self._lock = threading.Lock()
        self._window = threading.BoundedSemaphore(WINDOW)
        self._reader = open_reader(door.journal)
        self._waiting: dict[int, tuple[int, str]] = {}
        self._by_key: dict[tuple[int, str], int] = {}
        self._calls: dict[int, list[Callable[[], None]]] = {}
        self._broken: StateError | None = None

    # --- for the input, on any thread -----------------------------------------------------------------

    def onAdd(self, info: Mapping[str, Any], key: str | None = None, memo: Any = None) -> int:  # noqa: N802
        """Make a pebble and return its id at once. Raises TypeError for what is no JSON data, StateError."""
        values = _as_json(info, "info")
        while not self._window.acquire(timeout=_LOOK_S):
            self._check()
        return self._add(values, key, memo)

    def accepted(self, pebble: int) -> None:
        """Return when the arrival is on disk. Raises StateError."""
        durable = threading.Event()
        if self._call_when_durable(pebble, durable.set):
            while not durable.wait(_LOOK_S):
                self._check()
            self._check()

    async def add(self, info: Mapping[str, Any], key: str | None = None, memo: Any = None) -> int:
        """Make a pebble, wait for its commit, return its id. Raises TypeError, StateError."""
        values = _as_json(info, "info")
        if not self._window.acquire(blocking=False):
            while not await asyncio.to_thread(self._window.acquire, timeout=_LOOK_S):
                self._check()
        pebble = self._add(values, key, memo)
        loop = asyncio.get_running_loop()
        durable = asyncio.Event()
        if self._call_when_durable(pebble, partial(_set_on, loop, durable)):
            await durable.wait()
            self._check()
        return pebble

    def known(self) -> Mapping[str, Any]:
        """Return the memo of every key that was accepted and not forgotten."""
        with self._lock:
            rows = self._reader.execute(_KNOWN, (self._workflow, self.name)).fetchall()
        return {json.loads(f'"{key}"'): None if memo is None else json.loads(memo) for key, memo in rows}

    def forget(self, keys: Iterable[str]) -> None:
        """Drop keys that can never arrive again."""
        gone = [stored_key(key) for key in keys]

        def rows(batch: Batch) -> None:
            for key in gone:
                batch.also(_FORGET, self._workflow, self.name, key)

        self._door.put(rows)

    def is_ours(self, path: str) -> bool:
        """Return True for what CryoCloud itself wrote."""
        return self._door.is_ours(path)

    # --- for the head, on the loop --------------------------------------------------------------------

    def durable(self, pebble: int) -> None:
        """A pebble's arrival is on disk."""
        with self._lock:
            key = self._waiting.pop(pebble, None)
            if key is None:
                return
            del self._by_key[key]
            calls = self._calls.pop(pebble, ())
        self._window.release()
        for call in calls:
            call()

    def broken(self, error: StateError) -> None:
        """Nothing more can be accepted: whoever waits is told why."""
        self._broken = error
        with self._lock:
            calls = [call for waiting in self._calls.values() for call in waiting]
            self._calls.clear()
        for call in calls:
            call()

    def close(self) -> None:
        """Close the handler's view of the journal."""
        with self._lock:
            self._reader.close()

    # --- inside ---------------------------------------------------------------------------------------

    def _add(self, values: dict[str, Any], key: str | None, memo: Any) -> int:
        """Send an arrival off, unless its key is known. The caller holds a place in the window."""
        kept = None if memo is None else json.dumps(memo)
        try:
            with self._lock:
                self._check()
                pair = self._pair(key)
                known = self._by_key.get(pair) or self._stored(pair, counted=key is None)
                if known:
                    self._window.release()
                    return known
                pebble = next(self._door.ids)
                self._waiting[pebble] = pair
                self._by_key[pair] = pebble
                self.added += 1
        except (StateError, sqlite3.Error):
            self._window.release()
            raise
        self._door.put(Arrival(pebble, self._workflow, self.name, self._run, pair[1], pair[0], kept, values))
        return pebble

    def _pair(self, key: str | None) -> tuple[int, str]:
        """Return what makes an arrival one of a kind: the input's key, or the run and a number."""
        if key is not None:
            return 0, key
        self._ordinal += 1
        return self._run, str(self._ordinal - 1)

    def _stored(self, pair: tuple[int, str], *, counted: bool) -> int:
        """Return the pebble that came with this key before, 0 for none."""
        if counted and int(pair[1]) >= self._unknown:
            return 0
        run, key = pair
        row = self._reader.execute(_FIND, (self._workflow, self.name, run, stored_key(key))).fetchone()
        return 0 if row is None else int(row[0])

    def _call_when_durable(self, pebble: int, call: Callable[[], None]) -> bool:
        """Call when a pebble's arrival is on disk; False when it is already."""
        with self._lock:
            if pebble not in self._waiting:
                return False
            self._check()
            self._calls.setdefault(pebble, []).append(call)
            return True

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken


def _set_on(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    loop.call_soon_threadsafe(event.set)


def _as_json(info: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return a copy as plain JSON data, without `caller` and `_order`. Raises TypeError naming the key."""
    values = {}
    for key, value in info.items():
        if not isinstance(key, str):
            raise TypeError(f"{what}: keys must be text, got {key!r}")
        if key not in ("caller", "_order"):
            try:
                values[key] = json.loads(json.dumps(value, allow_nan=False))
            except (TypeError, ValueError) as error:
                raise TypeError(f"{what}[{key!r}] is no JSON data: {error}") from error
    return values
