"""What happened: the events the engine applies, each about exactly one pebble.

Laws: past tense and frozen; everything the engine may not find out by itself (time, ids, nonces, answers
about the world) arrives here; an event is journaled with the number of the context it was applied in.
"""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from cryocloud_core.task import Outcome, Stats
from cryocloud_core.wire import tagged


@frozen
class PebbleArrived:
    """An input made a pebble.

    `workflow` is the digest of the linked workflow, `machine` the head's name, `at` seconds UTC.
    """

    pebble: int
    at: float
    workflow: str
    input: str
    nonce: str
    values: dict[str, Any] = field(factory=dict)
    key: str = ""
    machine: str = ""


@frozen
class TaskEnded:
    """A task came to its end; `stats` is None when it never began."""

    pebble: int
    at: float
    task: str
    outcome: Outcome
    stats: Stats | None = None


@frozen
class TimerFired:
    """A timer that was set has come due; `timer` is the name it was set with."""

    pebble: int
    at: float
    timer: str


@frozen
class PebbleCancelled:
    """Somebody gave the pebble up.

    `why`: `cancelled` (deferred nodes still run), `dropped` or `abandoned` (only clean-up).
    """

    pebble: int
    at: float
    why: str = "cancelled"


@frozen
class WorkflowReplaced:
    """The pebble goes on in a newer graph, the one with this digest."""

    pebble: int
    at: float
    workflow: str


@frozen
class CleanUpEnded:
    """The pebble's tempdirs on one machine are gone."""

    pebble: int
    at: float
    machine: str


@frozen
class Lent:
    """What a node came to in another pebble: its final state, outputs, and statistics by the names of `Stats`."""

    state: str
    outputs: dict[str, Any] = field(factory=dict)
    stats: dict[str, Any] = field(factory=dict)


@frozen
class Met:
    """A rendezvous took place, or can never take place (`error`).

    `task` names the meeting the pebble waited in; the one pebble that `goes_on` carries the `values` of all parents
    and their ancestors and settles with `result`, the others settle as skipped.
    """

    pebble: int
    at: float
    task: str
    goes_on: bool = False
    result: str = "success"
    error: str = ""
    values: dict[str, Lent] = field(factory=dict)


@frozen
class Answered:
    """The machines, by name, that could run the `task` for which it was asked, at that moment."""

    pebble: int
    at: float
    task: str
    machines: tuple[str, ...] = ()


Event = PebbleArrived | TaskEnded | TimerFired | PebbleCancelled | WorkflowReplaced | CleanUpEnded | Met | Answered


@frozen
class Context:
    """What a pebble may read of the world outside: option values, and every configuration value its workflow refers to.

    Append-only in the journal: `number` names it there. `config` maps full dotted names to values; a
    missing name reads as null. `directory` is the head's working directory, against which a relative
    `workdir` is read.
    """

    number: int
    options: dict[str, Any] = field(factory=dict)
    config: dict[str, Any] = field(factory=dict)
    directory: str = "/"


tagged(Event)
