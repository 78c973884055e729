"""Machines with real workers: one machine, by its name, by what ran there, and as all there are."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

CASES = (
    Case(
        "where the input is, where another node ran, on every machine",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "ccnode": {"stat": "In.node"}},
        {"module": "work", "name": "B", "downstreamOf": ["A"], "ccnode": ["nobody", "here"], "type": "admin"},
        {"module": "work", "name": "C", "downstreamOf": ["B"], "ccnode": "all", "args": {"x": {"stat": "B.node"}}},
        {"module": "work", "name": "D", "downstreamOf": ["C"], "ccnode": {"stat": "C.node"},
         "args": {"x": {"output": "C.n"}, "y": {"stat": "C.node"}}}
        """,
        ends={"C": {"n": 7}},
        starts=("A", "B", "C.0", "D"),
        args={"C.0": {"x": "here"}, "D": {"x": [7], "y": ["here"]}},
    ),
    Case(
        "a failure on every machine is the node's",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "ccnode": "all"}',
        ends={"A": "broken"},
        result="error",
    ),
)
SETTINGS = {"machine": "here"}
