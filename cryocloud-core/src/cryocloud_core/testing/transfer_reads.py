"""The part of the transfers' conformance kit that reads: stat, ranges, validators, names, listings, errors.

Laws: as in `testing/transfers.py`.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ClassVar

import pytest

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import Incoming, Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.testing.places import Place

#: names that break what splits, decodes or quotes them
ODD_NAMES = (
    "a b",
    "#1",
    "what?",
    "100%",
    "%20",
    "a%2Fb",
    "new\nline",
    "grüße",
    "✓",
    "'\"",
    "[x]*",
    "a+b&c=d;e",
    "~",
    "-",
)
#: a name that is no text in UTF-8
RAW_NAME = os.fsdecode(b"caf\xe9\xff")
THREADS = 6
#: content up to here is shown as it is
_SHOWN_BYTES = 100


def pattern(size: int, salt: int = 0) -> bytes:
    """Return bytes of which no two pages are equal, so that a piece in the wrong place is seen."""
    return random.Random(salt).randbytes(size)  # noqa: S311 - the same bytes for the same salt


def taken(incoming: Incoming) -> bytes:
    """Return all bytes of an answer, closed."""
    with incoming:
        return b"".join(incoming.chunks)


def shown(content: bytes | None) -> str:
    """Return a short text that stands for content: of two large ones a failed assert would compare every byte."""
    if content is None or len(content) <= _SHOWN_BYTES:
        return repr(content)
    return f"{content[:20]!r}… of {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}"


class ReadingConformance:
    """What every transfer keeps when it reads; see TransferConformance."""

    #: the other side can hold names that are not UTF-8
    holds_any_bytes: ClassVar[bool] = True
    #: names that the other side cannot hold, or that mean something else in its URLs
    impossible_names: ClassVar[tuple[str, ...]] = ()
    #: `stat` tells something that changes with the content
    has_validator: ClassVar[bool] = True
    #: the other side has directories that `stat` tells apart from files
    has_directories: ClassVar[bool] = True
    #: enough that it comes in many pieces
    large_bytes: ClassVar[int] = 3 * 1024 * 1024 + 7

    @pytest.fixture
    def transfer(self) -> Iterator[Transfer]:
        """Give the transfer under test, made with the settings that reach the place; close it afterwards."""
        raise NotImplementedError("give a fixture `transfer` that yields the transfer under test")

    @pytest.fixture
    def place(self) -> Place:
        """Give an empty place on the other side."""
        raise NotImplementedError("give a fixture `place` that returns an empty Place")

    def test_stat_tells_the_size(self, transfer: Transfer, place: Place) -> None:
        """Of a file, as it was asked for, without a directory's mark."""
        place.seed("a", b"12345")
        told = transfer.stat(Url.parse(place.url("a")))
        assert (told.url, told.size_bytes, told.is_directory) == (place.url("a"), 5, False)

    def test_a_file_without_content_is_a_file(self, transfer: Transfer, place: Place) -> None:
        """Zero bytes are found and read."""
        place.seed("empty", b"")
        url = Url.parse(place.url("empty"))
        assert transfer.stat(url).size_bytes == 0
        assert taken(transfer.read(url)) == b""

    def test_what_is_missing_is_told_as_missing(self, transfer: Transfer, place: Place) -> None:
        """RemoteFileMissing with the URL as subject, not worth repeating: from stat, and from read or its chunks."""
        url = Url.parse(place.url("nothing"))
        for ask in (lambda: transfer.stat(url), lambda: taken(transfer.read(url))):
            with pytest.raises(RemoteFileMissing) as caught:
                ask()
            assert caught.value.subject == url.shown, "the subject of an error is the URL"
            assert not caught.value.repeat, "a missing file does not come by asking again"

    def test_a_validator_stays_while_the_file_does(self, transfer: Transfer, place: Place) -> None:
        """Asked twice, and asked by reading, it is the same."""
        place.seed("a", b"12345")
        url = Url.parse(place.url("a"))
        told = transfer.stat(url)
        assert transfer.stat(url).validator == told.validator
        with transfer.read(url) as incoming:
            assert incoming.remote.validator == told.validator, "read tells the same validator as stat"
        assert (told.validator is not None) == self.has_validator, "has_validator says whether there is one"

    def test_a_validator_changes_with_the_file(self, transfer: Transfer, place: Place) -> None:
        """Another content, another validator."""
        place.seed("a", b"12345")
        url = Url.parse(place.url("a"))
        before = transfer.stat(url)
        place.seed("a", b"another")
        after = transfer.stat(url)
        assert (after.size_bytes, self.has_validator) == (7, after.validator != before.validator)

    def test_a_file_is_read_whole(self, transfer: Transfer, place: Place) -> None:
        """Every byte in its place, as bytes, from 0, with the size that stat tells."""
        content = pattern(self.large_bytes)
        place.seed("large", content)
        with transfer.read(Url.parse(place.url("large"))) as incoming:
            pieces = list(incoming.chunks)
        assert all(isinstance(piece, bytes) for piece in pieces), "chunks are bytes"
        assert shown(b"".join(pieces)) == shown(content)
        assert (incoming.start, incoming.remote.size_bytes) in {(0, len(content)), (0, None)}

    def test_a_range_is_answered_exactly(self, transfer: Transfer, place: Place) -> None:
        """From start up to, not including, stop; to the end without one; beyond the end there is nothing."""
        content = pattern(100_000)
        place.seed("a", content)
        url = Url.parse(place.url("a"))
        for start, stop in ((0, 1), (1, None), (99_999, 100_000), (500, 70_000), (99_000, 200_000), (100_000, None)):
            incoming = transfer.read(url, start, stop)
            got = taken(incoming)
            if transfer.abilities.ranges:
                assert (incoming.start, shown(got)) == (start, shown(content[start:stop])), f"bytes {start} to {stop}"
            else:
                assert (incoming.start, shown(got)) == (0, shown(content)), "without ranges everything comes, from 0"

    def test_ranges_at_the_same_time_make_the_whole(self, transfer: Transfer, place: Place) -> None:
        """Several threads read parts of one file."""
        content = pattern(self.large_bytes)
        place.seed("large", content)
        url, step = Url.parse(place.url("large")), len(content) // 9 + 1
        if not transfer.abilities.ranges:
            pytest.skip("it has no ranges")
        with ThreadPoolExecutor(THREADS) as threads:
            spans = [(start, min(start + step, len(content))) for start in range(0, len(content), step)]
            parts = list(threads.map(lambda span: taken(transfer.read(url, *span)), spans))
        assert shown(b"".join(parts)) == shown(content)

    def test_a_validator_that_holds_is_no_hindrance(self, transfer: Transfer, place: Place) -> None:
        """The rest of a file that did not change is answered as without a validator."""
        place.seed("a", pattern(5_000))
        url = Url.parse(place.url("a"))
        incoming = transfer.read(url, 1_000, validator=transfer.stat(url).validator)
        assert shown(taken(incoming)) == shown(pattern(5_000)[incoming.start :])
        assert incoming.start == (1_000 if transfer.abilities.ranges else 0)

    def test_another_version_is_not_taken_for_the_rest(self, transfer: Transfer, place: Place) -> None:
        """With a validator that does not hold: RemoteFileChanged, or the new version from its start."""
        place.seed("a", pattern(5_000))
        url = Url.parse(place.url("a"))
        old = transfer.stat(url).validator
        place.seed("a", pattern(6_000, salt=7))
        if old is None:
            pytest.skip("it has no validator")
        with suppress(RemoteFileChanged):
            incoming = transfer.read(url, 1_000, validator=old)
            assert (incoming.start, shown(taken(incoming))) == (0, shown(pattern(6_000, salt=7)))
            assert incoming.remote.validator != old

    def test_one_read_is_one_version(self, transfer: Transfer, place: Place) -> None:
        """With the ability `snapshots`, a file that is replaced while it is read comes as it was, or is an error."""
        if not transfer.abilities.snapshots:
            pytest.skip("it has no snapshots")
        old, new = (pattern(4 * self.large_bytes, salt=salt) for salt in (1, 2))
        place.seed("a", old)
        got = []
        with transfer.read(Url.parse(place.url("a"))) as incoming, suppress(RemoteFileChanged):
            got.append(next(incoming.chunks))
            place.seed("a", new)
            got.extend(incoming.chunks)
            assert shown(b"".join(got)) == shown(old), "a mixture of two versions is neither of them"

    def test_an_answer_may_be_left_unread(self, transfer: Transfer, place: Place) -> None:
        """Closed after its first bytes, again and again, it costs nothing that later reads need."""
        content = pattern(self.large_bytes)
        place.seed("large", content)
        for _ in range(30):
            with transfer.read(Url.parse(place.url("large"))) as incoming:
                next(incoming.chunks)
        assert shown(taken(transfer.read(Url.parse(place.url("large"))))) == shown(content)

    def test_names_are_kept_as_they_are(self, transfer: Transfer, place: Place) -> None:
        """Spaces, `#`, `?`, `%`, line ends, non-ASCII: each file is its own."""
        names = self._names()
        for name in names:
            place.seed(f"in/{name}", name.encode(errors="surrogateescape"))
        for name in names:
            got = taken(transfer.read(Url.parse(place.url(f"in/{name}"))))
            assert got == name.encode(errors="surrogateescape"), f"{name!r} is another file"
            assert transfer.stat(Url.parse(place.url(f"in/{name}"))).size_bytes == len(got)

    def test_a_listing_has_every_file(self, transfer: Transfer, place: Place) -> None:
        """At any depth, with odd names, its size, and a URL that is the directory's with the rest of the path."""
        if not transfer.abilities.listing:
            pytest.skip("it has no listing")
        names = [f"top/{name}" for name in ("a", "b/c", "b/d/e/f", "b/d/g", *(f"odd/{name}" for name in self._names()))]
        for at, name in enumerate(names):
            place.seed(name, b"x" * at)
        for asked in (place.url("top"), f"{place.url('top')}/"):
            found = {each.url: each for each in transfer.listing(Url.parse(asked)) if not each.is_directory}
            assert set(found) == {place.url(name) for name in names}
            assert [found[place.url(name)].size_bytes for name in names] == list(range(len(names)))
        assert taken(transfer.read(Url.parse(place.url("top/b/d/g")))) == b"xxx"

    def test_a_listing_of_nothing_finds_nothing(self, transfer: Transfer, place: Place) -> None:
        """A directory that is missing is told as missing, a prefix without files has none."""
        if not transfer.abilities.listing:
            pytest.skip("it has no listing")
        with suppress(RemoteFileMissing):
            assert list(transfer.listing(Url.parse(f"{place.url('nothing')}/"))) == []

    def test_a_directory_is_told_from_a_file(self, transfer: Transfer, place: Place) -> None:
        """It is marked by stat; reading it is an error, not an empty file."""
        if not self.has_directories:
            pytest.skip("it has no directories")
        place.seed("folder/a", b"1")
        assert transfer.stat(Url.parse(place.url("folder"))).is_directory
        with pytest.raises(TransferError):
            taken(transfer.read(Url.parse(place.url("folder"))))

    def _names(self) -> list[str]:
        odd = [name for name in ODD_NAMES if name not in self.impossible_names]
        return [*odd, RAW_NAME] if self.holds_any_bytes else odd
