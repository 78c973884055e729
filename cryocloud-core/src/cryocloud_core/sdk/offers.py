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
    """A Transfer class (`package.module:Class`), the URL schemes it serves and the root of its configuration.

    Without `config` the root is the name in capitals: transfer `s3` reads its servers' settings below `S3`. `needs`
    names the distributions that must be installed beside, for the message when they are not. `settings` refers to its
    `KnownSettings`, with which they are judged before a run starts; without it they are when a server is first met.
    """

    name: str
    schemes: tuple[str, ...]
    reference: str
    config: str = ""
    needs: tuple[str, ...] = ()
    settings: str = ""

    @property
    def root(self) -> str:
        """The root of its configuration."""
        return self.config or self.name.upper()


@frozen
class SchedulerOffer:
    """A Scheduler class (`package.module:Class`) under the name `--scheduler` takes."""

    name: str
    reference: str
