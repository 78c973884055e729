"""The last touch on a task before it is offered: what the journal does not say, because it is this start's.

Laws: the task that waits stays as the engine made it; what is added here is found anew by every start.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from cryocloud_core.head.blobs import Blobs
from cryocloud_core.head.ledger import Ledger, attempt_seen
from cryocloud_core.head.settings import RunSettings
from cryocloud_core.task import Task


class Dispatch:
    """Gives tasks their big values, the attempt a module sees, and the run's limits."""

    def __init__(self, blobs: Blobs, ledger: Ledger, settings: RunSettings, start: int) -> None:
        self._blobs = blobs
        self._ledger = ledger
        self._start = start
        self._timeout_s = settings.max_task_time_s
        self._machines = () if settings.node is None else (settings.node,)
        self._log_level = settings.log_level

    def ready(self, task: Task) -> Task:
        """Return the task as a worker will see it. Raises ResolutionError when its arguments are too large."""
        changes: dict[str, Any] = {}
        held = self._ledger.get(task.pebble)
        if held is not None and held.earlier is not None:
            changes["attempt"] = attempt_seen(task, held, self._start)
        if self._timeout_s is not None and task.timeout_s is None:
            changes["timeout_s"] = self._timeout_s
        if self._machines and not task.machines:
            changes["machines"] = self._machines
        if self._log_level != task.log_level:
            changes["log_level"] = self._log_level
        return self._blobs.put_back(evolve(task, **changes) if changes else task)
