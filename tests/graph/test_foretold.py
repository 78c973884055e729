"""Files and places that can never work: where they are told, as what, and what is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from attrs import field, frozen

from cryocloud_core.graph.foretold import Doubt
from cryocloud_core.task import Preparation

WAY = {"type": "file"}


@frozen
class Wary:
    """Distrusts every text with `bad` in it, and nulls; is not sure where there is `hm`."""

    given: Mapping[str, Any] = field(factory=dict)

    def argument(self, value: Any, way: Preparation) -> Doubt | None:
        """Judge one value."""
        return self.target(value, basename=False)

    def target(self, value: Any, *, basename: bool) -> Doubt | None:
        """Judge a target."""
        text = str(value)
        return Doubt(f"{text} is bad", "hm" not in text) if "bad" in text or value is None else None


Told = Callable[..., list[str]]


@pytest.fixture
def told(bench: Any, work: Any) -> Told:
    """Give what is told of a node with these keys, each as code, column of its value's text, message."""

    def tell(given: Mapping[str, Any] | None = None, *, options: Any = None, **keys: Any) -> list[str]:
        text = bench.document(work("A", **keys), options=options or {})
        problems = bench.link(text, foresight=Wary(given or {})).problems
        lines = text.splitlines()
        return [f"{p.code} {lines[p.line - 1][p.column - 1 :].rstrip(',')} | {p.message}" for p in problems]

    return tell


def test_a_literal_argument_is_a_warning_at_its_value(told: Told) -> None:
    """Its task fails, which handlers may take."""
    assert told(args={"src": {"value": "bad", **WAY}}) == ['W17 "bad" | argument "src" can never work: bad is bad']
    assert told(args={"src": {"value": "good", **WAY}, "f": "bad", "level": {"value": "bad"}}) == []


def test_of_a_list_the_first_that_is_wrong_is_told_where_it_stands(told: Told) -> None:
    """Lists in lists and nulls too; the base of a tempdir is no list."""
    value = ["good", None, ["fine", "bad1"], "bad2"]

    assert told(args={"src": {"value": value, **WAY}}) == ['W17 "bad1" | argument "src" can never work: bad1 is bad']
    assert told(args={"src": {"value": ["bad"], "type": "tempdir"}}) == [
        "W17 [ | argument \"src\" can never work: ['bad'] is bad"
    ]


def test_a_literal_target_is_an_error_and_a_doubtful_one_a_warning(told: Told) -> None:
    """Each at its own item, also with a source or another spelling."""
    items = [{"output": "dst", "target": "bad1"}, {"output": "x", "target": {"value": "bad2"}}]
    items += [{"output": "x", "target": "fine"}, {"output": "x", "target": "hm bad"}]

    assert told(post=items) == [
        'E37 "bad1" | bad post item: "target" can never work: bad1 is bad',
        'E37 "bad2" | bad post item: "target" can never work: bad2 is bad',
        'W17 "hm bad" | post "target" may not work: hm bad is bad',
    ]
    assert told(post={"output": "dst", "Target": "bad"})[-1].startswith('E37 "bad" | bad post item')


def test_beside_an_item_that_cannot_be_read_the_key_is_the_place(told: Told) -> None:
    """Nothing is told at the place of another item."""
    found = told(post=[{"output": "dst"}, {"output": "x", "target": "bad"}])

    assert 'E37 [ | bad post item: "target" can never work: bad is bad' in found


def test_an_options_value_is_a_warning_that_names_the_option(told: Told) -> None:
    """A literal default is looked at where there is no value, and none where there is."""
    args = {"src": {"option": "o", "default": "bad default", **WAY}}
    options = {"o": {"help": "where from"}}

    assert told({"o": "bad"}, options=options, args=args) == [
        'W17 { | argument "src" (option --o) can never work: bad is bad'
    ]
    assert told({"o": "good"}, options=options, args=args) == []
    assert told({"o": None}, options=options, args=args) == [
        'W17 "bad default" | argument "src" (its default) can never work: bad default is bad'
    ]
    post = {"output": "dst", "target": {"option": "o"}}
    assert told({"o": "bad"}, options=options, post=post) == [
        'W17 { | post "target" (option --o) can never work: bad is bad'
    ]


def test_a_secret_value_is_not_told(told: Told) -> None:
    """The warning says only which option it is."""
    options = {"o": {"help": "where from", "secret": True}}
    (line,) = told({"o": "bad hush"}, options=options, args={"src": {"option": "o", **WAY}})

    assert "hush" not in line
    assert "option --o" in line


def test_the_default_of_what_is_known_only_later_is_a_warning(told: Told) -> None:
    """That of an output and of a setting."""
    post = {"output": "dst", "target": {"output": "In.fullpath", "default": "bad"}}

    assert told(post=post) == ['W17 "bad" | post "target" (its default) can never work: bad is bad']


def test_an_input_is_not_looked_at(bench: Any) -> None:
    """Nothing is staged for it."""
    source = {"module": "dirwatcher", "name": "In", "args": {"src": {"value": "bad", **WAY}}}
    text = json.dumps({"workflow": {"name": "W", "description": "d", "nodes": [source]}})

    assert bench.codes(text, foresight=Wary()) == []
