"""Misspelt settings: of a server, refused when it is first met; of workers, warned of.

Laws: where names are known an unknown one is an error; below `CryoCloud.Worker` modules may have settings of their own,
so only a name that is nearly one of ours is told, and nothing is stopped by it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from cryocloud_core.errors import ConfigError
from cryocloud_core.graph.spelling import as_key, hint, listed, nearest
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.secrets import Secret

#: what moving files, finding and unpacking them read below `CryoCloud.Worker`
WORKER: Final = frozenset(
    {
        "cache_keep",
        "cache_max_bytes",
        "cache_max_share",
        "cache_sweep_every",
        "datadir",
        "tempdir",
        "transfer_idle_timeout",
        "transfer_parallel_min_bytes",
        "transfer_retries",
        "transfer_retry_wait",
        "transfer_retry_wait_max",
        "transfer_streams",
        "transfer_timeout",
        "transfer_trust_local",
        "transfers_per_host",
        "trust_local",
        "unpack_max_bytes",
        "unpack_max_entries",
        "unpack_max_ratio",
    }
)


def refuse_unknown(config: TransferConfig, url: Url, root: str, settings: Collection[str]) -> None:
    """Raise ConfigError when the server of `url`, or all below `root`, have a setting that is none of `settings`.

    Without `settings` nothing is known and nothing refused.
    """
    if not settings:
        return
    tables = [(root, config.values), *((f"{root}.{as_key(name)}", table) for name, table in config.tables(url))]
    found = [(above, name) for above, table in tables for name in _unknown(table, settings)]
    if not found:
        return
    (above, name), *more = found
    others = "".join(f"; neither is {above}.{as_key(each)}{hint(each, settings)}" for above, each in more)
    raise _is_none(name, above, settings, others)


def unknown(table: Mapping[str, Any], above: str, settings: Collection[str]) -> list[str]:
    """Return a line for each name in a table, whose own is `above`, that is none of `settings` and no server."""
    return [str(_is_none(name, above, settings)) for name in _unknown(table, settings)]


def servers(
    values: Mapping[str, Any], settings: Collection[str], above: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the tables of servers with their names, also of those whose dots made tables of them."""
    for name, table in values.items():
        if not _is_table(table) or not (name in settings or _is_server(name, table, settings)):
            continue
        if name not in settings and (table.keys() & set(settings) or any(_unknown(table, settings))):
            yield f"{above}{name}", table
        for server, found in servers(table, settings, f"{above}{name}."):
            # Its name may go on in deeper tables, or begin like a setting.
            if name not in settings or _has_any(found, settings):
                yield server, found


def _is_none(name: str, above: str, settings: Collection[str], others: str = "") -> ConfigError:
    return ConfigError(
        f"is no setting{hint(name, settings)}{others}",
        subject=f"{above}.{as_key(name)}",
        remedy=f"correct or remove it in cryocloud.toml; there are {listed(sorted(settings))}",
    )


def misspelt_of_workers(config: Mapping[str, Any]) -> list[str]:
    """Return a line for each name below `CryoCloud.Worker` that is nearly a setting of ours, and is none."""
    return [
        f"CryoCloud.Worker.{as_key(name)} is no setting of CryoCloud{hint(name, WORKER)}"
        for name in config
        if name not in WORKER and nearest(name, WORKER) is not None
    ]


def _unknown(table: Mapping[str, Any], settings: Collection[str]) -> Iterator[str]:
    """Yield the names that are neither settings nor tables of servers."""
    for name, value in table.items():
        if name not in settings and not (_is_table(value) and _is_server(name, value, settings)):
            yield name


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) and Secret.of(value) is None


def _is_server(name: str, table: Mapping[str, Any], settings: Collection[str]) -> bool:
    """Return True for what may be a server's table, or a part of its dotted name, and not a misspelt `headers`."""
    return not table or nearest(name, settings) is None or _has_any(table, settings)


def _has_any(table: Mapping[str, Any], settings: Collection[str]) -> bool:
    return any(
        name in settings or (isinstance(value, Mapping) and _has_any(value, settings)) for name, value in table.items()
    )
