"""Where a file lies: on this machine, used in place, or elsewhere, and under which URL it is fetched from there.

Laws: local first: what lies here is never fetched, what a URL of the web names is never taken from the local disk
unless its server is that of a machine of ours; a copy that we fetched is no original; nothing is transferred here.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from attrs import define, field, frozen

from cryocloud_core.errors import ResolutionError, StagingError
from cryocloud_core.files.places import place_of
from cryocloud_core.sdk.url import Url

_SSH_PORTS = (None, 22)
_PROTOCOLS = ("ssh", "http")
_WEB = {"http": 80, "https": 443}
#: for `quote`: what a path of a URL may hold as it is
_SAFE = "/:@!$&'()*+,;=-._~"


@define(eq=False)
class ThisMachine:
    """This machine as others call it: the name it has in the run, host names, addresses."""

    name: str = ""
    _known: dict[str, bool] = field(factory=dict)
    _lock: threading.Lock = field(factory=threading.Lock)

    def is_called(self, host: str) -> bool:
        """Return True when `host` is a name or an address of this machine. May ask the name service."""
        with self._lock:
            if host not in self._known:
                self._known[host] = self._is_called(host.casefold().rstrip("."))
            return self._known[host]

    def _is_called(self, host: str) -> bool:
        own = socket.gethostname().casefold()
        if host in ("localhost", self.name.casefold(), own, own.partition(".")[0]):
            return True
        try:
            found = {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
        except (OSError, UnicodeError):
            return host == socket.getfqdn().casefold()
        return bool(found & _own_addresses()) or any(address.startswith("127.") for address in found)


def _own_addresses() -> set[str]:
    import psutil  # a worker without remote files does not need it

    found = {address.address for addresses in psutil.net_if_addrs().values() for address in addresses}
    # An IPv6 address of the local link carries its interface: `fe80::1%eth0`.
    return found | {address.partition("%")[0] for address in found} | {"::1"}


@frozen
class Hosts:
    """The machines of CryoCloud by name, as the configuration's `CryoCloud.Hosts` has them.

    Each is an address (`10.0.0.3`, `user@10.0.0.3:2222`), or a map of one for each protocol:
    `{ssh = "10.0.0.3:2222", http = "10.0.0.3:8080"}`. A machine that is not named is reached by its name.
    """

    addresses: Mapping[str, Any] = field(factory=dict)

    def address(self, machine: str, proto: str) -> str:
        """Return where a machine is reached. Raises ResolutionError for an entry that is no address."""
        found = self._entry(machine)
        if isinstance(found, Mapping):
            found = found.get(proto)
        if found is None:
            return machine
        if not isinstance(found, str) or not found or "/" in found:
            raise ResolutionError(
                f"must be an address or a map with ssh and http, got {found!r}", subject=f"CryoCloud.Hosts.{machine}"
            )
        return found

    def serves(self, url: Url) -> bool:
        """Return True when a URL of the web is one of a machine's own web server, by its name or where it is reached.

        That server is at the port that the machine's `http` names, else at the usual one or that of its only address;
        what listens at another port of the machine is another server, whose paths are not the machine's.
        """
        host, usual = url.host.casefold(), _WEB[url.scheme]
        for machine, entry in _machines(self.addresses):
            places = _places(entry)
            web = [places["http"]] if "http" in places else [None, places.get("any")]
            names = {machine.casefold(), *(place.host.casefold() for place in places.values())}
            if host in names and (url.port or usual) in [each.port if each and each.port else usual for each in web]:
                return True
        return False

    def _entry(self, machine: str) -> Any:
        if machine in self.addresses:
            return self.addresses[machine]
        # A dot in the configuration's names begins a table of its own.
        found: Any = self.addresses
        for part in machine.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found if found is not None else self.addresses.get(machine.replace(".", "_"))


def _machines(addresses: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield names with their entries; a dot in the configuration's names begins a table of its own."""
    for name, entry in addresses.items():
        if isinstance(entry, Mapping) and not any(isinstance(entry.get(proto), str) for proto in _PROTOCOLS):
            yield from _machines(entry, f"{above}{name}.")
        else:
            yield f"{above}{name}", entry


def _places(entry: Any) -> dict[str, Url]:
    """Return where an entry says that a machine is reached, by protocol, or by any."""
    given = {name: entry.get(name) for name in _PROTOCOLS} if isinstance(entry, Mapping) else {"any": entry}
    return {name: Url.parse(f"ssh://{each}/") for name, each in given.items() if isinstance(each, str) and each}


@frozen
class Origins:
    """Decides for one machine where files are taken from.

    `trust_local` False: a path that also exists here is not taken for the one on another machine. `is_copy` tells
    whether something here was fetched by us, `unpacked_here` where an archive was unpacked that may be gone.
    """

    here: ThisMachine = field(factory=ThisMachine)
    hosts: Hosts = field(factory=Hosts)
    trust_local: bool = True
    is_copy: Callable[[Path], bool] = lambda _: False
    unpacked_here: Callable[[Path], Path | None] = lambda _: None

    def find(self, value: Any, origin: str = "", proto: str = "ssh", *, unzip: bool = False) -> Path | Url:
        """Return the path to use in place, which need not exist, or the URL to fetch.

        `origin` is the machine where a bare path lies (empty: this one), `proto` how it is fetched from there; with
        `unzip` an archive also counts as here when what it held is. Raises ResolutionError for what is neither path
        nor URL.
        """
        place = place_of(value)
        if isinstance(place, Path):
            return self._of_path(place, origin, proto, unzip=unzip)
        if place.scheme == "ssh":
            return self._of_ssh(place, unzip=unzip)
        if place.scheme in _WEB and self.hosts.serves(place):
            path = Path(unquote(place.path.partition("?")[0], "utf-8", "surrogateescape"))
            return path if self._is_here(path, unzip=unzip) else place
        return place

    def _of_path(self, path: Path, origin: str, proto: str, *, unzip: bool) -> Path | Url:
        if not origin or origin == self.here.name or self._is_here(path, unzip=unzip):
            return path
        text = quote(os.fsencode(path), safe=_SAFE) if proto == "http" else str(path)
        url = Url.parse(f"{proto}://{self.hosts.address(origin, proto)}{text}")
        return path if self.is_own_disk(url) else url

    def is_own_disk(self, url: Url) -> bool:
        """Return True for ssh:// to this machine.

        A port says that a certain server is meant, a tunnel or a container; one without is this machine's disk.
        """
        return url.scheme == "ssh" and url.port in _SSH_PORTS and self.here.is_called(url.host)

    def _of_ssh(self, url: Url, *, unzip: bool) -> Path | Url:
        if not url.path:
            raise ResolutionError("names no path", subject=str(url), remedy=f"write {url.endpoint}/absolute/path")
        path = Path(url.path)
        return path if self._is_here(path, unzip=unzip) or self.is_own_disk(url) else url

    def _is_here(self, path: Path, *, unzip: bool) -> bool:
        if not self.trust_local:
            return False
        is_here = os.path.exists(path)  # noqa: PTH110 - Path's own raises
        found = path if is_here else self.unpacked_here(path) if unzip else None
        return found is not None and not self.is_copy(found)


def refuse_copying(value: Any, url: Url) -> StagingError:
    """Return the error of a file that may not be fetched."""
    return StagingError(
        f"is not on this machine and may not be fetched from {url.endpoint}",
        subject=str(value),
        remedy='leave out "copy": false, or run the node where the file is',
    )
