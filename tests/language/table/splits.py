"""Splits, merges, loops: what may be built with them, and what comes of them once they are executed."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_LIST = '{"module": "work", "name": "L", "downstreamOf": ["In"]},'
_SPLIT = _LIST + (
    '{"module": "work", "name": "W", "downstreamOf": ["L"], "splitOn": "f", "args": {"f": {"output": "L.files"}}},'
)
_AWAITS = ("splitOn", "merge")


def _refused(title: str, nodes: str, *problems: str, awaits: tuple[str, ...] = (), says: str = "") -> Case:
    """Return the case of a shape that makes no sense, below a list and a split W of it."""
    return Case(title, _SPLIT + nodes, problems=problems, awaits=("splitOn", *awaits), says=(says,))


CASES = (
    Case(
        "one task an item, then lists in the order of the items",
        _SPLIT
        + """
        {"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true, "args": {"x": {"output": "parent.dst"}}},
        {"module": "work", "name": "A", "downstreamOf": ["M"], "args": {"x": {"output": "W.dst"}}}
        """,
        awaits=_AWAITS,
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
        awaits=_AWAITS,
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
        awaits=_AWAITS,
        ends={"L": {"files": []}},
        args={"A": {"x": []}},
    ),
    Case(
        "a text is not split into characters",
        _SPLIT + '{"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true}',
        awaits=_AWAITS,
        ends={"L": {"files": "abc"}},
        states={"W": "error", "M": "blocked"},
        result="error",
    ),
    Case(
        "max_parallel holds the parts of a split too",
        _LIST + '{"module": "work", "name": "W", "downstreamOf": ["L"], "splitOn": "f", "max_parallel": 1, '
        '"args": {"f": {"output": "L.files"}}}',
        awaits=("splitOn",),
        ends={"L": {"files": ["a", "b", "c"]}},
        at_once={"W": 1},
    ),
    Case(
        "loop is one task",
        _LIST
        + '{"module": "work", "name": "W", "downstreamOf": ["L"], "loop": "f", "args": {"f": {"output": "L.files"}}}',
        awaits=("loop",),
        ends={"L": {"files": ["a", "b"]}},
        attempts={"W": 1},
        tasks={"W": {"loop": "f"}},
    ),
    Case(
        "merge without a split",
        '{"module": "work", "name": "M", "downstreamOf": ["In"], "merge": true}',
        problems=("E27",),
        awaits=("merge",),
    ),
    Case(
        "an argument to split on that the node does not give",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "splitOn": "fils", "args": {"f": ["a"]}}',
        problems=("E30",),
        awaits=("splitOn",),
    ),
    Case(
        "an argument to loop over that the node does not give",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "loop": "y", "args": {"f": ["a"]}}',
        problems=("E30",),
        awaits=("loop",),
    ),
    Case(
        "an argument that becomes a list on the worker only cannot be split on, but looped over",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "splitOn": "f",
         "args": {"f": {"value": "/d/a.zip", "type": "file", "unzip": true}}},
        {"module": "work", "name": "B", "downstreamOf": ["In"], "loop": "f",
         "args": {"f": {"value": "/d/a.zip", "type": "file", "unzip": true}}}
        """,
        problems=("E30",),
        awaits=("splitOn", "loop"),
        says=('nodes[1] "A": E30',),
    ),
    Case(
        "one argument for both",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "splitOn": "f", "loop": "f", "args": {"f": ["a"]}}',
        problems=("E31",),
        awaits=("splitOn", "loop"),
    ),
    _refused(
        "a split inside a split",
        '{"module": "work", "name": "B", "downstreamOf": ["W"], "splitOn": "f", "args": {"f": {"output": "W.files"}}}',
        "E26",
    ),
    Case(
        "a split after the merge is fine",
        _SPLIT
        + """
        {"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true},
        {"module": "work", "name": "B", "downstreamOf": ["M"], "splitOn": "f", "args": {"f": {"output": "W.n"}}}
        """,
        awaits=_AWAITS,
        ends={"L": {"files": ["a", "b"]}, "W": {"n": 7}},
        args={"B.1": {"f": 7}},
    ),
    _refused(
        "two merges of one split",
        """
        {"module": "work", "name": "M1", "downstreamOf": ["W"], "merge": true},
        {"module": "work", "name": "M2", "downstreamOf": ["W"], "merge": true}
        """,
        "E28",
        awaits=("merge",),
    ),
    _refused(
        "a join of merged and unmerged",
        """
        {"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true},
        {"module": "work", "name": "J", "downstreamOf": ["M", "W"]}
        """,
        "E29",
        awaits=("merge",),
    ),
    _refused(
        "a join of the parts of two splits",
        """
        {"module": "work", "name": "V", "downstreamOf": ["L"], "splitOn": "f", "args": {"f": {"output": "L.files"}}},
        {"module": "work", "name": "J", "downstreamOf": ["V", "W"]}
        """,
        "E29",
    ),
    Case(
        "a look from outside into a split that is never merged",
        _SPLIT
        + """
        {"module": "work", "name": "D", "downstreamOf": ["L"], "deferred": true, "args": {"x": {"output": "W.dst"}}}
        """,
        awaits=("splitOn",),
        ends={"L": {"files": ["a"]}, "W": {"dst": "/w"}},
        problems=("W13",),
        args={"D": {"x": None}},
        notes=("argument 'x' is null",),
    ),
    Case(
        "all machines and a split, a loop or the head",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "ccnode": "all", "splitOn": "f", "args": {"f": []}},
        {"module": "work", "name": "B", "downstreamOf": ["In"], "ccnode": "all", "loop": "f", "args": {"f": []}},
        {"module": "work", "name": "C", "downstreamOf": ["In"], "ccnode": "all", "runOnHead": true}
        """,
        problems=("E32", "E32", "E32", "W07"),
        awaits=("ccnode", "splitOn", "loop", "runOnHead"),
    ),
    Case(
        "an input that is to split",
        input='{"module": "watch", "name": "W", "splitOn": "src", "args": {"src": ["a"]}}',
        problems=("E13",),
        awaits=("splitOn",),
    ),
    Case(
        "a rendezvous resolves on one of its parents",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "communicate", "name": "Sync", "downstreamOf": ["A"],
         "args": {"msgid": {"output": "A.product"}, "resolveOn": "B"}}
        """,
        problems=("E18",),
        awaits=("communicate",),
    ),
)
