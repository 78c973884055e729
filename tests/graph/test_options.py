"""Options: definitions as checked data, and values from a command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cryocloud_core.errors import OptionError
from cryocloud_core.graph.load import parse
from cryocloud_core.graph.options import read_option
from cryocloud_core.graph.workflow import Option

FILES = {"/j.json": '{"from": "file"}', "/bad.json": "{"}


def declared(**definition: Any) -> Option:
    """Return the option `o` with this definition."""
    draft = parse(json.dumps({"workflow": {"name": "W", "description": "", "options": {"o": definition}}}))
    return draft.options["o"]


@pytest.mark.parametrize(
    ("definition", "given", "value"),
    [
        ({}, None, None),
        ({}, "7", "7"),
        ({"default": 7}, None, 7),
        ({"type": "bool"}, None, False),
        ({"type": "bool"}, True, True),
        ({"type": "bool", "default": "false"}, None, False),
        ({"type": "bool", "default": "Yes"}, None, True),
        ({"type": "bool", "default": 1}, False, False),
        ({"type": "bool"}, "no", False),
        ({"type": "list"}, None, None),
        ({"type": "list"}, "", []),
        ({"type": "list"}, " a, b c ,d", ["a", "b c", "d"]),
        ({"type": "list", "default": "x,y"}, None, ["x", "y"]),
        ({"type": "list", "default": ["x,y"]}, None, ["x,y"]),
        ({"type": "json"}, None, None),
        ({"type": "json"}, '{"a": 1}', {"a": 1}),
        ({"type": "json"}, "/j.json", {"from": "file"}),
        ({"type": "json", "default": "/j.json"}, None, {"from": "file"}),
        ({"type": "json", "default": "[1]"}, None, [1]),
        ({"type": "json", "default": {"a": 2}}, None, {"a": 2}),
    ],
)
def test_a_value_is_read_as_the_options_type(definition: dict[str, Any], given: str | bool | None, value: Any) -> None:
    """Texts stay texts, a missing value is the default, a missing default is null (false for bool)."""
    assert read_option(declared(**definition), given, FILES.get) == value


@pytest.mark.parametrize(
    ("definition", "given", "said"),
    [
        ({}, True, "--o: needs a value; write --o=VALUE"),
        ({"type": "bool"}, "maybe", '--o: must be true or false, got "maybe"; write --o or --no-o'),
        ({"type": "json"}, "{", '--o: neither a file nor JSON: "{": expecting a key in double quotes'),
        ({"type": "json"}, "/bad.json", "--o: not JSON: file /bad.json: expecting a key in double quotes"),
        ({"type": "json"}, "NaN", '--o: neither a file nor JSON: "NaN"'),
    ],
)
def test_what_cannot_be_read_says_how_to_write_it(definition: dict[str, Any], given: str | bool, said: str) -> None:
    """The message names the flag."""
    with pytest.raises(OptionError) as told:
        read_option(declared(**definition), given, FILES.get)

    assert str(told.value).startswith(said)


def test_options_are_usable_whatever_else_is_wrong() -> None:
    """A bad definition is a plain option, the others are as written; those beside the workflow are merged in."""
    draft = parse(
        json.dumps(
            {
                "options": {"outer": {"default": 1}, "both": {"default": "outer"}},
                "workflow": {
                    "nodes": 3,
                    "options": {"both": {"default": "inner"}, "bad": 3, "odd": {"type": "int", "help": "h"}},
                },
            }
        )
    )

    assert draft.options["outer"].default == 1
    assert draft.options["both"].default == "inner"
    assert draft.options["bad"] == Option("bad")
    assert draft.options["odd"] == Option("odd", help="h")


def test_a_secret_is_marked() -> None:
    """The mark is a control boolean."""
    assert declared(secret="yes", help=None) == Option("o", secret=True)
    assert not declared().secret


@pytest.mark.parametrize(
    ("options", "clashing"),
    [
        ({"once": {}}, ["once"]),
        ({"state-dir": {}}, ["state-dir"]),
        ({"State_Dir": {}}, ["State_Dir"]),
        ({"cache": {"type": "bool"}}, ["cache"]),
        ({"cache": {}}, []),
        ({"x": {"type": "bool"}, "no-x": {}}, ["x", "no-x"]),
        ({"a-b": {}, "a_b": {}}, ["a-b", "a_b"]),
        ({"n": {}}, []),
    ],
)
def test_a_flag_belongs_to_one_option_only(options: dict[str, Any], clashing: list[str]) -> None:
    """Built-in flags, other options, and the `no-` form of bool options; `-` and `_` are one."""
    text = json.dumps({"workflow": {"options": options}})
    problems = parse(text, flags=("--once", "state_dir", "--no-cache")).problems

    assert [p.place for p in problems if p.code == "E35"] == [f"options.{name}" for name in clashing]
