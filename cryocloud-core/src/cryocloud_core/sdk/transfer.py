"""The contract of transfers: moving bytes between this machine and one kind of remote place.

Laws: a transfer knows one protocol and nothing of parts, retries, resume or renaming, which the layer above does
for all of them; what it can do is declared as data; its errors are StagingErrors naming endpoint and path.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import BinaryIO, ClassVar

from attrs import frozen


@frozen
class Abilities:
    """What a transfer can do beside a plain read."""

    ranges: bool = False
    put: bool = False
    remove: bool = False
    listing: bool = False


@frozen
class RemoteFile:
    """What the other side tells of a file: `size_bytes` or None, and a validator that changes when the content does."""

    url: str
    size_bytes: int | None = None
    validator: str | None = None
    #: `algorithm:hex`, when the other side offers one
    checksum: str | None = None


class Transfer(ABC):
    """One protocol. A worker makes one instance per scheme and uses it from several threads."""

    abilities: ClassVar[Abilities]

    @abstractmethod
    def stat(self, url: str) -> RemoteFile:
        """Return what the other side tells of `url`. Raises StagingError."""

    @abstractmethod
    def read(self, url: str, start: int = 0, validator: str | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` on; with a validator, refuse an object that changed. Raises StagingError."""

    def put(self, source: BinaryIO, url: str, size_bytes: int) -> None:  # noqa: ARG002 - for those that can
        """Write `source` to `url`, whole or not at all. Raises StagingError."""
        raise self._cannot("put", url)

    def remove(self, url: str) -> None:
        """Remove what `url` names. Raises StagingError."""
        raise self._cannot("remove", url)

    def listing(self, url: str) -> Iterator[RemoteFile]:
        """Yield every file below a prefix or directory. Raises StagingError."""
        raise self._cannot("list", url)

    def _cannot(self, verb: str, url: str) -> Exception:
        from cryocloud_core.errors import StagingError

        return StagingError(f"{type(self).__name__} cannot {verb}", subject=url)
