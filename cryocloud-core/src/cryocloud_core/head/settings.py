"""How a run was asked for: the frozen settings of a head, and the doors it is given to the world.

Laws: nothing here is read from the environment, the command line or a file; whoever makes a head fills it
in. Durations are seconds.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from attrs import field, frozen

from cryocloud_core.sdk.inputs import InputModule
from cryocloud_core.sdk.observed import LogRecord, PebbleSeen, RunSeen, TaskSeen
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.task import Code

#: what a listener is told, in the order it happened
Told = RunSeen | PebbleSeen | TaskSeen | LogRecord
Listener = Callable[[Told], None]
LoadInput = Callable[[Code], InputModule]
IsOurs = Callable[[str], bool]


def machine_name() -> str:
    """Return this machine's short host name: what `ccnode` and statistics call it."""
    return socket.gethostname().split(".")[0] or "localhost"


@frozen
class RunSettings:
    """What the user asked of a run.

    `state_dir` None means the user's state directory plus the workflow's name. `resume` is what to do
    with unfinished pebbles of another version of the workflow; None refuses. Counts of workers: None is
    the machine's own number.
    """

    state_dir: Path | None = None
    machine: str = field(factory=machine_name)
    once: bool = False
    fresh: bool = False
    resume: Literal["continue", "drop"] | None = None
    workers: int | None = None
    admin_workers: int | None = None
    gpus: int | None = None
    address: str | None = None
    #: how long running tasks may go on after the first signal
    grace_s: float = 30.0
    #: how long a cancelled task may take before it is killed
    cancel_grace_s: float = 10.0
    #: time limit of tasks whose node has none
    max_task_time_s: float | None = None
    #: the machine of nodes that name none (`--node`)
    node: str | None = None
    log_level: str = "INFO"
    #: configuration below `CryoCloud.Worker`
    worker_config: Mapping[str, Any] = field(factory=dict)
    #: who serves which URL scheme
    routes: Routes = field(factory=Routes)
    #: a relative `workdir` is read from here
    directory: Path = field(factory=Path.cwd)
    #: finished pebbles are forgotten when they are older than this, or more than this many
    keep_s: float = 30 * 86_400.0
    keep_pebbles: int = 100_000
    #: forget which arrivals with a key were seen
    force_inputs: bool = False
    #: use no earlier result again, and keep none
    nocache: bool = False
    #: zero the counters of completed and failed tasks
    reset_counters: bool = False
    #: serve `/metrics` on this port of loopback; 0 takes any free one
    metrics_port: int | None = None


class ConfigSource(Protocol):
    """The part of the configuration that a head reads."""

    def get(self, name: str) -> Any:
        """Return the value of a full dotted name, None when it is not set."""
        ...

    def refresh(self) -> bool:
        """Read changed files again; True when any value may have changed."""
        ...


def default_state_dir(workflow: str) -> Path:
    """Return where a workflow's journal lives unless the user says otherwise."""
    import platformdirs

    folder = re.sub(r"[^\w.-]+", "_", workflow).strip(".") or "_"
    return Path(platformdirs.user_state_dir("cryocloud", appauthor=False)) / folder
