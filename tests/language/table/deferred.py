"""Deferred nodes: judged with the others, run when all else is over."""

from __future__ import annotations

from cryocloud_core.task import TimedOut
from cryocloud_core.testing.case import Case

_BESIDE = """
    {"module": "work", "name": "A", "downstreamOf": ["In"]},
    {"module": "work", "name": "B", "downstreamOf": ["In"], "children": [{"module": "work", "name": "C"}]},
"""

CASES = (
    Case(
        "it runs after everything else",
        _BESIDE + '{"module": "work", "name": "D", "downstreamOf": ["In"], "deferred": true}',
        starts=("A", "B", "C", "D"),
        states={"D": "success"},
    ),
    Case(
        "it runs after a failure too",
        _BESIDE + '{"module": "work", "name": "D", "downstreamOf": ["In"], "deferred": true}',
        ends={"B": "no"},
        starts=("A", "B", "D"),
        result="error",
    ),
    Case(
        "its children come after it",
        _BESIDE
        + """{"module": "work", "name": "D", "downstreamOf": ["A"], "deferred": "yes", "children": [
            {"module": "work", "name": "DC", "children": [{"module": "work", "name": "DCC"}]}]}""",
        starts=("A", "B", "C", "D", "DC", "DCC"),
    ),
    Case(
        "it may use what any node returned",
        _BESIDE
        + """{"module": "work", "name": "D", "downstreamOf": ["In"], "deferred": true,
              "args": {"x": {"output": "C.dst"}, "y": {"output": "Later.dst", "default": "none"}}},
             {"module": "work", "name": "Later", "downstreamOf": ["C"], "runOn": "error"}""",
        ends={"C": {"dst": "/c"}},
        args={"D": {"x": "/c", "y": "none"}},
    ),
    Case(
        "what did not run is null",
        _BESIDE + '{"module": "work", "name": "D", "downstreamOf": ["In"], "deferred": true, '
        '"args": {"x": {"output": "C.dst"}}}',
        ends={"B": "no"},
        args={"D": {"x": None}},
        notes=("'C' did not run",),
        result="error",
    ),
    Case(
        "its own failure leaves the result alone and fires no handler",
        """
        {"module": "work", "name": "D", "downstreamOf": ["In"], "deferred": true, "children": [
            {"module": "work", "name": "DC"}, {"module": "work", "name": "DE", "runOn": "error"}]},
        {"module": "work", "name": "Mail", "global": true}
        """,
        ends={"D": "cannot tidy"},
        states={"D": "error", "DC": "blocked", "DE": "success"},
        starts=("D", "DE"),
    ),
    Case(
        "it is judged like any node: below a skipped one it is skipped",
        """
        {"module": "work", "name": "Off", "downstreamOf": ["In"], "runOn": "never"},
        {"module": "tidy", "name": "D", "downstreamOf": ["Off"], "deferred": true}
        """,
        states={"D": "skipped"},
    ),
    Case(
        "below a node that failed it needs a runOn that says so",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "D", "downstreamOf": ["A"], "deferred": true},
        {"module": "tidy", "name": "E", "downstreamOf": ["A"], "deferred": true},
        {"module": "work", "name": "F", "downstreamOf": ["A"], "deferred": true, "runOn": ["error", "timeout"]}
        """,
        ends={"A": TimedOut("over")},
        states={"D": "blocked", "E": "success", "F": "success"},
        result="timeout",
    ),
    Case(
        "its condition is judged when its parents have ended",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "D", "downstreamOf": ["A"], "deferred": true, "runIf": "output:A.n > 1"},
        {"module": "work", "name": "E", "downstreamOf": ["A"], "deferred": true, "runIf": "output:A.n > 2"}
        """,
        ends={"A": {"n": 2}},
        states={"D": "success", "E": "skipped"},
    ),
    Case(
        "it runs for a pebble that was given up",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "children": [{"module": "work", "name": "B"}]},
        {"module": "tidy", "name": "D", "downstreamOf": ["In"], "deferred": true}
        """,
        cancel="A",
        states={"A": "cancelled", "B": "blocked", "D": "success"},
        result="cancelled",
    ),
    Case(
        "it runs after the handlers that a failure fired",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "D", "downstreamOf": ["In"], "deferred": true},
        {"module": "work", "name": "Mail", "global": true, "children": [{"module": "work", "name": "Sent"}]}
        """,
        ends={"A": "no"},
        starts=("A", "Mail#1", "Sent#1", "D"),
        result="error",
    ),
    Case(
        "its tempdir is still there, and is removed after it",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "args": {"dir": {"type": "tempdir", "id": "w"}}},
        {"module": "work", "name": "D", "downstreamOf": ["A"], "deferred": true,
         "args": {"dir": {"type": "tempdir", "id": "w"}}}
        """,
        starts=("A", "D"),
        staged={"D": {"dir": "tempdir w"}},
        cleaned=(None,),
    ),
    Case(
        "a join of a deferred node and another runs late",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "D", "downstreamOf": ["In"], "deferred": true},
        {"module": "work", "name": "J", "downstreamOf": ["A", "D"]}
        """,
        starts=("A", "D", "J"),
    ),
)
