"""Restrictions that hold each other back: a circle is told, and told only when nothing in the run opens it."""

from __future__ import annotations

from typing import Any

from cryocloud_core.engine.circles import circles
from cryocloud_core.engine.restrictions import Restrictions
from cryocloud_core.graph.workflow import Restriction, Workflow
from cryocloud_core.testing.flow import node

Holds = dict[tuple[str, str], dict[str, int]]


class Board(dict[str, Any]):
    """Status values of the workflow `W x` by parameter."""

    def value(self, channel: str, parameter: str) -> Any:
        """Return what was put."""
        return self.get(parameter) if channel.replace(" ", "_") == "W_x" else None

    def known(self, channel: str, parameter: str) -> bool:
        """Return True for what was put."""
        return self.value(channel, parameter) is not None


def told(waits: dict[str, str], holds: Holds | None = None, **counters: Any) -> dict[str, str]:
    """Return the circles; `waits` maps a node to `parameter op value`, each holds one task of its own unless said."""
    nodes = {}
    for name, text in waits.items():
        parameter, operator, value = text.split()
        nodes[name] = node(name, "In", restrictions=(Restriction("W_x", parameter, operator, value),))
    board = Board({f"{name}.pending": 1 for name in waits} | {f"{name}.processing": 0 for name in waits})
    board.update({name.replace("__", "."): value for name, value in counters.items()})
    found = circles(
        Restrictions([Workflow("W x", "", nodes)], board),
        holds or {("W x", name): {name: 1} for name in waits},
    )
    return {key[1]: why.removeprefix("nothing in this run opens the circle: ") for key, why in found.items()}


def test_two_that_wait_for_each_other_are_told_both_ways() -> None:
    """Each from its own side."""
    assert told({"A": "B.pending < 1", "B": "A.pending == 0"}) == {
        "A": "A waits for B, B waits for A",
        "B": "B waits for A, A waits for B",
    }


def test_a_longer_circle_and_who_waits_before_it() -> None:
    """D waits for a circle of three: it will not go on either."""
    waits = {"A": "B.pending <= 0", "B": "C.pending < 1", "C": "A.pending < 1", "D": "A.pending < 1"}

    assert told(waits)["D"] == "D waits for A, A waits for B, B waits for C, C waits for A"
    assert set(told(waits)) == {"A", "B", "C", "D"}


def test_what_may_still_open_is_no_circle() -> None:
    """A task that runs, one that is not held, another comparison, another counter, a node that waits for nothing."""
    pair = {"A": "B.pending < 1", "B": "A.pending < 1"}

    assert told(pair, A__processing=1) == {}
    assert told(pair, B__pending=2) == {}
    assert told({**pair, "A": "B.pending > 1"}) == {}
    assert told({**pair, "A": "B.failed < 1"}, B__failed=1) == {}
    assert told({"A": "B.pending < 1", "B": "free < 3"}, free=9) == {}
    assert told({"A": "B.pending < 5", "B": "A.pending < 1"}) == {}


def test_an_input_that_waits_for_what_it_lets_in() -> None:
    """A's tasks are held at the door, because of B's, which wait for A's."""
    holds: Holds = {("W x", "In"): {"A": 2}, ("W x", "B"): {"B": 1}}
    waits = {"In": "B.pending < 1", "B": "A.pending < 1"}

    assert told(waits, holds, A__pending=2, A__processing=0) == {
        "In": "In waits for B, B waits for A",
        "B": "B waits for A, In waits for B",
    }


def test_a_limit_that_its_own_tasks_never_meet() -> None:
    """Fewer than none."""
    assert told({"A": "A.pending < 0"}) == {"A": "A waits for A"}
