"""What happens to the outputs of a task that succeeded: files are sent where the node's `post` says.

Laws: in the order of the list, each item from what the module returned; an output becomes the place where it is now,
lists item by item, nulls stay; nothing local is removed before everything has been sent, so that a task which fails
here can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from cryocloud_core.errors import CryoCloudError, ResolutionError, StagingError, TaskError
from cryocloud_core.files.places import address_of, local_path
from cryocloud_core.files.service import FileService, existing
from cryocloud_core.files.shapes import filled, leaves
from cryocloud_core.files.tempdirs import remove_tree
from cryocloud_core.task import Upload
from cryocloud_core.url_secrets import shown_url


class PostError(TaskError):
    """An output could not be sent; `permanent` when a repeat cannot help."""

    def __init__(self, output: str, error: CryoCloudError) -> None:
        super().__init__(f"postprocessing {output!r} failed: {error}")
        self.permanent = isinstance(error, ResolutionError)


@frozen
class Parcel:
    """One file or directory on its way: the output it belongs to, where it is, where it goes."""

    output: str
    path: Path
    target: str


@define(eq=False)
class Post:
    """Sends the outputs of one task. `warn` is told what was skipped or left."""

    files: FileService
    warn: Callable[[str], None]
    _bound: dict[str, Path] = field(factory=dict)

    def sent(self, uploads: tuple[Upload, ...], outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs with the places where their files are now. Raises PostError."""
        parcels = [self._parcels(upload, outputs) for upload in uploads]
        result = dict(outputs)
        for upload, each in zip(uploads, parcels, strict=True):
            places = self._send(upload.output, each)
            if each:
                result[upload.output] = filled(outputs[upload.output], iter(places))
        for upload, each in zip(uploads, parcels, strict=True):
            if upload.remove:
                self._remove(each)
        return result

    def _parcels(self, upload: Upload, outputs: Mapping[str, Any]) -> list[Parcel]:
        """Return what is to be sent of one output, all of it looked at before anything leaves."""
        value = outputs.get(upload.output)
        if value is None:
            said = "is null" if upload.output in outputs else "was not returned"
            self.warn(f"post: output {upload.output!r} {said}: nothing is sent to {shown_url(upload.target)}")
        try:
            return list(self._packed(upload, value))
        except CryoCloudError as error:
            raise PostError(upload.output, error) from error

    def _packed(self, upload: Upload, value: Any) -> Iterator[Parcel]:
        for leaf, _ in leaves(value):
            path = existing(local_path(leaf))
            target = upload.target + (path.name if upload.basename else str(path).lstrip("/"))
            if not target.removeprefix(upload.target):
                raise ResolutionError("the root directory is not sent anywhere", subject=leaf)
            target = address_of(path, target)
            other = self._bound.setdefault(target, path)
            if other != path:
                raise ResolutionError(
                    f"{other} and {path} would both become {target}",
                    remedy='leave out "basename", or give them different names',
                )
            yield Parcel(upload.output, path, target)

    def _send(self, output: str, parcels: list[Parcel]) -> list[str]:
        try:
            once = list({each.target: each for each in parcels}.values())
            self.files.together.each(lambda each: self.files.put(str(each.path), each.target), once)
        except CryoCloudError as error:
            raise PostError(output, error) from error
        return [each.target for each in parcels]

    def _remove(self, parcels: list[Parcel]) -> None:
        for each in parcels:
            try:
                if self.files.is_at(each.path, each.target):
                    continue  # it was there already
                if each.path.is_dir() and not each.path.is_symlink():
                    remove_tree(each.path)
                else:
                    each.path.unlink(missing_ok=True)
            except (OSError, StagingError) as error:
                sent = f"{each.path} was sent to {shown_url(each.target)}"
                self.warn(f"post: {sent} but cannot be removed: {error}")
