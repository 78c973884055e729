"""Earlier results used again: looked up when a task is offered, kept in the commit that holds the task's end.

Laws: the engine knows nothing of it: a result used again is a TaskEnded like any other, so a replay needs no
cache; only a success is kept; of equal tasks one runs and the others wait for it, for a while; files are looked
at by a worker, on the machine where they lie, never here.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any, Final, Protocol

from attrs import define, evolve, field, frozen

from cryocloud_core.graph.workflow import CacheRule, Node, Workflow
from cryocloud_core.head.batch import Batch, readable
from cryocloud_core.task import Outcome, Reuse, StagingKind, Stats, Succeeded, Task

#: how long a task waits for an equal one that runs, seconds
WAIT_S: Final = 300.0
#: an `expires` from here on is a moment, seconds UTC, not a duration
MOMENT_S: Final = 1e8
_KEEP: Final = "INSERT OR REPLACE INTO cached (key, at, expires_at, body) VALUES (?, ?, ?, ?)"
_FIND: Final = "SELECT at, expires_at, body FROM cached WHERE key = ?"

Rows = Callable[[Batch], None]


@frozen
class Entry:
    """A kept result: when and where it was made, when it ends, what it returned, how big its files were.

    `task` made it; empty for one that was kept before that was noted.
    """

    at: float
    expires_at: float | None
    machine: str
    worker: str
    outputs: dict[str, Any]
    sizes: dict[str, int]
    task: str = ""

    def holds(self, rule: CacheRule, now: float) -> bool:
        """Return True while the result may be used by a node with this rule."""
        if self.expires_at is not None and now >= self.expires_at:
            return False
        ends_at = _expires_at(rule, self.at)
        return ends_at is None or now < ends_at


@frozen
class Hit:
    """A result that ends a task at once."""

    entry: Entry

    def outcome(self) -> Succeeded:
        """Return how the task ends."""
        return Succeeded(self.entry.outputs, cached=True, maker=self.entry.task)

    def stats(self, task: Task) -> Stats:
        """Return the statistics of a task that did not run: where its values were made, and no time."""
        return Stats(self.entry.machine, self.entry.worker, task.priority, began_at=time.time())


@frozen
class Miss:
    """The task has to go to a worker; `entry` is a result whose files the worker is to look at first."""

    key: str
    rule: CacheRule
    entry: Entry | None = None

    def prepared(self, ready: Task, machines: Collection[str]) -> Task:
        """Return the task as the worker needs it; `machines` are those that could run it now."""
        entry, files = self.entry, self.rule.files
        if entry is not None and entry.machine in machines and entry.machine in (ready.machines or machines):
            reuse = Reuse(files, entry.outputs, entry.sizes, known=True, maker=entry.task)
            return evolve(ready, reuse=reuse, machines=(entry.machine,))
        return evolve(ready, reuse=Reuse(files)) if files and not self.rule.lookup else ready


class Alarm(Protocol):
    """What will be called later, unless it is cancelled."""

    def cancel(self) -> None:
        """Call nothing."""
        ...


def on_loop(wait_s: float, call: Callable[[], None]) -> Alarm:
    """Call something on the running loop after so many seconds."""
    return asyncio.get_running_loop().call_later(wait_s, call)


@define(eq=False)
class _Flight:
    """A task that runs, and the equal ones that wait for it: until when each is patient."""

    task: str
    waiting: dict[str, Alarm | None] = field(factory=dict)


class ResultCache:
    """The kept results of a state directory; `offer_again` lets tasks that waited for another be offered again."""

    def __init__(
        self,
        reader: sqlite3.Connection,
        workflows: Iterable[Workflow],
        *,
        clock: Callable[[], float] = time.time,
        later: Callable[[float, Callable[[], None]], Alarm] = on_loop,
    ) -> None:
        self._clock, self._later = clock, later
        self.offer_again: Callable[[Iterable[str]], None] = lambda _tasks: None
        self._reader = reader
        self._rules: dict[tuple[str, str], CacheRule] = {
            (workflow.name, node.name): node.cache
            for workflow in workflows
            for node in workflow.nodes.values()
            if node.cache is not None and not _names_tempdir(node, node.cache)
        }
        self._flights: dict[str, _Flight] = {}
        self._flight_of: dict[str, str] = {}
        #: kept, and perhaps not durable yet
        self._fresh: dict[str, Entry] = {}

    def look(self, task: Task) -> Hit | Miss | str | None:
        """Return what is known of a task that is about to be offered; a text says what it waits for.

        None for a task that has nothing to do with the cache.
        """
        rule = self._rules.get((task.workflow, task.node))
        if rule is None:
            return None
        key = key_of(task, rule)
        entry = self._find(key)
        if entry is not None and not entry.holds(rule, self._clock()):
            entry = None
        if entry is not None and not rule.files:
            return Hit(entry)
        flight = self._flights.get(key)
        if flight is not None and flight.task != task.id and self._waits(flight, task.id):
            return f"an equal task runs: {flight.task}"
        return Miss(key, rule, entry)

    def took(self, task: Task, miss: Miss) -> None:
        """A scheduler took a task: equal ones wait for it, if its result will be kept."""
        self._drop_waiting(task.id)
        if not miss.rule.lookup and miss.key not in self._flights:
            self._flights[miss.key] = _Flight(task.id)
            self._flight_of[task.id] = miss.key

    def over(self, task: str) -> None:
        """A task ran to its end, or will never run: whoever waits for it is offered again."""
        self._drop_waiting(task)
        key = self._flight_of.pop(task, None)
        flight = None if key is None else self._flights.pop(key, None)
        if flight is not None:
            for waiting, timer in flight.waiting.items():
                self._flight_of.pop(waiting, None)
                if timer is not None:
                    timer.cancel()
            self.offer_again(flight.waiting)

    def keep(self, task: Task, outcome: Outcome, stats: Stats | None) -> Rows | None:
        """Return what keeps a task's result in the commit of its end; None when it is not to be kept."""
        rule = self._rules.get((task.workflow, task.node))
        if rule is None or rule.lookup or stats is None or not isinstance(outcome, Succeeded) or outcome.cached:
            return None
        at = self._clock()
        entry = Entry(at, _expires_at(rule, at), stats.node, stats.worker, outcome.outputs, outcome.sizes, task.id)
        body = [entry.machine, entry.worker, entry.outputs, entry.sizes, entry.task]
        try:
            text = json.dumps(body, separators=(",", ":"), allow_nan=False)
        except (ValueError, TypeError, RecursionError):
            # The journal refuses it too, and says so.
            return None
        key = key_of(task, rule)
        self._sweep()
        self._fresh[key] = entry
        return lambda batch: batch.also(_KEEP, key, entry.at, entry.expires_at, readable(text))

    def _waits(self, flight: _Flight, task: str) -> bool:
        """Return True while a task has patience; it is offered again when that ends."""
        if task not in flight.waiting:
            flight.waiting[task] = self._later(WAIT_S, partial(self._patience_ends, flight, task))
            self._flight_of.setdefault(task, "")
        return flight.waiting[task] is not None

    def _patience_ends(self, flight: _Flight, task: str) -> None:
        if task in flight.waiting:
            flight.waiting[task] = None
            self.offer_again([task])

    def _drop_waiting(self, task: str) -> None:
        """A task that waited for another waits no more."""
        if self._flight_of.get(task) != "":
            return
        del self._flight_of[task]
        for flight in self._flights.values():
            timer = flight.waiting.pop(task, None)
            if timer is not None:
                timer.cancel()

    def _find(self, key: str) -> Entry | None:
        fresh = self._fresh.get(key)
        if fresh is not None:
            return fresh
        row = self._reader.execute(_FIND, (key,)).fetchone()
        return None if row is None else Entry(row[0], row[1], *json.loads(row[2]))

    def _sweep(self) -> None:
        """Forget here what everybody can read in the journal by now."""
        for key, entry in list(self._fresh.items()):
            row = self._reader.execute("SELECT at FROM cached WHERE key = ?", (key,)).fetchone()
            if row is not None and row[0] >= entry.at:
                del self._fresh[key]


def key_of(task: Task, rule: CacheRule) -> str:
    """Return what makes two tasks the same: the module's code, what it loops over, and the listed arguments."""
    args = {name: task.args.get(name) for name in rule.args}
    code = task.code.path or task.code.reference
    text = json.dumps([task.module, code, task.loop, args], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def without_use(stats: Stats | None) -> Stats | None:
    """Return the statistics of a task whose module did not run: looking at files does not count."""
    return None if stats is None else evolve(stats, runtime_s=0.0, cpu_time_s=0.0, max_memory_bytes=0)


def _expires_at(rule: CacheRule, at: float) -> float | None:
    if rule.expires_s is None or rule.expires_s >= MOMENT_S:
        return rule.expires_s
    return at + rule.expires_s


def _names_tempdir(node: Node, rule: CacheRule) -> bool:
    """Return True when a module's own rule lists what this node makes a tempdir, which is never the same."""
    ways = [node.args[name].preparation for name in rule.args if name in node.args]
    return any(way is not None and way.kind is StagingKind.TEMPDIR for way in ways)
