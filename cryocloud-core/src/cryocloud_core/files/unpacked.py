"""Unpacked copies: where an archive's contents lie, whose copy it is, and how one is made or renewed.

Laws: a copy lies beside its archive under the archive's name without extension and holds a marker with the archive's
name, size and time, and what it held; a directory without our marker is the user's and is never touched, nor is a copy
replaced in which others put something; a copy appears whole, by a rename, and whoever loses a race uses the winner's;
beside which archive nothing can be put, `apart.py` unpacks.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import field, frozen

from cryocloud_core.errors import ArchiveError
from cryocloud_core.files.archives import MARKER, PRIVATE_PREFIX, private_name, unpack_beside
from cryocloud_core.files.durable import sync_file
from cryocloud_core.files.members import Format, packing_of
from cryocloud_core.files.own_folder import is_own_alone, own_folder
from cryocloud_core.files.sizes import files_text
from cryocloud_core.files.strangers import count_in, held_in, named, wait_out
from cryocloud_core.files.tree import UnpackLimits

logger = logging.getLogger(__name__)

_EXTENSIONS = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tbz2", ".txz", ".tar", ".zip", ".gz", ".bz2", ".xz")

#: how often a race for one name is run before we give up
_RACES = 20


@frozen
class Stamp:
    """What a marker says about the archive: its name, size in bytes, time of last change in nanoseconds."""

    source: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, archive: Path, at: Path | None = None) -> Stamp:
        """Return the stamp of an archive that exists, as if it lay `at` another place."""
        status = archive.stat()
        return cls((at or archive).name, status.st_size, status.st_mtime_ns)

    @classmethod
    def read(cls, folder: Path) -> Stamp | None:
        """Return the stamp in a directory, None when it holds no marker of ours."""
        try:
            data = _marked(folder)
            return cls(str(data["source"]), int(data["size"]), int(data["mtime_ns"]))
        except (ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> str:
        """Put the marker into a directory, durably, and return how much is in it, for people."""
        path, (files, size_bytes) = folder / MARKER, held_in(folder)
        held = {"files": files, "entries": _listed(folder)}
        path.write_text(
            json.dumps({"source": self.source, "size": self.size, "mtime_ns": self.mtime_ns, **held}), "utf-8"
        )
        sync_file(path)
        sync_file(folder)
        return files_text(files, size_bytes)


@frozen
class Unpacking:
    """How copies are made here: limits, below what they go when an archive's own directory is read-only, and a check.

    `check` raises when the task was told to stop.
    """

    tempdir: Path
    limits: UnpackLimits = field(factory=UnpackLimits)
    check: Callable[[], None] = lambda: None


def entries(folder: Path) -> list[str]:
    """Return the absolute paths of what an archive held at the top and its copy holds, sorted, without dotfiles.

    What others put there is not among them.
    """
    there, held = _listed(folder), _marked(folder).get("entries")
    if isinstance(held, list):
        there = list(set(there) & set(map(str, held)))
    return sorted(str(folder / name) for name in there)


def entries_again(archive: Path, folder: Path) -> list[str]:
    """Return the entries of a copy that was there, and say in the log that it is used again."""
    logger.debug("%s is unpacked already, to %s", archive.name, folder)
    return entries(folder)


def is_whole(folder: Path) -> bool:
    """Return True when every file of an unpacked copy is there, and as it was unpacked."""
    files = _marked(folder).get("files")
    return files is None or count_in(folder, (folder / MARKER).stat().st_ctime_ns) == files


def _marked(folder: Path) -> dict[str, Any]:
    """Return what the marker of a copy says; nothing for what is none."""
    try:
        found = json.loads((folder / MARKER).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _listed(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")]


def plain_name(name: str) -> str:
    """Return an archive's name without its extension; `<name>.unpacked` when it has none that says archive."""
    for extension in _EXTENSIONS:
        plain = name[: -len(extension)]
        if name.lower().endswith(extension) and plain.strip("."):  # `.` and `..` are other directories
            return plain
    return f"{name}.unpacked"


def places(archive: Path) -> list[Path]:
    """Return every directory beside an archive that a copy of it may be, the first choice first."""
    plain = plain_name(archive.name)
    names = dict.fromkeys((plain, f"{plain}.unpacked", f"{archive.name}.unpacked"))
    return [archive.parent / name for name in names]


def copy_of(archive: Path, tempdir: Path) -> Path | None:
    """Return the directory that holds our copy of an archive, None when there is none; the archive may be gone.

    One below the temporary directory is only had while nothing can be put beside the archive, or when that is gone.
    """
    beside = copy_beside(archive)
    if beside is not None or (is_file(archive) and not goes_apart(archive)):
        return beside
    if not is_own_alone(own_folder(tempdir)):
        return None
    from cryocloud_core.files.local_archives import last_place  # few archives are gone, or lie where nothing can be put

    place = last_place(archive, tempdir)
    return None if place is None else copy_beside(place, Stamp.of(archive, place) if is_file(archive) else None)


def copy_beside(archive: Path, known: Stamp | None = None) -> Path | None:
    """Return the copy beside an archive, or beside where it would lie, of the version that is there or `known`."""
    known = known or (Stamp.of(archive) if is_file(archive) else None)
    for place in places(archive):
        stamp = Stamp.read(place)
        if stamp is not None and (stamp == known if known else stamp.source == archive.name):
            return place
    return None


