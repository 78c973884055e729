"""Inputs of one run: what is there makes pebbles, each on its own way."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_IN = '{"module": "dirwatcher", "name": "In", "args": {"src": "$HERE/in", "stabilize": 0.1}}'

CASES = (
    Case(
        "a file and a directory are a pebble each",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "args": {"src": {"output": "In.relpath"}}},
        {"module": "mark", "downstreamOf": ["A"], "runIf": "output:In.isdir == 'True'",
         "args": {"x": {"output": "In.relpath"}}}
        """,
        input=_IN,
        files={"in/a b#1.txt": "a", "in/product/deep.txt": "d", "in/.hidden": "h"},
        result=("success", "success"),
        modules={"mark": {"inputs": {"x": ""}}},
        code={"mark": 'open(f"{here}/{args[\'x\']}.seen", "w").close()\nreturn 100, None'},
        attempts={"A": 1, "2:A": 1},
        exists={"$HERE/product.seen": True, "$HERE/a b#1.txt.seen": False},
    ),
    Case(
        "the spec's own first steps: a zip is unpacked for the module that depends on a product",
        """
        {"module": "wind", "name": "Wind", "downstreamOf": ["In"],
         "args": {"src": {"output": "parent.fullpath", "type": "file", "unzip": "true"}}},
        {"module": "report", "downstreamOf": ["Wind"], "runOn": "success",
         "args": {"product": {"output": "parent.product"}}},
        {"module": "remove", "downstreamOf": ["Wind"], "runOn": "always", "args": {"src": {"output": "In.fullpath"}}}
        """,
        input=_IN,
        files={"in/p.zip": {"b.nc": "b", "a.nc": "a"}},
        code={"wind": 'return 100, {"product": "p1"}'},
        args={"Wind": {"src": ["$HERE/in/p/a.nc", "$HERE/in/p/b.nc"]}, "report": {"product": "p1"}},
        exists={"$HERE/in/p.zip": False},
    ),
    Case(
        "an empty directory is a quiet day",
        '{"module": "work", "name": "A", "downstreamOf": ["In"]}',
        input=_IN,
        files={"in/.keep": ""},
        result=(),
        starts=(),
    ),
    Case(
        "a file and a command line in one workflow",
        '{"module": "work", "name": "A", "downstreamOf": ["In", "Now"]}',
        input=_IN + ', {"module": "cmdline", "name": "Now"}',
        files={"in/a": "a"},
        result=("success", "success"),
        starts=("A", "2:A"),
    ),
    Case(
        "one bad product does not harm the next",
        '{"module": "picky", "name": "A", "downstreamOf": ["In"], "args": {"src": {"output": "In.relpath"}}}',
        input=_IN,
        files={"in/bad": "", "in/good": ""},
        modules={"picky": {"inputs": {"src": ""}}},
        code={"picky": 'if args["src"] == "bad":\n    raise ValueError("bad")\nreturn 100, None'},
        result=("error", "success"),
        starts=("A", "2:A"),
    ),
)
SETTINGS = {"once": True}
