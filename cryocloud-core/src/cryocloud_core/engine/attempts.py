"""What the outcome of one attempt means for its node: settled, repeated later, or placed again.

Laws: a repeat is counted against `retry` only when the module failed or ran out of time; a lost or declined
task is placed once more and then is an error; a deterministic failure is never repeated; whatever comes
back after a cancel is cancelled.
"""

from __future__ import annotations

import zlib
from typing import Any

from attrs import field, frozen

from cryocloud_core.engine.events import TaskEnded
from cryocloud_core.engine.pebble import NodeRun, Pebble
from cryocloud_core.engine.states import State, Trigger
from cryocloud_core.graph.workflow import Retry
from cryocloud_core.task import Cancelled, Declined, Failed, Lost, Outcome, Succeeded, TimedOut

#: times a task is placed again after its worker was lost or declined it
PLACEMENTS_AGAIN = 1


@frozen
class Ending:
    """How an attempt ended: the trigger to go by, what the node returns, when a repeat is due, lines for the log."""

    trigger: Trigger
    outputs: dict[str, Any] = field(factory=dict)
    error: str = ""
    due_at: float = 0.0
    notes: tuple[str, ...] = ()


def read(pebble: Pebble, run: NodeRun, event: TaskEnded) -> Ending:
    """Return what the outcome of a run's open task means for it."""
    outcome = event.outcome
    if run.state is State.CANCELLING:
        return _failure(Trigger.STOPPED, pebble.given_up or "cancelled")
    match outcome:
        case Succeeded(outputs=outputs):
            return Ending(Trigger.SUCCEEDED, outputs)
        case Cancelled(why):
            return _failure(Trigger.STOPPED, why)
        case Lost() | Declined() if run.losses < PLACEMENTS_AGAIN:
            return Ending(Trigger.REPLACE, notes=(f"{_error(outcome)}; placed again",))
        case TimedOut(error):
            return _repeated(run, event, Trigger.TIMED_OUT, "timeout") or _failure(Trigger.TIMED_OUT, error)
        case Failed(outputs=outputs, permanent=permanent):
            again = None if permanent else _repeated(run, event, Trigger.FAILED, "error")
            return again or _failure(Trigger.FAILED, _error(outcome), outputs)
        case Lost() | Declined():
            return _repeated(run, event, Trigger.FAILED, "error") or _failure(Trigger.FAILED, _error(outcome))


def _error(outcome: Outcome) -> str:
    match outcome:
        case Lost(node, why):
            return f"worker lost on {node}: {why}"
        case Declined(why, node):
            return f"declined by {node}: {why}" if node else why
        case Failed(error) | TimedOut(error):
            return error
        case Cancelled(why):
            return why
        case Succeeded():
            return ""


def _failure(trigger: Trigger, error: str, outputs: dict[str, Any] | None = None) -> Ending:
    return Ending(trigger, {**(outputs or {}), "error": error}, error)


def _repeated(run: NodeRun, event: TaskEnded, trigger: Trigger, result: str) -> Ending | None:
    """Return the ending that waits for the next attempt, None when no repeat is left."""
    retry = run.node.retry
    if retry is None or result not in retry.on or run.repeats >= retry.times:
        return None
    wait_s = delay_s(retry, run.repeats, event.task)
    said = f"attempt {run.attempt} ended in {trigger.value}: {_error(event.outcome)}; again in {wait_s:g} s"
    return Ending(Trigger.RETRY, due_at=event.at + wait_s, notes=(said,))


def delay_s(retry: Retry, repeats: int, task: str) -> float:
    """Return the seconds to wait before the repeat after `repeats` earlier ones.

    The jitter is a hash of the task's id, not chance, so that a replay waits just as long.
    """
    wait = min(retry.delay_s * retry.backoff**repeats, retry.max_delay_s)
    turn = zlib.crc32(task.encode("utf-8", "surrogateescape")) / 0xFFFFFFFF * 2 - 1
    return max(0.0, wait * (1 + retry.jitter * turn))
