"""Splits, merges and loops: what comes of them."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_LIST = '{"module": "work", "name": "L", "downstreamOf": ["In"]},'
_SPLIT = _LIST + (
    '{"module": "work", "name": "W", "downstreamOf": ["L"], "splitOn": "f", "args": {"f": {"output": "L.files"}}},'
)


CASES = (
    Case(
        "one task an item, then lists in the order of the items",
        _SPLIT
        + """
        {"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true, "args": {"x": {"output": "parent.dst"}}},
        {"module": "work", "name": "A", "downstreamOf": ["M"], "args": {"x": {"output": "W.dst"}}}
        """,
        ends={"L": {"files": ["a", "b"]}, "W.0": {"dst": "a!"}, "W.1": {"dst": "b!"}},
        args={"W.0": {"f": "a"}, "W.1": {"f": "b"}, "M.1": {"x": "b!"}, "A": {"x": ["a!", "b!"]}},
        attempts={"A": 1},
    ),
    Case(
        "split and merge on one node",
        _LIST
        + """
        {"module": "work", "name": "W", "downstreamOf": ["L"], "splitOn": "f", "merge": true,
         "args": {"f": {"output": "L.files"}}},
        {"module": "work", "name": "A", "downstreamOf": ["W"], "args": {"x": {"output": "W.n"}}}
        """,
        ends={"L": {"files": ["a", "a", "c"]}, "W.0": {"n": 1}, "W.1": {}, "W.2": {"n": 3}},
        args={"A": {"x": [1, None, 3]}},
        attempts={"W.0": 1, "W.1": 1, "W.2": 1, "A": 1},
    ),
    Case(
        "an empty list is a quiet day: what follows the merge runs with empty lists",
        _SPLIT
        + """
        {"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true},
        {"module": "work", "name": "A", "downstreamOf": ["M"], "args": {"x": {"output": "W.dst"}}}
        """,
        ends={"L": {"files": []}},
        args={"A": {"x": []}},
    ),
    Case(
        "a text is not split into characters",
        _SPLIT + '{"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true}',
        ends={"L": {"files": "abc"}},
        states={"W": "error", "M": "blocked"},
        result="error",
    ),
    Case(
        "max_parallel holds the parts of a split too",
        _LIST + '{"module": "work", "name": "W", "downstreamOf": ["L"], "splitOn": "f", "max_parallel": 1, '
        '"args": {"f": {"output": "L.files"}}}',
        ends={"L": {"files": ["a", "b", "c"]}},
        at_once={"W": 1},
    ),
    Case(
        "loop is one task",
        _LIST
        + '{"module": "work", "name": "W", "downstreamOf": ["L"], "loop": "f", "args": {"f": {"output": "L.files"}}}',
        ends={"L": {"files": ["a", "b"]}},
        attempts={"W": 1},
        tasks={"W": {"loop": "f"}},
    ),
    Case(
        "a split after the merge is fine",
        _SPLIT
        + """
        {"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true},
        {"module": "work", "name": "B", "downstreamOf": ["M"], "splitOn": "f", "args": {"f": {"output": "W.n"}}}
        """,
        ends={"L": {"files": ["a", "b"]}, "W": {"n": 7}},
        args={"B.1": {"f": 7}},
    ),
    Case(
        "each part sees its own values first, then the pebble's",
        _SPLIT
        + """
        {"module": "work", "name": "C", "downstreamOf": ["W"], "args": {
            "x": {"output": "W.n"}, "y": {"output": "L.kind"}, "z": {"output": "parent.dst"}}}
        """,
        ends={"L": {"files": ["a", "b"], "kind": "k"}, "W.0": {"n": 0, "dst": "/0"}, "W.1": {"n": 1, "dst": "/1"}},
        args={"C.0": {"x": 0, "y": "k", "z": "/0"}, "C.1": {"x": 1, "y": "k", "z": "/1"}},
    ),
    Case(
        "without a merge every part runs to its leaves, and the worst result is the pebble's",
        _SPLIT
        + """
        {"module": "work", "name": "C", "downstreamOf": ["W"]},
        {"module": "work", "name": "E", "downstreamOf": ["C"], "runOn": "error"}
        """,
        ends={"L": {"files": ["a", "b", "c"]}, "C.1": "no"},
        states={"C.0": "success", "C.1": "error", "C.2": "success", "E.0": "skipped", "E.1": "success"},
        result="error",
    ),
    Case(
        "an empty list without a merge skips the region",
        _SPLIT + '{"module": "work", "name": "C", "downstreamOf": ["W"], "runOn": "always"}',
        ends={"L": {"files": []}},
        states={"W": "skipped", "C": "skipped"},
        starts=("L",),
    ),
    Case(
        "null is no list",
        _SPLIT + '{"module": "work", "name": "E", "downstreamOf": ["W"], "runOn": "error"}',
        ends={"L": {}},
        states={"W": "error"},
        notes=("argument 'f' is null",),
        result="error",
    ),
    Case(
        "a map is no list",
        _SPLIT + '{"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true}',
        ends={"L": {"files": {"a": 1}}},
        states={"W": "error"},
        result="error",
    ),
    Case(
        "a branch outside runs once and every part may join on it",
        _SPLIT
        + """
        {"module": "work", "name": "B", "downstreamOf": ["L"]},
        {"module": "work", "name": "J", "downstreamOf": ["W", "B"], "args": {
            "x": {"output": "B.dst"}, "y": {"output": "W.dst"}}}
        """,
        ends={"L": {"files": ["a", "b"]}, "B": {"dst": "/b"}, "W.0": {"dst": "/0"}, "W.1": {"dst": "/1"}},
        args={"J.0": {"x": "/b", "y": "/0"}, "J.1": {"x": "/b", "y": "/1"}},
        attempts={"B": 1, "J.0": 1, "J.1": 1},
    ),
    Case(
        "a failing part cancels its siblings once the merge cannot succeed",
        _SPLIT
        + """
        {"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true},
        {"module": "work", "name": "After", "downstreamOf": ["M"]},
        {"module": "work", "name": "Anyway", "downstreamOf": ["M"], "runOn": "always",
         "args": {"text": {"output": "parent.error"}, "x": {"output": "W.n"}}}
        """,
        ends={"L": {"files": ["a", "b", "c"]}, "W.0": {"n": 1}, "W.1": "b broke"},
        order=("W.0", "W.1"),
        states={"W.1": "error", "W.2": "cancelled", "After": "blocked", "Anyway": "success"},
        args={"Anyway": {"text": "b broke", "x": [1, None, None]}},
        result="error",
    ),
    Case(
        "a merge that runs always lets the siblings carry on and leaves holes",
        _SPLIT
        + """
        {"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true, "runOn": "always"},
        {"module": "work", "name": "After", "downstreamOf": ["M"], "args": {"x": {"output": "W.n"}}}
        """,
        ends={"L": {"files": ["a", "b", "c"]}, "W.0": {"n": 0}, "W.1": "no", "W.2": {"n": 2}},
        states={"W.2": "success", "After": "success"},
        args={"After": {"x": [0, None, 2]}},
        result="error",
    ),
    Case(
        "a part that is skipped by choice leaves a hole",
        _SPLIT
        + """
        {"module": "work", "name": "X", "downstreamOf": ["W"], "runIf": "output:W.n > 0"},
        {"module": "work", "name": "M", "downstreamOf": ["X"], "merge": true},
        {"module": "work", "name": "After", "downstreamOf": ["M"],
         "args": {"x": {"output": "X.n"}, "y": {"output": "W.n"}}}
        """,
        ends={"L": {"files": ["a", "b"]}, "W.0": {"n": 0}, "W.1": {"n": 1}, "X.1": {"n": 5}},
        states={"X.0": "skipped", "M.0": "skipped", "M.1": "success", "After": "success"},
        args={"After": {"x": [None, 5], "y": [0, 1]}},
    ),
    Case(
        "what the parts used is told together",
        _SPLIT
        + """
        {"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true},
        {"module": "work", "name": "After", "downstreamOf": ["M"], "args": {
            "x": {"stat": "W.runtime"}, "y": {"stat": "W.node"}, "z": {"stat": "W.max_memory"},
            "src": {"stat": "W.priority"}, "dir": {"stat": "W.cpu_time"}, "text": {"stat": "W.worker"}}}
        """,
        ends={"L": {"files": ["a", "b"]}},
        args={
            "After": {"x": 3.0, "y": ["m1", "m1"], "z": 4096, "src": 50, "dir": 1.0, "text": ["Worker-m1_1"] * 2},
        },
    ),
    Case(
        "a side branch runs for every part and the pebble waits for it",
        _SPLIT
        + """
        {"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true},
        {"module": "work", "name": "Side", "downstreamOf": ["W"]},
        {"module": "work", "name": "After", "downstreamOf": ["M"]},
        {"module": "work", "name": "D", "downstreamOf": ["L"], "deferred": true}
        """,
        ends={"L": {"files": ["a", "b"]}, "Side.1": "no"},
        order=("W", "M", "After", "Side", "D"),
        states={"Side.0": "success", "Side.1": "error", "After": "success", "D": "success"},
        starts=("L", "W.0", "W.1", "M.0", "Side.0", "M.1", "Side.1", "After", "D"),
        result="error",
    ),
    Case(
        "two splits beside each other, merged and joined",
        """
        {"module": "work", "name": "L", "downstreamOf": ["In"]},
        {"module": "work", "name": "V", "downstreamOf": ["L"], "splitOn": "f", "merge": true,
         "args": {"f": {"output": "L.files"}}},
        {"module": "work", "name": "W", "downstreamOf": ["L"], "splitOn": "f", "merge": true,
         "args": {"f": {"output": "L.zz"}}},
        {"module": "work", "name": "J", "downstreamOf": ["V", "W"], "args": {
            "x": {"output": "V.n"}, "y": {"output": "W.n"}}}
        """,
        ends={"L": {"files": ["a", "b"], "zz": [1]}, "V.0": {"n": 0}, "V.1": {"n": 1}, "W.0": {"n": "w"}},
        args={"J": {"x": [0, 1], "y": ["w"]}},
        attempts={"J": 1},
    ),
    Case(
        "a handler is told of the first part of a node that failed, once",
        _SPLIT + '{"module": "work", "name": "Mail", "global": true, "args": {"text": {"output": "parent.error"}}}',
        ends={"L": {"files": ["a", "b", "c"]}, "W.1": "b broke", "W.2": "c broke"},
        order=("W.1", "W.0", "W.2"),
        args={"Mail#1": {"text": "b broke"}},
        starts=("L", "W.0", "W.1", "W.2", "Mail#1"),
        result="error",
    ),
    Case(
        "a deferred node in a region runs for every part with the values of the part",
        _SPLIT
        + '{"module": "work", "name": "D", "downstreamOf": ["W"], "deferred": true, "args": {"x": {"output": "W.n"}}}',
        ends={"L": {"files": ["a", "b"]}, "W.0": {"n": 0}, "W.1": {"n": 1}},
        args={"D.0": {"x": 0}, "D.1": {"x": 1}},
    ),
    Case(
        "a part is repeated by itself",
        _LIST
        + """
        {"module": "work", "name": "W", "downstreamOf": ["L"], "splitOn": "f", "merge": true, "retry": 1,
         "args": {"f": {"output": "L.files"}}},
        {"module": "work", "name": "A", "downstreamOf": ["W"], "args": {"x": {"output": "W.n"}}}
        """,
        ends={"L": {"files": ["a", "b"]}, "W.0": {"n": 0}, "W.1": ["not yet", {"n": 1}]},
        attempts={"W.0": 1, "W.1": 2},
        args={"A": {"x": [0, 1]}},
        notes=("again in",),
    ),
    Case(
        "a tempdir with an id is shared by all parts and removed once",
        _LIST
        + """
        {"module": "work", "name": "W", "downstreamOf": ["L"], "splitOn": "f", "args": {
            "f": {"output": "L.files"}, "dir": {"type": "tempdir", "id": "w"}}}
        """,
        ends={"L": {"files": ["a", "b"]}},
        staged={"W.0": {"dir": "tempdir w"}, "W.1": {"dir": "tempdir w"}},
        cleaned=(None,),
    ),
    Case(
        "a pebble that is given up stops every part",
        _SPLIT + '{"module": "work", "name": "C", "downstreamOf": ["W"], "runOn": "always"}',
        ends={"L": {"files": ["a", "b"]}},
        cancel="W.0",
        order=("W.0",),
        states={"W.0": "cancelled", "W.1": "cancelled"},
        result="cancelled",
    ),
)
