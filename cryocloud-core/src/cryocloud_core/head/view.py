"""What a run looks like at one moment: the frozen picture that the terminal and machines are shown.

Laws: a view is made from counters, never by walking pebbles; every text in it may come from a hostile file
name and is escaped by whoever draws it.
"""

from __future__ import annotations

from attrs import frozen

from cryocloud_core.sdk.observed import LogRecord


@frozen
class NodeView:
    """One node's counters over all pebbles.

    `pending` tasks are not begun; `skipped` counts the blocked and the cancelled ones too.
    """

    workflow: str
    name: str
    module: str
    pending: int = 0
    processing: int = 0
    completed: int = 0
    failed: int = 0
    skipped: int = 0


@frozen
class TaskView:
    """One task a worker is in: since when (seconds UTC) and how far (percent, None while unknown)."""

    task: str
    node: str
    pebble: int
    worker: str
    began_at: float
    progress: float | None = None
    state: str = "Processing"


@frozen
class BlockedView:
    """Tasks of one node that wait for something other than a free worker, and the one thing they wait for."""

    workflow: str
    node: str
    count: int
    why: str


@frozen
class FailureView:
    """One node that failed for one pebble: printed when the run ends."""

    pebble: int
    node: str
    result: str
    error: str


@frozen
class RunView:
    """A run at one moment. `state` is `starting running draining suspending stopped` or `paused: <why>`.

    Of the pebbles done some `failed` (error, timeout, set aside), some were `cancelled` (or dropped, abandoned), and
    `earlier` counts those that were done before this start of a run that goes on.
    """

    workflows: tuple[str, ...]
    state: str
    at: float
    started_at: float
    nodes: tuple[NodeView, ...] = ()
    active: tuple[TaskView, ...] = ()
    blocked: tuple[BlockedView, ...] = ()
    pebbles_open: int = 0
    pebbles_done: int = 0
    pebbles_failed: int = 0
    tasks_per_s: float = 0.0
    log: tuple[LogRecord, ...] = ()
    pebbles_cancelled: int = 0
    pebbles_earlier: int = 0
