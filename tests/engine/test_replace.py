"""Going on in a newer graph: what is kept, what is judged anew, and when that cannot be."""

from __future__ import annotations

from cryocloud_core.engine.commands import CancelTask
from cryocloud_core.engine.events import WorkflowReplaced
from cryocloud_core.graph.refs import Argument, Literal, OutputRef
from cryocloud_core.graph.workflow import Node, Placement, Workflow
from cryocloud_core.task import Succeeded
from cryocloud_core.testing.flow import Flow, node


def test_a_replaced_workflow_keeps_what_settled_and_judges_the_rest_anew() -> None:
    """The open task starts again under a new id, a new node joins in, attempts go on counting."""
    flow = Flow(node("In"), node("A", "In"), node("B", "A"))
    flow.arrive()
    flow.end("A", Succeeded({"x": 7}))
    use = Argument(OutputRef("A", "x"))
    newer = Workflow(
        "test", "", {n.name: n for n in (node("In"), node("A", "In"), node("B", "A", args={"x": use}), node("C", "A"))}
    )
    flow.engine.add_workflow("newer", newer)
    assert flow.engine.why_not(1, "newer") == ""
    commands = flow.when(WorkflowReplaced(1, flow.at, "newer"))

    assert commands[0] == CancelTask(1, "1/B/1", "the workflow was replaced")
    assert flow.open_tasks() == ["1/B/2", "1/C/1"]
    assert flow.args("B") == {"x": 7}
    assert flow.end("1/B/1") == []
    flow.end("B")
    flow.end("C")
    assert flow.result() == "success"


def test_a_workflow_without_a_settled_node_does_not_take_the_pebble_over() -> None:
    """The reason is told, the event changes nothing."""
    flow = Flow(node("In"), node("A", "In"), node("B", "A"))
    flow.arrive()
    flow.end("A")
    flow.engine.add_workflow("other", Workflow("test", "", {"In": node("In"), "B": node("B", "In")}))

    assert "'A' has run" in flow.engine.why_not(1, "other")
    assert flow.when(WorkflowReplaced(1, flow.at, "other")) == []


def test_a_replaced_workflow_still_runs_its_deferred_nodes_last() -> None:
    """What is open is counted anew for both phases."""
    flow = Flow(node("In"), node("A", "In"), node("D", "In", deferred=True))
    flow.arrive()
    newer = [node("In"), node("A", "In"), node("D", "In", deferred=True), node("B", "In")]
    flow.engine.add_workflow("newer", Workflow("test", "", {n.name: n for n in newer}))
    flow.when(WorkflowReplaced(1, flow.at, "newer"))
    assert flow.open_tasks() == ["1/A/2", "1/B/1"]
    flow.end("A")
    flow.end("B")
    assert flow.open_tasks() == ["1/D/1"]
    flow.end("D")

    assert flow.result() == "success"


def test_a_part_that_fails_while_a_region_is_carried_over_stops_parts_that_are_not_started_anew_yet() -> None:
    """The first part's merge cannot be built in the newer graph: its siblings are given up and stay so."""
    items = Argument(OutputRef("In", "files"))

    def graph(machine: object) -> list[Node]:
        place = Placement(machine=Argument(Literal(machine)))
        merge = node("M", "W", merge=True, placement=place)
        return [node("In"), node("W", "In", split_on="f", args={"f": items}), merge]

    flow = Flow(*graph("m1"))
    flow.arrive(values={"files": ["a", "b"]})
    flow.end("1.0/W/1")
    flow.engine.add_workflow("newer", Workflow("test", "", {n.name: n for n in graph(3)}))
    flow.when(WorkflowReplaced(1, flow.at, "newer"))

    assert flow.states() == {"In": "success", "W.0": "success", "M.0": "error", "W.1": "blocked", "M.1": "blocked"}
    assert flow.result() == "error"
