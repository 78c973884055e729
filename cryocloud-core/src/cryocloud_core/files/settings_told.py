"""What is wrong with the settings of transfers and workers, told before anything is fetched or sent.

Laws: nobody is asked and no transfer is imported; every wrong setting is told, by its full name, not only the first; a
secret is looked for and never judged, and that this machine has it not is no error: a worker's may.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from attrs import define, field

from cryocloud_core.config import Config
from cryocloud_core.errors import ConfigError, CryoCloudError
from cryocloud_core.files.misspelt import WORKER, misspelt_of_workers, servers, unknown
from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.graph.spelling import as_key, nearest
from cryocloud_core.sdk.offers import TransferOffer
from cryocloud_core.sdk.registry import Registry, resolve
from cryocloud_core.sdk.transfer import KnownSettings, TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.secrets import Secret, reveal

#: what stands below `CryoCloud` and is read
_OURS: Final = ("Hosts", "Worker")
#: stands for a server that has no settings of its own
_ANY: Final = "server"
#: stands for a secret, which is a text
_PLACEHOLDER: Final = "secret"

Table = Mapping[str, Any]


@define(eq=False)
class SettingsTold:
    """Lines to tell, each about one setting. With an error nothing that needs the setting can go well.

    `reads` has the full names of what workflows read: that is theirs, also in a table of ours.
    """

    errors: list[str] = field(factory=list)
    warnings: list[str] = field(factory=list)
    reads: Collection[str] = ()

    @classmethod
    def of(cls, registry: Registry, *configs: Config, reads: Collection[str] = ()) -> SettingsTold:
        """Return what is to be told of configurations, which may be the same."""
        told = cls(reads=reads)
        for config in {id(each): each for each in configs}.values():
            tables = tables_of(config)
            told.judge_workers(config.subtree("CryoCloud.Worker"))
            told.judge_transfers(registry, tables)
            told.look_for_misspelt(registry, tables)
        return cls(list(dict.fromkeys(told.errors)), list(dict.fromkeys(told.warnings)), reads)

    def judge_workers(self, config: Table) -> None:
        """Judge what stands below `CryoCloud.Worker`."""
        for name in sorted(WORKER & config.keys()):
            try:
                FileService.of({name: config[name]}, "", Transfers())
            except ConfigError as error:
                self.errors.append(str(error))
        if config.get("transfer_idle_timeout") == 0 and config["transfer_idle_timeout"] is not False:
            told = "CryoCloud.Worker.transfer_idle_timeout = 0: a connection on which nothing comes is never given up"
            self.warnings.append(told)
        self.warnings += misspelt_of_workers(config)

    def judge_transfers(self, registry: Registry, tables: Table) -> None:
        """Judge the tables of transfers, by the names of their roots."""
        for root, (offer, known) in _known(registry, tables).items():
            _Judge(self, root, offer.schemes[0], known).judge(tables[root])

    def look_for_misspelt(self, registry: Registry, tables: Table) -> None:
        """Warn of tables that are nearly one of ours and hold what is set in such a one; a workflow may use others."""
        roots = {each.offer.root for each in registry.transfers().values()}
        for name, table in tables.items():
            if name.casefold() == "cryocloud":
                self._look_below(name, table)
            elif name not in roots and nearest(name, roots) is not None:
                meant = nearest(name, roots) or ""
                known = _known(registry, {meant: table}).get(meant)
                if known is not None and _mentions(table, known[1].names):
                    self._warn_of_table(as_key(name), meant)

    def _look_below(self, name: str, table: Table) -> None:
        for below in table:
            meant = nearest(below, _OURS)
            if meant is not None and (name, below) != ("CryoCloud", meant):
                self._warn_of_table(f"{name}.{as_key(below)}", f"CryoCloud.{meant}")

    def _warn_of_table(self, name: str, meant: str) -> None:
        if not self.is_read(name):
            self.warnings.append(f'[{name}] is no table that CryoCloud reads (did you mean "{meant}"?)')

    def is_read(self, name: str) -> bool:
        """Return True when a workflow reads a setting or table of that name, the table it is in or a part of it."""
        own = name.replace('"', "") + "."
        return any(own.startswith(f"{read}.") or read.startswith(own) for read in self.reads)


@define(eq=False)
class _Judge:
    """Judges the settings below one root: those of all servers, then each server's own."""

    told: SettingsTold
    root: str
    scheme: str
    known: KnownSettings

    def judge(self, values: Table) -> None:
        general = self._sound(values, self.root, _ANY, lambda table: table)
        own = dict(servers(values, self.known.names))
        if not own:
            self._read(general, _ANY)
        for name, table in own.items():
            above = f"{self.root}.{as_key(name)}"
            try:
                self._url(name)
            except CryoCloudError as error:
                self.told.warnings.append(f"{above} is the name of no server: {error.message}")
                continue
            sound = self._sound(table, above, name, lambda each, name=name: {name: each})
            self._read({**general, name: sound}, name)

    def _sound(self, table: Table, above: str, server: str, put: Any) -> dict[str, Any]:
        """Return the settings of a table that are right alone; the others are told."""
        ours = {name: each for name, each in table.items() if not self.told.is_read(f"{above}.{as_key(name)}")}
        for line in unknown(ours, above, self.known.names):
            self.told.errors.append(line)
        sound = {}
        for name in sorted(self.known.names & table.keys()):
            value, is_secret = self._without_secrets(table[name], f"{above}.{name}")
            error = self._error(put({name: value}), server)
            if error is None or not error.subject.startswith(f"{above}.{name}"):
                sound[name] = value
            elif not is_secret:
                self.told.errors.append(str(error))
        return sound

    def _read(self, values: Table, server: str) -> None:
        """Tell what settings that are right alone are not together."""
        error = self._error(values, server)
        if error is not None:
            if server == _ANY:
                error.subject = error.subject.replace(f"{self.root}.{_ANY}.", f"{self.root}.")
            lines = self.told.errors if error.subject.startswith(f"{self.root}.") else self.told.warnings
            lines.append(str(error))

    def _error(self, values: Table, server: str) -> CryoCloudError | None:
        try:
            self.known.of(TransferConfig(values, self.root, self.known.names), self._url(server))
        except CryoCloudError as error:
            return error
        return None

    def _url(self, server: str) -> Url:
        is_bare = server.count(":") > 1 and not server.startswith("[")  # an address of IPv6, with a port or without
        host = f"[{server}]" if is_bare else server
        return Url.parse(f"{self.scheme}://{host}/a")

    def _without_secrets(self, value: Any, name: str) -> tuple[Any, bool]:
        """Return a value with a text for each secret, and whether there was one; one that is lost is told."""
        if Secret.of(value) is not None:
            try:
                reveal(value)
            except ConfigError as error:
                told = ": ".join(filter(None, (error.place, error.subject, error.message)))
                self.told.warnings.append(
                    f"{name}: {told}, on this machine; it must be where files are fetched or sent"
                )
            return _PLACEHOLDER, True
        if not isinstance(value, Mapping):
            return value, False
        found = {key: self._without_secrets(each, f"{name}.{as_key(key)}") for key, each in value.items()}
        return {key: each for key, (each, _) in found.items()}, any(is_secret for _, is_secret in found.values())


def tables_of(config: Config) -> dict[str, dict[str, Any]]:
    """Return all tables of a configuration by name."""
    roots = {setting.name.partition(".")[0] for setting in config.settings()}
    return {name: config.subtree(name) for name in sorted(roots)}


def _known(registry: Registry, tables: Table) -> dict[str, tuple[TransferOffer, KnownSettings]]:
    """Return the transfers that tell their settings and have some there, by root; what two share neither knows."""
    offers: dict[str, list[TransferOffer]] = {}
    for each in registry.transfers().values():
        found = offers.setdefault(each.offer.root, [])
        found += [] if each.offer in found else [each.offer]
    alone = {root: those[0] for root, those in offers.items() if len(those) == 1 and those[0].settings}
    return {root: (offer, resolve(offer.settings)) for root, offer in alone.items() if tables.get(root)}


def _mentions(table: Any, names: frozenset[str]) -> bool:
    if not isinstance(table, Mapping) or Secret.of(table) is not None:
        return False
    return any(nearest(name, names) is not None or _mentions(each, names) for name, each in table.items())
