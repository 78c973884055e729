"""Rendezvous: pebbles that wait for each other under a message id, and one of them goes on."""

from __future__ import annotations

from cryocloud_core.task import TimedOut
from cryocloud_core.testing.case import Case

_INPUTS = """
{"module": "cmdline", "name": "InA", "outputs": {"x": ""}}, {"module": "cmdline", "name": "InB", "outputs": {"x": ""}}
"""
_SIDES = """
{"module": "work", "name": "WA", "downstreamOf": ["InA"]}, {"module": "work", "name": "WB", "downstreamOf": ["InB"]},
"""
_AFTER = """
{"module": "work", "name": "Z", "downstreamOf": ["Sync"], "args": {
    "x": {"output": "WA.n"}, "y": {"output": "WB.n"}, "z": {"output": "InA.x"}, "src": {"stat": "WA.node"},
    "dir": {"stat": "WB.runtime"}}}
"""
_BOTH = (("InA", {"x": "a"}), ("InB", {"x": "b"}))
_ENDS = {"WA": {"product": "p1", "n": 1}, "WB": {"product": "p1", "n": 2}}
_MET = {"Z": {"x": 1, "y": 2, "z": "a", "src": "m1", "dir": 1.5}}


def _sync(keys: str = "", msgid: str = '{"output": "parent.product"}', resolve: str = "") -> str:
    named = f', "resolveOn": "{resolve}"' if resolve else ""
    return f"""
    {{"module": "communicate", "name": "Sync", "downstreamOf": ["WA", "WB"], {keys}
      "args": {{"msgid": {msgid}{named}}}}}"""


def _meet(title: str, sync: str, after: str = _AFTER, **then: object) -> Case:
    given: dict[str, object] = {"input": _INPUTS, "arrivals": _BOTH, "ends": _ENDS, **then}
    return Case(title, f"{_SIDES}{sync},{after}", **given)  # type: ignore[arg-type]


def _last(title: str, order: tuple[str, ...], goes_on: str, stays: str, **keys: str) -> Case:
    return _meet(
        title,
        _sync(**keys),
        order=order,
        states={
            f"{goes_on}Sync": "success",
            f"{goes_on}Z": "success",
            f"{stays}Sync": "skipped",
            f"{stays}Z": "skipped",
        },
        args={f"{goes_on}Z": _MET["Z"]},
        starts=(*order, f"{goes_on}Z") if order == ("WA", "2:WB") else None,
        blocked=('msgid "p1" waits for',),
    )


