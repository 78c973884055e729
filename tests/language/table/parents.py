"""`parent`: which parent a reference means."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_PAIR = """
    {"module": "work", "name": "L", "downstreamOf": ["In"]},
    {"module": "work", "name": "R", "downstreamOf": ["In"]},
"""

CASES = (
    Case(
        "of two parents the first listed that has the key",
        _PAIR + '{"module": "work", "name": "J", "downstreamOf": ["R", "L"], "args": {"x": {"output": "parent.dst"}}}',
        ends={"L": {"dst": "left"}, "R": {"dst": "right"}},
        problems=("W09",),
        args={"J": {"x": "right"}},
    ),
    Case(
        "a null of the first listed passes on to the next",
        _PAIR + '{"module": "work", "name": "J", "downstreamOf": ["L", "R"], "args": {"x": {"output": "parent.dst"}}}',
        ends={"L": {"dst": None}, "R": {"dst": "right"}},
        problems=("W09",),
        args={"J": {"x": "right"}},
    ),
    Case(
        "a zero of the first listed is a value",
        _PAIR + '{"module": "work", "name": "J", "downstreamOf": ["L", "R"], "args": {"x": {"output": "parent.n"}}}',
        ends={"L": {"n": 0}, "R": {"n": 5}},
        problems=("W09",),
        args={"J": {"x": 0}},
    ),
    Case(
        "a parent that was skipped is passed over",
        """
        {"module": "work", "name": "L", "downstreamOf": ["In"], "runIf": "1 == 2"},
        {"module": "work", "name": "R", "downstreamOf": ["In"]},
        {"module": "work", "name": "J", "downstreamOf": ["L", "R"], "args": {"x": {"output": "parent.dst"}}}
        """,
        ends={"R": {"dst": "right"}},
        problems=("W09",),
        args={"J": {"x": "right"}},
    ),
    Case(
        "for an error the parent that failed comes first",
        _PAIR + '{"module": "work", "name": "J", "downstreamOf": ["L", "R"], "runOn": "always", '
        '"args": {"text": {"output": "parent.error"}}}',
        ends={"L": {"error": "two files were left"}, "R": "R broke"},
        args={"J": {"text": "R broke"}},
        result="error",
    ),
    Case(
        "the enclosing node is the first parent of a child",
        """
        {"module": "work", "name": "L", "downstreamOf": ["In"]},
        {"module": "work", "name": "R", "downstreamOf": ["In"], "children": [
            {"module": "work", "name": "J", "downstreamOf": ["L"], "args": {"x": {"output": "parent.dst"}}}]}
        """,
        ends={"L": {"dst": "left"}, "R": {"dst": "right"}},
        problems=("W09",),
        args={"J": {"x": "right"}},
    ),
    Case(
        "only one parent declares the key: nothing is ambiguous",
        """
        {"module": "wind", "name": "L", "downstreamOf": ["In"], "depends": []},
        {"module": "work", "name": "R", "downstreamOf": ["In"]},
        {"module": "work", "name": "J", "downstreamOf": ["L", "R"], "args": {"x": {"output": "parent.dst"}}}
        """,
        ends={"R": {"dst": "right"}},
        args={"J": {"x": "right"}},
    ),
    Case(
        "no parent declares the key",
        _PAIR + '{"module": "work", "name": "J", "downstreamOf": ["L", "R"], "args": {"x": {"output": "parent.q"}}}',
        problems=("E19",),
    ),
    Case(
        "one parent is meant by its name as well",
        """
        {"module": "work", "name": "P", "downstreamOf": ["In"]},
        {"module": "work", "name": "J", "downstreamOf": ["P"],
         "args": {"x": {"output": "parent.n"}, "y": {"output": "P.n"}}}
        """,
        ends={"P": {"n": 3}},
        args={"J": {"x": 3, "y": 3}},
    ),
    Case(
        "an output of an ancestor further up needs its name",
        """
        {"module": "work", "name": "P", "downstreamOf": ["In"], "children": [
            {"module": "wind", "name": "Q", "depends": [], "children": [
                {"module": "work", "name": "J", "args": {"x": {"output": "P.dst"}, "y": {"output": "parent.dst"}}}]}]}
        """,
        problems=("E19",),
    ),
)
