"""Whether a node runs: the combined result of its parents against `runOn` and `runIf`.

Laws: the verdict depends on how the parents settled, never on the order in which they did; a node runs
only when at least one parent ran; skipped parents count for nothing.
"""

from __future__ import annotations

from attrs import frozen

from cryocloud_core.engine.arguments import Reader
from cryocloud_core.engine.pebble import NodeRun
from cryocloud_core.engine.rendezvous import MODULE
from cryocloud_core.engine.states import BADNESS, State, Trigger, worst
from cryocloud_core.graph.condition import holds


@frozen
class Verdict:
    """What a join came to: the trigger to go by, and for a blocked node the result that blocks it."""

    trigger: Trigger
    cause: State | None = None


def judge(run: NodeRun, parents: list[NodeRun], reader: Reader) -> Verdict:
    """Return the verdict on a node whose parents have all settled.

    A global handler's only parent is the run that failed.
    """
    ran = [parent.state for parent in parents if parent.state in BADNESS]
    causes = [parent.cause for parent in parents if parent.state is State.BLOCKED and parent.cause is not None]
    if not ran:
        return Verdict(Trigger.BLOCK, worst(causes)) if causes else Verdict(Trigger.SKIP)
    result = worst(ran + causes)
    if _accepts(run, result):
        return Verdict(Trigger.RUN if permits(run, reader) else Trigger.SKIP)
    if "success" in run.node.run_on and result is not State.SUCCESS:
        return Verdict(Trigger.BLOCK, result)
    return Verdict(Trigger.SKIP)


def fires(run: NodeRun, parent: NodeRun, reader: Reader) -> bool:
    """True when this parent, just settled, makes a resolveOnAny node run."""
    if not parent.ran or not _accepts(run, parent.state):
        return False
    run.fired_by = parent
    if permits(run, reader):
        return True
    run.fired_by = None
    return False


def _accepts(run: NodeRun, result: State) -> bool:
    """True when the node's `runOn` holds the result; to a rendezvous failed parents come too, unless it is off."""
    if run.node.module == MODULE:
        return bool(run.node.run_on)
    return result.value in run.node.run_on


def permits(run: NodeRun, reader: Reader) -> bool:
    """True when the node's `runIf` holds, or it has none; what it warns of goes to the reader's notes."""
    if run.node.run_if is None:
        return True
    verdict = holds(run.node.run_if, reader.value)
    for warning in verdict.warnings:
        reader.warn(f"runIf: {warning}")
    return verdict.holds
