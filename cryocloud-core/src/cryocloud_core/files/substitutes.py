"""Bringing a file of another machine that was a copy there and is gone: from where that machine had it.

Laws: asked for only when its machine answers that it has nothing of that name; what is brought is the same part of the
original, a member of an archive too; that it may be another version is told in the log; of an archive on that machine
itself only the same version will do, as there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from attrs import evolve, frozen

from cryocloud_core.errors import RemoteFileMissing, StagingError, TaskError
from cryocloud_core.files.bookkeeping import Books, settled
from cryocloud_core.files.regaining import copy_at, warn_unless_same
from cryocloud_core.files.remote import Remote
from cryocloud_core.files.swept_elsewhere import REMEDY, Elsewhere, Swept, is_same_archive
from cryocloud_core.sdk.url import Url
from cryocloud_core.task import Preparation

logger = logging.getLogger(__name__)


@frozen
class Substitutes:
    """Brings what stands in for a task's missing remote files. `local` prepares a path of this machine."""

    remote: Remote
    local: Callable[[Path, Preparation], list[str]]

    def instead(self, missing: RemoteFileMissing, url: Url, way: Preparation) -> list[str]:
        """Return the local paths of what the missing file at `url` was a copy of. Raises `missing`, TaskError."""
        return self._instead(missing, url, way, frozenset())

    def _instead(self, missing: RemoteFileMissing, url: Url, way: Preparation, asked: frozenset[Url]) -> list[str]:
        elsewhere = Elsewhere(self.remote.layer, self.remote.how.tempdir)
        swept = elsewhere.find(url)
        if swept is None or swept.original in asked | {url}:
            missing.remedy = missing.remedy or elsewhere.remedy(url)
            raise missing
        said = f"{url.shown} was a copy and is no longer there"
        logger.info("%s; its original is fetched from %s", said, swept.original.endpoint)
        try:
            found = self._part(swept, way, asked | {url})
        except TaskError as error:
            error.place = ": ".join(filter(None, (said, error.place)))
            raise
        if found and not swept.is_of_local_archive:
            now = copy_at(settled(Path(found[0])), Books(self.remote.how.tempdir))
            warn_unless_same(Path(found[0]), now, swept.copy)
        return found

    def _part(self, swept: Swept, way: Preparation, asked: frozenset[Url]) -> list[str]:
        """Return what was asked for, in what the original is brought to."""
        if swept.is_of_local_archive and not is_same_archive(self.remote.layer.stat(swept.original), swept.copy):
            raise StagingError(
                "is another version than was unpacked there", subject=swept.original.shown, remedy=REMEDY
            )
        if not swept.is_unpacked and not swept.below.parts:
            return self._brought(swept.original, way, asked)
        whole = self._brought(swept.original, evolve(way, unzip=swept.is_unpacked), asked)
        if not whole:
            raise StagingError("is an archive in which nothing is visible", subject=swept.original.shown)
        folder = Path(whole[0]).parent if swept.is_unpacked else Path(whole[0])
        return self.local(folder / swept.below, way)

    def _brought(self, url: Url, way: Preparation, asked: frozenset[Url]) -> list[str]:
        try:
            return self.remote.brought(url, unzip=way.unzip)
        except RemoteFileMissing as missing:
            return self._instead(missing, url, way, asked)
