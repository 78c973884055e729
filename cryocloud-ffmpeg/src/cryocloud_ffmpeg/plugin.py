"""Entry point of the ffmpeg module: names it, imports nothing of it."""

from __future__ import annotations

from cryocloud_core.sdk.hookspecs import hookimpl
from cryocloud_core.sdk.offers import ModuleOffer


@hookimpl
def register_processors() -> list[ModuleOffer]:
    """Offer the module `ffmpeg`."""
    return [ModuleOffer("ffmpeg", "cryocloud_ffmpeg.module")]
