"""The parts of a split when things go wrong, and beside the other features of the language."""

from __future__ import annotations

from cryocloud_core.task import Cancelled, Lost, TimedOut
from cryocloud_core.testing.case import Case

_LIST = '{"module": "work", "name": "L", "downstreamOf": ["In"]},'
_W = '{"module": "work", "name": "W", "downstreamOf": ["L"], "splitOn": "f", "args": {"f": {"output": "L.files"}}'
_SPLIT = _LIST + _W + "},"
_MERGE = '{"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true}'
_ABC = {"files": ["a", "b", "c"]}


def _no_list(title: str, value: object, told: str) -> Case:
    return Case(
        title,
        _SPLIT + _MERGE + ',{"module": "work", "name": "E", "downstreamOf": ["W"], "runOn": "error", "args": {'
        '"text": {"output": "parent.error"}}}',
        ends={"L": {"files": value}},
        states={"W": "error", "E": "success", "M": "blocked"},
        args={"E": {"text": f"splitOn: argument 'f' is not a list, got {told}"}},
        notes=("argument 'f' is null",) if value is None else (),
        result="error",
    )


def _comes_to(title: str, parts: dict[str, object], runs: str) -> Case:
    """Return the case of a merge that runs always: which branch behind it runs."""
    branch = '{{"module": "work", "name": "{0}", "downstreamOf": ["M"], "runOn": "{0}"}}'
    branches = ",".join(branch.format(word) for word in ("success", "timeout", "error", "cancelled"))
    states = {word: "success" if word == runs else "skipped" for word in ("timeout", "error", "cancelled")}
    return Case(
        title,
        _SPLIT + '{"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true, "runOn": "always"},' + branches,
        ends={"L": _ABC, **parts},  # type: ignore[arg-type]
        states=states,
        result=runs,
    )


