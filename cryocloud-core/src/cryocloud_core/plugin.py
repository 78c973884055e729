"""Core's own entry point: what core registers through the hooks that every plugin uses.

Laws: light references only; what they name is imported by the process that uses it.
"""

from __future__ import annotations

from cryocloud_core.sdk.hookspecs import hookimpl
from cryocloud_core.sdk.offers import SchedulerOffer

cryocloud_api = "1"


@hookimpl
def register_schedulers() -> list[SchedulerOffer]:
    """Offer the worker processes of this machine, the default."""
    return [SchedulerOffer("local", "cryocloud_core.schedulers.local:LocalScheduler")]
