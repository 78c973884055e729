"""Tasks that nobody there may take: bound to machines that are absent, or of a module that no worker offers now.

Laws: a name that no worker has may be one that comes later, so such a task waits, holds nobody up, and is never an
error; the scheduler is asked again only when it says that there is room, once for all tasks that are alike.
"""

from __future__ import annotations

from attrs import define, field

from cryocloud_core.sdk.scheduler import Scheduler
from cryocloud_core.task import Code, Task

_Key = tuple[str, Code, tuple[str, ...]]


@define(eq=False)
class Places:
    """Which tasks wait for a worker that may take them."""

    _scheduler: Scheduler
    _absent: dict[_Key, dict[str, Task]] = field(factory=dict)
    _key_of: dict[str, _Key] = field(factory=dict)

    def missing(self, task: Task) -> str:
        """Return why a task must wait for a worker that may take it, and remember it; empty when there is one."""
        self.forget(task.id)
        why = self._why(task)
        if why:
            key = (task.kind, task.code, task.machines)
            self._absent.setdefault(key, {})[task.id] = task
            self._key_of[task.id] = key
        return why

    def appeared(self, *, ending: bool = False) -> list[str]:
        """Return the tasks to offer again, and forget them: there is a worker for them by now.

        When the run is `ending` also those of a module that nobody offers: what arrives later cannot help them.
        """
        firsts = {key: next(iter(tasks.values())) for key, tasks in self._absent.items()}
        found = [key for key, task in firsts.items() if not self._why(task) or (ending and self.declined(task))]
        names = [name for key in found for name in self._absent.pop(key)]
        for name in names:
            del self._key_of[name]
        return names

    def forget(self, task: str) -> None:
        """A task waits no more."""
        key = self._key_of.pop(task, None)
        if key is not None:
            del self._absent[key][task]
            if not self._absent[key]:
                del self._absent[key]

    def declined(self, task: Task) -> bool:
        """Return True for a task of a module that the workers have declined."""
        return bool(self._scheduler.lacking(task))

    def _why(self, task: Task) -> str:
        if not task.machines:
            return self._scheduler.lacking(task)
        if not set(task.machines).isdisjoint(self._scheduler.serving(task.kind, task.module)):
            return self._scheduler.lacking(task)
        names = " or ".join(map(repr, task.machines))
        workers = self._scheduler.workers()
        if any(worker.kind == task.kind and worker.machine in task.machines for worker in workers):
            return f"no {task.kind} worker on a machine named {names} offers module {task.module!r}"
        return f"no {task.kind} worker is on a machine named {names}"