def is_file(path: Path) -> bool:
    """Return True for a file, False also for what lies where we may not look."""
    return os.path.isfile(path)  # noqa: PTH113 - Path's own raises


def goes_apart(archive: Path) -> bool:
    """Return True for an archive that has no current copy beside it, and where none can be put."""
    return not os.access(archive.parent, os.W_OK | os.X_OK) and copy_beside(archive) is None


def unpacked(
    archive: Path, how: Unpacking, *, yields: bool = False, before: Callable[[Path], None] = lambda _: None
) -> list[str]:
    """Return the entries of our copy of an archive, made beside it now if there is none.

    With `yields` it has another name where something else has its own, as that of a lone compressed file always does.
    `before` is told where it will be, just before it is there. What is no archive gives a list with its own path.
    Raises ArchiveError.
    """
    ready = copy_of(archive, how.tempdir)
    if ready is not None:
        return entries_again(archive, ready)
    packing = packing_of(archive)
    if packing is None:
        return [str(archive)]
    return entries(_make(archive, archive, how, yields=yields or packing.format is Format.SINGLE, before=before))


def unpacked_at(archive: Path, place: Path, how: Unpacking) -> Path | None:
    """Return the copy of an archive, made where it would be if the archive lay at `place`; None for what is none.

    One that is there already is used if it is whole, and else replaced, unless others changed or put something in it.
    The caller sees to it that nobody else makes it now. Raises ArchiveError.
    """
    packing = packing_of(archive)
    if packing is None:
        return None
    return _make(archive, place, how, yields=packing.format is Format.SINGLE, anew=True)


def is_ours(path: Path) -> bool:
    """Return True for what CryoCloud wrote for itself: `.cc-*` names, markers, unpacked copies."""
    return path.name.startswith(PRIVATE_PREFIX) or path.name == MARKER or Stamp.read(path) is not None


def _make(
    archive: Path,
    at: Path,
    how: Unpacking,
    *,
    yields: bool,
    anew: bool = False,
    before: Callable[[Path], None] = lambda _: None,
) -> Path:
    stamp = Stamp.of(archive, at)
    target = _target(at, yields=yields)
    if anew and Stamp.read(target) == stamp and is_whole(target):
        logger.debug("%s is unpacked already, to %s", at.name, target)
        return target
    fresh = unpack_beside(archive, target.parent, how.limits, how.check)
    try:
        held = stamp.write(fresh)
        written = (fresh / MARKER).stat().st_ctime_ns
        before(target)
        made = _place(fresh, target, stamp, anew=anew)
        wait_out(written)  # what others put there from now on bears a later time than the marker
        logger.info("unpacked %s to %s, %s", at.name, made, held)
        return made
    except OSError as error:
        raise ArchiveError(f"cannot put its contents at {target}: {error.strerror}", subject=str(archive)) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _target(archive: Path, *, yields: bool) -> Path:
    """Return where the copy goes, beside the archive."""
    tries = places(archive)
    first = tries[0]
    if not os.path.lexists(first):
        return first
    stamp = Stamp.read(first)
    if stamp is not None and stamp.source == archive.name:
        refuse_strange(first, archive)
        return first
    # A copy of another archive (a.zip, a.tgz) keeps its name, and so does whatever we give way to.
    if stamp is None and not yields:
        raise _taken(first, archive)
    for place in tries[1:]:
        found = Stamp.read(place)
        if not os.path.lexists(place):
            return place
        if found is not None and found.source == archive.name:
            refuse_strange(place, archive)
            return place
    raise _taken(first, archive)


def refuse_strange(place: Path, archive: Path) -> None:
    """Raise ArchiveError when others put something into a copy that a newer one is to replace."""
    found = named(place)
    if found:
        raise ArchiveError(
            f"is newer than its copy {place}, which holds what others put or changed there: {found}",
            subject=str(archive),
            remedy="move that away, or the whole directory; let modules write elsewhere, into a tempdir for one",
        )


def _taken(place: Path, archive: Path) -> ArchiveError:
    return ArchiveError(
        f"{place} exists and is not an unpacked copy", subject=str(archive), remedy="move it away, or unpack elsewhere"
    )


def _place(fresh: Path, target: Path, stamp: Stamp, *, anew: bool) -> Path:
    """Give the finished copy its name; an outdated copy is moved aside, one that appeared meanwhile is used.

    With `anew` none appears meanwhile: one of the same archive is no longer whole.
    """
    for _ in range(_RACES):
        found = Stamp.read(target)
        if found == stamp and not anew:
            return target
        if found is None and os.path.lexists(target):
            # It may have appeared between the two looks.
            if Stamp.read(target) is None and os.path.lexists(target):
                raise _taken(target, Path(stamp.source))
            continue
        refuse_strange(target, target.with_name(stamp.source))
        aside = target.with_name(private_name())
        with contextlib.suppress(FileNotFoundError):
            target.rename(aside)
        try:
            fresh.rename(target)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            continue
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        sync_file(target.parent)
        return target
    raise ArchiveError(f"{target} is changed by others all the time", subject=stamp.source)
