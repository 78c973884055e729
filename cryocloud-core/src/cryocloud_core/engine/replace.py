"""Going on in a newer graph: what of a pebble is carried over.

Laws: a node that settled keeps its state and its values; it must still exist with the same module; all
other nodes start from waiting, and attempts go on counting so that no task id is given twice.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryocloud_core.engine.debts import used_at_birth
from cryocloud_core.engine.pebble import NodeRun, Pebble, Phase, Scope, State, worst
from cryocloud_core.engine.plan import Plan
from cryocloud_core.graph.workflow import Node


def why_not(pebble: Pebble, plan: Plan) -> str:
    """Return why a pebble cannot go on in another graph, empty when it can."""
    for scope in (pebble.main, *pebble.firings):
        for run in scope.runs.values():
            if run.ran:
                node = plan.workflow.nodes.get(run.node.name)
                if node is None:
                    return f"node {run.node.name!r} has run and is not in the new workflow"
                if node.module != run.node.module:
                    return f"node {run.node.name!r} ran module {run.node.module!r} and now is {node.module!r}"
    return ""


def carry_over(pebble: Pebble, digest: str, plan: Plan) -> list[NodeRun]:
    """Put a pebble into another graph and return the runs to look at, in document order."""
    for run in pebble.tasks.values():
        used_at_birth(pebble, run)
    pebble.workflow, pebble.plan = digest, plan
    pebble.phase = Phase.MAIN
    pebble.tasks, pebble.timers, pebble.postponed = {}, {}, []
    pebble.firings = [scope for scope in pebble.firings if _handler(scope) in plan.handlers]
    _refill(pebble.main, plan.main)
    for scope in pebble.firings:
        _refill(scope, plan.handlers[_handler(scope)])
    runs = [run for scope in (pebble.main, *pebble.firings) for run in scope.runs.values()]
    _recount(pebble, runs)
    return [run for run in runs if not run.is_final]


def _handler(scope: Scope) -> str:
    return next(iter(scope.runs))


def _refill(scope: Scope, nodes: Iterable[Node]) -> None:
    old = scope.runs
    scope.runs = {}
    for node in nodes:
        run = old.get(node.name)
        if run is not None and run.is_final and run.node.module == node.module:
            run.node = node
        else:
            run = NodeRun(node, scope, attempt=0 if run is None else run.attempt)
        scope.runs[node.name] = run


def _recount(pebble: Pebble, runs: list[NodeRun]) -> None:
    """Count what is open again and work the result out anew."""
    for run in runs:
        run.unsettled = sum(not parent.told for parent in pebble.parents_of(run))
    pebble.open_late = sum(pebble.is_late(run) for run in runs if not run.is_final)
    pebble.open_main = sum(not run.is_final for run in runs) - pebble.open_late
    results = [run.state for run in runs if run.ran and not pebble.is_late(run)]
    pebble.result = worst([State.CANCELLED if pebble.given_up else State.SUCCESS, *results])
