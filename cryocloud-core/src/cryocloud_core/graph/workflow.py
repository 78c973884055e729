"""A linked workflow: everything the engine must know, frozen, without places or spellings.

Laws: children are inlined into `parents`, module defaults are applied, every name that stands here
exists; document order is the order of `Workflow.nodes`; the same meaning gives the same value, so that
its digest tells whether a workflow changed.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from attrs import field, frozen

from cryocloud_core.graph.condition import Condition
from cryocloud_core.graph.refs import Argument
from cryocloud_core.task import Code

#: the word in place of a machine's name for all of them
EVERYWHERE: Final = "all"


class NodeKind(Enum):
    """What makes a node start."""

    #: creates pebbles; has no parents
    INPUT = "input"
    #: runs when its parents have settled
    ORDINARY = "ordinary"
    #: runs once for every node that failed; has no parents
    GLOBAL = "global"


class WorkerKind(Enum):
    """The class of worker that may take a task."""

    NORMAL = "normal"
    ADMIN = "admin"
    GPU = "gpu"


@frozen
class Retry:
    """Repeats after a failed first attempt; waiting times in seconds.

    The n-th repeat waits `min(delay_s * backoff ** (n - 1), max_delay_s)`, varied by up to ±`jitter` of it.
    """

    times: int
    delay_s: float = 1.0
    backoff: float = 2.0
    max_delay_s: float = 600.0
    jitter: float = 0.0
    on: tuple[str, ...] = ("error", "timeout")


@frozen
class Restriction:
    """`channel:parameter` compared with a value: the node's tasks wait while it does not hold."""

    channel: str
    parameter: str
    operator: str
    value: str


@frozen
class PostItem:
    """One output that is uploaded after success: `target` is a prefix, resolved like an argument."""

    output: str
    target: Argument
    basename: bool = False
    remove: bool = False


@frozen
class CacheRule:
    """When an earlier result of a module with the same arguments may be used again."""

    args: tuple[str, ...]
    expires_s: float | None = None
    files: tuple[str, ...] = ()
    lookup: bool = False


@frozen
class Placement:
    """Where a node may run: class of worker, machine(s), container."""

    kind: WorkerKind = WorkerKind.NORMAL
    machine: Argument | None = None
    on_head: bool = False
    docker: str | None = None
    image: str | None = None
    replicas: int = 1
    volumes: tuple[tuple[Argument, Argument, str], ...] = ()
    service_url: str | None = None

    @property
    def worker_class(self) -> str:
        """The class of worker that takes the node's tasks; `head` for the head's own."""
        return "head" if self.on_head else self.kind.value


@frozen
class Node:
    """One node of the graph.

    `run_on` holds the combined parent results it accepts, out of `success error timeout cancelled`; an
    empty set means never. `parents` is in document order, without duplicates. `outputs` maps each
    declared output to its description.
    """

    name: str
    module: str
    code: Code
    kind: NodeKind = NodeKind.ORDINARY
    parents: tuple[str, ...] = ()
    args: dict[str, Argument] = field(factory=dict)
    outputs: dict[str, str] = field(factory=dict)
    #: for an input node: goes on for ever (a watched directory) instead of ending by itself
    permanent: bool = False
    run_on: frozenset[str] = frozenset({"success"})
    run_if: Condition | None = None
    resolve_on_any: bool = False
    deferred: bool = False
    priority: int = 50
    max_parallel: int | None = None
    restrictions: tuple[Restriction, ...] = ()
    retry: Retry | None = None
    timeout_s: float | None = None
    placement: Placement = field(factory=Placement)
    workdir: Argument | None = None
    split_on: str | None = None
    merge: bool = False
    loop: str | None = None
    post: tuple[PostItem, ...] = ()
    cache: CacheRule | None = None


@frozen
class Option:
    """A declared option: `kind` is `text`, `bool`, `list` or `json`."""

    name: str
    kind: str = "text"
    help: str = ""
    default: Any = None
    secret: bool = False


@frozen
class Workflow:
    """A linked workflow: its nodes by name in document order, and its options."""

    name: str
    description: str
    nodes: dict[str, Node]
    options: dict[str, Option] = field(factory=dict)
