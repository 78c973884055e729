"""Global handlers: once for every node that fails."""

from __future__ import annotations

from cryocloud_core.task import Cancelled, Failed, TimedOut
from cryocloud_core.testing.case import Case

_TWO = """
    {"module": "work", "name": "A", "downstreamOf": ["In"]},
    {"module": "work", "name": "B", "downstreamOf": ["In"]},
"""
_MAIL = '{"module": "work", "name": "Mail", "global": true%s, "args": {"text": {"output": "parent.error"}}}'

CASES = (
    Case(
        "once for each node that failed, each with its own error",
        _TWO + _MAIL % ', "runOn": "error"',
        ends={"A": "a broke", "B": TimedOut("b took too long")},
        order=("A", "B"),
        args={"Mail#1": {"text": "a broke"}, "Mail#2": {"text": "b took too long"}},
        attempts={"Mail#1": 1, "Mail#2": 1},
        result="error",
    ),
    Case(
        "nothing failed, so nothing fires",
        _TWO + _MAIL % "",
        starts=("A", "B"),
    ),
    Case(
        "without runOn it listens to errors and timeouts, whatever its module prefers",
        _TWO + '{"module": "tidy", "name": "T", "global": true}',
        ends={"A": TimedOut("over"), "B": Cancelled()},
        states={"T#1": "success"},
        starts=("A", "B", "T#1"),
        order=("A", "B", "T"),
        result="timeout",
    ),
    Case(
        "always means what can be handled: errors and timeouts",
        _TWO + _MAIL % ', "runOn": "always"',
        ends={"A": "no"},
        starts=("A", "B", "Mail#1"),
        order=("A", "B"),
        result="error",
    ),
    Case(
        "timeout alone leaves errors alone",
        _TWO + _MAIL % ', "runOn": "timeout"',
        ends={"A": "no", "B": TimedOut("over")},
        args={"Mail#1": {"text": "over"}},
        starts=("A", "B", "Mail#1"),
        result="error",
    ),
    Case(
        "never switches it off",
        _TWO + _MAIL % ', "runOn": "never"',
        ends={"A": "no"},
        starts=("A", "B"),
        result="error",
    ),
    Case("success is nothing a handler handles", _TWO + _MAIL % ', "runOn": "success"', problems=("E13",)),
    Case(
        "global: false is an ordinary node and needs a parent",
        '{"module": "work", "name": "A", "downstreamOf": ["In"]},{"module": "work", "name": "Mail", "global": "false"}',
        problems=("E08",),
        says=('nodes[2] "Mail"',),
    ),
    Case(
        "its parents are passed over with a warning",
        _TWO + '{"module": "work", "name": "Mail", "global": true, "downstreamOf": ["A"]}',
        problems=("W12",),
        ends={"B": "no"},
        starts=("A", "B", "Mail#1"),
        result="error",
    ),
    Case(
        "it fires beside the failed node's own error branch",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "children": [
            {"module": "work", "name": "E", "runOn": "error"}]},
        {"module": "work", "name": "Mail", "global": true}
        """,
        ends={"A": "no"},
        states={"E": "success", "Mail#1": "success"},
        result="error",
    ),
    Case(
        "it may have children, which see its result and every other value",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["A"]},
        {"module": "work", "name": "Mail", "global": true, "children": [
            {"module": "work", "name": "Sent",
             "args": {"x": {"output": "parent.dst"}, "y": {"output": "A.dst"}, "text": {"output": "B.error"}}},
            {"module": "work", "name": "Unsent", "runOn": "error"}]}
        """,
        ends={"A": {"dst": "/a"}, "B": "b broke", "Mail": {"dst": "/mail"}},
        args={"Sent#1": {"x": "/mail", "y": "/a", "text": "b broke"}},
        states={"Unsent#1": "skipped"},
        result="error",
    ),
    Case(
        "what the failed node returned beside its error can be used, what it did not is null",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "Mail", "global": true,
         "args": {"x": {"output": "parent.part"}, "y": {"output": "parent.unheard"}, "z": {"stat": "parent.node"}}}
        """,
        ends={"A": Failed("no", {"part": 3})},
        args={"Mail#1": {"x": 3, "y": None, "z": "m1"}},
        notes=("argument 'y' is null",),
        result="error",
    ),
    Case(
        "its own failure fires nothing, blocks what is below and stays in the result",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "Mail", "global": true, "children": [{"module": "work", "name": "Sent"}]},
        {"module": "work", "name": "Log", "global": true}
        """,
        ends={"A": TimedOut("over"), "Mail": "no mail"},
        states={"Mail#1": "error", "Sent#1": "blocked", "Log#2": "success"},
        starts=("A", "Mail#1", "Log#2"),
        result="error",
    ),
    Case(
        "it handles an argument that cannot be resolved",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["A"],
         "args": {"dir": {"output": "A.n", "type": "tempdir"}}},
        """
        + _MAIL % "",
        ends={"A": {"n": 3}},
        states={"B": "error", "Mail#1": "success"},
        result="error",
    ),
    Case(
        "its condition is asked for each failure",
        _TWO + _MAIL % ', "runIf": "output:parent.error == \'a broke\'"',
        ends={"A": "a broke", "B": "b broke"},
        order=("A", "B"),
        states={"Mail#1": "success", "Mail#2": "skipped"},
        result="error",
    ),
    Case(
        "blocked nodes did not fail",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "children": [
            {"module": "work", "name": "B", "children": [{"module": "work", "name": "C"}]}]},
        """
        + _MAIL % "",
        ends={"A": "no"},
        starts=("A", "Mail#1"),
        result="error",
    ),
    Case(
        "attempts that are repeated fire nothing, the last one does",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "retry": 1},' + _MAIL % "",
        ends={"A": ["first", "second"]},
        starts=("A", "A", "Mail#1"),
        args={"Mail#1": {"text": "second"}},
        notes=("again in",),
        result="error",
    ),
    Case(
        "an input cannot be global",
        '{"module": "work", "name": "A", "downstreamOf": ["In"]}',
        input='{"module": "cmdline", "name": "In", "global": true}',
        problems=("E13",),
    ),
    Case(
        "a graph of handlers alone never starts",
        '{"module": "work", "name": "Mail", "global": true}',
        input="",
        problems=("E05",),
    ),
    Case(
        "what a person cancelled is no failure to handle",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["In"]},
        {"module": "work", "name": "H", "global": true, "runOn": "always"}
        """,
        ends={"B": Cancelled("stopped")},
        states={"B": "cancelled"},
        starts=("A", "B"),
        result="cancelled",
    ),
)
