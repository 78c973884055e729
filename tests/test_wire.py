"""JSON text: what comes back is what went in, whoever wrote it."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import pytest
from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryocloud_core import wire
from cryocloud_core.errors import WireError

#: text holds lone surrogates, as file names do; integers are of any size
TEXT = st.text() | st.just("a\udcffb")
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
DATA = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


@pytest.fixture(params=["orjson", "json"])
def _writer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write with orjson where it can, or as without it."""
    if request.param == "json":
        monkeypatch.setattr(wire, "_quick", None)


@pytest.mark.usefixtures("_writer")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DATA)
def test_data_comes_back_as_it_was(data: Any) -> None:
    """Types, signs of zero and the order of keys included."""
    found = json.loads(wire.json_bytes(data))

    assert repr(found) == repr(data)


@pytest.mark.usefixtures("_writer")
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_has_not_is_refused(number: float) -> None:
    """However deep it lies, and although orjson would write `null`."""
    with pytest.raises(ValueError, match="JSON"):
        wire.json_bytes({"a": [1.0, {"b": number}]})


@pytest.mark.usefixtures("_writer")
@pytest.mark.parametrize("value", [dt.datetime(2026, 1, 2, tzinfo=dt.UTC), {1, 2}, object(), b"x"])
def test_what_is_no_json_is_refused(value: Any) -> None:
    """Nothing is turned into text on the quiet."""
    with pytest.raises(TypeError, match="JSON"):
        wire.json_bytes([value])


@pytest.mark.usefixtures("_writer")
def test_text_is_compact() -> None:
    """No spaces."""
    assert wire.json_bytes({"b": [1, 2.5], "a": None}) == b'{"b":[1,2.5],"a":null}'


@frozen
class Note:
    """A record."""

    text: str = ""


@pytest.mark.parametrize("data", [None, [], [1], "text", 5, True])
def test_what_is_no_map_is_no_record(data: Any) -> None:
    """A damaged note is told as one, not as a bug."""
    with pytest.raises(WireError, match=f"is a {type(data).__name__}, not a map"):
        wire.from_data(data, Note)
