"""A transfer that reads small files side by side without a fault, and some with one fault each, by who finds it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import ClassVar

import attrs
import pytest

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.transfer import SMALL_BYTES, RemoteFile, SmallFile, Transfer, TransferConfig
from cryocloud_core.sdk.url import Url
from tests.testing.memory_transfer import Memory


class Together(Memory):
    """Reads small files side by side, without a fault."""

    abilities = attrs.evolve(Memory.abilities, side_by_side=3)

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield those that are small files."""
        for url in urls:
            yield None
            with suppress(TransferError):
                incoming = self.read(url)
                if (incoming.remote.size_bytes or 0) <= SMALL_BYTES:
                    yield SmallFile(incoming.remote, b"".join(incoming.chunks))


class SmallTwice(Together):
    """Gives each twice."""

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield it."""
        for url in urls:
            yield from super().read_small([url, url], streams)


class EmptyLeftOut(Together):
    """Takes a file without content for nothing."""

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield the others."""
        yield from (file for file in super().read_small(urls, streams) if file is not None and file.content)


class EndsAtMissing(Together):
    """Is at its end where one is missing."""

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield those before it."""
        for url in urls:
            found = [file for file in super().read_small([url], streams) if file is not None]
            if not found:
                return
            yield from found


class StaleSmall(Together):
    """Remembers what it read once."""

    known: ClassVar[dict[str, SmallFile]] = {}

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield what was there at first."""
        for file in super().read_small(urls, streams):
            yield None if file is None else self.known.setdefault(file.remote.url, file)


class MixedUpSmall(Together):
    """Gives one call what another asked for."""

    last: ClassVar[list[Url]] = []

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield the first files that were ever asked for."""
        self.last.extend(urls)
        yield from super().read_small(self.last[: len(urls)], streams)


class OnlyOnceSmall(Together):
    """Has nothing any more once a call was left."""

    is_left = False

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield files, or none."""
        try:
            yield from () if self.is_left else super().read_small(urls, streams)
        except GeneratorExit:
            self.is_left = True
            raise


class ClosedSmall(Together):
    """Brings nothing once it was closed."""

    is_closed = False

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield files, or none."""
        yield from () if self.is_closed else super().read_small(urls, streams)

    def close(self) -> None:
        """Close it."""
        self.is_closed = True


class DeniedSmall(Together):
    """Denies that it reads side by side."""

    abilities = Memory.abilities


class UnnamedMany(Together):
    """Tells of each under the name of the first."""

    def stat_many(self, urls: Sequence[Url], streams: int) -> Generator[RemoteFile | None]:
        """Tell."""
        for told in super().stat_many(urls, streams):
            yield None if told is None else attrs.evolve(told, url=str(urls[0]))


class OfOneMany(Together):
    """Tells of the first alone, again and again, under all names."""

    def stat_many(self, urls: Sequence[Url], streams: int) -> Generator[RemoteFile | None]:
        """Tell."""
        del streams
        yield from (attrs.evolve(self.stat(urls[0]), url=str(url)) for url in urls)


class RememberedMany(Together):
    """Tells for ever what it found once."""

    def __init__(self, config: TransferConfig) -> None:
        super().__init__(config)
        self.known: dict[str, RemoteFile] = {}

    def stat_many(self, urls: Sequence[Url], streams: int) -> Generator[RemoteFile | None]:
        """Tell."""
        for told in super().stat_many(urls, streams):
            yield None if told is None else self.known.setdefault(told.url, told)


BROKEN_SIDE_BY_SIDE: list[tuple[type[Transfer], str, type[BaseException]]] = [
    (SmallTwice, "test_small_files_are_read_as_alone", AssertionError),
    (EmptyLeftOut, "test_small_files_are_read_as_alone", AssertionError),
    (EndsAtMissing, "test_what_is_no_small_file_is_left_out", AssertionError),
    (StaleSmall, "test_small_files_of_one_that_was_replaced_are_of_one_version", AssertionError),
    (OnlyOnceSmall, "test_small_files_may_be_left_unread", StopIteration),
    (MixedUpSmall, "test_small_files_are_read_from_several_threads", AssertionError),
    (ClosedSmall, "test_small_files_come_after_it_was_closed", AssertionError),
    (UnnamedMany, "test_many_files_are_told_of_as_alone", AssertionError),
    (OfOneMany, "test_many_files_are_told_of_as_alone", AssertionError),
    (RememberedMany, "test_what_is_told_of_many_files_is_of_now", AssertionError),
    (DeniedSmall, "test_reading_side_by_side_is_refused_without_the_ability", pytest.fail.Exception),
]
