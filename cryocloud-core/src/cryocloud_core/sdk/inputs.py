"""The contract of input modules: `start(handler, args, stop_event)` and what the handler gives it.

Laws: `start` runs in a thread of its own on the head and may return at once or block until `stop_event`
is set; a pebble counts only once `accepted` says so; everything else an input may know of the system is
on this page.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from logging import Logger
from typing import Any, Protocol


class InputHandler(Protocol):
    """What an input module is given. Every method may be called from any thread."""

    #: the input node's name
    name: str
    #: `--once`: report what is there and complete, then return from `start`
    once: bool
    log: Logger

    def onAdd(self, info: Mapping[str, Any], key: str | None = None, memo: Any = None) -> int:  # noqa: N802
        """Make a pebble from `info` (output name -> JSON value) and return its id at once.

        `key` tells what makes two arrivals of this input the same; a second one is dropped and the first
        one's id returned. Without a key every call is a new arrival of this run. `memo` is JSON data kept
        with the key. Blocks only while too many arrivals wait for their commit. `caller` and `_order` in
        `info` are ignored.
        """
        ...

    def accepted(self, pebble: int) -> None:
        """Return when the pebble's arrival is on disk; from then on nothing loses it.

        Raises StateError if it cannot be.
        """
        ...

    async def add(self, info: Mapping[str, Any], key: str | None = None, memo: Any = None) -> int:
        """Do both: make a pebble, wait for its commit, return its id."""
        ...

    def known(self) -> Mapping[str, Any]:
        """Return the memo of every key this input has had accepted and not forgotten."""
        ...

    def forget(self, keys: Iterable[str]) -> None:
        """Drop keys that can never arrive again, so that memory does not grow."""
        ...

    def is_ours(self, path: str) -> bool:
        """Return True for what CryoCloud itself wrote beside its inputs: `.cc-*`, unpacked archives."""
        ...


class InputModule(Protocol):
    """A Python module that creates pebbles."""

    ccmodule: dict[str, Any]

    def start(self, handler: InputHandler, args: dict[str, Any], stop_event: threading.Event) -> None:
        """Create pebbles until there are no more or `stop_event` is set. `args` has `__name__`, the node's name."""
        ...
