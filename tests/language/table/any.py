"""resolveOnAny: the first parent that fits starts the node, once."""

from __future__ import annotations

from cryocloud_core.task import TimedOut
from cryocloud_core.testing.case import Case

_PAIR = """
    {"module": "work", "name": "L", "downstreamOf": ["In"]},
    {"module": "work", "name": "R", "downstreamOf": ["In"]}
"""
_FIRST = """
    {"module": "work", "name": "J", "downstreamOf": ["L", "R"], "resolveOnAny": true,
     "args": {"x": {"output": "parent.n"}, "y": {"stat": "parent.runtime"}}},
    {"module": "work", "name": "K", "downstreamOf": ["J"]}
"""

CASES = (
    Case(
        "the parent that ends first is the parent",
        f"{_PAIR},{_FIRST}",
        ends={"L": {"n": "left"}, "R": {"n": "right"}},
        order=("R", "J", "L"),
        starts=("L", "R", "J", "K"),
        args={"J": {"x": "right", "y": 1.5}},
    ),
    Case(
        "the parent that fired counts although the first listed has the value",
        f"{_PAIR},{_FIRST}",
        ends={"L": {"n": "left"}, "R": {}},
        order=("R", "L"),
        args={"J": {"x": None}},
        notes=("argument 'x' is null",),
    ),
    Case(
        "it runs once, whoever ends first and however often",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["In"]},
        {"module": "work", "name": "C", "downstreamOf": ["In"]},
        {"module": "work", "name": "J", "downstreamOf": ["A", "B", "C"], "resolveOnAny": "yes"},
        {"module": "work", "name": "K", "downstreamOf": ["J"]}
        """,
        attempts={"J": 1, "K": 1},
        states={"J": "success", "K": "success"},
    ),
    Case(
        "a parent that fails does not start a node that wants success",
        f'{_PAIR}, {{"module": "work", "name": "J", "downstreamOf": ["L", "R"], "resolveOnAny": true}}',
        ends={"L": "no"},
        order=("L", "R"),
        starts=("L", "R", "J"),
        result="error",
    ),
    Case(
        "when no parent fits the node is blocked",
        f'{_PAIR}, {{"module": "work", "name": "J", "downstreamOf": ["L", "R"], "resolveOnAny": true}}',
        ends={"L": "no", "R": TimedOut("over")},
        states={"J": "blocked"},
        result="error",
    ),
    Case(
        "when no parent ran the node is skipped",
        """
        {"module": "work", "name": "L", "downstreamOf": ["In"], "runOn": "never"},
        {"module": "work", "name": "R", "downstreamOf": ["In"], "runOn": "never"},
        {"module": "work", "name": "J", "downstreamOf": ["L", "R"], "resolveOnAny": true, "runOn": "always"}
        """,
        states={"J": "skipped"},
    ),
    Case(
        "a parent that is switched off starts nothing",
        """
        {"module": "work", "name": "L", "downstreamOf": ["In"], "runOn": "never"},
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "R", "downstreamOf": ["A"]},
        {"module": "work", "name": "J", "downstreamOf": ["L", "R"], "resolveOnAny": true, "runOn": "always"}
        """,
        starts=("A", "R", "J"),
    ),
    Case(
        "runOn error waits for the parent that fails",
        f'{_PAIR}, {{"module": "work", "name": "J", "downstreamOf": ["L", "R"], "resolveOnAny": true, '
        '"runOn": "error", "args": {"text": {"output": "parent.error"}}}',
        ends={"R": "it was R"},
        order=("L", "R"),
        args={"J": {"text": "it was R"}},
        result="error",
    ),
    Case(
        "runOn always takes whatever comes first",
        f'{_PAIR}, {{"module": "work", "name": "J", "downstreamOf": ["L", "R"], "resolveOnAny": true, '
        '"runOn": "always"}',
        ends={"L": "no"},
        order=("L", "J", "R"),
        states={"J": "success"},
        starts=("L", "R", "J"),
        result="error",
    ),
    Case(
        "runOn never stays off",
        f'{_PAIR}, {{"module": "work", "name": "J", "downstreamOf": ["L", "R"], "resolveOnAny": true, '
        '"runOn": "never"}',
        states={"J": "skipped"},
        starts=("L", "R"),
    ),
    Case(
        "a fallback: the error branch's success stands in for its parent",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "E", "downstreamOf": ["A"], "runOn": "error"},
        {"module": "work", "name": "J", "downstreamOf": ["A", "E"], "resolveOnAny": true,
         "args": {"x": {"output": "parent.dst", "default": "none"}}}
        """,
        ends={"A": "no", "E": {"dst": "/rescued"}},
        states={"J": "success"},
        args={"J": {"x": "/rescued"}},
        result="error",
    ),
    Case(
        "the condition is asked for each parent that fits",
        f'{_PAIR}, {{"module": "work", "name": "J", "downstreamOf": ["L", "R"], "resolveOnAny": true, '
        '"runIf": "output:parent.n > 5"}',
        ends={"L": {"n": 1}, "R": {"n": 9}},
        order=("L", "R"),
        states={"J": "success"},
        starts=("L", "R", "J"),
    ),
    Case(
        "a condition that holds for no parent skips the node",
        f'{_PAIR}, {{"module": "work", "name": "J", "downstreamOf": ["L", "R"], "resolveOnAny": true, '
        '"runIf": "output:parent.n > 5"}',
        ends={"L": {"n": 1}, "R": {"n": 2}},
        states={"J": "skipped"},
    ),
    Case(
        "a module may prefer it, a node may refuse it",
        f"""{_PAIR},
        {{"module": "either", "name": "J", "downstreamOf": ["L", "R"]}},
        {{"module": "either", "name": "K", "downstreamOf": ["L", "R"], "resolveOnAny": "false"}}
        """,
        order=("L", "J", "R"),
        starts=("L", "R", "J", "K"),
        states={"J": "success", "K": "success"},
    ),
)
