"""What is to be done next: the commands the engine gives, performed only after their event is committed.

Laws: imperative and frozen; performing one twice is harmless; what a command owes is answered by exactly
one event.
"""

from __future__ import annotations

from attrs import field, frozen

from cryocloud_core.engine.checkpoints import Checkpoint
from cryocloud_core.engine.events import Lent
from cryocloud_core.task import Task


@frozen
class StartTask:
    """Run this task; answered by TaskEnded."""

    task: Task


@frozen
class CancelTask:
    """End this task, running or not; answered by the TaskEnded of its StartTask."""

    pebble: int
    task: str
    why: str


@frozen
class SetTimer:
    """Answer with TimerFired at `due_at` (seconds UTC)."""

    pebble: int
    timer: str
    due_at: float


@frozen
class CleanUp:
    """Remove the pebble's tempdirs on a machine: `<base>/cc-<nonce>-*` under every base, None for the worker's own.

    Answered by CleanUpEnded.
    """

    pebble: int
    nonce: str
    machine: str
    bases: tuple[str | None, ...]


@frozen
class Note:
    """Tell people: one line for the log, about a pebble and one of its nodes."""

    pebble: int
    node: str
    level: str
    text: str


@frozen
class NodeSettled:
    """A node came to its end for a pebble: the state it ended in, for counters, people and observers.

    `scope` is empty, `.3` for a split part or `#2` for the second firing of a global handler; `error` the
    text of the failure.
    """

    pebble: int
    node: str
    scope: str
    state: str
    error: str = ""


@frozen
class Meet:
    """Wait for other pebbles with the same message id; answered by Met.

    `parents` are all parents of the node, `came` those of them that ran in this pebble; the rendezvous is complete when
    every parent came (with `any_parent`: one). `resolve_on` is the parent whose pebble goes on, empty for the last that
    came. `values` holds what the parents and their ancestors came to; `since` is when the pebble came, seconds UTC.
    """

    pebble: int
    task: str
    workflow: str
    node: str
    message: str
    parents: tuple[str, ...]
    came: tuple[str, ...]
    since: float
    resolve_on: str = ""
    any_parent: bool = False
    values: dict[str, Lent] = field(factory=dict)


@frozen
class Ask:
    """Say which machines have a worker of this kind that offers this module; answered by Answered.

    `task` names the question: the task that is to run on all of them.
    """

    pebble: int
    task: str
    kind: str
    module: str


@frozen
class KeepCheckpoint:
    """Keep this beside the event: a replay takes it in place of the events of a folded region, or walks them."""

    pebble: int
    checkpoint: Checkpoint


@frozen
class FinishPebble:
    """The pebble is closed with this result: success, error, timeout, cancelled, dropped or abandoned.

    `owing`: some machine could not be cleaned yet; its CleanUp stays owed.
    """

    pebble: int
    result: str
    error: str = ""
    owing: bool = False


Command = StartTask | CancelTask | SetTimer | CleanUp | Note | NodeSettled | Meet | Ask | KeepCheckpoint | FinishPebble
