"""Big values: out of the event, into the journal once, back whole in the task."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryocloud_core.engine.events import PebbleArrived, TaskEnded
from cryocloud_core.errors import ResolutionError
from cryocloud_core.head.batch import Batch
from cryocloud_core.head.blobs import LIMIT_BYTES, Blobs, may_hold_blobs, take_out
from cryocloud_core.head.event_text import event_text
from cryocloud_core.task import Code, Failed, Succeeded, Task
from cryocloud_core.wire import from_json

scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.just("x" * (LIMIT_BYTES + 1))
likes = st.fixed_dictionaries({"$blob": st.just("0" * 64) | st.integers(), "size": st.integers(0, 9)})
values = st.recursive(
    scalars | likes,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "$blob"]), inner, max_size=2)
    ),
    max_leaves=6,
)
outputs = st.dictionaries(st.sampled_from(["a", "b", "c"]), values, max_size=3)


def stored(batch: Batch) -> Blobs:
    """Return a reader of what a batch writes."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, body TEXT)")
    connection.execute("CREATE TABLE blob_uses (pebble INTEGER, sha256 TEXT, PRIMARY KEY (pebble, sha256))")
    for statement, row in batch.others:
        connection.execute(statement, row)
    return Blobs(connection)


def task(args: dict[str, Any]) -> Task:
    """Return a task with these arguments."""
    return Task("1/A/1", 1, "A", "a", "flow", Code("a"), "nonce", args)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(outputs)
def test_values_come_back_as_they_were(made: dict[str, Any]) -> None:
    """Whatever an output holds, a task that refers to it, alone or in a list as after a merge, gets the same value."""
    batch = Batch()
    event = take_out(TaskEnded(1, 1.0, "1/A/1", Succeeded(made)), (), batch)
    assert isinstance(event, TaskEnded)
    assert isinstance(event.outcome, Succeeded)
    blobs = stored(batch)
    seen = event.outcome.outputs

    assert blobs.put_back(task(seen)).args == made
    merged = {"all": [[value, None] for value in seen.values()]}
    assert blobs.put_back(task(merged)).args == {"all": [[value, None] for value in made.values()]}
    assert len(event_text(event)) < 4 * LIMIT_BYTES
    if not may_hold_blobs(event_text(TaskEnded(1, 1.0, "1/A/1", Succeeded(made)))):
        assert seen == made


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(outputs)
def test_an_event_is_read_as_it_was_written(made: dict[str, Any]) -> None:
    """The journal's text gives the same event, with the keys of its values in their order."""
    from cryocloud_core.engine.events import Event

    event = PebbleArrived(1, 1.5, "digest", "In", "nonce", made, "key", "here")
    again = from_json(event_text(event), Event)  # type: ignore[arg-type]
    assert again == event
    assert json.dumps(again.values) == json.dumps(made)


def test_what_conditions_read_stays_in_the_event() -> None:
    """A key that is kept is not taken out, however big; a failure's outputs are treated alike."""
    batch = Batch()
    big = "x" * (LIMIT_BYTES + 1)
    event = take_out(TaskEnded(1, 1.0, "1/A/1", Failed("no", {"kept": big, "other": big})), {"kept"}, batch)

    assert isinstance(event, TaskEnded)
    assert isinstance(event.outcome, Failed)
    assert event.outcome.outputs["kept"] == big
    assert event.outcome.outputs["other"].keys() == {"$blob", "size"}


def test_arguments_that_are_too_large_are_refused_before_they_are_read() -> None:
    """64 MiB is the most that one task is given; the sizes in the references tell."""
    reference = {"$blob": "0" * 64, "size": 40 * 1024 * 1024}
    with pytest.raises(ResolutionError, match="too large"):
        stored(Batch()).put_back(task({"a": [reference, reference]}))


def test_few_values_are_kept_in_memory() -> None:
    """The cache is bounded by the size of what it holds."""
    batch = Batch()
    many = {str(n): str(n) * 9_000_000 for n in range(6)}
    event = take_out(PebbleArrived(1, 1.0, "d", "In", "n", many), (), batch)
    assert isinstance(event, PebbleArrived)
    blobs = stored(batch)

    assert blobs.put_back(task(event.values)).args == many
    assert len(blobs._cache) == 3


def test_a_pebble_that_goes_on_for_another_uses_its_big_values_in_lists_too() -> None:
    """What a merge gathered is a list of references: without a note they could be forgotten with the lender."""
    from cryocloud_core.engine.events import Lent, Met

    one, two = ({"$blob": digit * 64, "size": 70_000} for digit in "12")
    batch = Batch()
    take_out(Met(7, 1.0, "7/Sync/1", True, values={"M": Lent("success", {"x": one, "all": [None, [two]]})}), (), batch)

    assert [values for _, values in batch.others] == [(7, one["$blob"]), (7, two["$blob"])]
