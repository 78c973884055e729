"""The narrow waist: ids that read back, and data that survives the wire."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.engine.events import Event, TaskEnded
from cryocloud_core.errors import WireError
from cryocloud_core.task import Code, Failed, Outcome, Stats, Succeeded, Task, TaskId
from cryocloud_core.wire import from_data, from_json, to_data, to_json

_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.integers(1, 10**9),
    st.text(min_size=1),
    st.integers(1, 99),
    st.none() | st.integers(0, 9),
    st.none() | st.integers(1, 9),
)
def test_a_task_id_reads_back_whatever_the_node_is_called(
    pebble: int, node: str, attempt: int, part: int | None, firing: int | None
) -> None:
    """Slashes, hashes and percent signs included."""
    made = TaskId(pebble, node, attempt, part, firing)

    assert TaskId.parse(str(made)) == made


def test_an_id_looks_as_people_write_it() -> None:
    """The form that logs and commands use."""
    assert str(TaskId(42, "Wind", 1, part=1)) == "42.1/Wind/1"
    assert str(TaskId(42, "Mail", 2, firing=3)) == "42/Mail#3/2"


@pytest.mark.parametrize("text", ["", "42", "42/Wind", "x/Wind/1", "42/Wind/1/2", "42//1"])
def test_what_is_no_id_is_refused(text: str) -> None:
    """With the text in the message."""
    with pytest.raises(WireError, match="not a task id"):
        TaskId.parse(text)


@given(st.dictionaries(st.text(), _JSON), st.sampled_from(["Succeeded", "Failed"]))
def test_outcomes_survive_the_wire(outputs: dict[str, Any], kind: str) -> None:
    """Whatever JSON data a module returns."""
    outcome: Outcome = Succeeded(outputs) if kind == "Succeeded" else Failed("no", outputs, trace="line\nline")
    event: Event = TaskEnded(1, 2.5, "1/A/1", outcome, Stats("m", "w", runtime_s=0.25))

    assert from_json(to_json(event, Event), Event) == event


def test_equal_tasks_give_equal_texts() -> None:
    """The order of keys does not matter."""
    one = Task("1/A/1", 1, "A", "noop", "w", Code("x"), "n", {"a": 1, "b": 2})
    two = Task("1/A/1", 1, "A", "noop", "w", Code("x"), "n", {"b": 2, "a": 1})

    assert to_json(one) == to_json(two)


def test_wrong_data_is_told_with_every_path() -> None:
    """All problems at once, and unknown keys are problems."""
    data = {**to_data(Task("1/A/1", 1, "A", "noop", "w", Code("x"), "n")), "pebble": "many", "colour": "red"}
    with pytest.raises(WireError) as caught:
        from_data(data, Task)

    assert "$.pebble" in str(caught.value)
    assert "colour" in str(caught.value)


def test_text_that_is_no_json_is_refused() -> None:
    """With the reader's own words."""
    with pytest.raises(WireError, match="not JSON"):
        from_json("{", Task)
