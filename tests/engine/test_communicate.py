"""Rendezvous: pebbles that wait for each other under a message id, and the one that goes on."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.engine.commands import CancelTask, Meet
from cryocloud_core.engine.events import Lent, Met
from cryocloud_core.engine.exchange import Exchange
from cryocloud_core.graph.refs import Argument, Literal, OutputRef, StatRef
from cryocloud_core.graph.workflow import Node
from cryocloud_core.task import Failed, Succeeded
from cryocloud_core.testing.flow import ALWAYS, Flow, node


def _sync(resolve_on: str = "", **keys: object) -> Node:
    args = {"msgid": Argument(OutputRef("", "id")), "resolveOn": Argument(Literal(resolve_on or None))}
    made = node("Sync", "WA", "WB", args=args, run_on=ALWAYS, **keys)
    object.__setattr__(made, "module", "communicate")
    return made


def _flow(resolve_on: str = "", **keys: object) -> Flow:
    """A -> WA, B -> WB, both -> Sync -> Z that reads WA, WB and A."""
    args = {
        "a": Argument(OutputRef("WA", "x")),
        "b": Argument(OutputRef("WB", "x")),
        "from_a": Argument(OutputRef("A", "name")),
        "on": Argument(StatRef("WB", "node")),
        "lent_on": Argument(StatRef("WA", "node")),
    }
    z = node("Z", "Sync", run_on=ALWAYS, args=args)
    flow = Flow(node("A"), node("B"), node("WA", "A"), node("WB", "B"), _sync(resolve_on, **keys), z)
    flow.arrive(1, {"name": "first"}, source="A")
    flow.arrive(2, source="B")
    return flow


def _exchange(flow: Flow, exchange: Exchange) -> None:
    """Carry every command of the engine to the exchange and the answers back."""
    carried = 0
    while carried < len(flow.commands):
        command = flow.commands[carried]
        carried += 1
        if isinstance(command, Meet):
            for answer in exchange.join(command, flow.at):
                flow.when(answer)


def test_the_first_pebble_waits_and_the_last_one_goes_on_with_the_values_of_both() -> None:
    """The other one's subtree is skipped and it closes."""
    flow, exchange = _flow(), Exchange()
    flow.end("1/WA/1", Succeeded({"id": "P", "x": 10}))
    _exchange(flow, exchange)
    assert len(exchange) == 1
    assert exchange.blocked()[0].why == 'msgid "P" waits for WB'
    flow.end("2/WB/1", Succeeded({"id": "P", "x": 20}), machine="m2")
    _exchange(flow, exchange)

    assert flow.states(1)["Sync"] == flow.states(1)["Z"] == "skipped"
    assert flow.result(1) == "success"
    assert flow.args("Z", 2) == {"a": 10, "b": 20, "from_a": "first", "on": "m2", "lent_on": "m1"}
    assert len(exchange) == 0


def test_resolve_on_names_the_parent_whose_pebble_goes_on() -> None:
    """Also when it was there first."""
    flow, exchange = _flow("WA"), Exchange()
    flow.end("1/WA/1", Succeeded({"id": "P", "x": 10}))
    flow.end("2/WB/1", Succeeded({"id": "P", "x": 20}))
    _exchange(flow, exchange)

    assert flow.args("Z", 1)["b"] == 20
    assert flow.states(2)["Z"] == "skipped"


def test_a_meeting_tells_who_is_there_and_who_is_missing() -> None:
    """In the order in which they came; nobody waits in one that took place."""
    flow, exchange = _flow(), Exchange()
    flow.arrive(3, source="A")
    for pebble in (3, 1):
        flow.end(f"{pebble}/WA/1", Succeeded({"id": "P"}))
        _exchange(flow, exchange)

    meeting = exchange.meeting("1/Sync/1")
    assert meeting is not None
    assert [(each.pebble, each.came) for each in meeting.present] == [(3, ("WA",)), (1, ("WA",))]
    assert meeting.missing == ("WB",)
    flow.end("2/WB/1", Succeeded({"id": "P"}))
    _exchange(flow, exchange)
    assert exchange.meeting("1/Sync/1") is None


def test_different_message_ids_do_not_meet() -> None:
    """Text and number are different too."""
    flow, exchange = _flow(), Exchange()
    flow.end("1/WA/1", Succeeded({"id": "1"}))
    flow.end("2/WB/1", Succeeded({"id": 1}))
    _exchange(flow, exchange)

    assert len(exchange) == 2


