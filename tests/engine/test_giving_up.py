"""Pebbles that were given up, or are over, when their workflow is replaced or they are given up once more."""

from __future__ import annotations

import pytest

from cryocloud_core.engine.commands import StartTask
from cryocloud_core.engine.events import WorkflowReplaced
from cryocloud_core.graph.refs import Argument, OutputRef
from cryocloud_core.graph.workflow import Node, Workflow
from cryocloud_core.task import Cancelled
from cryocloud_core.testing.flow import ALWAYS, Flow, node, tempdir


def replace(flow: Flow, *nodes: Node) -> list[str]:
    """Put pebble 1 into another graph and return the tasks that starts."""
    flow.engine.add_workflow("newer", Workflow("test", "", {each.name: each for each in nodes}))
    commands = flow.when(WorkflowReplaced(1, flow.at, "newer"))
    return [command.task.id for command in commands if isinstance(command, StartTask)]


def test_a_cancelled_pebble_does_not_come_back_to_life_in_a_newer_graph() -> None:
    """What was told to end is over, new nodes do not run; deferred ones do."""
    nodes = (node("In"), node("A", "In"), node("D", "In", deferred=True))
    flow = Flow(*nodes)
    flow.arrive()
    flow.cancel()
    assert replace(flow, *nodes, node("Z", "In", run_on=ALWAYS)) == ["1/D/1"]
    flow.end("1/D/1")

    assert flow.result() == "cancelled"
    assert flow.states()["Z"] == "blocked"


def test_a_pebble_that_is_being_cleaned_stays_in_its_graph() -> None:
    """Its tempdirs are going: a node that would be new for it could not use them."""
    nodes = (node("In"), node("A", "In", args={"t": tempdir()}))
    flow = Flow(*nodes)
    flow.arrive()
    flow.end("A")
    assert replace(flow, *nodes, node("Z", "A", args={"t": tempdir()})) == []
    flow.clean("m1")

    assert flow.result() == "success"


def test_a_part_that_failed_and_is_gone_counts_in_a_newer_graph_too() -> None:
    """Without a merge nothing keeps the parts' results but the pebble's."""
    split = node("W", "In", split_on="f", args={"f": Argument(OutputRef("In", "files"))})
    flow = Flow(node("In"), split)
    flow.arrive(values={"files": ["a", "b"]})
    flow.fail("1.0/W/1")
    assert replace(flow, node("In"), split, node("Z", "In")) == ["1/Z/1", "1.1/W/2"]
    flow.end("1/Z/1")
    flow.end("1.1/W/2")

    assert flow.result() == "error"


@pytest.mark.parametrize("why", ["dropped", "abandoned"])
@pytest.mark.parametrize("answered", [True, False])
def test_a_cancelled_pebble_can_still_be_abandoned(why: str, answered: bool) -> None:
    """It hangs in a deferred node, or in a task that was told to end: a start that gives it up ends it."""
    flow = Flow(node("In"), node("A", "In"), node("D", "In", deferred=True))
    flow.arrive()
    flow.cancel()
    if answered:
        flow.end("A", Cancelled("cancelled"))
        assert flow.open_tasks() == ["1/D/1"]
    flow.cancel(why=why)

    assert flow.result() == why
    assert flow.cancel(why="cancelled") == []
