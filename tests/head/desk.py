"""A small desk to run heads on: workflows built by hand, and a scheduler that runs functions in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryocloud_core.graph.refs import Argument, Literal, OutputRef
from cryocloud_core.graph.workflow import Node, NodeKind, Workflow
from cryocloud_core.head.head import Head
from cryocloud_core.head.settings import RunSettings
from cryocloud_core.sdk.scheduler import Capabilities, Reports, Scheduler, SchedulerSettings, WorkerInfo
from cryocloud_core.task import Cancelled, Code, Failed, Outcome, Stats, Succeeded, Task

Work = Callable[[Task], Any]


class Desk(Scheduler):
    """Runs `work(task)`, a coroutine or a value, for up to `slots` tasks at a time; everything happens on the loop."""

    capabilities = Capabilities(prefetches=True)

    def __init__(self, work: Work, slots: int = 4, queue: int = 0) -> None:
        self.work = work
        self.slots = slots
        self.queue = queue
        self.offered: list[Task] = []
        self.unserved_kinds: dict[str, str] = {}
        self.running: dict[str, asyncio.Task[None]] = {}
        self.queued: list[Task] = []
        self.reports: Reports | None = None

    async def start(self, reports: Reports, settings: SchedulerSettings) -> None:
        """Be ready."""
        self.reports = reports
        self.settings = settings

    def offer(self, task: Task) -> bool:
        """Take a task while there is a free slot, or a place in the queue."""
        if task.kind in self.unserved_kinds:
            return False
        if len(self.running) < self.slots:
            self._begin(task)
        elif len(self.queued) < self.queue:
            self.queued.append(task)
        else:
            return False
        self.offered.append(task)
        return True

    def _begin(self, task: Task) -> None:
        self.running[task.id] = asyncio.get_running_loop().create_task(self._run(task))

    async def _run(self, task: Task) -> None:
        assert self.reports is not None
        self.reports.began(task.id, "desk-1", "desk", 1.0)
        try:
            found = self.work(task)
            if asyncio.iscoroutine(found):
                found = await found
        except asyncio.CancelledError:
            if not self.stopping:
                self._end(task, Cancelled("cancelled"))
            return
        except Exception as error:  # noqa: BLE001 - a worker reports whatever its module raises
            found = Failed(str(error))
        self._end(task, found if isinstance(found, Outcome) else Succeeded(found or {}))

    stopping = False

    def _end(self, task: Task, outcome: Outcome) -> None:
        assert self.reports is not None
        del self.running[task.id]
        self.reports.ended(task.id, outcome, Stats("desk", "desk-1", task.priority, 0.001))
        if self.queued and not self.stopping:
            self._begin(self.queued.pop(0))
        self.reports.room()

    def recall(self, task: str) -> bool:
        """Give back a task that waits in the queue."""
        before = len(self.queued)
        self.queued = [each for each in self.queued if each.id != task]
        return len(self.queued) < before

    def cancel(self, task: str, why: str) -> None:
        """Stop a running task."""
        if self.recall(task):
            self.reports.ended(task, Cancelled(why), None)
        elif task in self.running:
            # Not before its first step: a coroutine that never ran could not say how it ended.
            asyncio.get_running_loop().call_soon(self.running[task].cancel)

    def workers(self) -> list[WorkerInfo]:
        """Return the one worker."""
        return [WorkerInfo("desk-1", "desk", "normal", "idle")]

    def unserved(self, kind: str) -> str:
        """Return what the test says about a kind."""
        return self.unserved_kinds.get(kind, "")

    async def stop(self, grace_s: float) -> None:
        """Wait for running tasks, then drop them."""
        if self.running and grace_s:
            await asyncio.wait(list(self.running.values()), timeout=grace_s)
        self.stopping = True
        for each in list(self.running.values()):
            each.cancel()
        if self.running:
            await asyncio.wait(list(self.running.values()))


class Feed:
    """An input module that reports a list of maps, with keys if given, then returns or waits for its stop."""

    def __init__(self, infos: list[Any], *, keyed: bool = False, stays: bool = False) -> None:
        self.infos = infos
        self.keyed = keyed
        self.stays = stays
        self.starts = 0
        self.accepted: list[int] = []

    def start(self, handler: Any, args: dict[str, Any], stop_event: threading.Event) -> None:
        """Report everything, wait until it is accepted."""
        self.starts += 1
        self.args = args
        ids = [
            handler.onAdd(info, key=str(number) if self.keyed else None, memo={"n": number})
            for number, info in enumerate(self.infos)
        ]
        for pebble in ids:
            handler.accepted(pebble)
        self.accepted += ids
        if self.stays:
            stop_event.wait()


class Config:
    """A config tree that a test can change."""

    def __init__(self, **values: Any) -> None:
        self.values = values
        self.changed = False

    def get(self, name: str) -> Any:
        """Return a value."""
        return self.values.get(name)

    def refresh(self) -> bool:
        """Return True after `change`."""
        changed, self.changed = self.changed, False
        return changed

    def change(self, name: str, value: Any) -> None:
        """Set a value as an edited file would."""
        self.values[name] = value
        self.changed = True


def node(name: str, *parents: str, **more: Any) -> Node:
    """Return a node; one without parents is an input, unless `kind` says otherwise."""
    kind = NodeKind.ORDINARY if parents else NodeKind.INPUT
    return Node(
        **{"name": name, "module": name.lower(), "code": Code(reference=name), "kind": kind, "parents": parents, **more}
    )


def chain(length: int = 2, name: str = "flow", **more: Any) -> Workflow:
    """Return `In` followed by `N1 … Nn`; each gets the value `n` of the input; `more` goes to the last node."""
    nodes = {"In": node("In")}
    before = "In"
    for number in range(1, length + 1):
        own = f"N{number}"
        args = {"n": Argument(OutputRef("In", "n"))}
        nodes[own] = node(own, before, **{"args": args, **(more if number == length else {})})
        before = own
    return Workflow(name, "a chain", nodes)


def literal(value: Any) -> Argument:
    """Return an argument that is this value."""
    return Argument(Literal(value))


def make_head(
    flow: Workflow,
    state_dir: Path,
    scheduler: Scheduler,
    feeds: Mapping[str, Any],
    *,
    config: Any = None,
    options: Mapping[str, Any] | None = None,
    path: Path = Path("/flows/flow.json"),
    hooks: Any = None,
    listener: Any = None,
    hears_tasks: bool = True,
    **settings: Any,
) -> Head:
    """Return a head for one workflow; `feeds` are input modules by the reference of their code."""
    return Head(
        [(flow, path)],
        RunSettings(**{"state_dir": state_dir, "machine": "desk", "grace_s": 0.2, "directory": Path("/"), **settings}),
        scheduler,
        config=config or Config(),
        options={flow.name: options or {}},
        load_input=lambda code: feeds[code.reference or ""],
        is_ours=lambda path: ".cc-" in path,
        hooks=hooks,
        listener=listener,
        hears_tasks=hears_tasks,
    )


async def until(claim: Callable[[], Any], seconds: float = 10.0) -> None:
    """Return when the claim holds; fail when it does not in time."""
    async with asyncio.timeout(seconds):
        while not claim():  # noqa: ASYNC110 - what is waited for is what a view shows
            await asyncio.sleep(0.005)


def nothing(_task: Task) -> None:
    """Do the work of a node that returns nothing."""
