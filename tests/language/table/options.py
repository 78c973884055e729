"""Options of a workflow: from the command line to the argument."""

from __future__ import annotations

from typing import Any

from cryocloud_core.testing.case import Case

_A = '{"module": "work", "name": "A", "downstreamOf": ["In"], "args": {"x": {"option": "o"}}}'


def _read(title: str, definition: dict[str, Any], value: Any, *notes: str, **given: str | bool) -> Case:
    """Return the case that an option `o` with this definition is delivered as `value`."""
    return Case(
        title, _A, workflow={"options": {"o": definition}}, options=given, args={"A": {"x": value}}, notes=notes
    )


def _refused(title: str, definition: dict[str, Any], refuses: str, **given: str | bool) -> Case:
    """Return the case that the command line is refused."""
    return Case(title, _A, workflow={"options": {"o": definition}}, options=given, refuses=refuses)


def _declared(title: str, options: Any, *problems: str, says: str = "") -> Case:
    """Return the case of a declaration."""
    return Case(title, workflow={"options": options}, problems=problems, says=(says,))


_NOT_GIVEN = "option 'o' was not given"

CASES = (
    _read("a text is not converted", {}, "7", o="7"),
    _read("a default number stays a number", {"default": 7}, 7),
    _read("without default null, and told", {"help": "some"}, None, _NOT_GIVEN),
    _read("an empty text is a value", {"default": "d"}, "", o=""),
    _read("a bool is false unless it is given", {"type": "bool"}, False),
    _read("a bool that is given", {"type": "bool"}, True, o=True),
    _read("a bool that is denied", {"type": "bool", "default": True}, False, o=False),
    _read("a bool whose default is a word", {"type": "bool", "default": "false"}, False),
    _read("a bool whose default is yes", {"type": "bool", "default": "Yes"}, True),
    _read("a list is split at commas and trimmed", {"type": "list"}, ["a", "b c", "", "d"], o="a, b c,,d"),
    _read("a list of nothing", {"type": "list"}, [], o=""),
    _read("a list whose default is a text", {"type": "list", "default": "a, b"}, ["a", "b"]),
    _read("a list whose default is a list", {"type": "list", "default": [1, 2]}, [1, 2]),
    _read("a list that is not given", {"type": "list"}, None, _NOT_GIVEN),
    _read("json", {"type": "json"}, {"a": [1, None]}, o='{"a": [1, null]}'),
    _read("json whose default is a map", {"type": "json", "default": {"a": 1}}, {"a": 1}),
    _read("json whose default is a text", {"type": "json", "default": '{"a": 1}'}, {"a": 1}),
    _read("json that is not given", {"type": "json"}, None, _NOT_GIVEN),
    _refused("json that is none", {"type": "json"}, "JSON", o="{a: 1}"),
    _refused("a text option used like a flag", {}, "needs a value", o=True),
    Case(
        "a name with a hyphen",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "runIf": "option:dry-run == \'True\'", '
        '"args": {"x": {"option": "dry-run"}}}',
        workflow={"options": {"dry-run": {"type": "bool"}}},
        options={"dry-run": True},
        args={"A": {"x": True}},
    ),
    Case(
        "a value may be used in a workdir and a tempdir's base",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "workdir": {"option": "o"}, '
        '"args": {"dir": {"option": "o", "type": "tempdir"}}}',
        workflow={"options": {"o": {"default": "."}}},
        options={"o": "/code"},
        tasks={"A": {"workdir": "/code"}},
        args={"A": {"dir": "/code"}},
        cleaned=("/code",),
    ),
    _declared("a secret", {"o": {"secret": "yes"}}),
    _declared("a secret that is neither yes nor no", {"o": {"secret": "maybe"}}, "E13"),
    _declared("an unknown type", {"o": {"type": "int"}}, "E13", says="options.o"),
    _declared("a bool with a default that is no word", {"o": {"type": "bool", "default": "maybe"}}, "E13"),
    _declared("a list with a default that is none", {"o": {"type": "list", "default": 3}}, "E13"),
    _declared("an unknown key", {"o": {"hlp": "x"}}, "W05", says='did you mean "help"'),
    _declared("a definition that is no map", {"o": "x"}, "E13"),
    _declared("options that are no map", ["o"], "E13"),
    _declared("a flag that every run has", {"workers": {}}, "E35", says="--workers"),
    _declared("a flag that every command has", {"help": {}}, "E35"),
    _declared("the flag for JSON lines", {"json": {}}, "E35"),
    _declared("a denied flag", {"once": {"type": "bool"}, "no-p": {}, "p": {"type": "bool"}}, "E35", "E35", "E35"),
    _declared("two spellings of one flag", {"a_b": {}, "a-b": {}}, "E35", "E35"),
    _declared("a name that cannot be typed", {"a b": {}}, "E13"),
)
