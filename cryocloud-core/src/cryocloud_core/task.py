"""The narrow waist: one attempt at one node for one pebble (`Task`), and the one way it ended (`Outcome`).

Laws: the head's side and the worker's side share this file and nothing else; a Task is self-sufficient,
a worker never sees the workflow; an id tells which pebble, part, node, firing and attempt it names, and
reads back exactly, whatever characters the node's name has.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

from attrs import field, frozen

from cryocloud_core.errors import WireError
from cryocloud_core.wire import tagged

_ID = re.compile(r"(\d+)(?:\.(\d+))?/([^/#]+)(?:#(\d+))?/(\d+)")
_ESCAPES = str.maketrans({"%": "%25", "/": "%2F", "#": "%23"})


@frozen
class TaskId:
    """The parts of a task's id, `42.1/Wind#2/1`: pebble, split part, node, firing of a global handler, attempt."""

    pebble: int
    node: str
    attempt: int = 1
    part: int | None = None
    firing: int | None = None

    def __str__(self) -> str:
        """Return the id as text; `parse` reads it back."""
        part = "" if self.part is None else f".{self.part}"
        firing = "" if self.firing is None else f"#{self.firing}"
        return f"{self.pebble}{part}/{self.node.translate(_ESCAPES)}{firing}/{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> TaskId:
        """Return the id that `text` names; raises WireError when it names none."""
        match = _ID.fullmatch(text)
        if match is None:
            raise WireError(f"not a task id: {text!r}", remedy="an id looks like 42/Wind/1")
        pebble, part, node, firing, attempt = match.groups()
        name = node.replace("%23", "#").replace("%2F", "/").replace("%25", "%")
        return cls(
            int(pebble),
            name,
            int(attempt),
            None if part is None else int(part),
            None if firing is None else int(firing),
        )


@frozen
class Code:
    """Where a module's code is: an import reference (`package.module`) or the path of a single file."""

    reference: str | None = None
    path: str | None = None


class StagingKind(Enum):
    """What the worker does to an argument before the module sees it."""

    FILE = "file"
    DIR = "dir"
    TEMPDIR = "tempdir"


@frozen
class Preparation:
    """How an argument is prepared on the worker.

    `copy`: may fetch; `unzip`: deliver an archive as the list of its entries; `keep`: keep a local
    archive after unpacking; `proto`: how a bare path on another machine is fetched (`ssh` or `http`);
    `id`: name of a shared tempdir.
    """

    kind: StagingKind
    copy: bool = True
    unzip: bool = False
    keep: bool = True
    proto: str = "ssh"
    id: str | None = None


@frozen
class Staging:
    """One argument to prepare, and where its bare paths lie.

    `origins` holds one machine name, or one per item of a list that several machines made.
    """

    argument: str
    preparation: Preparation
    origins: tuple[str, ...] = ()


@frozen
class Upload:
    """One output to upload after success: destination = target + (basename or the path without its first `/`)."""

    output: str
    target: str
    basename: bool = False
    remove: bool = False


@frozen
class Reuse:
    """What a worker does about an earlier result: `files` are the outputs that hold paths.

    `known`: there is one, with these `outputs` and the bytes of its paths in `sizes`, made by the task `maker`; it ends
    the task at once if every path is as big as it was. Otherwise the module runs and its paths are measured.
    """

    files: tuple[str, ...] = ()
    outputs: dict[str, Any] = field(factory=dict)
    sizes: dict[str, int] = field(factory=dict)
    known: bool = False
    maker: str = ""


@frozen
class Task:
    """One attempt at one node for one pebble, with everything a worker needs.

    `args` are resolved values, JSON data, not yet staged. `attempt` is what a module may see twice: engine
    attempts plus starts of the head since. `kind` is `normal`, `admin`, `gpu` or, with `on_head`, `head`: the
    head's own small pool. `machines` are the names it may run on (empty: any); `timeout_s` counts from the
    moment a worker begins it. `nonce` names the pebble's tempdirs (`<base>/cc-<nonce>-…`).
    """

    id: str
    pebble: int
    node: str
    module: str
    workflow: str
    code: Code
    nonce: str
    args: dict[str, Any] = field(factory=dict)
    attempt: int = 1
    priority: int = 50
    kind: str = "normal"
    machines: tuple[str, ...] = ()
    on_head: bool = False
    timeout_s: float | None = None
    workdir: str | None = None
    staging: tuple[Staging, ...] = ()
    uploads: tuple[Upload, ...] = ()
    loop: str | None = None
    #: declared outputs; what `loop` returns for an empty list
    outputs: tuple[str, ...] = ()
    reuse: Reuse | None = None
    log_level: str = "INFO"


@frozen
class Stats:
    """What one task used.

    `runtime_s` from begin to end, `cpu_time_s` user + system with children, `max_memory_bytes` peak
    resident with children.
    """

    node: str
    worker: str
    priority: int = 50
    runtime_s: float = 0.0
    cpu_time_s: float = 0.0
    max_memory_bytes: int = 0
    #: when the worker began it, seconds UTC
    began_at: float = 0.0


@frozen
class Succeeded:
    """The module returned progress 100; `outputs` is its return value as JSON data.

    `cached`: it did not run, the result of an earlier task was used, that of `maker` where it is known; `sizes` are the
    bytes of the paths that `Task.reuse` asked for.
    """

    outputs: dict[str, Any] = field(factory=dict)
    cached: bool = False
    sizes: dict[str, int] = field(factory=dict)
    maker: str = ""


@frozen
class Failed:
    """The module or its staging failed; `outputs` is what it returned beside the error.

    `permanent`: repeating it cannot help (a wrong argument), so it is not retried. `trace` is the
    traceback for the log.
    """

    error: str
    outputs: dict[str, Any] = field(factory=dict)
    permanent: bool = False
    trace: str = ""


@frozen
class TimedOut:
    """The time limit passed before the module returned."""

    error: str


@frozen
class Cancelled:
    """The task was cancelled, before or while it ran."""

    why: str = "cancelled"


@frozen
class Lost:
    """The worker or its machine was lost with the task in it."""

    node: str
    why: str


@frozen
class Declined:
    """The worker could not take the task (its module does not load there); nothing of it ran.

    `node` is the worker's machine; empty when `why` says already who declined.
    """

    why: str
    node: str = ""


Outcome = Succeeded | Failed | TimedOut | Cancelled | Lost | Declined

tagged(Outcome)
