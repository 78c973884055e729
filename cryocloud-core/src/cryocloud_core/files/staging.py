"""Staging in: what happens to the arguments of a task before its module sees them.

Laws: arguments that need no preparation pass untouched; nulls stay null; a wrong argument is a ResolutionError, which
no repeat can help, a file that is not there a StagingError; every error names the argument.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import frozen

from cryocloud_core.errors import CryoCloudError, ResolutionError, StagingError
from cryocloud_core.files.places import local_path
from cryocloud_core.files.service import FileService
from cryocloud_core.files.tempdirs import make_tempdir, private_name, shared_name
from cryocloud_core.task import Preparation, Staging, StagingKind, Task


@frozen
class Stage:
    """Prepares arguments on this machine."""

    files: FileService
    machine: str

    def arguments(self, task: Task) -> dict[str, Any]:
        """Return the task's arguments as its module will see them. Raises ResolutionError, StagingError."""
        args = dict(task.args)
        for staging in task.staging:
            self.files.how.check()
            try:
                args[staging.argument] = self._prepared(task, staging, args.get(staging.argument))
            except CryoCloudError as error:
                error.place = error.place or f"argument {staging.argument!r}"
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
        how = staging.preparation
        if isinstance(value, list):
            origins = staging.origins if len(staging.origins) == len(value) else staging.origins[:1] * len(value)
            found = [self._file(item, how, origins[index] if origins else "") for index, item in enumerate(value)]
            return [path for paths in found for path in paths] if how.unzip else [paths[0] for paths in found]
        paths = self._file(value, how, staging.origins[0] if staging.origins else "")
        if value is None:
            return None
        return paths if how.unzip else paths[0]

    def _file(self, value: Any, how: Preparation, origin: str) -> list[Any]:
        """Return the local paths of one file; null is one null, and nothing when it should be unpacked."""
        if value is None:
            return [] if how.unzip else [None]
        try:
            return list(self.files.fetch(value, unzip=how.unzip, keep=how.keep))
        except StagingError as error:
            if origin and origin != self.machine and not Path(str(value)).exists():
                error.remedy = f"it is on machine {origin}; fetching from other machines is not supported yet"
            raise

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
    path = local_path(value)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StagingError("is not a directory, or a part of it is a file", subject=str(path)) from error
    except OSError as error:
        raise StagingError(f"cannot be made: {error.strerror}", subject=str(path)) from error
    return str(path)
