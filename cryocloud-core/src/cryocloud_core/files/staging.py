"""Staging in: what happens to the arguments of a task before its module sees them.

Laws: arguments that need no preparation pass untouched; nulls stay null; a wrong argument is a ResolutionError, which
no repeat can help, a file that cannot be had a StagingError; every error names the argument; the files of a list are
brought several at a time and stand in its order, and the first of it that fails is told, with how many others do.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from cryocloud_core.errors import CryoCloudError, ResolutionError, StagingError
from cryocloud_core.files.places import local_path
from cryocloud_core.files.service import FileService
from cryocloud_core.files.shapes import filled, leaves
from cryocloud_core.files.tempdirs import make_tempdir, private_name, shared_name
from cryocloud_core.files.together import told_of
from cryocloud_core.sdk.url import Url
from cryocloud_core.task import Staging, StagingKind, Task


@frozen
class Stage:
    """Prepares arguments on this machine."""

    files: FileService

    def arguments(self, task: Task) -> dict[str, Any]:
        """Return the task's arguments as its module will see them. Raises ResolutionError, StagingError."""
        args = dict(task.args)
        for staging in task.staging:
            self.files.how.check()
            try:
                args[staging.argument] = self._prepared(task, staging, args.get(staging.argument))
            except CryoCloudError as error:
                error.place = ": ".join(filter(None, (f"argument {staging.argument!r}", error.place)))
                raise
        return args

    def _prepared(self, task: Task, staging: Staging, value: Any) -> Any:
        match staging.preparation.kind:
            case StagingKind.FILE:
                return self._files(value, staging)
            case StagingKind.DIR:
                return _directories(value)
            case StagingKind.TEMPDIR:
                return self._tempdir(task, staging, value)

    def _files(self, value: Any, staging: Staging) -> Any:
        """Return local paths in the places of what is named; unpacked, all entries are one flat list."""
        way = staging.preparation
        named = list(leaves(value, staging.origins))
        places = [self.files.find(leaf, way, origin) for leaf, origin in named]
        brought = iter(self.files.brought([place for place in places if isinstance(place, Url)], way))
        found, failed = list[list[str]](), dict[int, BaseException]()
        for number, place in enumerate(places):
            try:
                found.append(next(brought) if isinstance(place, Url) else self.files.local(place, way))
            except StagingError as error:
                failed[number] = error
                if way.unzip:  # to look at the others would be to unpack them
                    break
        if failed:
            raise told_of(failed)
        if value is None:
            return None
        return (
            [path for paths in found for path in paths] if way.unzip else filled(value, (paths[0] for paths in found))
        )

    def _tempdir(self, task: Task, staging: Staging, value: Any) -> str:
        if value is not None and not isinstance(value, str):
            raise ResolutionError(f"the base of a tempdir must be a path, got {type(value).__name__}")
        tempdir_id = staging.preparation.id
        if tempdir_id is None:
            name = private_name(task.nonce, task.id, staging.argument)
        else:
            name = shared_name(task.nonce, tempdir_id)
        return str(make_tempdir(value or str(self.files.how.tempdir), name))


def _directories(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        return [_directories(item) for item in value]
    try:
        path = local_path(value)
    except ResolutionError as error:
        if error.remedy:
            error.remedy += '; a directory for one pebble alone is "type": "tempdir"'
        raise
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StagingError("is not a directory, or a part of it is a file", subject=str(path)) from error
    except OSError as error:
        raise StagingError(f"cannot be made: {error.strerror}", subject=str(path)) from error
    return str(path)
