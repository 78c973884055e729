"""The part of the transfers' conformance kit that reads many small files side by side, and asks about many.

Laws: as in `testing/transfers.py`; whoever does not have the ability is only asked to say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.transfer import SMALL_BYTES, RemoteFile, SmallFile, Transfer
from cryocloud_core.sdk.url import Url
from cryocloud_core.testing.places import Place
from cryocloud_core.testing.transfer_reads import THREADS, ReadingConformance, pattern, shown, taken


def small_files(transfer: Transfer, urls: Iterable[Url]) -> dict[str, SmallFile]:
    """Return what `read_small` gives of several files, by URL; none may come twice."""
    wanted, found = list(urls), dict[str, SmallFile]()
    with closing(transfer.read_small(wanted, transfer.abilities.side_by_side)) as files:
        for file in files:
            if file is not None:
                assert file.remote.url not in found, "a file comes once"
                found[file.remote.url] = file
    assert found.keys() <= {str(url) for url in wanted}, "a file has the URL that it was asked for by"
    return found


def told_files(transfer: Transfer, urls: Iterable[Url]) -> dict[str, RemoteFile]:
    """Return what `stat_many` tells of several files, by URL; none may come twice."""
    with closing(transfer.stat_many(list(urls), transfer.abilities.side_by_side)) as files:
        told = [file for file in files if file is not None]
    found = {file.url: file for file in told}
    assert len(found) == len(told), "a file is told of once"
    return found


class SmallReadingConformance(ReadingConformance):
    """What every transfer keeps that reads small files side by side; see TransferConformance."""

    def test_small_files_are_read_as_alone(self, transfer: Transfer, place: Place) -> None:
        """Empty, of one byte, as large as they may be, oddly named: content and what is told are those of `read`."""
        self._needs_side_by_side(transfer)
        sizes = {"empty": 0, "one": 1, "largest": SMALL_BYTES, "deep/er/small": 10_000}
        contents = {name: pattern(size, salt=size) for name, size in sizes.items()}
        contents |= {f"odd/{name}": name.encode(errors="surrogateescape") for name in self._names()}
        for name, content in contents.items():
            place.seed(name, content)
        urls = {name: Url.parse(place.url(name)) for name in contents}
        found = small_files(transfer, urls.values())
        got = {name: shown(found[str(url)].content) for name, url in urls.items() if str(url) in found}
        assert got == {name: shown(content) for name, content in contents.items()}
        for url in urls.values():
            with transfer.read(url) as incoming:
                alone, told = incoming.remote, found[str(url)].remote
            assert (told.validator, told.checksum) == (alone.validator, alone.checksum), "it tells what `read` tells"
            assert told.size_bytes == len(found[str(url)].content), "it tells the size of what it brings"

    def test_what_is_no_small_file_is_left_out(self, transfer: Transfer, place: Place) -> None:
        """What is larger, missing or a directory is not told of, and does not keep the others, before it and behind."""
        self._needs_side_by_side(transfer)
        place.seed("large", pattern(SMALL_BYTES + 1))
        place.seed("folder/in it", b"1")
        others = [f"{at}" for at in range(20)]
        for name in others:
            place.seed(name, name.encode())
        odd = ["large", "missing", *(["folder"] if self.has_directories else [])]
        names = [*others[:1], *odd, *others[1:10], *odd, *others[10:]]
        found = small_files(transfer, [Url.parse(place.url(name)) for name in dict.fromkeys(names)])
        assert {url: file.content for url, file in found.items()} == {place.url(name): name.encode() for name in others}

    def test_small_files_of_one_that_was_replaced_are_of_one_version(self, transfer: Transfer, place: Place) -> None:
        """A file that changes between two calls comes as it is then, with its new validator."""
        self._needs_side_by_side(transfer)
        urls = [Url.parse(place.url(name)) for name in ("a", "b")]
        for url, content in ((urls[0], b"12345"), (urls[1], b"stays")):
            place.seed(url.name, content)
        before = small_files(transfer, urls)
        place.seed("a", b"another")
        after = small_files(transfer, urls)
        a, b = map(str, urls)
        assert (after[a].content, after[b].content) == (b"another", b"stays")
        assert after[b].remote == before[b].remote
        assert (after[a].remote.validator != before[a].remote.validator) == self.has_validator

    def test_small_files_may_be_left_unread(self, transfer: Transfer, place: Place) -> None:
        """Closed after the first, again and again, it costs nothing that later reads need."""
        self._needs_side_by_side(transfer)
        names = [f"{at}" for at in range(30)]
        for name in names:
            place.seed(name, pattern(50_000, salt=int(name)))
        urls = [Url.parse(place.url(name)) for name in names]
        for _ in range(20):
            with closing(transfer.read_small(urls, transfer.abilities.side_by_side)) as files:
                next(file for file in files if file is not None)
        assert shown(taken(transfer.read(urls[7]))) == shown(pattern(50_000, salt=7))
        assert len(small_files(transfer, urls)) == len(urls)

    def test_small_files_are_read_from_several_threads(self, transfer: Transfer, place: Place) -> None:
        """Each gets its own files, whole."""
        self._needs_side_by_side(transfer)
        for at in range(8 * THREADS):
            place.seed(f"{at}", pattern(5_000, salt=at))

        def read(first: int) -> dict[str, str]:
            urls = [Url.parse(place.url(f"{at}")) for at in range(first, 8 * THREADS, THREADS)]
            return {url: shown(file.content) for url, file in small_files(transfer, urls).items()}

        with ThreadPoolExecutor(THREADS) as threads:
            got = list(threads.map(read, range(THREADS)))
        for first, found in enumerate(got):
            mine = range(first, 8 * THREADS, THREADS)
            assert found == {place.url(f"{at}"): shown(pattern(5_000, salt=at)) for at in mine}

    def test_small_files_come_after_it_was_closed(self, transfer: Transfer, place: Place) -> None:
        """The next call makes new connections."""
        self._needs_side_by_side(transfer)
        place.seed("a", b"1")
        urls = [Url.parse(place.url(name)) for name in ("a", "missing")]
        for _ in range(2):
            assert len(small_files(transfer, urls)) == 1
            transfer.close()

    def test_many_files_are_told_of_as_alone(self, transfer: Transfer, place: Place) -> None:
        """Size and validator are those of `stat`, of files of any size and name; what is missing is not told of."""
        self._needs_side_by_side(transfer)
        contents = {"empty": b"", "large": pattern(SMALL_BYTES + 1), "deep/er/small": b"1"}
        contents |= {f"odd/{name}": name.encode(errors="surrogateescape") for name in self._names()}
        for name, content in contents.items():
            place.seed(name, content)
        urls = [Url.parse(place.url(name)) for name in (*contents, "missing")]
        found = told_files(transfer, urls)
        assert found.keys() == {str(url) for url in urls[:-1]}
        for url in urls[:-1]:
            alone, beside = transfer.stat(url), found[str(url)]
            assert (beside.size_bytes, beside.validator) == (alone.size_bytes, alone.validator)
            assert beside.checksum in (alone.checksum, None), "a checksum may be left out, but is none of another"

    def test_what_is_told_of_many_files_is_of_now(self, transfer: Transfer, place: Place) -> None:
        """A file that was replaced shows it, after it was closed too; to look at the first alone breaks nothing."""
        self._needs_side_by_side(transfer)
        urls = [Url.parse(place.url(name)) for name in ("a", "b")]
        for url in urls:
            place.seed(url.name, b"12345")
        before = told_files(transfer, urls)
        with closing(transfer.stat_many(urls, 2)) as files:
            next(file for file in files if file is not None)
        transfer.close()
        place.seed("a", b"another")
        after = told_files(transfer, urls)
        a, b = map(str, urls)
        assert after[b] == before[b]
        assert after[a].size_bytes in (len(b"another"), None)
        assert (after[a].validator != before[a].validator) == self.has_validator

    def test_reading_side_by_side_is_refused_without_the_ability(self, transfer: Transfer, place: Place) -> None:
        """It is a TransferError about the URL, not worth repeating; so is asking about many."""
        if transfer.abilities.side_by_side:
            pytest.skip("it reads files side by side")
        place.seed("a", b"1")
        url = Url.parse(place.url("a"))
        for ask in (transfer.read_small, transfer.stat_many):
            with pytest.raises(TransferError, match="cannot") as caught:
                list(ask([url], 2))
            assert (caught.value.subject, caught.value.repeat) == (url.shown, False)

    def _needs_side_by_side(self, transfer: Transfer) -> None:
        if not transfer.abilities.side_by_side:
            pytest.skip("it does not read files side by side")
