"""What a plugin offers: names and light references, nothing heavy.

Laws: an offer is made without importing what it refers to; the reference (`package.module` or
`package.module:attribute`) is imported only by the process that uses it.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from cryocloud_core.graph.spec import ModuleSpec


@frozen
class ModuleOffer:
    """An input module or a processor: its name in workflows and the Python module that holds its code.

    Without a `spec` the module's `ccmodule` is read from its source, which is not imported for that. A
    `spec` may be a ModuleSpec or a plain `ccmodule` dict.
    """

    name: str
    reference: str
    spec: ModuleSpec | dict[str, Any] | None = None


@frozen
class TransferOffer:
    """A Transfer class (`package.module:Class`) and the URL schemes it serves."""

    name: str
    schemes: tuple[str, ...]
    reference: str


@frozen
class SchedulerOffer:
    """A Scheduler class (`package.module:Class`) under the name `--scheduler` takes."""

    name: str
    reference: str
