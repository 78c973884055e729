"""The call itself: once, or once per item of a `loop` argument, in order.

Laws: the cancel event is passed by position when there is a third positional parameter; a loop is one task whose
outputs are lists aligned with its items, null where an item did not return the key.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from cryocloud_core.errors import ResolutionError, TaskError
from cryocloud_core.task import Task
from cryocloud_core.worker.contract import TaskWorker
from cryocloud_core.worker.module import Ready
from cryocloud_core.worker.returned import Returned, judge


def call_once(ready: Ready, worker: TaskWorker, task: dict[str, Any], _of: Task) -> Returned:
    """Call `process_task`. Raises what the module raises, and ReturnValueError."""
    if ready.takes_cancel:
        return judge(ready.entry(worker, task, worker.cancel_event))
    return judge(ready.entry(worker, task))


def call_per_item(ready: Ready, worker: TaskWorker, task: dict[str, Any], of: Task) -> Returned:
    """Call `process_task` for every item of the loop argument. Raises a TaskError that names the failing index."""
    name = of.loop or ""
    items = task["args"].get(name)
    if not isinstance(items, list):
        raise ResolutionError(f"loop: argument {name!r} is not a list, got {type(items).__name__}")
    if not items:
        return Returned({key: [] for key in of.outputs})
    outputs: dict[str, list[Any]] = {key: [None] * len(items) for key in of.outputs}
    for index, item in enumerate(items):
        if worker.cancel_event.is_set():
            raise TaskError(f"told to stop before item {index} of {len(items)}")
        returned = _call_item(ready, worker, {**task, "args": {**task["args"], name: item}}, of, index)
        for key, value in returned.outputs.items():
            outputs.setdefault(key, [None] * len(items))[index] = value
        if returned.error:
            return evolve(returned, outputs=outputs, error=f"item {index}: {returned.error}")
        worker.progress(100 * (index + 1) / len(items))
    return Returned(dict(outputs))


def _call_item(ready: Ready, worker: TaskWorker, task: dict[str, Any], of: Task, index: int) -> Returned:
    try:
        return call_once(ready, worker, task, of)
    except Exception as error:
        raise TaskError(f"item {index}: {str(error) or type(error).__name__}") from error
