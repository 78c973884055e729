"""What a worker's configuration says about moving files: where copies lie, patience, how many at a time, how much room.

Laws: every setting has a default that works unattended; sizes are bytes, times seconds, 0 of a limit means none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from cryocloud_core.errors import ConfigError
from cryocloud_core.files.tempdirs import DEFAULT_BASE
from cryocloud_core.sdk.processor import flag

MIB = 1024 * 1024


@frozen
class LayerSettings:
    """How files are moved on this machine.

    `retries` repeats follow a first try that brought nothing; waits between them grow from `retry_wait_s` to
    `retry_wait_max_s`, which also bounds what the other side asks for. `streams` bounds the ranged reads of one file
    of `parallel_min_bytes` and more (0: as many as the transfer says). `trust_local` uses a copy that nobody touched
    here without asking the other side.
    """

    tempdir: Path = Path(DEFAULT_BASE)
    retries: int = 4
    retry_wait_s: float = 0.5
    retry_wait_max_s: float = 60.0
    #: without a byte for so long a connection counts as dead
    idle_timeout_s: float = 60.0
    #: one file, tries and waits together
    transfer_timeout_s: float = 24 * 3600.0
    transfers_per_host: int = 8
    streams: int = 0
    parallel_min_bytes: int = 64 * MIB
    #: all copies together, and the used share of a disk from which copies on it are swept
    cache_max_bytes: int = 0
    cache_max_share: float = 0.9
    trust_local: bool = False
    #: between two sweeps of this machine, however often one is asked for
    sweep_every_s: float = 30.0
    #: a copy used so lately stays: the node that is next may have been handed its path
    cache_keep_s: float = 600.0

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> LayerSettings:
        """Return the settings in a worker's configuration, the usual ones where it says nothing. Raises ConfigError."""
        usual = cls()
        return cls(
            Path(str(config.get("tempdir") or usual.tempdir)),
            int(number_of(config, "transfer_retries", usual.retries)),
            number_of(config, "transfer_retry_wait", usual.retry_wait_s),
            number_of(config, "transfer_retry_wait_max", usual.retry_wait_max_s),
            number_of(config, "transfer_idle_timeout", usual.idle_timeout_s),
            number_of(config, "transfer_timeout", usual.transfer_timeout_s),
            max(1, int(number_of(config, "transfers_per_host", usual.transfers_per_host))),
            int(number_of(config, "transfer_streams", usual.streams)),
            int(number_of(config, "transfer_parallel_min_bytes", usual.parallel_min_bytes)),
            int(number_of(config, "cache_max_bytes", usual.cache_max_bytes)),
            number_of(config, "cache_max_share", usual.cache_max_share),
            _flag(config, "transfer_trust_local"),
            number_of(config, "cache_sweep_every", usual.sweep_every_s),
            number_of(config, "cache_keep", usual.cache_keep_s),
        )


def number_of(config: Mapping[str, Any], name: str, usual: float) -> float:
    """Return a number of a worker's configuration, or of a text there, the usual one for none. Raises ConfigError."""
    value = config.get(name)
    if value is None or value == "":  # as of an environment variable that is empty
        return usual
    found = _number(value)
    if not 0 <= found < float("inf"):
        raise ConfigError(f"must be a number from 0 up, got {value!r}", subject=f"CryoCloud.Worker.{name}")
    return found


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        return float(value) if isinstance(value, str) else -1.0
    except ValueError:
        return -1.0


def _flag(config: Mapping[str, Any], name: str) -> bool:
    try:
        return flag(config.get(name), name=name)
    except ValueError as error:
        raise ConfigError(str(error), subject=f"CryoCloud.Worker.{name}") from error
