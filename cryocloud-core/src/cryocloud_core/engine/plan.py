"""The shape of a workflow, worked out once: children, what runs late, what belongs to which global handler.

Laws: derived from the workflow alone and never changed; the engine reads it instead of walking the graph.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from attrs import frozen

from cryocloud_core.graph.workflow import Node, NodeKind, Workflow


@frozen(eq=False)
class RegionPlan:
    """What runs once for each item of a split list.

    `nodes` are the split node and all that follows it up to and including `merge`, in document order;
    `columns` those whose values become lists: the merge node and its ancestors in the region.
    """

    split: str
    merge: str | None
    nodes: tuple[Node, ...]
    columns: frozenset[str]


@frozen(eq=False)
class Plan:
    """A workflow's shape.

    `main` holds the nodes every pebble has, in document order; `handlers` maps each global node to the
    nodes of one firing, itself first; `late` are deferred nodes and everything downstream of them.
    """

    workflow: Workflow
    children: Mapping[str, tuple[str, ...]]
    main: tuple[Node, ...]
    handlers: Mapping[str, tuple[Node, ...]]
    late: frozenset[str]
    #: by the name of the split node
    regions: Mapping[str, RegionPlan]
    #: nodes of a region behind its split node -> the split node
    split_before: Mapping[str, str]

    @classmethod
    def of(cls, workflow: Workflow) -> Plan:
        """Return the shape of a linked workflow."""
        nodes = workflow.nodes
        children: dict[str, list[str]] = {name: [] for name in nodes}
        for node in nodes.values():
            for parent in node.parents:
                children[parent].append(node.name)
        globals_ = [node.name for node in nodes.values() if node.kind is NodeKind.GLOBAL]
        below = {name: _downstream([name], children) for name in globals_}
        handled = set().union(*below.values()) if below else set()
        regions = {node.name: _region(node, workflow, children) for node in nodes.values() if node.split_on}
        return cls(
            workflow=workflow,
            children={name: tuple(kids) for name, kids in children.items()},
            main=tuple(node for node in nodes.values() if node.name not in handled),
            handlers={name: tuple(node for node in nodes.values() if node.name in below[name]) for name in globals_},
            late=frozenset(_late(workflow, children, regions)),
            regions=regions,
            split_before={n.name: split for split, r in regions.items() for n in r.nodes if n.name != split},
        )


def _downstream(start: Iterable[str], edges: Mapping[str, Iterable[str]], stops: Container[str] = ()) -> set[str]:
    """Return the nodes in `start` and all that follow them; nothing behind a node in `stops`."""
    seen: set[str] = set()
    ahead = list(start)
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            if name not in stops:
                ahead.extend(edges[name])
    return seen


def _region(split: Node, workflow: Workflow, children: Mapping[str, list[str]]) -> RegionPlan:
    """Return the region of a split node; the checks at load made sure that it has one merge node at most."""
    nodes = workflow.nodes
    merges = {node.name for node in nodes.values() if node.merge}
    inside = _downstream([split.name], children, merges)
    merge = next(iter(sorted(inside & merges)), None)
    parents = {name: [parent for parent in nodes[name].parents if parent in inside] for name in inside}
    columns = _downstream([merge] if merge else [], parents, [split.name])
    return RegionPlan(split.name, merge, tuple(n for n in nodes.values() if n.name in inside), frozenset(columns))


def _late(workflow: Workflow, children: Mapping[str, list[str]], regions: Mapping[str, RegionPlan]) -> Iterable[str]:
    """Return what runs in the deferred phase; a merge does not wait for deferred nodes of its own region."""
    for node in workflow.nodes.values():
        if node.deferred:
            inside = (r for r in regions.values() if node in r.nodes and node.name not in (r.split, r.merge))
            own_merges = {region.merge for region in inside if region.merge is not None}
            found = _downstream([node.name], children, own_merges)
            yield from found - own_merges
