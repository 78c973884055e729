"""Tasks that are bound to machines: those whose machines have no worker now wait here, and hold nobody up.

Laws: a name that no worker has may be one that comes later, so such a task waits and is never an error; the scheduler
is asked again only when it says that there is room.
"""

from __future__ import annotations

from cryocloud_core.sdk.scheduler import Scheduler
from cryocloud_core.task import Task


class Places:
    """Which tasks wait for a machine to appear."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._absent: dict[str, Task] = {}

    def missing(self, task: Task) -> str:
        """Return why a task must wait for a machine, and remember it; empty when one of its machines is there."""
        if not task.machines or self._is_there(task):
            return ""
        self._absent[task.id] = task
        names = " or ".join(map(repr, task.machines))
        return f"no {task.kind} worker is on a machine named {names}"

    def appeared(self) -> list[str]:
        """Return the tasks of which a machine has appeared, and forget them."""
        found = [name for name, task in self._absent.items() if self._is_there(task)]
        for name in found:
            del self._absent[name]
        return found

    def forget(self, task: str) -> None:
        """A task waits no more."""
        self._absent.pop(task, None)

    def _is_there(self, task: Task) -> bool:
        return not set(task.machines).isdisjoint(self._scheduler.serving(task.kind, task.module))
