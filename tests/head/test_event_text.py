"""Events as text: whatever is written is read back the same, and what was not written so is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.engine.events import (
    Answered,
    CleanUpEnded,
    Event,
    Lent,
    Met,
    PebbleArrived,
    PebbleCancelled,
    TaskEnded,
    TimerFired,
    WorkflowReplaced,
)
from cryocloud_core.errors import WireError
from cryocloud_core.head.event_text import event_text, read_event
from cryocloud_core.task import Cancelled, Declined, Failed, Lost, Stats, Succeeded, TimedOut

texts = st.text(max_size=8) | st.just("odd ö\udc80")
numbers = st.integers(1, 2**40)
times = st.floats(0, 2e9)
values = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=4,
    ),
    max_size=3,
)
stats = st.builds(Stats, texts, texts, st.integers(0, 100), times, times, numbers, times)
outcomes = st.one_of(
    st.builds(Succeeded, values, st.booleans(), st.dictionaries(texts, numbers, max_size=2)),
    st.builds(Failed, texts, values, st.booleans(), texts),
    st.builds(TimedOut, texts),
    st.builds(Cancelled, texts),
    st.builds(Lost, texts, texts),
    st.builds(Declined, texts, texts),
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(TaskEnded, numbers, times, texts, outcomes, st.none() | stats),
    st.builds(PebbleArrived, numbers, times, texts, texts, texts, values, texts, texts),
    st.builds(TimerFired, numbers, times, texts),
    st.builds(PebbleCancelled, numbers, times, texts),
    st.builds(WorkflowReplaced, numbers, times, texts),
    st.builds(CleanUpEnded, numbers, times, texts),
    st.builds(Answered, numbers, times, texts, st.tuples(texts)),
    st.builds(Met, numbers, times, texts, values=st.dictionaries(texts, st.builds(Lent, texts, values), max_size=2)),
)


@given(events)
def test_an_event_reads_back_from_its_text(event: Event) -> None:
    """Also with the keys of its values in their order."""
    again = read_event(event_text(event))

    assert again == event
    assert repr(again) == repr(event)


def success(**more: Any) -> dict[str, Any]:
    """Return the data of a task's success, and what else is given."""
    ended = TaskEnded(1, 2.0, "1/A/1", Succeeded({"x": 1}), Stats("m1", "w1"))
    return {**json.loads(event_text(ended)), **more}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (success(more=1), "more"),
        (success(outcome={"type": "Succeeded", "more": 1}), "more"),
        (success(stats={"node": "m1"}), "worker"),
        (success(stats={"node": "m1", "worker": "w", "more": 1}), "more"),
        ({"type": "TaskEnded", "pebble": 1, "at": 2.0}, "task"),
        (success(outcome={"type": "Nonsense"}), "outcome"),
    ],
)
def test_fields_that_are_missing_or_unknown_are_named(data: dict[str, Any], told: str) -> None:
    """Whichever way an event is read, nothing is guessed."""
    with pytest.raises(WireError, match=told):
        read_event(json.dumps(data))


@pytest.mark.parametrize(
    "text", ["", "{", "7", "[]", '{"type": "Nonsense"}', event_text(TimerFired(1, 2.0, "t")) + "x"]
)
def test_what_is_no_event_is_refused(text: str) -> None:
    """Damaged text never passes for something else."""
    with pytest.raises(WireError):
        read_event(text)
