"""Core's own entry point: what core registers through the hooks that every plugin uses.

Laws: light references only; what they name is imported by the process that uses it.
"""

from __future__ import annotations

from cryocloud_core.sdk.hookspecs import hookimpl
from cryocloud_core.sdk.offers import SchedulerOffer, TransferOffer

cryocloud_api = "1"
_WEB = ("http", "https")


@hookimpl
def register_transfers() -> list[TransferOffer]:
    """Offer the remote places that files come from and go to."""
    rooms = "cryocloud_core.transfers"
    return [
        TransferOffer("s3", ("s3",), f"{rooms}.s3:S3Transfer", "", ("s3fs",), f"{rooms}.s3_access:Access"),
        TransferOffer(
            "ssh", ("ssh",), f"{rooms}.ssh:SshTransfer", "", ("asyncssh",), f"{rooms}.ssh_settings:SshSettings"
        ),
        TransferOffer(
            "http", _WEB, f"{rooms}.http:HttpTransfer", "", ("aiohttp",), f"{rooms}.http_settings:HttpSettings"
        ),
        TransferOffer("file", ("file",), f"{rooms}.file:FileTransfer"),
    ]


@hookimpl
def register_schedulers() -> list[SchedulerOffer]:
    """Offer the worker processes of this machine, the default."""
    return [SchedulerOffer("local", "cryocloud_core.schedulers.local:LocalScheduler")]