CASES = (
    _meet(
        "whoever is first waits, and the one that came through the named parent goes on with both values",
        _sync(resolve="WB"),
        states={"WA": "success", "Sync": "skipped", "Z": "skipped", "2:Sync": "success", "2:Z": "success"},
        args={"2:Z": _MET["Z"]},
        attempts={"2:Z": 1},
    ),
    _last("without a name the one that came last goes on", ("WA", "2:WB"), "2:", ""),
    _last("whoever came last", ("2:WB", "WA"), "", "2:"),
    _last("any is the one that came last", ("2:WB", "WA"), "", "2:", resolve="any"),
    _meet(
        "with resolveOnAny one parent is enough",
        _sync('"resolveOnAny": true,'),
        states={"Sync": "success", "Z": "success", "2:Sync": "success", "2:Z": "success"},
        args={"Z": {"x": 1, "y": None}, "2:Z": {"x": None, "y": 2}},
        notes=(
            "argument 'y' is null",
            "argument 'dir' is null",
            "argument 'x' is null",
            "argument 'z' is null",
            "'src'",
        ),
    ),
    _meet(
        "a parent that failed takes part, whatever runOn says, and the worst result is the rendezvous'",
        _sync('"runOn": "success",', msgid='"m"', resolve="WA"),
        after="""
        {"module": "work", "name": "Z", "downstreamOf": ["Sync"]},
        {"module": "work", "name": "E", "downstreamOf": ["Sync"], "runOn": "error", "args": {
            "text": {"output": "parent.error"}, "x": {"output": "WB.n"}}}
        """,
        ends={"WA": "broken", "WB": {"n": 2}},
        states={"Sync": "error", "Z": "blocked", "E": "success", "2:Sync": "skipped"},
        args={"E": {"text": "a parent ended in error", "x": 2}},
        result=("error", "success"),
    ),
    _meet(
        "a timeout is not as bad as an error",
        _sync(msgid='"m"', resolve="WA"),
        after='{"module": "work", "name": "E", "downstreamOf": ["Sync"], "runOn": "timeout"}',
        ends={"WA": TimedOut("late"), "WB": {}},
        states={"Sync": "timeout", "E": "success"},
        result=("timeout", "success"),
    ),
    _meet(
        "a message id that was met under can be used again",
        _sync(resolve="WB"),
        arrivals=_BOTH * 2,
        order=("WA", "2:WB", "3:WA", "4:WB"),
        states={"Sync": "skipped", "2:Sync": "success", "3:Sync": "skipped", "4:Sync": "success"},
        attempts={"2:Z": 1, "4:Z": 1},
    ),
    _meet(
        "and then needs a partner again",
        _sync(resolve="WB"),
        arrivals=(*_BOTH, _BOTH[0]),
        order=("WA", "2:WB", "3:WA"),
        states={"2:Sync": "success", "3:Sync": "error", "3:Z": "blocked"},
        result=("success", "success", "error"),
    ),
    _meet(
        "no message id is the node's error",
        _sync(),
        ends={"WA": {"product": None}, "WB": {"product": "p1"}},
        states={"Sync": "error", "Z": "blocked", "2:Sync": "error"},
        notes=("argument 'msgid' is null",),
        result="error",
    ),
    _meet(
        "whoever waits when nothing more can come has failed",
        _sync(),
        after='{"module": "work", "name": "E", "downstreamOf": ["Sync"], "runOn": "error", "args": {'
        '"text": {"output": "parent.error"}}}',
        ends={"WA": {"product": "p1"}, "WB": {"product": "p2"}},
        states={"Sync": "error", "2:Sync": "error"},
        args={"E": {"text": 'no partner for msgid "p1"'}, "2:E": {"text": 'no partner for msgid "p2"'}},
        result="error",
    ),
    _meet(
        "where an input goes on for ever a pebble waits for its partner",
        _sync(),
        input='{"module": "watch", "name": "InA"}, {"module": "cmdline", "name": "InB", "outputs": {"x": ""}}',
        after='{"module": "work", "name": "Z", "downstreamOf": ["Sync"]}',
        arrivals=(("InB", {}),),
        result="open",
        blocked=('msgid "p1" waits for WA',),
    ),
    _meet(
        "numbers and texts are other message ids, equal maps the same",
        _sync(),
        after='{"module": "work", "name": "Z", "downstreamOf": ["Sync"]}',
        arrivals=_BOTH * 2,
        ends={
            "WA": {"product": {"a": 1, "b": 2}},
            "2:WB": {"product": {"b": 2, "a": 1}},
            "3:WA": {"product": 1},
            "4:WB": {"product": "1"},
        },
        order=("WA", "2:WB", "3:WA", "4:WB"),
        states={"2:Sync": "success", "3:Sync": "error", "4:Sync": "error"},
        result=("success", "success", "error", "error"),
    ),
    Case(
        "every parent must come, of three",
        _SIDES
        + """
        {"module": "work", "name": "WC", "downstreamOf": ["InA", "InB"]},
        {"module": "communicate", "name": "Sync", "downstreamOf": ["WA", "WB", "WC"],
         "args": {"msgid": "m", "resolveOn": "WB"}},
        {"module": "work", "name": "Z", "downstreamOf": ["Sync"], "args": {"x": {"output": "WC.n"}}}
        """,
        input=_INPUTS,
        arrivals=_BOTH,
        ends={"WC": {"n": 3}},
        states={"Sync": "skipped", "2:Sync": "success"},
        args={"2:Z": {"x": 3}},
    ),
    _meet(
        "what the others would have run is skipped, and they are closed while the one still runs",
        _sync(resolve="WB"),
        after='{"module": "work", "name": "Z", "downstreamOf": ["Sync"]},'
        '{"module": "work", "name": "Y", "downstreamOf": ["Z"]}',
        order=("WA", "2:WB", "2:Z", "2:Y"),
        states={"Z": "skipped", "Y": "skipped", "2:Y": "success"},
        starts=("WA", "2:WB", "2:Z", "2:Y"),
    ),
)
