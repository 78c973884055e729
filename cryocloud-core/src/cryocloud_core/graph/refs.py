"""Where an argument comes from: the sources a workflow may name, and how a value is prepared.

Laws: one `Argument` has exactly one source; a reference to the parent is kept as `PARENT` because which
parent it means is known only while the pebble runs; a literal is delivered untouched.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from cryocloud_core.task import Preparation
from cryocloud_core.wire import tagged

#: The node of a reference that was written `parent.key`.
PARENT: Final = ""

STAT_NAMES: Final = ("node", "worker", "priority", "runtime", "cpu_time", "max_memory")


@frozen
class Literal:
    """A value written in the document."""

    value: Any


@frozen
class OutputRef:
    """A return value of a node that ran before (`PARENT` for the parent)."""

    node: str
    key: str


@frozen
class OptionRef:
    """An option of the workflow, as the pebble was born with it."""

    name: str


@frozen
class ConfigRef:
    """A configuration value by its full dotted name, root included."""

    name: str


@frozen
class StatRef:
    """A run statistic of a node: one of `STAT_NAMES`."""

    node: str
    name: str


Source = Literal | OutputRef | OptionRef | ConfigRef | StatRef


@frozen
class Argument:
    """One resolved-at-run-time value: a source, what to deliver when it yields nothing, how to prepare it."""

    source: Source
    has_default: bool = False
    default: Any = None
    preparation: Preparation | None = None


tagged(Source)
