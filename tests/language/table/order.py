"""Which task is handed out next: edges, priority, age, limits."""

from __future__ import annotations

from typing import Any

from cryocloud_core.task import Lost, TimedOut
from cryocloud_core.testing.case import Case

_THREE: tuple[tuple[str, dict[str, Any]], ...] = (("In", {}), ("In", {}), ("In", {}))

CASES = (
    Case(
        "only edges order things",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["In"]},
        {"module": "work", "name": "AB", "downstreamOf": ["A", "B"]}
        """,
        starts=("A", "B", "AB"),
    ),
    Case(
        "with one worker the higher priority goes first, wherever it stands",
        """
        {"module": "work", "name": "Low", "downstreamOf": ["In"], "priority": 10},
        {"module": "work", "name": "High", "downstreamOf": ["In"], "priority": 90},
        {"module": "work", "name": "Middle", "downstreamOf": ["In"]}
        """,
        workers=1,
        starts=("High", "Middle", "Low"),
        tasks={"High": {"priority": 90}, "Middle": {"priority": 50}, "Low": {"priority": 10}},
    ),
    Case(
        "priority has words, any whole number, and texts of numbers",
        """
        {"module": "work", "name": "High", "downstreamOf": ["In"], "priority": "high"},
        {"module": "work", "name": "Normal", "downstreamOf": ["In"], "priority": "Normal"},
        {"module": "work", "name": "Low", "downstreamOf": ["In"], "priority": "low"},
        {"module": "work", "name": "Bulk", "downstreamOf": ["In"], "priority": "bulk"},
        {"module": "work", "name": "Git", "downstreamOf": ["In"], "priority": 1000},
        {"module": "work", "name": "Below", "downstreamOf": ["In"], "priority": "-3"}
        """,
        workers=1,
        starts=("Git", "High", "Normal", "Low", "Bulk", "Below"),
        tasks={"High": {"priority": 100}, "Low": {"priority": 20}, "Bulk": {"priority": 0}, "Below": {"priority": -3}},
    ),
    Case(
        "a module has a priority of its own, a child has not its parent's",
        """
        {"module": "tidy", "name": "T", "downstreamOf": ["In"], "type": "normal"},
        {"module": "work", "name": "P", "downstreamOf": ["In"], "priority": 90, "children": [
            {"module": "work", "name": "C"}]},
        {"module": "work", "name": "Q", "downstreamOf": ["In"], "priority": 60}
        """,
        workers=1,
        starts=("P", "Q", "C", "T"),
        tasks={"T": {"priority": 7}, "C": {"priority": 50}},
    ),
    Case(
        "of equal priority the older pebble goes first and drains first",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["A"]}
        """,
        arrivals=_THREE,
        workers=1,
        starts=("A", "B", "2:A", "2:B", "3:A", "3:B"),
    ),
    Case(
        "a younger pebble overtakes where its node is more urgent",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "Urgent", "downstreamOf": ["Now"], "priority": "high"}
        """,
        input='{"module": "cmdline", "name": "In"}, {"module": "cmdline", "name": "Now"}',
        arrivals=(("In", {}), ("In", {}), ("Now", {})),
        workers=1,
        starts=("3:Urgent", "A", "2:A"),
    ),
    Case(
        "max_parallel holds over all pebbles",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "max_parallel": 1},'
        '{"module": "work", "name": "B", "downstreamOf": ["A"], "max_parallel": "2"}',
        arrivals=_THREE,
        at_once={"A": 1},
        attempts={"A": 1, "2:A": 1, "3:A": 1, "3:B": 1},
    ),
    Case(
        "what waits for a limit holds nothing else up",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "max_parallel": 1, "priority": 90},
        {"module": "work", "name": "B", "downstreamOf": ["In"]}
        """,
        arrivals=_THREE,
        workers=2,
        order=("B", "A"),
        starts=("A", "B", "2:B", "3:B", "2:A", "3:A"),
    ),
    Case(
        "a failed task frees its place",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "max_parallel": 1}',
        arrivals=_THREE,
        ends={"A": "no", "3:A": None},
        at_once={"A": 1},
        result=("error", "error", "success"),
    ),
    Case(
        "a cancelled task frees its place",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "max_parallel": 1}',
        arrivals=_THREE,
        cancel="A",
        at_once={"A": 1},
        result=("cancelled", "success", "success"),
    ),
    Case("a limit of none", '{"module": "work", "downstreamOf": ["In"], "max_parallel": 0}', problems=("E13",)),
    Case("a negative limit", '{"module": "work", "downstreamOf": ["In"], "max_parallel": -1}', problems=("E13",)),
    Case("half a task", '{"module": "work", "downstreamOf": ["In"], "max_parallel": 1.5}', problems=("E13",)),
    Case(
        "a priority that is no word",
        '{"module": "work", "downstreamOf": ["In"], "priority": "soon"}',
        problems=("E13",),
    ),
    Case("a priority that is true", '{"module": "work", "downstreamOf": ["In"], "priority": true}', problems=("E13",)),
    Case(
        "a lost task frees its place, and so does one that ran out of time",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "max_parallel": 1}',
        arrivals=_THREE,
        ends={"A": Lost("m1", "gone"), "2:A": TimedOut("late"), "3:A": None},
        at_once={"A": 1},
        attempts={"A": 2, "2:A": 1, "3:A": 1},
        notes=("placed again",),
        result=("error", "timeout", "success"),
    ),
)
