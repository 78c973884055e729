"""Rendezvous with real workers: pebbles of two inputs that are about one product."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_FLOW = """
{"module": "name", "name": "WA", "downstreamOf": ["InA"], "args": {"src": {"output": "InA.relpath"}}},
{"module": "name", "name": "WB", "downstreamOf": ["InB"], "args": {"src": {"output": "InB.relpath"}}},
{"module": "communicate", "name": "Sync", "downstreamOf": ["WA", "WB"], "args": {
    "msgid": {"output": "parent.product"}, "resolveOn": "WB"}},
{"module": "both", "name": "Z", "downstreamOf": ["Sync"], "args": {
    "src": {"output": "WA.product"}, "dst": {"output": "WB.product"}, "x": {"output": "InA.relpath"},
    "y": {"stat": "WA.node"}}}
"""
_INPUT = '{{"module": "dirwatcher", "name": "In{0}", "args": {{"src": "$HERE/{0}", "stabilize": 0.1}}}}'
_MODULES = {
    "name": {"inputs": {"src": ""}, "outputs": {"product": "the name without its ending"}},
    "both": {"inputs": dict.fromkeys(("src", "dst", "x", "y"), "")},
}
_CODE = {
    "name": 'return 100, {"product": args["src"].partition(".")[0]}',
    "both": 'assert args["src"] == args["dst"] == args["x"].partition(".")[0], args\n'
    'assert args["y"]\nopen(f"{here}/{args[\'src\']}.met", "w").close()\nreturn 100, None',
}

CASES = (
    Case(
        "each product of one input meets its partner of the other",
        _FLOW,
        input=_INPUT.format("A") + "," + _INPUT.format("B"),
        files={"A/p.dim": "", "A/q.dim": "", "B/q.xml": "", "B/p.xml": ""},
        modules=_MODULES,
        code=_CODE,
        result=("success",) * 4,
        exists={"$HERE/p.met": True, "$HERE/q.met": True},
    ),
    Case(
        "one whose partner never came has failed when the run ends",
        _FLOW,
        input=_INPUT.format("A") + "," + _INPUT.format("B"),
        files={"A/p.dim": "", "A/lonely.dim": "", "B/p.xml": "", "B/.keep": ""},
        modules=_MODULES,
        code=_CODE,
        result=("error", "success", "success"),
        exists={"$HERE/p.met": True, "$HERE/lonely.met": False},
        exit=1,
    ),
)
SETTINGS = {"once": True}
ALONE = True
