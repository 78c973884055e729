"""A head's status: the board, what is published on it, where it is kept, and whoever else has a say.

Laws: the board belongs to the loop: what threads measure, read or are asked for is handed over to it; nothing
here is needed for a run to be right, except that restrictions read the board.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryocloud_core.head.board import StatusBoard, StatusValue, channel_of
from cryocloud_core.head.counters import Counters
from cryocloud_core.head.foreign import Foreign
from cryocloud_core.head.machine import EXPIRES_S, FIRST_S, Machine, measure
from cryocloud_core.head.publishing import Publisher
from cryocloud_core.head.status_store import StatusStore
from cryocloud_core.head.telling import Telling
from cryocloud_core.head.veil import Veil
from cryocloud_core.sdk.scheduler import Scheduler

if TYPE_CHECKING:
    from cryocloud_core.head.metrics import MetricsServer

#: seconds between two looks at what is to be published
LOOK_S: Final = 0.5
#: how a run's state is called on its channel
_STATES: Final = {"starting": "Initializing"}


class Status:
    """The status of one head. `board` answers restrictions; `publisher` is told what tasks come to."""

    def __init__(
        self,
        directory: Path,
        machine: str,
        scheduler: Scheduler,
        counters: Counters,
        *,
        telling: Telling,
        veil: Veil,
    ) -> None:
        self.board = StatusBoard()
        self.publisher = Publisher(self.board, counters, scheduler)
        self._node = f"NodeController.{machine}"
        self._telling = telling
        self.veil = veil
        self._store = StatusStore(directory)
        self._store.on_orders = partial(self._from_thread, self._take)
        self._machine = Machine(partial(self._from_thread, self._measured))
        self._foreign = Foreign(directory, partial(self._from_thread, self._take))
        self._nameless: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._server: MetricsServer | None = None
        self._workflows: list[str] = []

    def begin(self, connection: sqlite3.Connection, runs: Mapping[str, int]) -> None:
        """Publish the workflows of `runs`, by their run's number, on top of what earlier runs came to."""
        for each in self._store.load():
            self.board.take(each)
        self.publisher.inherit(each.channel for each in self.board if each.parameter == "current_job")
        self._workflows = list(map(channel_of, runs))
        for workflow, run in runs.items():
            self.publisher.begin(workflow, totals(connection, workflow, run))

    def follow(self, channels: Iterable[str]) -> None:
        """Know these channels before this returns, and from then on: other runs' and this machine's.

        To be called once before the first task is handed out, by whoever is going to read them.
        """
        wanted = set(map(channel_of, channels))
        if self._node in wanted:
            self._measured(*measure(FIRST_S))
        for each in self._foreign.follow(wanted - {self._node}):
            self.board.take(each)

    def start(self, state: Callable[[], str]) -> None:
        """Begin to publish, once the scheduler runs; `state` tells the run's state."""
        self._loop = asyncio.get_running_loop()
        self._store.start()
        self._machine.start()
        self._task = self._loop.create_task(self._look_forever(state))
        self._task.add_done_callback(self._say_why)

    def said(self, worker: str, values: Mapping[str, Any]) -> None:
        """A module set status values."""
        if len(values) > 1 or "progress" not in values:
            self.publisher.said(worker, self.veil.data(dict(values)) if self.veil else values, time.time())

    def look(self, state: str, *, complete: bool | None = None) -> None:
        """Publish what changed since the last look; `complete` tells how the run ended, once it has."""
        now = time.time()
        self.board.expire(now)
        self.publisher.look(now, _STATES.get(state, "Running"), complete=complete)
        changes = self.board.changes()
        if changes:
            self._store.put(changes)

    async def serve(self, port: int | None) -> None:
        """Serve metrics on a port, if one is asked for. Raises StartError."""
        if port is None:
            return
        from cryocloud_core.head.metrics import MetricsServer

        self._server = MetricsServer(self.board, self._workflows, port)
        await self._server.start()
        self._telling.log("INFO", f"metrics are served at {self._server.url}")

    async def close(self, *, complete: bool) -> None:
        """Publish the end; to be called on the loop, then `stop` from any thread."""
        if self._task is not None:
            self._task.cancel()
        if self._server is not None:
            await self._server.stop()
        self._machine.stop()
        self.board.put(self._node, "state", "Stopped", time.time())
        self.look("stopped", complete=complete)

    def stop(self) -> None:
        """Write what waits and close the files."""
        self._foreign.stop()
        self._store.stop()

    async def _look_forever(self, state: Callable[[], str]) -> None:
        while True:
            self.look(state())
            await asyncio.sleep(LOOK_S)

    def _say_why(self, task: asyncio.Task[None]) -> None:
        """A fault of ours ends the publishing, not the run; it is told."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            text = "".join(traceback.format_exception(error)).rstrip()
            self._telling.log("ERROR", f"the status is published no more: {text}")

    # --- from other threads ---------------------------------------------------------------------------

    def _from_thread(self, take: Callable[..., None], *told: Any) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: the run is over
                self._loop.call_soon_threadsafe(take, *told)

    def _take(self, values: list[StatusValue]) -> None:
        for each in values:
            self.board.take(each)

    def _measured(self, figures: Mapping[str, Any], nameless: Iterable[str]) -> None:
        now = time.time()
        self.board.put(self._node, "state", "Running", now)
        for parameter, value in figures.items():
            self.board.put(self._node, parameter, value, now, now + EXPIRES_S)
        for mount in set(nameless) - self._nameless:
            self._nameless.add(mount)
            self._telling.log("WARNING", f"the disk at {mount} has no status: another one has the same last part")


def totals(connection: sqlite3.Connection, workflow: str, run: int) -> dict[str, tuple[int, int]]:
    """Return completed and failed of every node over all runs of a workflow but this one."""
    rows = connection.execute(
        "SELECT node, sum(completed), sum(failed) FROM counters JOIN runs USING (run)"
        " WHERE workflow = ? AND run <> ? GROUP BY node",
        (workflow, run),
    )
    return {node: (completed, failed) for node, completed, failed in rows}
