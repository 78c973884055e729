"""The contract of schedulers: where tasks run, and the ear they report to.

Laws: a task that was taken ends in exactly one `ended`; a scheduler never runs a task it was not offered
and never runs two copies of one; time limits, worker loss and the end of whole process groups are its
business; every method and every report is called on the head's event loop.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from attrs import field, frozen

from cryocloud_core.sdk.observed import LogRecord
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.task import Outcome, Stats, Task


@frozen
class Capabilities:
    """What a scheduler can do."""

    #: places tasks on machines other than the head's
    many_machines: bool = False
    #: tells tasks to stop while they run
    cancels: bool = True
    #: keeps short tasks queued at a worker so that none waits for the next message
    prefetches: bool = False


@frozen
class SchedulerSettings:
    """What the user asked for. Counts are workers; None: the machine's own number (CPUs, 5, no GPU).

    `head_workers` run the tasks of kind `head`, on the head's own machine; they are started when one is wanted.
    """

    state_dir: Path
    machine: str
    workers: int | None = None
    admin_workers: int | None = None
    gpus: int | None = None
    head_workers: int = 2
    cancel_grace_s: float = 10.0
    log_level: str = "INFO"
    #: configuration below `CryoCloud.Worker`
    worker_config: Mapping[str, Any] = field(factory=dict)
    #: who serves which URL scheme
    routes: Routes = field(factory=Routes)
    address: str | None = None


@frozen
class WorkerInfo:
    """One worker process: `state` is `starting idle busy stopping`; `task` what it is in, `queued` what waits at it."""

    name: str
    machine: str
    kind: str
    state: str
    pid: int = 0
    task: str = ""
    queued: int = 0


class Reports(Protocol):
    """The head's ear."""

    def began(self, task: str, worker: str, machine: str, at: float) -> None:
        """A worker began the task (or took it out of its queue)."""
        ...

    def ended(self, task: str, outcome: Outcome, stats: Stats | None) -> None:
        """The task is over; said exactly once for every task taken."""
        ...

    def status(self, task: str, worker: str, values: Mapping[str, Any]) -> None:
        """Status parameters changed; `progress` (0 to 100) is one of them. `task` may be empty."""
        ...

    def logged(self, record: LogRecord) -> None:
        """A log line, or a line of captured output, of a task or a worker."""
        ...

    def room(self) -> None:
        """There may be room for tasks that were not taken before."""
        ...


class Scheduler(ABC):
    """A place where tasks run."""

    capabilities: ClassVar[Capabilities]

    @abstractmethod
    async def start(self, reports: Reports, settings: SchedulerSettings) -> None:
        """Kill what an earlier head left alive, then be ready to take tasks. Raises StartError."""

    @abstractmethod
    def offer(self, task: Task) -> bool:
        """Take the task now and return True, or return False and change nothing."""

    @abstractmethod
    def recall(self, task: str) -> bool:
        """Give back a task that no worker has begun; True when it will neither run nor be reported."""

    @abstractmethod
    def cancel(self, task: str, why: str) -> None:
        """End a task that was taken: tell it, wait the grace, then kill its process group; `ended` says how it went."""

    @abstractmethod
    def workers(self) -> list[WorkerInfo]:
        """Return every worker, in the order of their names."""

    @abstractmethod
    def unserved(self, kind: str) -> str:
        """Return why no worker will ever take tasks of this kind (`no GPU worker`), empty when one will."""

    def serving(self, kind: str, module: str) -> tuple[str, ...]:  # noqa: ARG002 - for schedulers that know more
        """Return the machines with a worker that takes tasks of this kind and has this module, by name.

        A machine where such a worker would be started on demand counts. When one appears, `room` is to be reported.
        """
        return tuple(sorted({worker.machine for worker in self.workers() if worker.kind == kind}))

    def lacking(self, task: Task) -> str:  # noqa: ARG002 - for schedulers whose workers decline modules
        """Return why no worker that is there takes the task's module now; empty when one does, or when there is none.

        `no normal worker offers module 'wind': declined by …`: the task waits and holds nobody up. When that is over,
        `room` is to be reported.
        """
        return ""

    @abstractmethod
    async def stop(self, grace_s: float) -> None:
        """Wait up to `grace_s` for running tasks to end by themselves, then kill; nothing is alive afterwards.

        Tasks killed here are not reported: they stay owed.
        """
