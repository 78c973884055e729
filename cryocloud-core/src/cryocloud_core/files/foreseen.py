"""What is known of a path or URL before anybody is asked: what it can never be good for.

Laws: the judgement is that of staging and of `post`, in their own words, without a look at disk, network or settings; a
transfer's module is imported for URLs of its schemes alone; what only this machine lacks is no fault of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from cryocloud_core.errors import CryoCloudError, PluginError
from cryocloud_core.files.origins import Hosts, refuse_copying
from cryocloud_core.files.places import local_path, place_of, refuse_tree
from cryocloud_core.files.transfers import unsupported
from cryocloud_core.graph.foretold import Doubt
from cryocloud_core.sdk.registry import Registry, resolve
from cryocloud_core.sdk.transfer import Transfer
from cryocloud_core.sdk.url import Url, scheme_of
from cryocloud_core.task import Preparation, StagingKind
from cryocloud_core.url_secrets import shown_url

#: stands for the name of whatever will be sent
_NAME = "name"


@define(eq=False)
class Foreseen:
    """Implements `graph.foretold.Foresight` for what is installed; `subtree` gives parts of the configuration."""

    registry: Registry
    subtree: Callable[[str], dict[str, Any]]
    given: Mapping[str, Any] = field(factory=dict)

    def argument(self, value: Any, way: Preparation) -> Doubt | None:
        """Return what is wrong with one value that is to be prepared this way."""
        try:
            if way.kind is StagingKind.FILE:
                self._refuse_file(value, way)
            elif value != "" or way.kind is StagingKind.DIR:  # without a base, tempdirs have the usual one
                local_path(value)
        except CryoCloudError as error:
            return Doubt(str(error))
        return None

    def target(self, value: Any, *, basename: bool) -> Doubt | None:
        """Return what is wrong with the target of a `post`, to which names are appended, or with `basename` paths."""
        try:
            url = place_of(value)
        except CryoCloudError as error:
            # What is appended to an open host belongs to it: `ssh://h:` may become one with a port.
            return Doubt(str(error), basename or not _ends_in_host(value))
        if not isinstance(url, Url):
            return None
        try:
            kind = self._kind(url)
            if kind is not None and not kind.abilities.put:
                raise kind.cannot("put anything", url)
        except CryoCloudError as error:
            return Doubt(str(error))
        if _ends_in_host(value):
            return _of_open_host(url, kind, basename)
        return None if kind is None else _of_place(url, kind, basename)

    def _refuse_file(self, value: Any, way: Preparation) -> None:
        """Raise what staging would say of a value, whatever machine it is done on."""
        url = place_of(value)
        if not isinstance(url, Url) or self._is_served_by_us(url):
            return
        kind = self._kind(url)
        if not way.copy and url.scheme != "ssh":
            raise refuse_copying(value, url)
        refuse_tree(url)
        if kind is not None:
            kind.refuse(url)

    def _is_served_by_us(self, url: Url) -> bool:
        """Return True for a URL of the web whose files may lie on the disk of the machine that wants them."""
        if url.scheme not in ("http", "https"):
            return False
        try:
            return Hosts(self.subtree("CryoCloud.Hosts")).serves(url)
        except CryoCloudError:  # a wrong address is told when its machine is met
            return True

    def _kind(self, url: Url) -> type[Transfer] | None:
        """Return the class that serves a URL, None where it cannot be had here. Raises ResolutionError for none."""
        try:
            offered = self.registry.transfer(url.scheme)
            if offered is None:
                raise unsupported(url, self.registry.transfers())
            kind: type[Transfer] = resolve(offered.offer.reference)
        except PluginError:  # plugins are judged by themselves, and workers may have what is missing here
            return None
        return kind


def _ends_in_host(value: Any) -> bool:
    """Return True for a URL without a `/` after its host."""
    return isinstance(value, str) and scheme_of(value) != "" and "/" not in value.partition("://")[2]


def _of_open_host(url: Url, kind: type[Transfer] | None, basename: bool) -> Doubt | None:
    try:
        if kind is not None:
            kind.refuse(url, put=True)
    except CryoCloudError as error:
        return Doubt(str(error), basename)  # names hold no "/", so there will never be a path
    remedy = f'end it with "/": {url.server}/'
    return None if basename else Doubt(f"{url}: the path of each file is appended to the host's name; {remedy}", False)


def _of_place(url: Url, kind: type[Transfer], basename: bool) -> Doubt | None:
    """Return what is wrong with a place by what files, and what is in directories, will be called there."""
    names = [_NAME, f"{_NAME}/{_NAME}"] if basename else [f"{_NAME}/{_NAME}"]
    refused = [error for name in names if (error := _refused(url, name, kind)) is not None]
    if not refused:
        return None
    refused[0].subject = shown_url(url.text)
    is_sure = len(refused) == len(names)
    return Doubt(str(refused[0]) if is_sure else f"only directories can be sent there: {refused[0]}", is_sure)


def _refused(url: Url, name: str, kind: type[Transfer]) -> CryoCloudError | None:
    try:
        kind.refuse(Url.parse(f"{url.text}{name}"), put=True)
    except CryoCloudError as error:
        return error
    return None