def test_a_failed_parent_takes_part_and_the_result_is_the_worst() -> None:
    """What follows goes by runOn."""
    flow, exchange = _flow(), Exchange()
    flow.end("1/WA/1", Failed("broken", {"id": "P"}))
    flow.end("2/WB/1", Succeeded({"id": "P"}))
    _exchange(flow, exchange)

    assert flow.states(2)["Sync"] == "error"
    assert flow.open_tasks(2) == ["2/Z/1"]


def test_a_null_message_id_is_the_nodes_error() -> None:
    """Nothing waits for ever."""
    flow = _flow()
    flow.end("1/WA/1", Succeeded({"x": 1}))

    assert flow.states(1)["Sync"] == "error"


def test_with_resolve_on_any_one_parent_is_enough() -> None:
    """The pebble goes on at once."""
    flow, exchange = _flow(resolve_on_any=True), Exchange()
    flow.end("1/WA/1", Succeeded({"id": "P", "x": 1}))
    _exchange(flow, exchange)

    assert flow.open_tasks(1) == ["1/Z/1"]


def test_leftovers_fail_for_want_of_a_partner() -> None:
    """The head says when no partner can come any more."""
    flow, exchange = _flow(), Exchange()
    flow.end("1/WA/1", Succeeded({"id": "P"}))
    _exchange(flow, exchange)
    for answer in exchange.give_up("test", flow.at):
        flow.when(answer)
    flow.end("1/Z/1")

    assert flow.result(1) == "error"
    assert len(exchange) == 0


def test_a_cancelled_pebble_leaves_its_meeting() -> None:
    """The exchange is told; an answer that was under way is stale."""
    flow, exchange = _flow(), Exchange()
    flow.end("1/WA/1", Succeeded({"id": "P"}))
    _exchange(flow, exchange)
    commands = flow.cancel(1)
    assert CancelTask(1, "1/Sync/1", "cancelled") in commands
    assert exchange.leave("1/Sync/1")
    assert not exchange.leave("1/Sync/1")

    assert flow.when(Met(1, flow.at, "1/Sync/1", True)) == []
    assert flow.result(1) == "cancelled"


def test_a_waiting_meeting_is_owed_after_a_restart_and_taken_once() -> None:
    """The exchange is rebuilt from the engine; joining twice changes nothing."""
    flow, exchange = _flow(), Exchange()
    flow.end("1/WA/1", Succeeded({"id": "P"}))
    owed = [command for command in flow.replayed().owed() if isinstance(command, Meet)]
    assert [meet.task for meet in owed] == ["1/Sync/1"]

    assert exchange.join(owed[0], 0.0) == exchange.join(owed[0], 0.0) == []
    assert len(exchange) == 1


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 8), st.integers(1, 3), st.randoms(use_true_random=False))
def test_of_every_pair_exactly_one_goes_on(pairs: int, messages: int, chance: random.Random) -> None:
    """Whatever the order, also when message ids are used again."""
    flow = Flow(node("A"), node("B"), node("WA", "A"), node("WB", "B"), _sync(), node("Z", "Sync"))
    exchange = Exchange()
    ids = {}
    for number in range(pairs):
        flow.arrive(2 * number + 1, source="A")
        flow.arrive(2 * number + 2, source="B")
        ids[2 * number + 1] = ids[2 * number + 2] = number % messages
    carried = 0
    while flow.engine.pebbles:
        tasks = [task for pebble in flow.engine.pebbles for task in flow.open_tasks(pebble)]
        if not tasks:
            break
        task = chance.choice(tasks)
        flow.end(task, Succeeded({"id": ids[int(task.split("/")[0])]}))
        for command in flow.commands[carried:]:
            if isinstance(command, Meet):
                for answer in exchange.join(command, flow.at):
                    flow.when(answer)
        carried = len(flow.commands)
    went_on = sum(flow.states(pebble).get("Sync") == "success" for pebble in ids)

    assert went_on >= 1
    assert len(exchange) + sum(flow.result(pebble) == "success" for pebble in ids) == 2 * pairs
    assert not any(flow.result(pebble) not in (None, "success") for pebble in ids)


def test_a_message_id_can_be_used_again() -> None:
    """The exchange forgets what met."""
    exchange = Exchange()
    for pebble in (1, 3):
        values = {"A": Lent("success"), "B": Lent("success")}
        first = Meet(pebble, f"{pebble}/S/1", "w", "S", '"m"', ("A", "B"), ("A",), 0.0, values=values)
        second = Meet(pebble + 1, f"{pebble + 1}/S/1", "w", "S", '"m"', ("A", "B"), ("B",), 1.0, values=values)
        assert exchange.join(first, 0.0) == []
        assert [answer.goes_on for answer in exchange.join(second, 2.0)] == [False, True]
