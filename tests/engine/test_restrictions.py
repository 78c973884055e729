"""Restrictions: comparing, and what the gate does with tasks that they hold."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.engine.gate import Gate, Held
from cryocloud_core.engine.restrictions import Restrictions
from cryocloud_core.graph.workflow import Restriction, Workflow
from cryocloud_core.task import Code, Task
from cryocloud_core.testing.flow import node


class _Board(dict[tuple[str, str], Any]):
    """Status values by channel and parameter."""

    def value(self, channel: str, parameter: str) -> Any:
        """Return what was put."""
        return self.get((channel, parameter))

    def known(self, channel: str, parameter: str) -> bool:
        """Return True for what was put."""
        return (channel, parameter) in self


def _why(operator: str, wanted: str, board: _Board, parameter: str = "P.pending", held: int = 0) -> str:
    restricted = node("P", "In", restrictions=(Restriction("W", parameter, operator, wanted),))
    return Restrictions([Workflow("W", "", {"P": restricted})], board).why(
        "W", "P", lambda name: held if name == "P" else 0
    )


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "holds"),
    [
        ("<", "3", 2, True),
        ("<", "3", 3, False),
        ("<=", "3", 3, True),
        (">", "536870912000", 6e11, True),
        (">=", "10", "9", False),
        ("=", "Idle", "Idle", True),
        ("==", "1.0", 1, True),
        ("!=", "Idle", "Busy", True),
        ("<", "b", "a", True),
        ("<", "3", None, True),
        (">", "0", None, False),
    ],
)
def test_numbers_compare_as_numbers_everything_else_as_text(
    operator: str, wanted: str, value: Any, holds: bool
) -> None:
    """A known null is 0."""
    assert (_why(operator, wanted, _Board({("W", "free"): value}), "free") == "") is holds


def test_what_nobody_ever_heard_of_holds() -> None:
    """A run is not stopped by a name that does not exist yet."""
    assert _why("<", "0", _Board()) == ""


def test_the_reason_names_the_restriction_and_the_value() -> None:
    """What a person needs to see."""
    assert _why("<", "3", _Board({("W", "P.pending"): 5})) == "restriction W:P.pending <3: it is 5"


def test_what_it_holds_back_itself_does_not_count() -> None:
    """Else a node restricted by its own queue would never open."""
    assert _why("<", "3", _Board({("W", "P.pending"): 5}), held=4) == ""


def _task(pebble: int, name: str = "P", priority: int = 50) -> Task:
    return Task(f"{pebble}/{name}/1", pebble, name, "noop", "W", Code("x"), "n", priority=priority)


class _Door:
    """Lets so many tasks of P through; takes at most `room` in all."""

    def __init__(self, free: int, room: int = 99) -> None:
        self.free, self.room = free, room
        self.taken: list[str] = []

    def offer(self, task: Task) -> bool | str | Held:
        """Answer as the head does."""
        if task.node == "P" and self.free <= 0:
            return Held(("W", "P"), "closed")
        if self.room <= 0:
            return False
        self.free -= task.node == "P"
        self.room -= 1
        self.taken.append(task.id)
        return True


def test_held_tasks_wait_without_holding_others_up_and_go_in_order_when_it_opens() -> None:
    """One after the other, by priority and age."""
    gate = Gate()
    for task in (_task(2), _task(1), _task(3, priority=90), _task(4, "Q")):
        gate.enter(task)
    closed = _Door(0)
    gate.hand_out(closed.offer)
    assert closed.taken == ["4/Q/1"]
    assert gate.held("W", "P", "P") == 3
    assert [(b.node, b.count, b.why) for b in gate.blocked()] == [("P", 3, "closed")]
    two = _Door(2)
    gate.hand_out(two.offer)

    assert two.taken == ["3/P/1", "1/P/1"]
    assert gate.held("W", "P", "P") == 1


@pytest.mark.parametrize("limited", [False, True])
def test_a_held_task_without_a_worker_or_over_a_limit_keeps_no_other_node_waiting(limited: bool) -> None:
    """Pebbles of one restricted input have first tasks of several nodes, for workers of several kinds."""
    gate, taken, is_open = Gate(), list[str](), [False]
    if limited:
        gate.limit("W", "G", 1)
        gate.enter(_task(9, "G"))
        gate.hand_out(lambda _: True)
    gate.enter(evolve(_task(1, "G"), kind="normal" if limited else "gpu"))
    gate.enter(_task(2, "N"))

    def offer(task: Task) -> bool | Held:
        if not is_open[0]:
            return Held(("W", "In"), "closed")
        if task.kind == "gpu":
            return False
        taken.append(task.id)
        return True

    gate.hand_out(offer)
    if limited:
        gate.ended("9/G/1")
        gate.hand_out(offer)
        gate.enter(_task(0, "G", 90))
        is_open[0] = True
        gate.hand_out(offer)
        assert "0/G/1" in taken
    is_open[0] = True
    gate.hand_out(offer)

    assert "2/N/1" in taken
    assert "1/G/1" not in taken


@given(st.lists(st.tuples(st.sampled_from("eohwa"), st.integers(1, 9), st.integers(0, 3)), max_size=60), st.booleans())
def test_no_held_task_is_lost_or_handed_out_twice(steps: list[tuple[str, int, int]], limited: bool) -> None:
    """Whatever happens in between; in the end all go."""
    gate, out, waiting = Gate(), set[str](), set[str]()
    if limited:
        gate.limit("W", "P", 2)
    for what, pebble, number in steps:
        task = _task(pebble, "P" if pebble % 3 else "Q", number)
        if what == "e" and task.id not in out:
            gate.enter(task)
            waiting.add(task.id)
        elif what in "oh":
            door = _Door(number if what == "o" else 0, number + 1)
            gate.hand_out(door.offer)
            assert set(door.taken) <= waiting
            waiting -= set(door.taken)
            out |= set(door.taken)
        elif what == "w":
            assert gate.withdraw(task.id) is (task.id in waiting)
            waiting.discard(task.id)
        elif what == "a":
            gate.ended(task.id)
            out.discard(task.id)
        assert gate.held("W", "P", "P") <= len(waiting)
    for _ in range(20):
        for task_id in out:
            gate.ended(task_id)
        door = _Door(99)
        gate.hand_out(door.offer)
        out = set(door.taken)
        waiting -= out
    assert not waiting
    assert gate.held("W", "P", "P") == 0


def test_a_task_that_is_let_through_and_then_passed_over_is_not_held_any_more() -> None:
    """It waits for what it was passed over for; the next held one gets its turn."""
    gate = Gate()
    for pebble in (1, 2):
        gate.enter(_task(pebble))
    gate.hand_out(_Door(0).offer)
    seen: list[str] = []

    def offer(task: Task) -> bool | str | Held:
        seen.append(task.id)
        return "no such machine" if task.pebble == 1 else True

    gate.hand_out(offer)
    assert seen == ["1/P/1", "2/P/1"]
    assert gate.held("W", "P", "P") == 0
    assert [(each.count, each.why) for each in gate.blocked()] == [(1, "no such machine")]


def test_an_older_task_that_is_held_later_goes_before_the_younger_one_that_is_offered_next() -> None:
    """Whoever was held first does not keep its turn against a pebble that is older."""
    gate = Gate()
    for pebble in (5, 7):
        gate.enter(_task(pebble))
    gate.hand_out(_Door(0).offer)
    gate.hand_out(_Door(9, room=0).offer)
    gate.enter(_task(2))
    gate.enter(_task(3, "Q"))
    gate.hand_out(_Door(0, room=0).offer)
    door = _Door(2)
    gate.hand_out(door.offer)

    assert door.taken == ["2/P/1", "3/Q/1", "5/P/1"]


def test_what_is_let_in_is_offered_at_once_although_others_stand_before_it() -> None:
    """Tasks of a pebble that an input's restrictions held do not wait for those of older pebbles that are outside."""
    gate, taken, inside = Gate(), list[str](), set[int]()

    def offer(task: Task) -> bool | Held:
        if task.pebble not in inside:
            return Held(("W", "In"), "closed")
        taken.append(task.id)
        return True

    for pebble, name in ((1, "P"), (2, "P"), (2, "Q"), (3, "Q")):
        gate.enter(_task(pebble, name))
    gate.hand_out(offer)
    assert taken == []
    inside.add(2)
    gate.let_in("W", "In", 2)
    gate.hand_out(offer)

    assert taken == ["2/P/1", "2/Q/1"]
    assert (gate.held("W", "In", "P"), gate.held("W", "In", "Q")) == (1, 1)
