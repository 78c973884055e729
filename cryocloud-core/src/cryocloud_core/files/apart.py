"""Archives of this machine beside which nothing can be put: what they held lies below our own folder, as a cache.

Laws: each version of an archive has a folder of its own, so that a newer one takes nobody's copy away; a copy is noted
before it is made, counts and is swept as those of remote files are, and stays while a task uses it; one that was swept
is made again of the very version it was of: where the original is gone or another, whoever was handed its path is told
so and given nothing else; the archive itself stays, for what is a cache must not be the only one there is.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from attrs import evolve, field, frozen

from cryocloud_core.errors import ArchiveError, StagingError
from cryocloud_core.files.bookkeeping import Books
from cryocloud_core.files.cache import Copy
from cryocloud_core.files.disk import Disk
from cryocloud_core.files.landing import Landing
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.local_archives import LAST, last_note, look_at, url_of
from cryocloud_core.files.members import packing_of
from cryocloud_core.files.targets import numbers
from cryocloud_core.files.unpacked import Unpacking, copy_beside, entries, entries_again, is_whole, places, unpacked_at
from cryocloud_core.sdk.transfer import RemoteFile

logger = logging.getLogger(__name__)

#: how often a copy is begun again whose folder a sweep took away when it was empty
_RACES = 20


@frozen
class Apart:
    """Unpacks archives to below our own folder, for one task; used from several threads."""

    layer: Layer
    landing: Landing
    how: Unpacking
    disk: Disk = field(factory=Disk)

    def unpacked(self, archive: Path, *, keep: bool = True) -> list[str]:
        """Return the entries of an archive's copy, current, and in use until the layer lets go of all.

        What is no archive gives a list with its own path. Raises StagingError, also for an archive that is not to be
        kept, which cannot be removed either.
        """
        if packing_of(archive) is None:
            return [str(archive)]
        if not keep:
            raise StagingError(
                "cannot be removed: its directory is read-only", subject=str(archive), remedy='leave out "keep": false'
            )
        with self.landing.alone(url_of(archive)):
            found = _look(archive)
            for number in numbers():
                place = self.landing.place_to_unpack(url_of(archive), found, number)
                self.layer.in_use(place)
                ready = copy_beside(place)
                if ready is None:
                    return entries(self._made(archive, found, place))
                if is_whole(ready):
                    self._remember(archive, place)
                    return entries_again(archive, ready)
        raise AssertionError("a place of a new name is free")

    def again(self, archive: Path, lost: Copy) -> None:
        """Make a copy again where it was. Raises StagingError where its archive is gone, or another by now."""
        found = _look(archive)
        if not lost.is_of(found):
            raise StagingError(
                "is another version than was unpacked there",
                subject=str(archive),
                remedy="raise CryoCloud.Worker.cache_keep or cache_max_share, or begin with the newer version",
            )
        logger.info("what was in %s is no longer here; it is unpacked again", archive)
        self._made(archive, found, lost.path)

    def _made(self, archive: Path, found: RemoteFile, place: Path) -> Path:
        size, (target, *_) = found.size_bytes or 0, places(place)
        copy = Copy(found.url, str(place), size, int(found.validator or 0), 0, found.validator)
        # A guess of what it takes stays noted should we die over it.
        self.layer.begin_making(evolve(copy, belongs={str(target): size}))
        try:
            made = self._unpacked(archive, place)
        except ArchiveError:
            _refuse_changed(archive, found)
            raise
        try:
            _refuse_changed(archive, found)
        except StagingError:
            self.disk.remove(made)
            raise
        self.layer.belongs(made, place)
        self._remember(archive, place)
        return made

    def _unpacked(self, archive: Path, place: Path) -> Path:
        for _ in range(_RACES):
            self.disk.make_folder(place.parent)
            try:
                made = unpacked_at(archive, place, self.how)
            except ArchiveError:
                if os.path.lexists(place.parent):
                    raise
            else:
                if made is not None:
                    return made
                break  # it was an archive a moment ago
        raise ArchiveError(f"cannot be unpacked into {place.parent}, which others change", subject=str(archive))

    def _remember(self, archive: Path, place: Path) -> None:
        """Note that this copy is the one to use should the archive be gone."""
        Books(self.how.tempdir).folder(LAST)  # made and made sure of
        self.disk.note(last_note(archive, self.how.tempdir), {"of": str(place)})


def _look(archive: Path) -> RemoteFile:
    found = look_at(archive)
    if found is None:
        raise StagingError("is gone", subject=str(archive))
    return found


def _refuse_changed(archive: Path, found: RemoteFile) -> None:
    if look_at(archive) != found:
        raise StagingError("was changed while it was unpacked", subject=str(archive))
