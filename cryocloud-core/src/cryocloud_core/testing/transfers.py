"""The conformance kit of transfers: subclass it, give the fixtures, inherit the tests.

Laws: each test checks one promise of the contract and says in its failure what to change; what a transfer cannot do, by
its own `abilities`, is checked to be refused; the other side is looked at beside the transfer, not through it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cryocloud_core.errors import RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import Outgoing, Transfer, TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.testing.places import FolderPlace, Place
from cryocloud_core.testing.transfer_reads import THREADS, pattern, shown, taken
from cryocloud_core.testing.transfer_small_reads import SmallReadingConformance

__all__ = ["FolderPlace", "Place", "TransferConformance"]


class Stopped(Exception):
    """What `moved` raises to stop a transfer, as a task does that is told to stop."""


class TransferConformance(SmallReadingConformance):
    """What every transfer keeps. Give `transfer` and `place`, and set what the other side cannot do.

    ::

        class TestSwift(TransferConformance):
            holds_any_bytes = False

            @pytest.fixture
            def place(self, tmp_path):
                return FolderPlace(tmp_path, lambda name: f"swift://127.0.0.1:{port}/{name}")

            @pytest.fixture
            def transfer(self):
                made = SwiftTransfer(TransferConfig({"timeout": 5}))
                yield made
                made.close()
    """

    def test_what_is_put_is_there(self, transfer: Transfer, place: Place, tmp_path: Path) -> None:
        """Any size, whole, with directories that were not there; `moved` hears of every byte once."""
        self._needs_put(transfer)
        for name, size in (("empty", 0), ("deep/er/small", 10), ("deep/large", self.large_bytes)):
            moved: list[int] = []
            transfer.put(outgoing(tmp_path, pattern(size), moved.append), Url.parse(place.url(name)))
            assert shown(place.content(name)) == shown(pattern(size))
            assert (sum(moved), min(moved, default=0) >= 0) == (size, True), "moved is told the bytes sent, each once"

    def test_what_is_put_replaces_what_was_there(self, transfer: Transfer, place: Place, tmp_path: Path) -> None:
        """The new content, whether it is shorter or longer, and nothing beside it."""
        self._needs_put(transfer)
        for size in (5_000, 100, 9_000):
            transfer.put(outgoing(tmp_path, pattern(size, salt=size)), Url.parse(place.url("a")))
            assert shown(place.content("a")) == shown(pattern(size, salt=size))
        assert place.names() == {"a"}, "an upload leaves nothing but its file"

    def test_names_are_put_as_they_are(self, transfer: Transfer, place: Place, tmp_path: Path) -> None:
        """Spaces, `#`, `?`, `%`, line ends, non-ASCII: each file gets its own name."""
        self._needs_put(transfer)
        for name in self._names():
            transfer.put(outgoing(tmp_path, name.encode(errors="surrogateescape")), Url.parse(place.url(name)))
        assert place.names() == set(self._names())
        assert all(place.content(name) == name.encode(errors="surrogateescape") for name in self._names())

    @pytest.mark.parametrize("is_there", [False, True])
    def test_a_stopped_upload_leaves_what_was_there(
        self, transfer: Transfer, place: Place, tmp_path: Path, is_there: bool
    ) -> None:
        """`moved` raises in the middle: its own error comes out, the name holds the old file or none."""
        self._needs_put(transfer)
        before = self._before(place, is_there)
        seen = 0

        def moved(count: int) -> None:
            nonlocal seen
            seen += count
            if seen > self.large_bytes // 3:
                raise Stopped

        with pytest.raises(Stopped):
            transfer.put(outgoing(tmp_path, pattern(self.large_bytes), moved), Url.parse(place.url("a")))
        assert (shown(place.content("a")), place.names()) == before, "a half upload has no name and leaves nothing"

    @pytest.mark.parametrize("is_there", [False, True])
    def test_an_upload_of_what_cannot_be_read_leaves_what_was_there(
        self, transfer: Transfer, place: Place, tmp_path: Path, is_there: bool
    ) -> None:
        """A source that is gone, or shorter than was said, is an error; the name holds the old file or none."""
        self._needs_put(transfer)
        before = self._before(place, is_there)
        good = outgoing(tmp_path, pattern(self.large_bytes))
        for path, size in ((tmp_path / "gone", good.size_bytes), (good.path, good.size_bytes + 1)):
            with pytest.raises((TransferError, OSError)):
                transfer.put(Outgoing(path, size, good.sha256), Url.parse(place.url("a")))
            assert (shown(place.content("a")), place.names()) == before, (
                "a failed upload has no name and leaves nothing"
            )

    def test_uploads_at_the_same_time_do_not_mix(self, transfer: Transfer, place: Place, tmp_path: Path) -> None:
        """Several threads put other files, and all put one name: it holds one of them, whole."""
        self._needs_put(transfer)

        def put(at: int) -> None:
            for name in (f"own{at}", "shared"):
                sent = outgoing(tmp_path, pattern(100_000 + at, salt=at), name=f"source{at}")
                transfer.put(sent, Url.parse(place.url(name)))

        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(put, range(THREADS)))
        contents = [shown(pattern(100_000 + at, salt=at)) for at in range(THREADS)]
        assert [shown(place.content(f"own{at}")) for at in range(THREADS)] == contents
        assert shown(place.content("shared")) in contents
        assert len(place.names()) == THREADS + 1

    def test_what_is_removed_is_gone(self, transfer: Transfer, place: Place) -> None:
        """The file that was named and no other; one that is missing is told as missing."""
        if not transfer.abilities.remove:
            pytest.skip("it has no remove")
        place.seed("a", b"1")
        place.seed("ab", b"2")
        transfer.remove(Url.parse(place.url("a")))
        assert place.names() == {"ab"}
        with pytest.raises(RemoteFileMissing):
            transfer.remove(Url.parse(place.url("a")))

    def test_an_empty_directory_is_made(self, transfer: Transfer, place: Place) -> None:
        """With those above it, again without harm; a listing tells it as a directory, and no file more."""
        if not transfer.abilities.folders:
            pytest.skip("it has no directories that are empty")
        place.seed("a", b"1")
        for name in ("deep/void", "deep/void", "with #?% ü", "void/"):
            transfer.make_folder(Url.parse(place.url(name)))
        assert transfer.stat(Url.parse(f"{place.url('deep/void')}/")).is_directory
        listed = list(transfer.listing(Url.parse(place.url(""))))
        base = place.url("").rstrip("/")
        folders = {each.url.removeprefix(base).strip("/") for each in listed if each.is_directory}
        assert {"deep/void", "with #?% ü", "void"} <= folders, "a listing tells empty directories"
        assert [each.url for each in listed if not each.is_directory] == [place.url("a")]

    def test_what_it_cannot_do_is_refused(self, transfer: Transfer, place: Place, tmp_path: Path) -> None:
        """Without the ability it is a TransferError about the URL, not worth repeating."""
        place.seed("a", b"1")
        url = Url.parse(place.url("a"))
        tries: dict[str, Callable[[], object]] = {
            "put": lambda: transfer.put(outgoing(tmp_path, b"new"), url),
            "remove": lambda: transfer.remove(url),
            "listing": lambda: list(transfer.listing(url)),
            "folders": lambda: transfer.make_folder(url),
        }
        for ability, ask in tries.items():
            if not getattr(transfer.abilities, ability):
                with pytest.raises(TransferError, match="cannot") as caught:
                    ask()
                assert (caught.value.subject, caught.value.repeat) == (url.shown, False)
        if not (transfer.abilities.put or transfer.abilities.remove):
            assert place.content("a") == b"1"

    def test_it_is_used_from_several_threads(self, transfer: Transfer, place: Place) -> None:
        """Each gets its own file."""
        for at in range(4 * THREADS):
            place.seed(f"{at}", pattern(20_000, salt=at))
        with ThreadPoolExecutor(THREADS) as threads:
            got = list(
                threads.map(lambda at: shown(taken(transfer.read(Url.parse(place.url(f"{at}"))))), range(4 * THREADS))
            )
        assert got == [shown(pattern(20_000, salt=at)) for at in range(4 * THREADS)]

    def test_it_can_be_used_after_it_was_closed(self, transfer: Transfer, place: Place) -> None:
        """Closing lets go of connections, twice does no harm, the next call makes new ones."""
        place.seed("a", b"12345")
        for _ in range(2):
            assert transfer.stat(Url.parse(place.url("a"))).size_bytes == 5
            transfer.close()
            transfer.close()
        assert taken(transfer.read(Url.parse(place.url("a")))) == b"12345"

    def test_it_is_made_without_settings(self, transfer: Transfer) -> None:
        """Making one reaches nobody and needs no setting."""
        type(transfer)(TransferConfig()).close()

    def _needs_put(self, transfer: Transfer) -> None:
        if not transfer.abilities.put:
            pytest.skip("it has no put")

    def _before(self, place: Place, is_there: bool) -> tuple[str, set[str]]:
        if is_there:
            place.seed("a", b"the old content")
        return shown(place.content("a")), place.names()


def outgoing(
    folder: Path, content: bytes, moved: Callable[[int], None] = lambda _: None, name: str = "source"
) -> Outgoing:
    """Return a file of ours with this content, to be put."""
    path = folder / name
    path.write_bytes(content)
    return Outgoing(path, len(content), hashlib.sha256(content).hexdigest(), moved)
