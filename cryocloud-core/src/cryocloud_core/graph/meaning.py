"""The meaning of a workflow as text: what decides whether it changed.

Laws: nodes, edges, modules, arguments and option definitions count; descriptions, help, layout and the way
a condition was typed do not; equal meanings give equal texts.
"""

from __future__ import annotations

from attrs import evolve

from cryocloud_core.graph.workflow import Node, Option, Workflow
from cryocloud_core.wire import to_json


def workflow_text(workflow: Workflow) -> str:
    """Return the workflow's meaning as JSON text, for a digest."""
    nodes = {name: _bare(node) for name, node in workflow.nodes.items()}
    options = {name: _without_help(option) for name, option in workflow.options.items()}
    return to_json(evolve(workflow, description="", nodes=nodes, options=options))


def _bare(node: Node) -> Node:
    condition = None if node.run_if is None else evolve(node.run_if, text="")
    return evolve(node, outputs=dict.fromkeys(node.outputs, ""), run_if=condition)


def _without_help(option: Option) -> Option:
    return evolve(option, help="")
