"""runIf: how an expression is read and judged."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

#: what P returns
_P = {"n": 3, "kind": "wind", "e": None, "x": 'it\'s "x"', "dst": "", "files": ["a", "b"]}
_OPTIONS = {
    "options": {"force": {"type": "bool"}, "n": {"default": 12}, "word": {"default": "abc"}},
    "config": "Ocean",
}


def _judged(expression: str, holds: bool, *notes: str, **given: str | bool) -> Case:
    """Return the case that a node with this runIf, written for JSON, runs or is skipped."""
    return Case(
        f"{expression} is {holds}" + (f" with {given}" if given else ""),
        '{"module": "work", "name": "P", "downstreamOf": ["In"]},'
        f'{{"module": "work", "name": "A", "downstreamOf": ["P"], "runIf": "{expression}"}}',
        workflow=_OPTIONS,
        options=given,
        config={"Ocean.limit": 5, "Ocean.on": False},
        ends={"P": _P},
        states={"A": "success" if holds else "skipped"},
        notes=notes,
    )


def _refused(title: str, expression: str, code: str, says: str = "") -> Case:
    """Return the case that an expression, written for JSON, is refused."""
    return Case(
        title,
        '{"module": "work", "name": "P", "downstreamOf": ["In"]},'
        f'{{"module": "work", "name": "A", "downstreamOf": ["P"], "runIf": "{expression}"}}',
        workflow=_OPTIONS,
        problems=(code,),
        says=(says,),
    )


CASES = (
    _judged("output:P.n>2", True),
    _judged("output:P.n>3", False),
    _judged("output:P.n >= 3 and output:P.n <= 3", True),
    _judged("output:P.kind!='wind' and option:n>10", False),
    _judged("output:P.kind == 'wind' or 1 > 2", True),
    _judged("not (output:P.kind == 'wind')", False),
    _judged("output:parent.kind in 'wind or wave'", True),
    _judged("output:P.n == 3", True),
    _judged("output:P.n == 3.0", True),
    _judged("output:P.n == '3.0'", False),
    _judged("output:P.kind < 3", False, "not a number"),
    _judged("output:P.e == 'None'", True),
    _judged("output:P.e == None", True),
    _judged("output:P.zz == 'None'", True),
    _judged("output:P.dst", False),
    _judged("output:P.kind", True),
    _judged("not option:force", True),
    _judged("not option:force", False, force=True),
    _judged("option:force == 'True'", True, force=True),
    _judged("option:force == True", True, force=True),
    _judged("option:word == 'x y'", True, word="x y"),
    _judged("option:n > 10", True),
    _judged("option:word", False, word="0"),
    _judged("option:word", False, word="false"),
    _judged("option:word", True, word="no"),
    _judged("option:n > 10", False, n="9"),
    _judged("config:limit > 4 and not config:on", True),
    _judged("stat:P.runtime > 1", True),
    _judged("stat:P.node == 'm1'", True),
    _judged('output:P.x == \\"it\'s\\"', False),
    _judged("output:P.n > 2 and not output:P.n > 3 or False", True),
    Case(
        "a value with quotes and code in it is only ever a text",
        '{"module": "work", "name": "P", "downstreamOf": ["In"]},'
        '{"module": "work", "name": "A", "downstreamOf": ["P"], "runIf": "output:P.kind == \'a\'"}',
        ends={"P": {"kind": "a' or __import__('os').abort() or '"}},
        states={"A": "skipped"},
    ),
    Case(
        "a condition on a node that was skipped sees None",
        """
        {"module": "work", "name": "P", "downstreamOf": ["In"], "runOn": "never"},
        {"module": "work", "name": "Q", "downstreamOf": ["In"]},
        {"module": "work", "name": "A", "downstreamOf": ["P", "Q"], "runIf": "output:P.kind == 'None'"}
        """,
        states={"A": "success"},
    ),
    Case(
        "parent in a condition is the parent of an argument",
        """
        {"module": "work", "name": "L", "downstreamOf": ["In"]},
        {"module": "work", "name": "R", "downstreamOf": ["In"]},
        {"module": "work", "name": "A", "downstreamOf": ["L", "R"], "runIf": "output:parent.n == 2"}
        """,
        ends={"L": {}, "R": {"n": 2}},
        problems=("W09",),
        states={"A": "success"},
    ),
    _refused("an expression that breaks off", "output:P.n >", "E33", "column"),
    _refused("an expression with a call", "open('x')", "E33"),
    _refused("an assignment", "output:P.n = 3", "E33"),
    _refused("a bracket too few", "(output:P.n > 3", "E33"),
    _refused("an unknown node in a condition", "output:Q.n > 3", "E18", "output:Q.n"),
    _refused("a reference without a key in a condition", "output:P > 3", "E33", "a node and a key"),
    _refused("an unknown option in a condition", "option:forc", "E22", 'did you mean "force"'),
    _refused("an unknown statistic in a condition", "stat:P.speed > 3", "E24"),
    _refused("an output nobody declares in a condition", "output:P.speed > 3", "E19"),
)
