"""The shape of a workflow, worked out once: children, what runs late, what belongs to which global handler.

Laws: derived from the workflow alone and never changed; the engine reads it instead of walking the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen

from cryocloud_core.graph.workflow import Node, NodeKind, Workflow


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
        return cls(
            workflow=workflow,
            children={name: tuple(kids) for name, kids in children.items()},
            main=tuple(node for node in nodes.values() if node.name not in handled),
            handlers={name: tuple(node for node in nodes.values() if node.name in below[name]) for name in globals_},
            late=frozenset(_downstream((node.name for node in nodes.values() if node.deferred), children)),
        )


def _downstream(start: Iterable[str], children: Mapping[str, list[str]]) -> set[str]:
    """Return the nodes in `start` and all that follow them."""
    seen: set[str] = set()
    ahead = list(start)
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead.extend(children[name])
    return seen
