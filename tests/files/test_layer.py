"""The layer: what a task gets when it asks for remote files, and what arrives when it sends some."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cryocloud_core.errors import RemoteFileMissing, TransferError
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.moving import Moving
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.transfer import Abilities, Incoming, Outgoing, RemoteFile, Transfer, TransferConfig
from cryocloud_core.sdk.url import Url


class Folders(Transfer):
    """Serves `dir://<anything>/path` from the directory that its settings call `root`."""

    abilities = Abilities(ranges=True, put=True, remove=True, listing=True, streams=4)

    def __init__(self, config: TransferConfig) -> None:
        super().__init__(config)
        self.root = Path(config.values["root"])

    def _place(self, url: Url) -> Path:
        place = self.root / url.path.strip("/")
        if not place.exists():
            raise RemoteFileMissing("there is no such file", subject=str(url))
        return place

    def stat(self, url: Url) -> RemoteFile:
        """Tell size, validator and checksum."""
        place = self._place(url)
        if place.is_dir():
            return RemoteFile(str(url), is_directory=True)
        found = place.stat()
        digest = hashlib.sha256(place.read_bytes()).hexdigest()
        return RemoteFile(str(url), found.st_size, f"{found.st_size}-{found.st_mtime_ns}", f"sha256:{digest}")

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Give the bytes in pieces."""
        data = self._place(url).read_bytes()[start:stop]
        return Incoming(self.stat(url), (data[at : at + 65536] for at in range(0, len(data), 65536)), start)

    def put(self, outgoing: Outgoing, url: Url) -> None:
        """Copy the file."""
        place = self.root / url.path.strip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(outgoing.path, place)
        outgoing.moved(outgoing.size_bytes)

    def remove(self, url: Url) -> None:
        """Unlink the file."""
        self._place(url).unlink()

    def listing(self, url: Url) -> Iterator[RemoteFile]:
        """Yield the files below."""
        for path in sorted(self._place(url).rglob("*")):
            if path.is_file():
                yield self.stat(url.with_path(f"/{path.relative_to(self.root)}"))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Give the directory behind `dir://`."""
    root = tmp_path / "store"
    root.mkdir()
    return root


@pytest.fixture
def layer(tmp_path: Path, store: Path) -> Layer:
    """Give a layer with `dir://` and its bookkeeping below a directory of its own."""
    routes = Routes({"dir": Route("dir", f"{__name__}:Folders", "DIR")}, {"DIR": {"root": str(store)}})
    transfers = Transfers(routes)
    transfers._made["dir"] = Folders(TransferConfig({"root": str(store)}))
    return Layer(transfers, LayerSettings(tmp_path / "temp"))


def url(path: str) -> Url:
    """Return a place in the store."""
    return Url.parse(f"dir://store/{path}")


def test_a_file_is_brought_whole(layer: Layer, store: Path, tmp_path: Path) -> None:
    """The target holds the remote content, parents are made, nothing of ours is left beside it."""
    (store / "a.bin").write_bytes(bytes(range(256)) * 1000)

    target = layer.fetch(url("a.bin"), tmp_path / "here" / "a.bin")

    assert target.read_bytes() == bytes(range(256)) * 1000
    assert [path.name for path in target.parent.iterdir()] == ["a.bin"]


def test_a_missing_file_is_an_error_and_leaves_nothing(layer: Layer, tmp_path: Path) -> None:
    """What is not there raises, and the target does not appear."""
    with pytest.raises(RemoteFileMissing):
        layer.fetch(url("none"), tmp_path / "none")

    assert not (tmp_path / "none").exists()


def test_a_directory_is_not_fetched_as_a_file(layer: Layer, store: Path, tmp_path: Path) -> None:
    """Who asks for a file and names a directory is told how to get it."""
    (store / "d").mkdir()
    with pytest.raises(TransferError, match="dir://store/d: is a directory; end the URL in /"):
        layer.fetch(url("d"), tmp_path / "d")


def test_a_tree_appears_with_all_its_files(layer: Layer, store: Path, tmp_path: Path) -> None:
    """Every file below a directory is brought to its place, whether the URL ends in a slash or not."""
    (store / "d" / "deep").mkdir(parents=True)
    (store / "d" / "one").write_text("1")
    (store / "d" / "deep" / "two").write_text("2")

    for number, place in enumerate((url("d"), url("d/"))):
        tree = layer.fetch_any(place, tmp_path / f"tree{number}")

        assert (tree / "one").read_text() + (tree / "deep" / "two").read_text() == "12"


def test_files_and_directories_are_put_and_removed(layer: Layer, store: Path, tmp_path: Path) -> None:
    """A file goes to its URL, a directory file by file below its URL, and what was put can be removed."""
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "out" / "sub" / "x").write_text("x")

    layer.put(tmp_path / "out", url("up"))
    layer.put(tmp_path / "out" / "sub" / "x", url("y"))
    layer.remove(url("y"))

    assert (store / "up" / "sub" / "x").read_text() == "x"
    assert not (store / "y").exists()


def test_progress_ends_with_everything(layer: Layer, store: Path, tmp_path: Path) -> None:
    """The last thing told is that all bytes of all files are here."""
    (store / "a").write_bytes(b"x" * 1000)
    told: list[Moving] = []
    layer.told = told.append

    layer.fetch(url("a"), tmp_path / "a")

    assert (told[-1].done_bytes, told[-1].size_bytes, told[-1].files_done) == (1000, 1000, 1)
