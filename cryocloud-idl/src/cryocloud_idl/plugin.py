"""Entry point of the idl module: names it, imports nothing of it."""

from __future__ import annotations

from cryocloud_core.sdk.hookspecs import hookimpl
from cryocloud_core.sdk.offers import ModuleOffer


@hookimpl
def register_processors() -> list[ModuleOffer]:
    """Offer the module `idl`."""
    return [ModuleOffer("idl", "cryocloud_idl.module")]
