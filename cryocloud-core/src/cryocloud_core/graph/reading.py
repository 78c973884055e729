"""What the readers of one node's keys share: its names and options, and the references they meet.

Laws: a reader returns a value or raises Wrong; whoever calls it turns Wrong into a finding, so that one bad
key never hides the next.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from attrs import define, field, frozen

from cryocloud_core.graph.document import Tree
from cryocloud_core.graph.keys import Place
from cryocloud_core.graph.refs import PARENT, STAT_NAMES, ConfigRef, OptionRef, OutputRef, Source, StatRef
from cryocloud_core.graph.spelling import hint
from cryocloud_core.graph.values import Wrong

T = TypeVar("T")


@frozen
class Use:
    """One place where a node refers to something: `subject` as a message calls it, where, and to what."""

    subject: str
    at: int
    source: Source
    has_default: bool = False


@define
class Reading:
    """Reads the keys of one node; `uses` collects what they refer to."""

    place: Place
    nodes: Collection[str]
    options: Collection[str]
    config: str | None = None
    uses: list[Use] = field(factory=list)

    def attempt(self, key: str, read: Callable[[], T]) -> T | None:
        """Return what `read` returns; what is wrong becomes a finding about `key`, and None is returned."""
        try:
            return read()
        except Wrong as error:
            self.refuse(key, error)
            return None

    def refuse(self, key: str, error: Wrong) -> None:
        """Note a Wrong as a finding about `key`."""
        parts: dict[str, Any] = {"key": key, **error.parts}
        inner = error.parts.get("inner")
        if inner:
            parts["key"] = f"{key}.{inner}"
        self.place.add(error.code, error.at, **parts)

    def use(self, subject: str, at: int, source: Source, *, has_default: bool = False) -> Source:
        """Note a reference for the checks that need the graph; unknown names are findings at once."""
        self.uses.append(Use(subject, at, source, has_default))
        return source

    def option(self, name: str, subject: str, at: int) -> OptionRef:
        """Return the reference to an option; E22 when it is not declared."""
        if name not in self.options:
            self.place.add("E22", at, subject=subject, option=name, hint=hint(name, self.options))
        return OptionRef(name)

    def setting(self, name: str, subject: str, at: int) -> ConfigRef:
        """Return the reference to a configuration value with the node's root in front; E23 without a root."""
        if self.config is None:
            self.place.add("E23", at, subject=subject)
            return ConfigRef(name)
        return ConfigRef(f"{self.config}.{name}")

    def stat(self, node: str, name: str, subject: str, at: int) -> StatRef:
        """Return the reference to a statistic; E24 when there is none of that name."""
        if name not in STAT_NAMES:
            self.place.add("E24", at, subject=subject, stat=name, hint=hint(name, STAT_NAMES))
        return StatRef(node, name)

    def node_and_key(self, tree: Tree, subject: str) -> tuple[str, str]:
        """Split `Node.key` at the longest known node name; a name that is not known is E18.

        Raises:
            Wrong: no node of that name, or no key behind it.
        """
        text = tree.data
        dot = text.rfind(".")
        while dot > 0:
            name = text[:dot]
            if dot + 1 < len(text) and (name == "parent" or name in self.nodes):
                return (PARENT if name == "parent" else name), text[dot + 1 :]
            dot = text.rfind(".", 0, dot)
        name = text.rstrip(".")
        if name == "parent" or name in self.nodes:
            what = f'needs a key: write "{name}.key"'
            raise Wrong(tree.at, "E18", subject=subject, node=name, what=what, hint="")
        name = text.partition(".")[0]
        raise Wrong(
            tree.at,
            "E18",
            subject=subject,
            node=name,
            what="not found",
            hint=self.place.findings.guess(name, (*self.nodes, "parent")),
        )


def node_of(source: Source) -> str | None:
    """Return the node a reference names (`PARENT` for the parent), None for other sources."""
    return source.node if isinstance(source, (OutputRef, StatRef)) else None