CASES = (
    _no_list("a text is told to be none", "abc", "str"),
    _no_list("a map is told to be none", {"a": 1}, "dict"),
    _no_list("a number is told to be none", 3, "int"),
    _no_list("null is told to be none", None, "null"),
    Case(
        "what was before the split stays as it is behind the merge",
        _SPLIT + _MERGE + ',{"module": "work", "name": "A", "downstreamOf": ["M"], "args": {"x": {"output": "L.kind"},'
        '"y": {"output": "In.n"}, "z": {"output": "M.n"}, "src": {"stat": "L.node"}}}',
        input='{"module": "cmdline", "name": "In", "outputs": {"n": ""}}',
        arrivals=(("In", {"n": 7}),),
        ends={"L": {**_ABC, "kind": "k"}, "M.0": {"n": 0}, "M.2": {"n": 2}},
        args={"A": {"x": "k", "y": 7, "z": [0, None, 2], "src": "m1"}},
    ),
    Case(
        "a key that nobody declared and one part returned is a list as well",
        _SPLIT + _MERGE + ',{"module": "work", "name": "A", "downstreamOf": ["M"], "args": {'
        '"x": {"output": "W.odd", "default": 0}, "y": {"output": "W.even", "default": 0}}}',
        ends={"L": _ABC, "W.1": {"odd": 1}},
        args={"A": {"x": [None, 1, None], "y": 0}},
        problems=("W13", "W13"),
    ),
    Case(
        "equal items are parts of their own, in their places",
        _SPLIT + _MERGE + ',{"module": "work", "name": "A", "downstreamOf": ["M"], "args": {"x": {"output": "W.n"}}}',
        ends={"L": {"files": ["a", "a", None, "a"]}, "W.0": {"n": 0}, "W.1": {"n": 1}, "W.2": {}, "W.3": {"n": 3}},
        order=("L", "W.3", "W.1"),
        args={"W.2": {"f": None}, "A": {"x": [0, 1, None, 3]}},
    ),
    Case(
        "a slow part is waited for",
        _SPLIT + _MERGE + ',{"module": "work", "name": "A", "downstreamOf": ["M"]}',
        ends={"L": _ABC},
        order=("L", "W.1", "W.2", "M.1", "M.2", "W.0", "M.0"),
        starts=("L", "W.0", "W.1", "W.2", "M.1", "M.2", "M.0", "A"),
    ),
    Case(
        "a failed part's own error branch still runs while its siblings are called off",
        _SPLIT + _MERGE + ',{"module": "work", "name": "Fix", "downstreamOf": ["W"], "runOn": "error", "args": {'
        '"text": {"output": "parent.error"}}},'
        '{"module": "work", "name": "E", "downstreamOf": ["M"], "runOn": "error", "args": {'
        '"text": {"output": "parent.error"}, "x": {"output": "W.n"}}}',
        ends={"L": _ABC, "W.0": {"n": 0}, "W.1": "b broke"},
        order=("L", "W.0", "W.1"),
        states={"W.2": "cancelled", "Fix.1": "success", "Fix.0": "skipped", "E": "success"},
        args={"Fix.1": {"text": "b broke"}, "E": {"text": "b broke", "x": [0, None, None]}},
        result="error",
    ),
    Case(
        "an error branch that leads to the merge lets the siblings carry on",
        _SPLIT
        + """
        {"module": "work", "name": "Fix", "downstreamOf": ["W"], "runOn": "error"},
        {"module": "work", "name": "M", "downstreamOf": ["W", "Fix"], "merge": true, "resolveOnAny": true},
        {"module": "work", "name": "A", "downstreamOf": ["M"], "args": {
            "x": {"output": "W.n"}, "y": {"output": "Fix.n"}}}
        """,
        ends={"L": _ABC, "W.0": {"n": 0}, "W.1": "no", "W.2": {"n": 2}, "Fix": {"n": 9}},
        states={"W.2": "success", "Fix.1": "success", "M.1": "success", "A": "success"},
        args={"A": {"x": [0, None, 2], "y": [None, 9, None]}},
        result="error",
    ),
    _comes_to("an error among the parts", {"M.0": "no"}, "error"),
    _comes_to("a timeout among the parts", {"M.1": TimedOut("late")}, "timeout"),
    _comes_to("a cancelled task among the parts", {"M.2": Cancelled("stopped")}, "cancelled"),
    Case(
        "parts that were called off fire no handler",
        _SPLIT
        + _MERGE
        + ',{"module": "work", "name": "Mail", "global": true, "args": {"text": {"output": "parent.error"}}}',
        ends={"L": _ABC, "W.1": "b broke"},
        order=("L", "W.1"),
        states={"W.0": "cancelled", "W.2": "cancelled", "Mail#1": "success"},
        starts=("L", "W.0", "W.1", "W.2", "Mail#1"),
        result="error",
    ),
    Case(
        "a handler may split what it handles",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "H", "global": true, "children": [
            {"module": "work", "name": "W", "splitOn": "f", "merge": true, "args": {"f": {"output": "parent.files"}},
             "children": [{"module": "work", "name": "Z", "args": {"x": {"output": "W.n"}}}]}]}
        """,
        ends={"A": "no", "H": {"files": [1, 2]}, "W": {"n": 5}},
        args={"Z#1": {"x": [5, 5]}},
        result="error",
    ),
    Case(
        "a limit holds over the parts of all pebbles",
        _LIST + _W + ', "max_parallel": 2}',
        arrivals=(("In", {}),) * 3,
        ends={"L": _ABC},
        at_once={"W": 2},
        attempts={"3:W.2": 1},
    ),
    Case(
        "parts of an older pebble go before those of a younger one",
        _LIST + _W + "}",
        arrivals=(("In", {}),) * 2,
        workers=1,
        ends={"L": {"files": [1, 2]}},
        starts=("L", "W.0", "W.1", "2:L", "2:W.0", "2:W.1"),
    ),
    Case(
        "a part that is lost twice is an error, and its place is free again",
        _LIST + _W + ', "max_parallel": 1, "merge": true},'
        '{"module": "work", "name": "A", "downstreamOf": ["W"], "runOn": "error"}',
        ends={"L": _ABC, "W.1": Lost("m1", "gone")},
        order=("L", "W.0", "W.1"),
        attempts={"W.0": 1, "W.1": 2, "A": 1},
        notes=("placed again",),
        result="error",
    ),
    Case(
        "a tempdir without an id is each part's own",
        _LIST + _W.replace('"L.files"}', '"L.files"}, "dir": {"type": "tempdir"}') + "}",
        ends={"L": {"files": ["a", "b"]}},
        staged={"W.0": {"dir": "tempdir"}, "W.1": {"dir": "tempdir"}},
        cleaned=(None,),
    ),
    Case(
        "a deferred split runs its parts after everything else, for a pebble that failed too",
        _LIST + _W + ', "deferred": true, "merge": true},'
        '{"module": "work", "name": "Z", "downstreamOf": ["W"], "args": {"x": {"output": "W.n"}}},'
        '{"module": "work", "name": "B", "downstreamOf": ["L"]}',
        ends={"L": {"files": [1, 2]}, "W": {"n": 3}, "B": "no"},
        starts=("L", "B", "W.0", "W.1", "Z"),
        args={"Z": {"x": [3, 3]}},
        result="error",
    ),
    Case(
        "a loop inside a part has lists in the list",
        _SPLIT
        + """
        {"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true, "loop": "f",
         "args": {"f": {"output": "W.files"}}},
        {"module": "work", "name": "A", "downstreamOf": ["M"], "args": {"x": {"output": "M.n"}}}
        """,
        ends={"L": {"files": ["a", "b"]}, "W": {"files": [1, 2]}, "M.0": {"n": [1, 2]}, "M.1": {"n": [3, None]}},
        args={"M.0": {"f": [1, 2]}, "A": {"x": [[1, 2], [3, None]]}},
    ),
    Case(
        "the documented chain: list, work, merge, zip",
        """
        {"module": "work", "name": "L", "downstreamOf": ["In"]},
        {"module": "work", "name": "W", "downstreamOf": ["L"], "splitOn": "f", "args": {"f": {"output": "L.files"}}},
        {"module": "silent", "name": "M", "merge": true, "downstreamOf": ["W"]},
        {"module": "work", "name": "Zip", "downstreamOf": ["M"], "args": {"src": {"output": "W.dst"}}}
        """,
        ends={"L": {"files": ["a", "b"]}, "W.0": {"dst": "/a"}, "W.1": {"dst": "/b"}},
        args={"Zip": {"src": ["/a", "/b"]}},
        problems=("W11",),
    ),
)
