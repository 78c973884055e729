"""The laws of results that are used again, for the fault simulator.

Laws: a result is used again only by an equal task and before it is too old, never after a crash before its commit; one
that is there is used; of equal tasks one runs at a time, unless the others have waited too long.
"""

from __future__ import annotations

import json
from typing import Any

from attrs import define, field, frozen

from cryocloud_core.graph.workflow import CacheRule
from cryocloud_core.head.cache import WAIT_S, Entry
from cryocloud_core.task import Outcome, Succeeded, Task
from cryocloud_core.testing.simulation.facts import Violation


@frozen
class _Result:
    """What a task returned: when, and until when it may be used."""

    at: float
    until: float
    outputs: dict[str, Any]


@define(eq=False)
class Kept:
    """Every result that may be used again: durable, and on its way to be."""

    _durable: dict[str, _Result] = field(factory=dict)
    _fresh: dict[str, tuple[str, _Result]] = field(factory=dict)
    _running: dict[str, str] = field(factory=dict)
    _since: dict[str, float] = field(factory=dict)

    def restart(self) -> None:
        """A new head: what was not durable is gone, nothing runs."""
        self._fresh, self._running, self._since = {}, {}, {}

    def waits(self, task: Task, at: float) -> None:
        """A task has come to the gate."""
        self._since.setdefault(task.id, at)

    def keeps(self, task: Task, rule: CacheRule, outcome: Outcome, at: float) -> None:
        """A task has ended."""
        if isinstance(outcome, Succeeded) and not outcome.cached and not rule.lookup:
            result = _Result(at, at + _age(rule), outcome.outputs)
            self._fresh[task.id] = (_key(task), result)

    def durable(self, task: str) -> None:
        """The end of a task is durable."""
        if task in self._fresh:
            key, result = self._fresh.pop(task)
            self._durable[key] = result

    def over(self, task: str) -> None:
        """A task is over."""
        self._running.pop(task, None)

    def hits(self, task: Task, rule: CacheRule, entry: Entry, at: float) -> None:
        """A task is ended by an earlier result. Raises Violation."""
        if not any(each.outputs == entry.outputs for each in self._usable(task, rule, at)):
            raise Violation(f"{task.id} uses {entry.outputs} again, which is not there for it")

    def runs(self, task: Task, rule: CacheRule, at: float) -> None:
        """A task goes to a worker. Raises Violation."""
        key = _key(task)
        if self._usable(task, rule, at):
            raise Violation(f"{task.id} runs although there is a result for it")
        impatient = at - self._since.get(task.id, at) >= WAIT_S
        others = [of for of, other in self._running.items() if other == key and of != task.id]
        if others and not impatient:
            raise Violation(f"{task.id} runs beside {others}, which is equal")
        if not rule.lookup:
            self._running[task.id] = key

    def _usable(self, task: Task, rule: CacheRule, at: float) -> list[_Result]:
        """Return the results that the cache could look up; the one kept last stands before others."""
        key = _key(task)
        kept = [self._durable[key]] if key in self._durable else []
        found = [result for of, result in self._fresh.values() if of == key][-1:] or kept
        return [each for each in found if at < min(each.until, each.at + _age(rule))]


def _age(rule: CacheRule) -> float:
    return float("inf") if rule.expires_s is None else rule.expires_s


def _key(task: Task) -> str:
    return json.dumps([task.module, task.args["k"]])
