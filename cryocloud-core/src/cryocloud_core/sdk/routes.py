"""Routes: which transfer serves which URL scheme, and its settings, as data that a worker process starts with.

Laws: the head asks the registry once, a worker never looks for plugins; nothing a transfer is made of is imported here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from cryocloud_core.sdk.registry import Registry


@frozen
class Route:
    """One transfer: where its class is, the root of its settings, the distributions it needs, who offers it."""

    name: str
    reference: str
    root: str
    needs: tuple[str, ...] = ()
    package: str = ""


@frozen
class Routes:
    """All transfers by URL scheme, and the settings below each root as JSON data with handles for secrets.

    `hosts` is what the configuration says of the machines below `CryoCloud.Hosts`: where each is reached.
    """

    by_scheme: dict[str, Route] = field(factory=dict)
    config: dict[str, Any] = field(factory=dict)
    hosts: dict[str, Any] = field(factory=dict)

    @classmethod
    def of(cls, registry: Registry, subtree: Callable[[str], dict[str, Any]]) -> Routes:
        """Return what a registry offers, with settings from a configuration's `subtree`."""
        offered = registry.transfers()
        routes = {
            scheme: Route(each.offer.name, each.offer.reference, each.offer.root, each.offer.needs, each.package)
            for scheme, each in offered.items()
        }
        config = {root: subtree(root) for root in sorted({route.root for route in routes.values()})}
        return cls(routes, config, subtree("CryoCloud.Hosts"))
