"""Return values: whatever a module returns becomes JSON data or one clear error."""

from __future__ import annotations

import enum
import json
import pathlib
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.errors import ReturnValueError
from cryocloud_core.worker.returned import Returned, judge


class Colour(enum.Enum):
    """A plain enum."""

    RED = "red"


class Level(enum.IntEnum):
    """An enum of numbers."""

    HIGH = 3


class Point(NamedTuple):
    """A tuple with names."""

    x: int
    y: int


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), PLAIN))
def test_plain_data_passes_as_it_is(outputs: dict[str, Any]) -> None:
    """A bare map and a pair mean the same, and survive the trip through JSON."""
    assert judge(outputs) == judge((100, outputs)) == Returned(outputs)
    assert json.loads(json.dumps(judge(outputs).outputs, allow_nan=False)) == outputs


@settings(max_examples=50)
@given(st.dictionaries(st.text(), st.recursive(PLAIN, lambda i: st.tuples(i, i), max_leaves=5)))
def test_tuples_become_lists(outputs: dict[str, Any]) -> None:
    """At any depth, as JSON itself would write them."""
    assert judge(outputs).outputs == json.loads(json.dumps(outputs))


ODD = st.binary() | st.complex_numbers() | st.sets(st.integers()) | st.just(float("nan"))


@settings(max_examples=50)
@given(st.recursive(ODD, lambda inner: st.lists(inner, min_size=1), max_leaves=3), PLAIN)
def test_what_json_cannot_hold_is_an_error_that_names_the_key(odd: Any, good: Any) -> None:
    """However deep it is."""
    with pytest.raises(ReturnValueError, match="return value 'key"):
        judge({"good": good, "key": odd})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pathlib.Path("/a/b"), "/a/b"),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Point(1, 2), [1, 2]),
        (OrderedDict(a=(1,)), {"a": [1]}),
        ({1: "x"}, {"1": "x"}),
        (2**70, 2**70),
        ("\udcff", "\udcff"),
    ],
)
def test_the_obvious_is_converted(value: Any, expected: Any) -> None:
    """To plain types, not to subclasses of them."""
    (found,) = judge({"k": value}).outputs.values()

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"x", ["'k'", "bytes"]),
        ({1, 2}, ["'k'", "sorted list"]),
        (float("nan"), ["'k'", "nan"]),
        (np.float64("inf"), ["'k'", "inf"]),
        (np.zeros(3), ["'k'", "ndarray", ".tolist()"]),
        ([0, {"deep": object()}], ["'k[1].deep'", "object"]),
        ({None: 1}, ["'k'", "NoneType"]),
        ({True: 1}, ["'k'", "bool"]),
    ],
)
def test_errors_name_the_place_and_what_to_do(value: Any, words: list[str]) -> None:
    """The first thing that is wrong."""
    with pytest.raises(ReturnValueError) as caught:
        judge({"k": value})
    for word in words:
        assert word in str(caught.value)


def test_data_that_contains_itself_is_refused() -> None:
    """Not recursed into for ever."""
    loop: list[Any] = []
    loop.append(loop)

    with pytest.raises(ReturnValueError, match="nested"):
        judge({"k": loop})


@pytest.mark.parametrize("progress", [100, 100.0, 100.9, np.int32(100), np.float64(100)])
def test_a_hundred_is_done(progress: Any) -> None:
    """Whole or not, Python's or numpy's."""
    assert judge((progress, {"a": 1})) == Returned({"a": 1})


@pytest.mark.parametrize("progress", [0, 50, 99.9, 101, -1, float("nan"), float("inf"), 10**400])
def test_another_progress_is_an_error_with_the_outputs_kept(progress: Any) -> None:
    """What the module returned beside it may still be wanted."""
    returned = judge((progress, {"a": 1}))

    assert "expected 100" in returned.error
    assert returned.outputs == {"a": 1}


@pytest.mark.parametrize(
    "value", [None, 100, "text", (), (100,), (100, {}, 1), {1, 2}, ("100", {}), (True, {}), (None, {})]
)
def test_anything_else_is_no_result(value: Any) -> None:
    """The error says what is expected."""
    with pytest.raises(ReturnValueError, match="process_task must return"):
        judge(value)


@pytest.mark.parametrize(("value", "kind"), [("text", "str"), ([1, 2], "list"), (7, "int")])
def test_a_value_that_is_no_map_is_wrapped(value: Any, kind: str) -> None:
    """Under `result`, and it is told."""
    assert judge((100, value)) == Returned({"result": value}, wrapped=kind)
