"""Entry point of the built-in modules: lists them, imports none of them."""

from __future__ import annotations

from cryocloud_core.sdk.hookspecs import hookimpl
from cryocloud_core.sdk.offers import ModuleOffer

INPUTS = ("cmdline", "dirwatcher")
PROCESSORS = (
    "archive",
    "communicate",
    "copyfiles",
    "git",
    "jsonparse",
    "move",
    "noop",
    "read_geojson",
    "remove",
    "unzip",
    "waitforfile",
)


def _offers(names: tuple[str, ...]) -> list[ModuleOffer]:
    return [ModuleOffer(name, f"{__package__}.{name}") for name in names]


@hookimpl
def register_inputs() -> list[ModuleOffer]:
    """Offer the modules that create pebbles."""
    return _offers(INPUTS)


@hookimpl
def register_processors() -> list[ModuleOffer]:
    """Offer the modules that work on pebbles."""
    return _offers(PROCESSORS)
