"""The files service that modules are handed: fetch, unpack, put, remove, and what is ours.

Laws: modules use the machinery CryoCloud itself uses and nothing private; what lies on this machine is used in place.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from attrs import Factory, define, field

from cryocloud_core.errors import ConfigError, RemoteFileMissing, StagingError, TaskError
from cryocloud_core.files.archives import limits_from, unpack_into
from cryocloud_core.files.copying import copy_whole
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.moving import Moving
from cryocloud_core.files.origins import Hosts, Origins, ThisMachine, refuse_copying
from cryocloud_core.files.places import address_of, local_path, place_of
from cryocloud_core.files.remote import Remote
from cryocloud_core.files.tempdirs import DEFAULT_BASE
from cryocloud_core.files.together import LINGER_S, Together
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.files.unpacked import Unpacking, copy_of, goes_apart, is_file, is_ours, unpacked
from cryocloud_core.sdk.processor import flag
from cryocloud_core.sdk.url import Url
from cryocloud_core.task import Preparation, StagingKind

logger = logging.getLogger(__name__)


@define(eq=False)
class FileService:
    """Implements `sdk.processor.Files` for one task on this machine; used from several threads."""

    how: Unpacking
    remote: Remote = field(default=Factory(lambda self: Remote(self.how), takes_self=True))
    origins: Origins = field(factory=Origins)
    together: Together = field(factory=Together)

    @classmethod
    def of(
        cls,
        config: Mapping[str, Any],
        machine: str,
        transfers: Transfers,
        check: Callable[[], None] = lambda: None,
        told: Callable[[Moving], None] = lambda _: None,
    ) -> Self:
        """Return the service of a machine of that name, set up by a worker's configuration. Raises ConfigError."""
        together = Together(check)
        how = Unpacking(Path(str(config.get("tempdir") or DEFAULT_BASE)), limits_from(config), together.check)
        datadir = Path(str(config.get("datadir") or "/"))
        remote = Remote(how, transfers, LayerSettings.of(config), datadir, told)
        try:
            trusts = config.get("trust_local") is None or flag(config["trust_local"], name="trust_local")
        except ValueError as error:
            raise ConfigError(str(error), subject="CryoCloud.Worker.trust_local") from error
        origins = Origins(
            ThisMachine(machine),
            Hosts(transfers.routes.hosts),
            trusts,
            remote.is_copy,
            lambda archive: copy_of(archive, how.tempdir),
        )
        return cls(how, remote, origins, together)

    def fetch(self, source: str, *, unzip: bool = False, keep: bool = True) -> list[str]:
        """Return local paths for a path or URL; with `unzip` the sorted top-level entries of the archive's copy.

        `keep` false: an archive is removed once it is unpacked, as one that was fetched always is. Raises
        StagingError, ResolutionError.
        """
        way = Preparation(StagingKind.FILE, unzip=unzip, keep=keep)
        place = self.find(source, way)
        return self.brought([place], way)[0] if isinstance(place, Url) else self.local(place, way)

    def find(self, source: Any, way: Preparation, origin: str = "") -> Path | Url:
        """Return the path that is used in place, or the URL to fetch; a bare path lies on `origin` (empty: here).

        Raises ResolutionError; StagingError for what would have to be fetched and may not be.
        """
        place = self.origins.find(source, origin, way.proto, unzip=way.unzip)
        if isinstance(place, Url) and not way.copy:
            raise refuse_copying(source, place)
        return place

    def local(self, path: Path, way: Preparation) -> list[str]:
        """Return the path in a list, or what its archive holds. Raises StagingError."""
        is_needed = not way.unzip or os.path.lexists(path)
        is_copy = self.remote.hold(path if is_needed else copy_of(path, self.how.tempdir) or path)
        return self._unpacked(path, keep=way.keep, is_copy=is_copy) if way.unzip else [str(existing(path))]

    def brought(self, urls: Sequence[Url], way: Preparation) -> list[list[str]]:
        """Return the local paths of each URL's copy, or of what its archive holds. Raises TaskError."""
        if way.unzip:
            return self.together.each(lambda url: self._brought(url, way), urls, linger_s=LINGER_S)
        small = self.remote.fetch_small(dict.fromkeys(urls)) if len(urls) > 1 else {}
        found = {url: [str(path)] for url, path in small.items()}
        missing = [url for url in dict.fromkeys(urls) if url not in found]
        one_by_one = self.together.each(lambda url: self._brought(url, way), missing, linger_s=LINGER_S)
        found |= zip(missing, one_by_one, strict=True)
        return [found[url] for url in urls]

    def unpack(self, archive: str, target: str) -> list[str]:
        """Unpack into an existing directory, all or nothing; return its entries, sorted. Raises ArchiveError."""
        source, folder = existing(local_path(archive)), local_path(target)
        found = unpack_into(source, folder, self.how.limits, self.how.check)
        logger.info(
            "unpacked %s to %s, %s", source.name, folder, "1 entry" if len(found) == 1 else f"{len(found)} entries"
        )
        return found

    def put(self, path: str, target: str) -> str:
        """Copy a local file or directory to a path or URL and return where it is. Raises StagingError."""
        source = existing(local_path(path))
        address = address_of(source, target)
        place = place_of(address)
        if not self.is_at(source, address):
            if isinstance(place, Url):
                with _naming(place):
                    self.remote.put(source, place)
            else:
                copy_whole(source, place)
        return str(place)

    def is_at(self, source: Path, target: str) -> bool:
        """Return True when a path or URL names the very file or directory that `source` is. Raises ResolutionError."""
        place = place_of(target)
        if isinstance(place, Url):
            if not self.origins.is_own_disk(place):
                return False
            place = Path(place.path)
        are_here = os.path.exists(place) and os.path.exists(source)  # noqa: PTH110 - Path's own raises
        return are_here and place.samefile(source)

    def remove(self, target: str, *, recursive: bool = False) -> None:
        """Remove a remote object, with `recursive` all below a prefix. Raises StagingError for what cannot be."""
        place = place_of(target)
        if isinstance(place, Path):
            raise StagingError("is a local path, not a remote object", subject=target, remedy="remove it as a file")
        with _naming(place):
            self.remote.remove(place, recursive=recursive)

    def size_elsewhere(self, url: str) -> int | None:
        """Return the bytes of the file that a URL names, None for a directory and for what cannot be looked at."""
        try:
            place = place_of(url)
            if isinstance(place, Path):
                return place.stat().st_size if place.is_file() else None
            return self.remote.layer.stat(place).size_bytes
        except (TaskError, ConfigError, OSError):
            return None

    def is_ours(self, path: str) -> bool:
        """Return True for what CryoCloud itself wrote: `.cc-*`, unpacked archives."""
        return is_ours(Path(path))

    def unpacked_directory(self, archive: str) -> str | None:
        """Return the directory this archive was unpacked into by us, None when there is none."""
        place = copy_of(local_path(archive), self.how.tempdir)
        return None if place is None else str(place)

    def _brought(self, url: Url, way: Preparation) -> list[str]:
        with _naming(url):
            try:
                return self.remote.brought(url, unzip=way.unzip)
            except RemoteFileMissing as missing:
                from cryocloud_core.files.substitutes import Substitutes  # few files are missing

                return Substitutes(self.remote, self.local).instead(missing, url, way)

    def _unpacked(self, path: Path, *, keep: bool, is_copy: bool) -> list[str]:
        if os.path.isdir(path):  # noqa: PTH112 - Path's own raises
            return [str(path)]
        is_here = is_file(path)
        copy = None if is_here else copy_of(path, self.how.tempdir)
        if not is_here and copy is None:
            existing(path)
        if copy is not None and keep and not self.remote.is_copy(path):
            logger.warning("%s is gone; what was unpacked of it before is used, %s", path, copy)
        if is_here and goes_apart(path):
            return self.remote.unpacked_apart(path, keep=keep)
        found = self.remote.unpacked_copy(path) if is_copy and is_here else unpacked(path, self.how)
        if not keep and found != [str(path)]:
            _removed(path)
        return found


@contextmanager
def _naming(url: Url) -> Iterator[None]:
    """Tell of a wrong setting for which file it was read."""
    try:
        yield
    except ConfigError as error:
        error.place = ": ".join(filter(None, (url.shown, error.place)))
        raise


def _removed(archive: Path) -> None:
    try:
        archive.unlink(missing_ok=True)
    except OSError as error:
        raise StagingError(
            f"cannot be removed: {error.strerror}", subject=str(archive), remedy='leave out "keep": false'
        ) from error


def existing(path: Path) -> Path:
    """Return a path that is there. Raises StagingError."""
    try:
        path.stat()
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise StagingError(reason, subject=str(path)) from error
    return path
