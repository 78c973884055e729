"""`ccnode`: one machine, a pool, where another node ran, and every machine at once."""

from __future__ import annotations

from cryocloud_core.task import Lost
from cryocloud_core.testing.case import Case

_P = '{"module": "work", "name": "P", "downstreamOf": ["In"]}'
_A = '{"module": "work", "name": "A", "downstreamOf": ["P"], "outputs": {"own": ""}, "ccnode": '
_THEN = """
, {"module": "work", "name": "Then", "downstreamOf": ["A"], "args": {"x": {"output": "A.n"},
    "y": {"stat": "A.node"}, "z": {"stat": "A.runtime"}, "text": {"output": "A.own"}}}
"""
_ALL = _P + "," + _A + '"all"}' + _THEN
_SPLIT = """
{"module": "work", "name": "W", "downstreamOf": ["In"], "splitOn": "f", "args": {"f": [1, 2, 3]},
 "ccnode": ["m2", "m3"]},
{"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true}
"""


def _one(title: str, ccnode: str, pinned: tuple[str, ...], **then: object) -> Case:
    return Case(title, f"{_P}, {_A}{ccnode}}}", tasks={"A": {"machines": pinned}}, **then)  # type: ignore[arg-type]


def _wrong(title: str, value: object, **then: object) -> Case:
    return Case(
        title,
        f'{_P}, {_A}{{"output": "P.x"}}}}',
        ends={"P": {"x": value}},
        states={"A": "error"},
        result="error",
        starts=("P",),
        **then,  # type: ignore[arg-type]
    )


CASES = (
    _one("a machine", '"seer3"', ("seer3",)),
    _one("a pool of machines, each once", '["b", "a", "b"]', ("b", "a")),
    _one("the machine of another node", '{"stat": "P.node"}', ("m7",), machines=("m7",)),
    _one("the machine of the parent", '{"stat": "parent.node"}', ("m7",), machines=("m7",)),
    _one("the machine of an input is the head's", '{"stat": "In.node"}', ("head",)),
    _one("a machine from an output", '{"output": "P.dst"}', ("m9",), ends={"P": {"dst": "m9"}}),
    _one(
        "a pool from the configuration",
        '{"config": "nodes"}',
        ("a", "b"),
        workflow={"config": "Root"},
        config={"Root.nodes": ["a", "b"]},
    ),
    _one(
        "a machine from an option",
        '{"option": "where"}',
        ("seer3",),
        workflow={"options": {"where": {}}},
        options={"where": "seer3"},
    ),
    _one("an option left empty is any machine", '{"option": "o"}', (), workflow={"options": {"o": {"default": ""}}}),
    _one(
        "what is not set is any machine, with a warning",
        '{"config": "nodes"}',
        (),
        workflow={"config": "Root"},
        notes=("argument 'ccnode' is null: configuration 'Root.nodes' is not set",),
    ),
    _one("a default machine", '{"output": "P.dst", "default": "m9"}', ("m9",)),
    _wrong("a machine that is a number", 3),
    _wrong("a pool that holds a map", ["a", {}]),
    _wrong("all machines beside others", ["a", "all"]),
    Case(
        "the machines of a merged node are a pool",
        _SPLIT + ', {"module": "work", "name": "A", "downstreamOf": ["M"], "ccnode": {"stat": "W.node"}}',
        tasks={"W.1": {"machines": ("m2", "m3")}, "A": {"machines": ("m2",)}},
    ),
    Case(
        "within a part, the machine of the same part",
        _SPLIT.replace('"merge": true', '"merge": true, "ccnode": {"stat": "parent.node"}'),
        tasks={"M.2": {"machines": ("m2",)}},
    ),
    Case(
        "a lost task goes to the same machine again",
        _P + "," + _A + '"m2"}',
        ends={"A": [Lost("m2", "gone"), None]},
        attempts={"A": 2},
        notes=("placed again",),
        tasks={"A": {"machines": ("m2",)}},
    ),
    # every machine
    Case(
        "every machine: one task each, lists in the order of their names",
        _ALL,
        machines=("m1", "m2", "m3"),
        ends={"A.0": {"n": 0, "own": "a"}, "A.1": {"n": 1}, "A.2": {"n": 2, "extra": None}},
        states={"A.0": "success", "A.2": "success", "Then": "success"},
        tasks={"A.0": {"machines": ("m1",)}, "A.2": {"machines": ("m3",)}},
        args={"Then": {"x": [0, 1, 2], "y": ["m1", "m2", "m3"], "z": 4.5, "text": ["a", None, None]}},
    ),
    Case("every machine is one", _ALL, machines=("m9",), args={"Then": {"y": ["m9"], "x": [None]}}, notes=()),
    Case(
        "every machine and there is none",
        _ALL,
        machines=(),
        states={"A": "error", "Then": "blocked"},
        result="error",
        starts=("P",),
    ),
    Case(
        "one failure on every machine calls the others off",
        _ALL + ', {"module": "work", "name": "Fix", "downstreamOf": ["A"], "runOn": "error",'
        ' "args": {"text": {"output": "parent.error"}, "x": {"output": "A.n"}}},'
        '{"module": "work", "name": "H", "global": true, "args": {"text": {"output": "parent.error"}}}',
        order=("P", "A.1"),
        machines=("m1", "m2", "m3"),
        ends={"A.1": "disk full"},
        states={"A.0": "cancelled", "A.2": "cancelled", "Then": "blocked"},
        result="error",
        args={"Fix": {"text": "disk full", "x": [None] * 3}, "H#1": {"text": "disk full"}},
        attempts={"H#1": 1},
    ),
    Case(
        "every machine from an option",
        _P + "," + _A + '{"option": "where"}, "retry": {"times": 1, "delay": 3}}' + _THEN,
        workflow={"options": {"where": {"default": "all"}}},
        ends={"A.1": ["broken", {"n": 1}]},
        attempts={"A.0": 1, "A.1": 2},
        waits=(3.0,),
        notes=("again in 3 s",),
        args={"Then": {"x": [None, 1]}},
    ),
    Case(
        "every machine in the deferred phase",
        _P + "," + _A + '"all", "deferred": true}' + _THEN,
        order=("P", "A.0", "A.1"),
        args={"Then": {"y": ["m1", "m2"]}},
        ends={"A": {"n": 1, "own": 2}},
    ),
    Case(
        "a pebble given up while tasks run on every machine",
        _ALL,
        cancel="A.1",
        order=("P", "A.1"),
        states={"A.0": "cancelled", "Then": "blocked"},
        result="cancelled",
    ),
    Case(
        "every machine inside a split, found only while it runs",
        '{"module": "work", "name": "W", "downstreamOf": ["In"], "splitOn": "f", "args": {"f": [1]},'
        ' "children": [{"module": "work", "name": "A", "ccnode": {"output": "In.all"}}]}',
        input='{"module": "cmdline", "name": "In", "outputs": {"all": ""}}',
        arrivals=(("In", {"all": "all"}),),
        states={"A.0": "error"},
        result="error",
        starts=("W.0",),
    ),
    Case(
        "every machine and a loop, found only while it runs",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "ccnode": {"config": "w"}, "config": "R",'
        ' "loop": "f", "args": {"f": [1]}}',
        config={"R.w": "all"},
        states={"A": "error"},
        result="error",
    ),
    Case(
        "a machine in a part is told by the tempdirs that are cleaned there",
        _P + "," + _A + '"all", "args": {"dir": {"type": "tempdir"}}}',
        cleaned=(None, None),
    ),
)
