"""Directories with nothing in them arrive and come back, wherever there can be such; elsewhere it is said that not."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from cryocloud_core.errors import RemoteFileMissing, StagingError, TransferError
from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.files.uploads import tree_below
from cryocloud_core.sdk.url import Url
from cryocloud_core.task import Upload
from cryocloud_core.worker.post import Post
from tests.files.folder_transfer import routes_to
from tests.files.test_layer_services import Place, place  # noqa: F401 - a fixture
from tests.services.s3server import S3Server

TREE = ("empty/", "deep/er/void/", "deep/er/ü #?/", "deep/file", "a")


def plant(root: Path, *names: str) -> Path:
    """Make files, and directories by names that end in `/`."""
    root.mkdir(parents=True)
    for name in names:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
    return root


def tree(root: Path) -> dict[str, str | None]:
    """Return everything below a directory: the content of files, None for directories."""
    return {
        str(path.relative_to(root)): path.read_text() if path.is_file() else None for path in sorted(root.rglob("*"))
    }


def test_a_copy_is_current_with_its_empty_directories(place: Place, tmp_path: Path) -> None:  # noqa: F811
    """One that is new there is brought, one that is gone here comes back; what is the same is used again."""
    url, copy, layer = place.url("tree/"), tmp_path / "copy", place.layer(tmp_path / "tmp")
    layer.put(plant(tmp_path / "one", "a", "void/"), url)
    layer.fetch_tree(url, copy)
    layer.put(plant(tmp_path / "two", "new/er/"), url)
    assert not layer.is_current(url, copy)
    assert tree(layer.fetch_tree(url, copy)) == {"a": "a", "new": None, "new/er": None, "void": None}
    assert layer.is_current(url, copy)

    (copy / "void").rmdir()
    assert not layer.is_current(url, copy)
    assert (layer.fetch_tree(url, copy) / "void").is_dir()
    made = copy.stat().st_ino
    assert layer.fetch_tree(url, copy).stat().st_ino == made
    layer.release_all()


@pytest.mark.parametrize("names", [TREE, ("only/void/",), ()])
def test_a_tree_comes_back_as_it_was_sent(place: Place, tmp_path: Path, names: tuple[str, ...]) -> None:  # noqa: F811
    """With directories of nothing, in the middle and as a whole; sent twice it is the same."""
    sent = plant(tmp_path / "sent", *names)
    layer = place.layer(tmp_path / "tmp")
    for _ in range(2):
        layer.put(sent, place.url("tree"))
    for ending in ("", "/"):
        back = layer.fetch_tree(place.url(f"tree{ending}"), tmp_path / f"back{len(ending)}")
        assert tree(back) == tree(sent)
    assert layer.fetch_tree(place.url("tree/"), tmp_path / "back1") == tmp_path / "back1"
    layer.release_all()


def test_a_directory_of_nothing_is_one(place: Place, tmp_path: Path) -> None:  # noqa: F811
    """It is found, told as a directory, and fetched as whatever it is."""
    layer = place.layer(tmp_path / "tmp")
    layer.put(plant(tmp_path / "sent"), place.url("void"))
    assert layer.stat(place.url("void/")).is_directory
    assert [each.is_directory for each in layer.listing(place.url("void/"))] == [True]
    assert tree(layer.fetch_any(place.url("void/"), tmp_path / "back")) == {}
    layer.release_all()


def test_what_is_not_there_is_no_empty_directory(place: Place, tmp_path: Path) -> None:  # noqa: F811
    """It is missing, as before."""
    layer = place.layer(tmp_path / "tmp")
    layer.put(plant(tmp_path / "sent", "x"), place.url("there"))
    with pytest.raises(RemoteFileMissing):
        layer.fetch_tree(place.url("nothing/"), tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("place", ["ssh", "file"], indirect=True)
def test_a_file_is_in_the_way(place: Place, tmp_path: Path) -> None:  # noqa: F811
    """It stays, and is told."""
    layer = place.layer(tmp_path / "tmp", retries=0)
    assert place.folder is not None
    (place.folder / "taken").write_text("mine")
    with pytest.raises(TransferError) as caught:
        layer.put(plant(tmp_path / "sent"), place.url("taken"))
    assert caught.value.subject == place.url("taken").shown
    assert (place.folder / "taken").read_text() == "mine"


def test_an_empty_directory_that_fills_up_is_no_less_one(s3_server: S3Server, tmp_path: Path) -> None:
    """What stood for it while it was empty stays beside what is in it, and is removed with it."""
    from tests.files.test_layer_services import s3_place

    place = s3_place(s3_server)  # noqa: F811
    layer = place.layer(tmp_path / "tmp")
    sent = plant(tmp_path / "sent", "d/")
    layer.put(sent, place.url("t"))
    (sent / "d/f").write_text("1")
    layer.put(sent, place.url("t"))
    assert tree(layer.fetch_tree(place.url("t/"), tmp_path / "back")) == tree(sent)
    for found in reversed(layer.listing(place.url("t/"))):
        layer.remove(Url.parse(found.url))
    with pytest.raises(RemoteFileMissing):
        layer.listing(place.url("t/"))
    layer.release_all()
    place.close()


def test_post_sends_an_empty_directory(s3_server: S3Server, tmp_path: Path) -> None:
    """The output becomes its address, which a later node can fetch."""
    from tests.files.test_layer_services import s3_place

    place = s3_place(s3_server)  # noqa: F811
    layer = place.layer(tmp_path / "tmp")
    files = FileService.of({"tempdir": str(tmp_path / "tmp")}, "near", layer.transfers)
    out = plant(tmp_path / "out")
    upload = Upload("dst", str(place.url("results/")), basename=True)
    sent = Post(files, pytest.fail).sent((upload,), {"dst": str(out)})
    assert sent == {"dst": str(place.url("results/out/"))}
    assert tree(Path(files.fetch(sent["dst"])[0])) == {}
    place.close()


def test_where_there_can_be_none_it_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The files arrive; a tree without any is refused."""
    (tmp_path / "servers").mkdir()
    files = FileService.of({"tempdir": str(tmp_path / "tmp")}, "near", Transfers(routes_to(tmp_path / "servers", "s3")))
    url = Url.parse("s3://store/bucket/t/")
    files.remote.put(plant(tmp_path / "sent", "d/", "f"), url)
    assert [(record.levelno, "1 directories" in record.message) for record in caplog.records] == [
        (logging.WARNING, True)
    ]
    with pytest.raises(StagingError, match="no file in it"):
        files.remote.put(plant(tmp_path / "void"), url)


def test_unfinished_data_is_no_content(tmp_path: Path) -> None:
    """Neither of a file nor of a tree; a directory of nothing else is empty."""
    sent = plant(tmp_path / "sent", "d/.cc-1.part", "e/.cc-2.tree/f", "f/g")
    assert tree_below(sent) == (["f/g"], ["d", "e"])
