"""What only time shows: limits, cancels, who waits for whom, how many at once."""

from __future__ import annotations

from typing import Any

from cryocloud_core.testing.case import Case

_MODULES = {
    "nap": {"inputs": {"x": "seconds"}, "outputs": {"n": ""}},
    "deaf": {"inputs": {"x": "seconds"}},
    "meet": {"inputs": {"x": "the node to wait for"}, "outputs": {"n": ""}},
    "fail": {"inputs": {}},
}
_CODE = {
    "nap": 'done = cancel_event.wait(args.get("x") or 0)\nreturn (50 if done else 100), {"n": args.get("x")}',
    "deaf": 'time.sleep(args["x"])\nreturn 100, None',
    # both ends of a meeting run at the same time, or the first waits in vain
    "meet": """
open(os.path.join(here, TaskId.parse(task["taskid"]).node + ".here"), "w").close()
for _ in range(2000 if isinstance(args["x"], str) else 0):
    if os.path.exists(os.path.join(here, f"{args['x']}.here")):
        break
    time.sleep(0.01)
else:
    assert not isinstance(args["x"], str), "nobody came"
return 100, {"n": args["x"]}
""",
    "fail": 'raise ValueError("no")',
}


def _timed(title: str, nodes: str, **then: Any) -> Case:
    """Return the case of nodes that nap `x` seconds; `deaf` ones cannot be told to stop."""
    return Case(title, nodes, modules=_MODULES, code=_CODE, **then)


CASES = (
    _timed(
        "a task over its limit is told to stop and is a timeout, whatever it returns",
        """
        {"module": "nap", "name": "A", "downstreamOf": ["In"], "timeout": 0.3, "args": {"x": 60}, "children": [
            {"module": "work", "name": "T", "runOn": "timeout"},
            {"module": "work", "name": "E", "runOn": "error"}]}
        """,
        result="timeout",
        states={"A": "timeout", "T": "success", "E": "skipped"},
        attempts={"A": 1},
    ),
    _timed(
        "a module that cannot be told is killed at its limit, and its worker replaced",
        """
        {"module": "deaf", "name": "A", "downstreamOf": ["In"], "timeout": 0.3, "args": {"x": 60}, "children": [
            {"module": "work", "name": "T", "runOn": "timeout"}]}
        """,
        result="timeout",
        states={"A": "timeout", "T": "success"},
        attempts={"A": 1},
    ),
    _timed(
        "each attempt has the whole limit",
        '{"module": "nap", "name": "A", "downstreamOf": ["In"], "timeout": 0.4, "args": {"x": 60}, '
        '"retry": {"times": 1, "delay": 0.1}}',
        result="timeout",
        states={"A": "timeout"},
        attempts={"A": 2},
    ),
    Case(
        "a repeat that is due succeeds, and knows which attempt it is",
        '{"module": "odd", "name": "A", "downstreamOf": ["In"], "retry": {"times": 2, "delay": 0.1}, "children": ['
        '{"module": "work", "name": "Then", "args": {"x": {"output": "A.n"}}}]}',
        modules={"odd": {"inputs": {}, "outputs": {"n": ""}}},
        code={"odd": 'if task["attempt"] < 3:\n    raise ValueError("not yet")\nreturn 100, {"n": task["attempt"]}'},
        attempts={"A": 3},
        args={"Then": {"x": 3}},
    ),
    _timed(
        "a path that is not absolute is not repeated",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "retry": 3, '
        '"args": {"x": {"value": "rel/ative", "type": "file"}}}',
        result="error",
        problems=("W17",),
        errors={"A": "absolute path"},
        starts=(),
    ),
    _timed(
        "a deferred node waits for a slow branch beside it, although its parent is done",
        """
        {"module": "work", "name": "P", "downstreamOf": ["In"]},
        {"module": "nap", "name": "Slow", "downstreamOf": ["In"], "args": {"x": 0.5}},
        {"module": "work", "name": "D", "downstreamOf": ["P"], "deferred": true, "args": {"x": {"output": "Slow.n"}}}
        """,
        args={"D": {"x": 0.5}},
        overlaps={("Slow", "D"): False},
    ),
    _timed(
        "the first parent to end fires a resolveOnAny node, while the other still runs",
        """
        {"module": "nap", "name": "L", "downstreamOf": ["In"], "args": {"x": 0.1}},
        {"module": "meet", "name": "R", "downstreamOf": ["In"], "args": {"x": "J"}},
        {"module": "meet", "name": "J", "downstreamOf": ["R", "L"], "resolveOnAny": true,
         "args": {"x": {"output": "parent.n"}}}
        """,
        args={"J": {"x": 0.1}},
        attempts={"J": 1},
    ),
    _timed(
        "branches run side by side, children after their parents",
        """
        {"module": "meet", "name": "L", "downstreamOf": ["In"], "args": {"x": "R"}},
        {"module": "meet", "name": "R", "downstreamOf": ["In"], "args": {"x": "L"}, "children": [
            {"module": "work", "name": "C"}]}
        """,
        overlaps={("L", "R"): True, ("R", "C"): False},
    ),
    _timed(
        "a node with a limit of one runs one at a time, over all pebbles",
        '{"module": "nap", "name": "A", "downstreamOf": ["In", "In2", "In3"], "max_parallel": 1, "args": {"x": 0.1}}',
        input='{"module": "cmdline", "name": "In"}, {"module": "cmdline", "name": "In2"}, '
        '{"module": "cmdline", "name": "In3"}',
        result=("success",) * 3,
        starts=("A", "2:A", "3:A"),
        overlaps={("A", "2:A"): False, ("2:A", "3:A"): False, ("A", "3:A"): False},
    ),
    _timed(
        "a pebble that is given up stops its task at once, runs its deferred nodes, and nothing else",
        """
        {"module": "nap", "name": "A", "downstreamOf": ["In"], "args": {"x": 60}, "children": [
            {"module": "work", "name": "Never", "runOn": "always"}]},
        {"module": "work", "name": "D", "downstreamOf": ["In"], "deferred": true},
        {"module": "work", "name": "Mail", "global": true}
        """,
        cancel="A",
        result="cancelled",
        states={"A": "cancelled", "Never": "blocked", "D": "success"},
        starts=("A", "D"),
    ),
    _timed(
        "a deaf task of a pebble that is given up is killed and does not come again",
        '{"module": "deaf", "name": "A", "downstreamOf": ["In"], "args": {"x": 60}, "retry": 2}',
        cancel="A",
        result="cancelled",
        states={"A": "cancelled"},
        attempts={"A": 1},
    ),
    _timed(
        "a handler is done before the run ends",
        """
        {"module": "fail", "name": "A", "downstreamOf": ["In"]},
        {"module": "nap", "name": "Mail", "global": true, "args": {"x": 0.3}}
        """,
        result="error",
        states={"A": "error"},
        starts=("A", "Mail#1"),
    ),
)
#: naps hold workers, so that side by side needs enough of them
SETTINGS = {"workers": 6}
