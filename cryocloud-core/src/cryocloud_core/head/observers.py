"""Telling plugins what happened: in order, in batches, on a thread of their own.

Laws: an observer never holds the run up: its queue is bounded and what does not fit is counted and said;
one that raises `PATIENCE` times in a row is logged and switched off.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, Final

from attrs import define

HOOKS: Final = ("run_started", "run_stopped", "pebble_arrived", "task_ended", "pebble_finished")
#: how many records may wait for slow observers
QUEUE = 10_000
#: errors in a row before an observer is switched off
PATIENCE = 3


@define(eq=False)
class _Observer:
    """One plugin's implementation of one hook."""

    plugin: str
    call: Callable[..., Any]
    argument: str | None
    errors: int = 0


class Observers:
    """The plugins that listen to a run."""

    def __init__(self, hooks: Any, log: logging.Logger) -> None:
        self._log = log
        self._by_hook = {hook: found for hook in HOOKS if (found := _implementations(hooks, hook))}
        self._queue: queue.Queue[tuple[str, Any] | None] = queue.Queue(QUEUE)
        self._dropped = 0
        self._thread: threading.Thread | None = None

    def wants(self, hook: str) -> bool:
        """Return True when somebody listens to this hook."""
        return hook in self._by_hook

    def start(self) -> None:
        """Start the thread, if anybody listens at all."""
        if self._by_hook:
            self._thread = threading.Thread(target=self._run, name="observers", daemon=True)
            self._thread.start()

    def tell(self, hook: str, record: Any) -> None:
        """Hand a record over; to be called by one thread."""
        if hook not in self._by_hook:
            return
        try:
            self._queue.put_nowait((hook, record))
        except queue.Full:
            self._dropped += 1
            if self._dropped == 1:
                self._log.warning("observers are too slow: records are left out for them")

    def stop(self, wait_s: float = 5.0) -> None:
        """Deliver what waits, but not for longer than `wait_s`."""
        if self._thread is None:
            return
        try:
            self._queue.put(None, timeout=wait_s)
        except queue.Full:
            return
        self._thread.join(wait_s)
        if self._dropped:
            self._log.warning("observers were too slow: %d records were left out for them", self._dropped)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            hook, record = item
            for observer in list(self._by_hook[hook]):
                self._call(hook, observer, record)

    def _call(self, hook: str, observer: _Observer, record: Any) -> None:
        try:
            if observer.argument is None:
                observer.call()
            else:
                observer.call(**{observer.argument: record})
        except Exception:  # noqa: BLE001 - whatever a plugin raises must not stop the others
            observer.errors += 1
            self._log.exception("observer %s of plugin %r raised", hook, observer.plugin)
            if observer.errors >= PATIENCE:
                self._by_hook[hook].remove(observer)
                self._log.error("observer %s of plugin %r is switched off: it keeps raising", hook, observer.plugin)
        else:
            observer.errors = 0


def _implementations(hooks: Any, hook: str) -> list[_Observer]:
    """Return what plugins implement of a hook, in calling order."""
    caller = getattr(hooks, hook, None)
    if caller is None:
        return []
    return [
        _Observer(found.plugin_name, found.function, found.argnames[0] if found.argnames else None)
        for found in reversed(caller.get_hookimpls())
    ]
