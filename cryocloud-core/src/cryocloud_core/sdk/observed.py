"""What observers are told: frozen records of their own, so that the engine's types stay free to change.

Laws: a record is only ever added to; times are seconds UTC, durations seconds, sizes bytes.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class RunSeen:
    """A run began or stopped: the workflow's name, the state directory, and the exit code once known."""

    workflow: str
    state_dir: str
    at: float
    exit_code: int | None = None


@frozen
class PebbleSeen:
    """A pebble arrived at an input or was closed; `result` is empty until it is closed."""

    workflow: str
    pebble: int
    input: str
    at: float
    result: str = ""
    error: str = ""


@frozen
class TaskSeen:
    """A task ended: outcome is `success error timeout cancelled lost declined`; zeros when it never began."""

    workflow: str
    pebble: int
    node: str
    task: str
    outcome: str
    at: float
    worker: str = ""
    runtime_s: float = 0.0
    cpu_time_s: float = 0.0
    max_memory_bytes: int = 0
    error: str = ""


@frozen
class LogRecord:
    """One log line, with the pebble, node and task it belongs to (0 and empty where none)."""

    at: float
    level: str
    text: str
    logger: str = ""
    module: str = ""
    function: str = ""
    line: int = 0
    workflow: str = ""
    pebble: int = 0
    node: str = ""
    task: str = ""
    worker: str = ""
