"""Events as the journal keeps them: text out, text in.

Laws: what is read equals what was written; keys keep their order, so that a replay meets values exactly as they were.
"""

from __future__ import annotations

import json
from typing import Any, Final

from cryocloud_core.engine.events import Event, TaskEnded
from cryocloud_core.errors import WireError
from cryocloud_core.task import Stats, Succeeded
from cryocloud_core.wire import from_data, json_bytes, to_data

_decode: Final = json.JSONDecoder().raw_decode


def event_text(event: Event) -> str:
    """Return an event as text. Raises ValueError or TypeError for values that are no JSON data."""
    return json_bytes(to_data(event, Event)).decode()


def read_event(text: str) -> Event:
    """Return the event that `event_text` wrote. Raises WireError."""
    data = _data(text)
    # What a restart reads is mostly the success of tasks: without the converter it takes two thirds of the time.
    if type(data) is dict and data.get("type") == "TaskEnded":
        found = _success(data)
        if found is not None:
            return found
        data = _data(text)
    try:
        return from_data(data, Event)  # type: ignore[arg-type]
    except (KeyError, TypeError, AttributeError) as error:
        raise WireError(f"no event of this version: {type(error).__name__} {error}") from error


def _success(data: dict[str, Any]) -> TaskEnded | None:
    """Return the event of a task that succeeded, None for any other and for what is not just as it was written."""
    outcome, stats = data.get("outcome"), data.get("stats")
    if type(outcome) is not dict or outcome.pop("type", "") != "Succeeded":
        return None
    del data["type"]
    try:
        data["outcome"] = Succeeded(**outcome)
        if stats is not None:
            data["stats"] = Stats(**stats)
        return TaskEnded(**data)
    except TypeError:
        # A field that is missing or unknown: the converter says which.
        return None


def _data(text: str) -> Any:
    try:
        data, end = _decode(text)
    except ValueError as error:
        raise WireError(f"an event's text is no JSON: {error}") from error
    if end != len(text):
        raise WireError("more follows behind an event's text")
    return data
