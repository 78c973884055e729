"""When a node runs: the combined result of its parents against its runOn."""

from __future__ import annotations

from cryocloud_core.task import Cancelled, Lost, TimedOut
from cryocloud_core.testing.case import Case

_PAIR = """
    {"module": "work", "name": "L", "downstreamOf": ["In"]},
    {"module": "work", "name": "R", "downstreamOf": ["In"]}
"""
_ALL_KINDS = """
    {"module": "work", "name": "OnSuccess", "downstreamOf": ["L", "R"], "runOn": "success"},
    {"module": "work", "name": "OnError", "downstreamOf": ["L", "R"], "runOn": "error"},
    {"module": "work", "name": "OnTimeout", "downstreamOf": ["L", "R"], "runOn": "timeout"},
    {"module": "work", "name": "OnCancel", "downstreamOf": ["L", "R"], "runOn": "cancelled"},
    {"module": "work", "name": "Always", "downstreamOf": ["L", "R"], "runOn": "always"},
    {"module": "work", "name": "Never", "downstreamOf": ["L", "R"], "runOn": "never"}
"""
_JOINED = f"{_PAIR},{_ALL_KINDS}"

CASES = (
    Case(
        "without runOn only success of the parents lets a node run",
        _PAIR + ', {"module": "work", "name": "J", "downstreamOf": ["L", "R"]}',
        ends={"R": "no"},
        states={"J": "blocked"},
        result="error",
    ),
    Case(
        "all parents succeed",
        _JOINED,
        states={
            "OnSuccess": "success",
            "OnError": "skipped",
            "OnTimeout": "skipped",
            "OnCancel": "skipped",
            "Always": "success",
            "Never": "skipped",
        },
    ),
    Case(
        "one parent fails, whoever ends first",
        _JOINED,
        ends={"L": "no"},
        states={
            "OnSuccess": "blocked",
            "OnError": "success",
            "OnTimeout": "skipped",
            "OnCancel": "skipped",
            "Always": "success",
            "Never": "skipped",
        },
        result="error",
    ),
    Case(
        "a timeout is a result of its own",
        _JOINED,
        ends={"R": TimedOut("2 s are over")},
        states={"OnSuccess": "blocked", "OnError": "skipped", "OnTimeout": "success", "Always": "success"},
        result="timeout",
    ),
    Case(
        "a task that is cancelled at its worker is a result of its own",
        _JOINED,
        ends={"L": Cancelled("Worker killed")},
        states={"OnSuccess": "blocked", "OnError": "skipped", "OnCancel": "success", "Always": "success"},
        result="cancelled",
    ),
    Case(
        "an error is worse than a timeout",
        _JOINED,
        ends={"L": TimedOut("over"), "R": "no"},
        states={"OnError": "success", "OnTimeout": "skipped"},
        result="error",
    ),
    Case(
        "a timeout is worse than a cancel",
        _JOINED,
        ends={"L": TimedOut("over"), "R": Cancelled()},
        states={"OnTimeout": "success", "OnCancel": "skipped"},
        result="timeout",
    ),
    Case(
        "a lost worker costs one placement, then the node fails",
        '{"module": "work", "name": "A", "downstreamOf": ["In"]}',
        ends={"A": Lost("m1", "signal 9")},
        states={"A": "error"},
        attempts={"A": 2},
        notes=("worker lost on m1",),
        result="error",
    ),
    Case(
        "a diamond with one side switched off joins on the other",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "L", "downstreamOf": ["A"]},
        {"module": "work", "name": "R", "downstreamOf": ["A"], "runOn": "never"},
        {"module": "work", "name": "BelowR", "downstreamOf": ["R"], "runOn": "always"},
        {"module": "work", "name": "J", "downstreamOf": ["L", "R"]}
        """,
        states={"L": "success", "R": "skipped", "BelowR": "skipped", "J": "success"},
        starts=("A", "L", "J"),
    ),
    Case(
        "a diamond whose sides are chosen by a condition joins on the chosen one",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "Wind", "downstreamOf": ["A"], "runIf": "output:A.kind == 'wind'"},
        {"module": "work", "name": "Wave", "downstreamOf": ["A"], "runIf": "output:A.kind != 'wind'"},
        {"module": "work", "name": "J", "downstreamOf": ["Wind", "Wave"]}
        """,
        ends={"A": {"kind": "wave"}},
        states={"Wind": "skipped", "Wave": "success", "J": "success"},
    ),
    Case(
        "a failing side of a diamond decides although the other is switched off",
        """
        {"module": "work", "name": "L", "downstreamOf": ["In"]},
        {"module": "work", "name": "R", "downstreamOf": ["In"], "runOn": "never"},
        {"module": "work", "name": "J", "downstreamOf": ["L", "R"]},
        {"module": "work", "name": "E", "downstreamOf": ["L", "R"], "runOn": "error"}
        """,
        ends={"L": "no"},
        states={"J": "blocked", "E": "success"},
        result="error",
    ),
    Case(
        "all parents switched off, so the node is off as well",
        """
        {"module": "work", "name": "L", "downstreamOf": ["In"], "runOn": "never"},
        {"module": "work", "name": "R", "downstreamOf": ["In"], "runIf": "1 == 2"},
        {"module": "work", "name": "J", "downstreamOf": ["L", "R"], "runOn": "always"}
        """,
        states={"L": "skipped", "R": "skipped", "J": "skipped"},
        starts=(),
    ),
    Case(
        "nothing runs on nothing: always below a blocked node stays blocked",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["A"]},
        {"module": "work", "name": "C", "downstreamOf": ["B"], "runOn": "always"},
        {"module": "work", "name": "D", "downstreamOf": ["C"], "runOn": "error"}
        """,
        ends={"A": "no"},
        states={"A": "error", "B": "blocked", "C": "blocked", "D": "blocked"},
        starts=("A",),
        result="error",
    ),
    Case(
        "a blocked parent beside a good one counts as what blocked it",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["A"]},
        {"module": "work", "name": "C", "downstreamOf": ["In"]},
        {"module": "work", "name": "J", "downstreamOf": ["B", "C"]},
        {"module": "work", "name": "T", "downstreamOf": ["B", "C"], "runOn": "timeout"}
        """,
        ends={"A": TimedOut("over")},
        states={"B": "blocked", "J": "blocked", "T": "success"},
        result="timeout",
    ),
    Case(
        "a blocked and a skipped parent together block",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["A"]},
        {"module": "work", "name": "Off", "downstreamOf": ["In"], "runOn": "never"},
        {"module": "work", "name": "J", "downstreamOf": ["B", "Off"], "runOn": "always"}
        """,
        ends={"A": "no"},
        states={"J": "blocked"},
        result="error",
    ),
    Case(
        "children of an error branch see the branch, not the error",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "E", "downstreamOf": ["A"], "runOn": "error", "children": [
            {"module": "work", "name": "EC"},
            {"module": "work", "name": "EE", "runOn": "error"}]}
        """,
        ends={"A": "disk full"},
        states={"E": "success", "EC": "success", "EE": "skipped"},
        result="error",
    ),
    Case(
        "an error branch below success is skipped and the pebble is fine",
        """
        {"module": "work", "name": "P", "downstreamOf": ["In"]},
        {"module": "work", "name": "E", "downstreamOf": ["P"], "runOn": "error"}
        """,
        states={"E": "skipped"},
    ),
    Case(
        "a join of a node and its error branch needs always",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "E", "downstreamOf": ["A"], "runOn": "error"},
        {"module": "work", "name": "J", "downstreamOf": ["A", "E"]},
        {"module": "work", "name": "K", "downstreamOf": ["A", "E"], "runOn": "always"}
        """,
        ends={"A": "no"},
        states={"E": "success", "J": "blocked", "K": "success"},
        result="error",
    ),
    Case(
        "a list of results catches each of them",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "L", "downstreamOf": ["A"], "runOn": ["error", "timeout"]},
        {"module": "work", "name": "M", "downstreamOf": ["A"], "runOn": ["error", "cancelled"]},
        {"module": "work", "name": "S", "downstreamOf": ["A"], "runOn": ["success", "error"]}
        """,
        ends={"A": TimedOut("over")},
        states={"L": "success", "M": "skipped", "S": "blocked"},
        result="timeout",
    ),
    Case(
        "a condition that is false skips a node with its subtree and leaves its siblings alone",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "runIf": "'a' == 'b'",
         "children": [{"module": "work", "name": "AC", "runOn": "always"}]},
        {"module": "work", "name": "B", "downstreamOf": ["In"]}
        """,
        states={"A": "skipped", "AC": "skipped", "B": "success"},
    ),
    Case(
        "a node that switches itself off by condition is skipped, not blocked, but only if runOn would let it run",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["A"], "runIf": "1 == 2"}
        """,
        ends={"A": "no"},
        states={"B": "blocked"},
        result="error",
    ),
    Case(
        "a module's own runOn holds unless the node says otherwise",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "tidy", "name": "T", "downstreamOf": ["A"]},
        {"module": "tidy", "name": "U", "downstreamOf": ["A"], "runOn": "success"}
        """,
        ends={"A": "no"},
        states={"T": "success", "U": "blocked"},
        result="error",
    ),
    Case(
        "an input ignores runOn",
        '{"module": "work", "name": "A", "downstreamOf": ["In"]}',
        input='{"module": "cmdline", "name": "In", "downstreamOf": ["entry"], "runOn": "error"}',
        states={"In": "success", "A": "success"},
    ),
    Case(
        "one parent listed twice is one edge",
        '{"module": "work", "name": "A", "downstreamOf": ["In", "In"], "children": ['
        '{"module": "work", "name": "B", "downstreamOf": ["A"]}]}',
        starts=("A", "B"),
    ),
    Case(
        "a node under two inputs runs for the pebbles of either",
        """
        {"module": "cmdline", "name": "Other", "downstreamOf": ["entry"]},
        {"module": "work", "name": "A", "downstreamOf": ["In", "Other"]},
        {"module": "work", "name": "B", "downstreamOf": ["Other"]}
        """,
        arrivals=(("In", {}), ("Other", {})),
        states={"Other": "skipped", "A": "success", "B": "skipped", "2:In": "skipped", "2:A": "success"},
        starts=("A", "2:A", "2:B"),
    ),
    Case(
        "a pebble whose input has nothing below it is done at once",
        states={"In": "success"},
        starts=(),
    ),
    Case(
        "a pebble that is given up stops what runs and starts nothing more",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["A"], "runOn": "always"},
        {"module": "work", "name": "Bad", "global": true, "runOn": "always"}
        """,
        cancel="A",
        states={"A": "cancelled", "B": "blocked"},
        starts=("A",),
        result="cancelled",
    ),
)
