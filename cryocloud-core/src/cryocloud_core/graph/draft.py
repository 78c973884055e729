"""A read but not yet linked workflow, what it wants looked up, and what linking it gives.

Laws: a draft is made from text alone; what modules promise enters as Found or Missing; a draft with
problems is still a draft, so that its options can be shown and every other problem can be told too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from cryocloud_core.graph.keys import Entry
from cryocloud_core.graph.problems import Problem
from cryocloud_core.graph.reading import Use
from cryocloud_core.graph.refs import Argument
from cryocloud_core.graph.spec import ModuleSpec
from cryocloud_core.graph.workflow import Option, Workflow
from cryocloud_core.task import Code


@frozen
class Wanted:
    """A module to look up: its name, the node's working directory as written, the service that defines it.

    Hashable; two nodes that want the same share one.
    """

    module: str
    workdir: Argument | None = None
    service_url: str | None = None


@frozen
class Found:
    """A module that was found: its spec, where its code is, and the installed module it hides, if any."""

    spec: ModuleSpec
    code: Code
    shadows: str | None = None


@frozen
class Missing:
    """A module that was not found.

    `code` is E15 (not found; `why` reads `looked in A, B`), E16 (no usable definition) or E36 (its service
    does not answer).
    """

    code: str
    why: str


@frozen(eq=False)
class DraftNode:
    """One node as read: checked as far as that goes without its module.

    `place` is where its findings go, `parents` what it names (offset of each), `enclosing` the node whose
    child it is; `settings` holds the read keys, `entries` where each stands, `uses` what it refers to.
    """

    name: str
    module: str
    place: str
    at: int
    entries: Mapping[str, Entry]
    enclosing: str | None = None
    parents: Mapping[str, int] = field(factory=dict)
    settings: Mapping[str, Any] = field(factory=dict)
    uses: tuple[Use, ...] = ()

    @property
    def wanted(self) -> Wanted | None:
        """What must be looked up for this node; None when it names no module."""
        if not self.module:
            return None
        return Wanted(self.module, self.settings.get("workdir"), self.settings.get("serviceURL"))

    def at_key(self, key: str) -> int:
        """Return where the value of a key stands, else where the node's module or the node itself does."""
        entry = self.entries.get(key) or self.entries.get("module")
        return self.at if entry is None else entry.tree.at


@frozen(eq=False)
class Draft:
    """A workflow as read from text. `options` is usable whatever else is wrong."""

    name: str
    description: str
    options: Mapping[str, Option]
    nodes: tuple[DraftNode, ...]
    problems: tuple[Problem, ...]
    strict: bool
    spot: Callable[[int], tuple[int, int]] = field(repr=False)

    def wanted(self) -> tuple[Wanted, ...]:
        """Return every module that must be looked up, in document order, each once."""
        return tuple(dict.fromkeys(node.wanted for node in self.nodes if node.wanted is not None))


@frozen
class Linked:
    """The workflow, or None when one of `problems` is an error. All findings, in document order."""

    workflow: Workflow | None
    problems: tuple[Problem, ...]
