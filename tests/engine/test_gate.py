"""The gate: order, limits, and nothing lost or handed out twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.engine.gate import Gate
from cryocloud_core.engine.ids import IdSet
from cryocloud_core.task import Code, Task


def _task(pebble: int, node: str = "A", priority: int = 50, kind: str = "normal") -> Task:
    return Task(f"{pebble}/{node}/1", pebble, node, "noop", "w", Code("x"), "n", priority=priority, kind=kind)


def _take(gate: Gate, most: int) -> list[str]:
    taken: list[str] = []

    def offer(task: Task) -> bool:
        if len(taken) < most:
            taken.append(task.id)
            return True
        return False

    gate.hand_out(offer)
    return taken


def test_higher_priority_first_then_the_older_pebble() -> None:
    """Whatever the order in which they came."""
    gate = Gate()
    for task in (_task(3), _task(1), _task(2, priority=90), _task(1, "B")):
        gate.enter(task)

    assert _take(gate, 9) == ["2/A/1", "1/A/1", "1/B/1", "3/A/1"]


def test_a_refusal_stops_its_kind_only() -> None:
    """No free normal worker does not hold an admin task up."""
    gate = Gate()
    gate.enter(_task(1))
    gate.enter(_task(2, kind="admin"))
    taken: list[str] = []

    def only_admin(task: Task) -> bool:
        taken.extend([task.id] if task.kind == "admin" else [])
        return task.kind == "admin"

    gate.hand_out(only_admin)

    assert taken == ["2/A/1"]
    assert gate.top_priority("normal") == 50
    assert gate.top_priority("admin") is None


def test_a_limit_holds_and_lets_the_next_through_when_a_task_ends() -> None:
    """Tasks of other nodes pass in the meantime; the reason is told."""
    gate = Gate()
    gate.limit("w", "A", 1)
    for task in (_task(1), _task(2), _task(3, "B")):
        gate.enter(task)
    assert _take(gate, 9) == ["1/A/1", "3/B/1"]
    blocked = gate.blocked()[0]
    assert (blocked.node, blocked.count, blocked.why) == ("A", 1, "max_parallel: 1 of 1 are running")
    for pebble in (4, 5):
        gate.enter(_task(pebble))
    assert gate.blocked()[0].count == 3
    assert gate.withdraw("5/A/1")
    assert gate.withdraw("4/A/1")
    gate.ended("1/A/1")

    assert _take(gate, 9) == ["2/A/1"]
    assert gate.blocked() == []


def test_a_withdrawn_task_does_not_keep_its_place_under_a_limit() -> None:
    """The next one that waits gets it."""
    gate = Gate()
    gate.limit("w", "A", 1)
    for pebble in (1, 2, 3):
        gate.enter(_task(pebble))
    _take(gate, 9)
    gate.ended("1/A/1")
    assert gate.withdraw("2/A/1")

    assert _take(gate, 9) == ["3/A/1"]


def test_a_task_that_comes_back_unbegun_waits_again() -> None:
    """It keeps its priority and frees its place."""
    gate = Gate()
    gate.limit("w", "A", 1)
    gate.enter(_task(1))
    _take(gate, 1)
    gate.back("1/A/1")

    assert not gate.is_out("1/A/1")
    assert _take(gate, 1) == ["1/A/1"]


def _take_but(gate: Gate, passed: set[str], most: int = 99) -> list[str]:
    """Take what is offered, but pass over these."""
    taken: list[str] = []

    def offer(task: Task) -> bool | str:
        if task.id in passed:
            return f"{task.node} has to wait"
        taken.extend([task.id] if len(taken) < most else [])
        return task.id in taken

    gate.hand_out(offer)
    return taken


def test_a_task_passed_over_holds_nobody_up_and_is_offered_again_on_demand() -> None:
    """Others of its kind and of its node go before it; why it waits is told."""
    gate = Gate()
    gate.limit("w", "A", 1)
    for pebble in (1, 2):
        gate.enter(_task(pebble))
    gate.enter(_task(1, "B"))

    assert _take_but(gate, {"1/A/1"}) == ["1/B/1", "2/A/1"]
    assert [(b.node, b.count, b.why) for b in gate.blocked() if "wait" in b.why] == [("A", 1, "A has to wait")]
    standing = gate.standing("1/A/1")
    assert standing is not None
    assert not standing.is_out
    gate.ended("2/A/1")
    assert gate.standing("1/A/1").why == "A has to wait"  # type: ignore[union-attr]
    assert _take_but(gate, set()) == []
    gate.offer_again(["1/A/1"])
    assert gate.blocked() == []
    assert _take_but(gate, set()) == ["1/A/1"]


def test_a_task_passed_over_can_be_withdrawn() -> None:
    """And is not offered by mistake afterwards."""
    gate = Gate()
    gate.enter(_task(1))
    _take_but(gate, {"1/A/1"})

    assert gate.withdraw("1/A/1")
    gate.offer_again(["1/A/1"])
    assert gate.blocked() == []
    assert _take_but(gate, set()) == []


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 3), st.booleans()), max_size=30))
def test_whatever_is_passed_over_the_others_are_handed_out(tasks: list[tuple[str, int, bool]]) -> None:
    """Under a limit too, and everything comes out in the end."""
    gate = Gate()
    gate.limit("w", "A", 2)
    made = [_task(number, node, priority) for number, (node, priority, _) in enumerate(tasks)]
    passed = {task.id for task, (_, _, odd) in zip(made, tasks, strict=True) if odd}
    for task in made:
        gate.enter(task)
    found: set[str] = set()
    for hidden in (passed, set[str]()):
        gate.offer_again(passed)
        while taken := _take_but(gate, hidden):
            assert sum("/A/" in each for each in taken) <= 2
            found |= set(taken)
            for each in taken:
                gate.ended(each)
        assert found == {task.id for task in made} - hidden


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["enter", "hand out", "end", "back", "withdraw"]), st.integers(1, 12), st.integers(0, 3)
        ),
        max_size=60,
    )
)
def test_no_limit_is_exceeded_and_no_task_is_lost_or_doubled(steps: list[tuple[str, int, int]]) -> None:
    """Whatever happens in whatever order."""
    gate, out, waiting = Gate(), set[str](), set[str]()
    gate.limit("w", "A", 2)
    for what, pebble, number in steps:
        node = "A" if pebble % 2 else "B"
        task = _task(pebble, node, priority=number)
        match what:
            case "enter":
                gate.enter(task)
                waiting |= {task.id} - out
            case "hand out":
                taken = _take(gate, number)
                assert set(taken) <= waiting
                assert len(taken) == len(set(taken))
                waiting -= set(taken)
                out |= set(taken)
            case "end":
                gate.ended(task.id)
                out.discard(task.id)
            case "back" if task.id in out:
                gate.back(task.id)
                out.discard(task.id)
                waiting.add(task.id)
            case "withdraw":
                assert gate.withdraw(task.id) is (task.id in waiting)
                waiting.discard(task.id)
        assert sum("/A/" in each for each in out) <= 2
    while out:
        gate.ended(out.pop())
        got = set(_take(gate, 99))
        waiting -= got
        out |= got
    waiting -= set(_take(gate, 99))
    assert {each for each in waiting if "/A/" not in each} == set()


@given(st.lists(st.integers(0, 60)))
def test_a_set_of_ids_holds_what_was_added(numbers: list[int]) -> None:
    """And merges neighbours into ranges."""
    ids = IdSet()
    for number in numbers:
        ids.add(number)

    assert [n for n in range(-1, 63) if n in ids] == sorted(set(numbers))
    assert len(ids) == sum(n - 1 not in set(numbers) for n in set(numbers))
