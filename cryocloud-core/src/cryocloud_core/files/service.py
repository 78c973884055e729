"""The files service that modules are handed: fetch, unpack, put, remove, and what is ours.

Laws: modules use the machinery CryoCloud itself uses and nothing private; local paths are used in place.
"""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen

from cryocloud_core.errors import StagingError
from cryocloud_core.files.archives import unpack_into
from cryocloud_core.files.copying import copy_whole
from cryocloud_core.files.places import local_path
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.files.unpacked import Unpacking, copy_of, is_ours, unpacked


@frozen
class FileService:
    """Implements `sdk.processor.Files` for one task on this machine."""

    how: Unpacking
    transfers: Transfers = field(factory=Transfers)

    def fetch(self, source: str, *, unzip: bool = False, keep: bool = True) -> list[str]:
        """Return local paths for a path; with `unzip` the sorted top-level entries of the archive's copy.

        `keep` false: an archive is removed once it is unpacked. Raises StagingError, ResolutionError.
        """
        path = local_path(source)
        if not unzip or path.is_dir():
            return [str(self._existing(path))]
        if not path.is_file() and copy_of(path, self.how.tempdir) is None:
            self._existing(path)
        found = unpacked(path, self.how)
        if not keep and found != [str(path)]:
            path.unlink(missing_ok=True)
        return found

    def unpack(self, archive: str, target: str) -> list[str]:
        """Unpack into an existing directory, all or nothing; return its entries, sorted. Raises ArchiveError."""
        return unpack_into(self._existing(local_path(archive)), local_path(target), self.how.limits, self.how.check)

    def put(self, path: str, target: str) -> str:
        """Copy a local file or directory to a path and return where it is. Raises StagingError."""
        return str(copy_whole(self._existing(local_path(path)), local_path(target)))

    def remove(self, target: str) -> None:
        """Remove a remote object. Raises StagingError: no scheme can be removed yet, and a local path is none."""
        local_path(target)
        raise StagingError("is a local path, not a remote object", subject=target, remedy="remove it as a file")

    def is_ours(self, path: str) -> bool:
        """Return True for what CryoCloud itself wrote: `.cc-*`, unpacked archives."""
        return is_ours(Path(path))

    def unpacked_directory(self, archive: str) -> str | None:
        """Return the directory this archive was unpacked into by us, None when there is none."""
        place = copy_of(local_path(archive), self.how.tempdir)
        return None if place is None else str(place)

    @staticmethod
    def _existing(path: Path) -> Path:
        try:
            path.stat()
        except OSError as error:
            reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
            raise StagingError(reason, subject=str(path)) from error
        return path
