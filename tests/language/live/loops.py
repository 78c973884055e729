"""`loop`: one task, one call for each item, lists in the order of the items."""

from __future__ import annotations

from typing import Any

from cryocloud_core.testing.case import Case

_EACH: dict[str, dict[str, Any]] = {"each": {"inputs": {"f": "", "x": ""}, "outputs": {"n": "", "e": ""}}}


def _looped(title: str, items: str, body: str, **then: Any) -> Case:
    """Return the case of a node that loops over these items, and of one below it that gets its outputs."""
    return Case(
        title,
        f"""
        {{"module": "each", "name": "W", "downstreamOf": ["In"], "loop": "f", "args": {{"f": {items}, "x": 7}}}},
        {{"module": "work", "name": "A", "downstreamOf": ["W"], "args": {{
            "x": {{"output": "W.n"}}, "y": {{"output": "W.e"}}}}}},
        {{"module": "work", "name": "E", "downstreamOf": ["W"], "runOn": "error"}}
        """,
        modules=_EACH,
        code={"each": body},
        **then,
    )


CASES = (
    _looped(
        "a call for each item, holes where an item returned nothing",
        '["a", "b", "a"]',
        'return 100, {"n": args["f"] + str(args["x"])} if args["f"] == "a" else {"e": 1}',
        args={"A": {"x": ["a7", None, "a7"], "y": [None, 1, None]}},
        attempts={"W": 3},
    ),
    _looped("no items", "[]", 'raise ValueError("never called")', args={"A": {"x": [], "y": []}}, starts=("A",)),
    _looped(
        "the first item that fails ends it, and says which it was",
        '["a", "b", "c"]',
        'if args["f"] == "b":\n    raise ValueError("b broke")\nreturn 100, {"n": 1}',
        result="error",
        errors={"W": "b broke"},
        states={"E": "success"},
        attempts={"W": 2, "E": 1},
    ),
    _looped("a text is no list", '"abc"', "return 100, None", result="error", errors={"W": "'f'"}, starts=("E",)),
    _looped("null is no list", "null", "return 100, None", result="error", errors={"W": "'f'"}, starts=("E",)),
    _looped(
        "an archive is unpacked first",
        '{"value": "$HERE/a.zip", "type": "file", "unzip": true}',
        'return 100, {"n": os.path.basename(args["f"])}',
        files={"a.zip": {"two": "2", "one": "1"}},
        args={"A": {"x": ["one", "two"]}},
    ),
    _looped(
        "every item must be done",
        '["a", "b"]',
        'return (100 if args["f"] == "a" else 40), {"n": args["f"]}',
        result="error",
        errors={"W": "40"},
    ),
)
