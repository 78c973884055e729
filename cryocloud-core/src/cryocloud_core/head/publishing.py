"""What a head publishes of itself: the counters of nodes, how the run goes, what each worker is in.

Laws: what is told per task costs one look into a table; everything else is made from counters twice a second, in
O(nodes + workers); no number is negative; a reader of the board gets a node's counters as they are now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import define

from cryocloud_core.head.board import UNKNOWN, StatusBoard, channel_of
from cryocloud_core.head.counters import Active, Counters, NodeCounter
from cryocloud_core.sdk.scheduler import Scheduler, WorkerInfo
from cryocloud_core.task import Cancelled, Declined, Outcome, Stats, Succeeded, Task

#: counter -> what it counts; the reference page is drawn from these tables
NODE: Final[Mapping[str, str]] = {
    "pending": "tasks that wait, also for a limit or a restriction",
    "processing": "tasks that a worker is in",
    "failed": "ends of the node, or of a part of it, in error or timeout, over all runs in this state directory",
    "completed": "ends of the node, or of a part of it, in success, over all runs in this state directory",
}
HEAD: Final[Mapping[str, str]] = {
    "state": "`Initializing`, `Running`, `Done` or `Stopped`",
    "total_steps": "nodes that a pebble can pass, inputs left out",
    "avg_task_time_step": "mean seconds of one task; null before the first end",
    "avg_task_time_total": "seconds of work on one pebble: the sum of the nodes' means",
    "eta_step": "seconds until what waits and runs now is done",
    "eta_total": "seconds until all open pebbles are done, if each passes every node (in parts: only those there now)",
}
WORKER: Final[Mapping[str, str]] = {
    "state": "`Idle`, `Preparing files`, `Processing`, `Uploading`, `Failed`, `Import error` or `Stopped`",
    "module": "the module of the task it is in, or was in last",
    "current_job": "the id of the task it is in, null between tasks",
    "progress": "0 to 100, of the task it is in or was in last",
    "num_errors": "tasks that failed here since the head started",
    "last_error": "the last failure's text",
    "last_processing_time": "seconds that the last task took",
    "host": "the machine",
}


#: what a worker says it does while it moves files before and after its module runs
MOVING: Final = ("Preparing files", "Uploading")


@define(eq=False)
class _Worker:
    """What is remembered of a worker between two looks."""

    errors: int = 0
    last_error: str = ""
    last_s: float | None = None
    after: str = "Idle"
    module: str | None = None
    progress: float | None = None


@define(eq=False)
class _Mean:
    """Seconds of a node's tasks."""

    count: int = 0
    total_s: float = 0.0

    def value(self) -> float | None:
        return self.total_s / self.count if self.count else None


