"""Splits, merges, loops: what may be built with them and what may not."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_SPLIT = """
    {"module": "work", "name": "L", "downstreamOf": ["In"]},
    {"module": "work", "name": "W", "downstreamOf": ["L"], "splitOn": "f", "args": {"f": {"output": "L.files"}}},
"""


def _refused(title: str, nodes: str, *problems: str, awaits: tuple[str, ...] = (), says: str = "") -> Case:
    """Return the case of a shape that makes no sense, below a list L and a split W of it."""
    return Case(title, _SPLIT + nodes, problems=problems, awaits=awaits, says=(says,))


CASES = (
    Case(
        "merge without a split",
        '{"module": "work", "name": "M", "downstreamOf": ["In"], "merge": true}',
        problems=("E27",),
    ),
    Case(
        "an argument to split on that the node does not give",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "splitOn": "fils", "args": {"f": ["a"]}}',
        problems=("E30",),
    ),
    Case(
        "an argument to loop over that the node does not give",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "loop": "y", "args": {"f": ["a"]}}',
        problems=("E30",),
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
        says=('nodes[1] "A": E30',),
    ),
    Case(
        "one argument for both",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "splitOn": "f", "loop": "f", "args": {"f": ["a"]}}',
        problems=("E31",),
    ),
    _refused(
        "a split inside a split",
        '{"module": "work", "name": "B", "downstreamOf": ["W"], "splitOn": "f", "args": {"f": {"output": "W.files"}}}',
        "E26",
    ),
    _refused(
        "two merges of one split",
        """
        {"module": "work", "name": "M1", "downstreamOf": ["W"], "merge": true},
        {"module": "work", "name": "M2", "downstreamOf": ["W"], "merge": true}
        """,
        "E28",
    ),
    _refused(
        "a join of merged and unmerged",
        """
        {"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true},
        {"module": "work", "name": "J", "downstreamOf": ["M", "W"]}
        """,
        "E29",
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
    ),
    Case(
        "an input that is to split",
        input='{"module": "watch", "name": "W", "splitOn": "src", "args": {"src": ["a"]}}',
        problems=("E13",),
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
