"""How a run ends: each row by itself, for its exit code."""

from __future__ import annotations

from typing import Any

from cryocloud_core.testing.case import Case

_A = '{"module": "odd", "name": "A", "downstreamOf": ["In"], "timeout": 0.3}'
_ODD: dict[str, dict[str, Any]] = {"odd": {"inputs": {}}}
_WATCH = '{"module": "dirwatcher", "name": "In", "args": {"src": "$HERE/in", "stabilize": 0.1}}'

CASES = (
    Case("all is well", _A, modules=_ODD, code={"odd": "return 100, None"}, exit=0),
    Case("an error", _A, modules=_ODD, code={"odd": 'raise ValueError("no")'}, result="error", exit=1),
    Case("a timeout", _A, modules=_ODD, code={"odd": "cancel_event.wait(60)"}, result="timeout", exit=1),
    Case(
        "a cancelled pebble",
        '{"module": "odd", "name": "A", "downstreamOf": ["In"]}',
        modules=_ODD,
        code={"odd": "cancel_event.wait(60)"},
        cancel="A",
        result="cancelled",
        exit=1,
    ),
    Case(
        "an error that was handled",
        _A + ', {"module": "work", "downstreamOf": ["A"], "runOn": "error"}',
        modules=_ODD,
        code={"odd": 'raise ValueError("no")'},
        result="error",
        exit=1,
    ),
    Case(
        "an error that only a deferred node had",
        '{"module": "odd", "name": "A", "downstreamOf": ["In"], "deferred": true}',
        modules=_ODD,
        code={"odd": 'raise ValueError("no")'},
        exit=0,
    ),
    Case(
        "an error that a repeat healed",
        '{"module": "odd", "name": "A", "downstreamOf": ["In"], "retry": {"times": 1, "delay": 0.1}}',
        modules=_ODD,
        code={"odd": 'if task["attempt"] == 1:\n    raise ValueError("no")\nreturn 100, None'},
        exit=0,
    ),
    Case(
        "a branch that was skipped", '{"module": "work", "downstreamOf": ["In"], "runOn": "error"}', starts=(), exit=0
    ),
    Case(
        "nothing arrived",
        '{"module": "work", "downstreamOf": ["In"]}',
        input=_WATCH,
        files={"in/.keep": ""},
        result=(),
        exit=0,
    ),
)
SETTINGS = {"once": True, "workers": 1}
ALONE = True