class Publisher:
    """Puts the head's own channels on the board."""

    def __init__(self, board: StatusBoard, counters: Counters, scheduler: Scheduler) -> None:
        self._board = board
        self._counters = counters
        self._scheduler = scheduler
        #: completed and failed of runs before this one, by workflow and node
        self._before: dict[tuple[str, str], tuple[int, int]] = {}
        self._workers: dict[str, _Worker] = {}
        self._means: dict[tuple[str, str], _Mean] = {}
        self._own: set[str] = set()

    def inherit(self, channels: Iterable[str]) -> None:
        """Take over channels of an earlier start: a worker among them that is not there now has stopped."""
        self._own |= set(channels)

    def begin(self, workflow: str, before: Mapping[str, tuple[int, int]]) -> None:
        """Publish a workflow; `before` holds completed and failed of earlier runs by node."""
        self._before |= {(workflow, node): ends for node, ends in before.items()}
        self._board.live(workflow, lambda parameter: self._live(workflow, parameter))

    # --- told as it happens ---------------------------------------------------------------------------

    def ended(self, task: Task, outcome: Outcome, stats: Stats | None) -> None:
        """A task is over."""
        if stats is None or (isinstance(outcome, Succeeded) and outcome.cached):
            return
        mean = self._means.get((task.workflow, task.node))
        if mean is None:
            mean = self._means[task.workflow, task.node] = _Mean()
        mean.count += 1
        mean.total_s += stats.runtime_s
        worker = self._worker(stats.worker)
        worker.last_s = stats.runtime_s
        worker.module = task.module
        if isinstance(outcome, Succeeded):
            worker.after = "Idle"
            worker.progress = 100.0
        elif not isinstance(outcome, Cancelled):
            worker.errors += 1
            worker.after = "Import error" if isinstance(outcome, Declined) else "Failed"
            worker.last_error = str(getattr(outcome, "error", "") or getattr(outcome, "why", ""))

    def said(self, worker: str, values: Mapping[str, Any], at: float) -> None:
        """A module set status values."""
        for parameter, value in values.items():
            if parameter not in WORKER:
                self._board.put(worker, parameter, value, at)

    # --- twice a second -------------------------------------------------------------------------------

    def look(self, at: float, state: str, *, complete: bool | None = None) -> None:
        """Publish what changed; `complete` tells how the run ended, once it has."""
        workers = self._scheduler.workers() if complete is None else []
        nodes: dict[str, list[NodeCounter]] = {}
        for counter in self._counters.nodes():
            if counter.name:
                nodes.setdefault(counter.workflow, []).append(counter)
        for workflow, counters in nodes.items():
            self._look_at_nodes(channel_of(workflow), counters, at)
            shown = state if complete is None else "Done" if complete else "Stopped"
            self._look_at_head(channel_of(workflow), counters, shown, max(1, _able(workers)), at)
        self._look_at_workers(workers, at)

    def _look_at_nodes(self, channel: str, counters: list[NodeCounter], at: float) -> None:
        put = self._board.put
        for counter in counters:
            for parameter, value in self._numbers(counter).items():
                put(channel, f"{counter.name}.{parameter}", value, at)

    def _look_at_head(self, channel: str, counters: list[NodeCounter], state: str, able: int, at: float) -> None:
        steps = [counter for counter in counters if counter.kind != "input"]
        arrived = sum(counter.ends[0] for counter in counters if counter.kind == "input")
        means = [(counter, self._means[key].value()) for counter in steps if (key := _key(counter)) in self._means]
        known = [(counter, mean) for counter, mean in means if mean is not None]
        done = [self._means[_key(counter)] for counter, _ in known]
        now_s = sum(_open_tasks(c) * mean for c, mean in known) / able
        all_s = sum(_tasks_ahead(c, arrived) * mean for c, mean in known) / able
        values = {
            "state": state,
            "total_steps": len(steps),
            "avg_task_time_step": _round(sum(m.total_s for m in done) / sum(m.count for m in done)) if done else None,
            "avg_task_time_total": _round(sum(mean for _, mean in known)) if known else None,
            "eta_step": _round(now_s) if known else None,
            "eta_total": _round(all_s) if known else None,
        }
        for parameter, value in values.items():
            self._board.put(f"{channel}.HeadNode", parameter, value, at)

    def _look_at_workers(self, workers: list[WorkerInfo], at: float) -> None:
        by_name: dict[str, WorkerInfo] = {}
        for info in workers:
            # Admin workers of a machine share a name: the one that works speaks for them.
            if info.name not in by_name or info.task:
                by_name[info.name] = info
        for name, info in by_name.items():
            values = {"host": info.machine, **self._state_of(self._worker(name), info.task)}
            for parameter, value in values.items():
                self._board.put(name, parameter, value, at)
        for name in self._own - by_name.keys():
            gone = self._state_of(self._workers[name], "") if name in self._workers else {"current_job": None}
            for parameter, value in {**gone, "state": "Stopped"}.items():
                self._board.put(name, parameter, value, at)
        self._own |= by_name.keys()

    def _state_of(self, kept: _Worker, task: str) -> dict[str, Any]:
        active = self._counters.active.get(task) if task else None
        if active is not None:
            kept.module, kept.progress = active.task.module, round(active.progress or 0.0, 1)
        return {
            "state": kept.after if active is None else doing(active),
            "module": kept.module,
            "current_job": task or None,
            "progress": kept.progress,
            "num_errors": kept.errors,
            "last_error": kept.last_error,
            "last_processing_time": None if kept.last_s is None else _round(kept.last_s),
        }

    # --- inside ---------------------------------------------------------------------------------------

    def _worker(self, name: str) -> _Worker:
        found = self._workers.get(name)
        if found is None:
            found = self._workers[name] = _Worker()
        return found

    def _numbers(self, counter: NodeCounter) -> dict[str, int]:
        completed, failed = self._before.get(_key(counter), (0, 0))
        return {
            "pending": max(0, counter.pending),
            "processing": max(0, counter.processing),
            "failed": failed + counter.ends[1],
            "completed": completed + counter.ends[0],
        }

    def _live(self, workflow: str, parameter: str) -> Any:
        node, _, which = parameter.rpartition(".")
        counter = self._counters.find(workflow, node)
        if counter is None or which not in NODE:
            return UNKNOWN
        # What this hand-out gave to workers counts for the next task: else all that they have room for would go.
        return self._numbers(counter)[which] + (counter.handed if which == "processing" else 0)


def _open_tasks(counter: NodeCounter) -> int:
    return max(0, counter.pending) + max(0, counter.processing)


def _tasks_ahead(counter: NodeCounter, arrived: int) -> int:
    """Return how many tasks of a node are to be done; its ends say nothing of pebbles when each has parts."""
    waits = _open_tasks(counter)
    return waits if counter.in_parts else max(waits, arrived - sum(counter.ends))


def _key(counter: NodeCounter) -> tuple[str, str]:
    return counter.workflow, counter.name


def doing(active: Active) -> str:
    """Return what a worker is at with its task: `Preparing files`, `Processing` or `Uploading`."""
    return active.state if active.state in MOVING else "Processing"


def _able(workers: list[WorkerInfo]) -> int:
    return sum(1 for info in workers if info.kind not in ("admin", "head"))


def _round(seconds: float) -> float:
    """Return seconds with as many digits as a person reads, so that noise is no change."""
    return round(seconds, 3) if seconds < 10 else round(seconds, 1)
