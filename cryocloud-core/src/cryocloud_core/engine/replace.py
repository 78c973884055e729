"""Going on in a newer graph: what of a pebble is carried over.

Laws: a node that settled keeps its state and its values; it must still exist with the same module; all
other nodes start from waiting, and attempts go on counting so that no task id is given twice. An open
split region is carried over whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryocloud_core.engine.debts import used_at_birth
from cryocloud_core.engine.pebble import NodeRun, Pebble, Phase, Scope
from cryocloud_core.engine.plan import Plan
from cryocloud_core.engine.splits import Region
from cryocloud_core.engine.states import State, worst
from cryocloud_core.graph.workflow import Node


def why_not(pebble: Pebble, plan: Plan) -> str:
    """Return why a pebble cannot go on in another graph, empty when it can."""
    for region in pebble.regions():
        reason = _why_not_region(region, plan)
        if reason:
            name = repr(region.plan.split)
            return f"node {name} {reason}" if _is_everywhere(region) else f"the split at {name} {reason}"
    for scope in (pebble.main, *pebble.firings):
        for run in scope.runs.values():
            if run.ran:
                node = plan.workflow.nodes.get(run.node.name)
                if node is None:
                    return f"node {run.node.name!r} has run and is not in the new workflow"
                if node.module != run.node.module:
                    return f"node {run.node.name!r} ran module {run.node.module!r} and now is {node.module!r}"
    return ""


def _why_not_region(region: Region, plan: Plan) -> str:
    if region.checkpoint is not None:
        return "did not go on in it when its parts were there"
    if not region.live:
        return _why_not_folded(region, plan)
    if region.folded or region.stopping:
        return "is ending; let it end first"
    if _is_everywhere(region):
        return 'is under way on every machine ("ccnode": "all"); let it end first, with the old file'
    newer = plan.regions.get(region.plan.split)
    if newer is None or newer.merge != region.plan.merge or _shape(newer.nodes) != _shape(region.plan.nodes):
        return "is under way, and its nodes are not the same in the new workflow"
    return ""


def _is_everywhere(region: Region) -> bool:
    """Return True for a node's tasks on all machines, which no graph knows as a split."""
    return region.outer.node.split_on is None


def _why_not_folded(region: Region, plan: Plan) -> str:
    """Nodes that no merge collects settled as skipped, but their parts ran, and must not run a second time."""
    for node in region.plan.nodes if region.opened else ():
        newer = plan.workflow.nodes.get(node.name)
        if newer is None:
            return f"has run, and its node {node.name!r} is not in the new workflow"
        if newer.module != node.module:
            return f"has run, and its node {node.name!r} ran module {node.module!r} and now is {newer.module!r}"
    return ""


def _shape(nodes: Iterable[Node]) -> list[tuple[str, str, tuple[str, ...], bool]]:
    return [(node.name, node.module, node.parents, node.deferred) for node in nodes]


def carry_over(pebble: Pebble, digest: str, plan: Plan) -> list[NodeRun]:
    """Put a pebble into another graph and return the runs to look at, outer ones first, in document order."""
    for run in pebble.tasks.values():
        used_at_birth(pebble, run)
    pebble.workflow, pebble.plan = digest, plan
    pebble.phase = Phase.MAIN
    pebble.tasks, pebble.timers, pebble.meetings, pebble.questions, pebble.postponed = {}, {}, {}, {}, []
    pebble.firings = [scope for scope in pebble.firings if _handler(scope) in plan.handlers]
    _refill(pebble.main, plan.main)
    for scope in pebble.firings:
        _refill(scope, plan.handlers[_handler(scope)])
    for region in pebble.regions():
        region.walked = True
        region.plan = plan.regions.get(region.plan.split, region.plan)
        for scope in region.live.values():
            _refill(scope, region.plan.nodes)
    runs = [run for scope in pebble.scopes() for run in scope.runs.values()]
    _recount(pebble, runs)
    return [run for run in runs if not run.is_final]


def _handler(scope: Scope) -> str:
    return next(iter(scope.runs))


def _refill(scope: Scope, nodes: Iterable[Node]) -> None:
    old = scope.runs
    scope.runs = {}
    for node in nodes:
        run = old.get(node.name)
        if run is not None and (run.is_final or run.state is State.SPLIT) and run.node.module == node.module:
            run.node = node
        else:
            run = NodeRun(node, scope, attempt=0 if run is None else run.attempt)
        scope.runs[node.name] = run


def _recount(pebble: Pebble, runs: list[NodeRun]) -> None:
    """Count what is open again and work the result out anew."""
    for run in runs:
        run.unsettled = sum(not parent.told for parent in pebble.parents_of(run))
    late = [pebble.is_late(run) for run in runs if not run.is_final and run.state is not State.SPLIT]
    late += [region.is_late(pebble.plan.late) for region in pebble.regions() if not region.folded]
    pebble.open_late = sum(late)
    pebble.open_main = len(late) - pebble.open_late
    results = [run.state for run in runs if run.ran and not pebble.is_late(run)]
    ended = [region.result for region in pebble.regions()]
    # Of parts that are gone, and of handlers that are no more, only the pebble's own result tells.
    pebble.result = worst([pebble.result, *results, *ended])
