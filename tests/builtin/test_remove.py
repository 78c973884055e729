"""remove: what it removes, what it lists, and what it refuses."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.testing.worker import LocalWorker
from cryocloud_modules_builtin import remove
from tests.services.s3server import S3Server


def zipped(path: Path) -> Path:
    """Make a zip archive with one file in it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inside.txt", "x")
    return path


def test_files_links_and_empty_directories_go(worker: LocalWorker, tmp_path: Path) -> None:
    """A link goes, what it points to stays; the list says what went."""
    (tmp_path / "a").touch()
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()
    sources = [f"{tmp_path}/{name}" for name in ["a", "link/", "dangling", "empty"]]

    assert worker.run(remove, {"src": [*sources, None]}) == {"errors": [], "error": None, "deleted": sources}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "worker-tmp"]


def test_any_name_is_removed_and_nothing_else(worker: LocalWorker, tmp_path: Path, hostile: str) -> None:
    """No character of a name means anything."""
    (tmp_path / "bystander").touch()
    (tmp_path / hostile).touch()

    assert worker.run(remove, {"src": f"{tmp_path}/{hostile}"})["errors"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bystander", "worker-tmp"]


def test_a_full_directory_needs_recursive(worker: LocalWorker, tmp_path: Path) -> None:
    """Without it: listed, and success; with it: gone, links in it not followed."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "x").touch()
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "link").symlink_to(tmp_path / "kept")

    outputs = worker.run(remove, {"src": f"{tmp_path}/d", "recursive": "false"})
    assert outputs["deleted"] == []
    assert "not empty; set recursive" in outputs["error"]
    assert worker.run(remove, {"src": f"{tmp_path}/d/", "recursive": "true"})["errors"] == []
    assert not (tmp_path / "d").exists()
    assert (tmp_path / "kept" / "x").exists()


def test_a_missing_file_is_listed_or_an_error(worker: LocalWorker, tmp_path: Path) -> None:
    """Ignoreerrors is true unless told otherwise."""
    outputs = worker.run(remove, {"src": f"{tmp_path}/a"})

    assert outputs["errors"] == [outputs["error"]] == [f"remove: '{tmp_path}/a' does not exist"]
    with pytest.raises(FileNotFoundError, match="does not exist"):
        worker.run(remove, {"src": f"{tmp_path}/a", "ignoreerrors": "no"})


def test_dontstop_tries_all_before_it_fails(worker: LocalWorker, tmp_path: Path) -> None:
    """Without ignoreerrors the first failure stops it, with dontstop the last does."""
    args = {"src": [f"{tmp_path}/a", f"{tmp_path}/b"], "ignoreerrors": False}
    (tmp_path / "b").touch()

    with pytest.raises(OSError, match="/a' does not exist"):
        worker.run(remove, args)
    assert (tmp_path / "b").exists()
    with pytest.raises(OSError, match="/a' does not exist"):
        worker.run(remove, {**args, "dontstop": True})
    assert not (tmp_path / "b").exists()


def test_the_extension_goes_too(worker: LocalWorker, tmp_path: Path) -> None:
    """What has it appended; a missing one is no error."""
    for name in ["a", "a.xml", "axml"]:
        (tmp_path / name).touch()

    worker.run(remove, {"src": f"{tmp_path}/a", "extension": [".xml", ".md5"]})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["axml", "worker-tmp"]


@pytest.mark.parametrize("archive_is_there", [True, False])
def test_the_unpacked_copy_goes_too(worker: LocalWorker, tmp_path: Path, *, archive_is_there: bool) -> None:
    """Only our own copy, and whether or not the archive is still there."""
    archive = zipped(tmp_path / "a.zip")
    worker.files.fetch(str(archive), unzip=True)
    assert (tmp_path / "a").is_dir()
    if not archive_is_there:
        archive.unlink()

    outputs = worker.run(remove, {"src": str(archive), "remove_unzipped": "true", "ignoreerrors": False})
    assert outputs["deleted"] == [f"{tmp_path}/a", str(archive)][: 1 + archive_is_there]
    assert [path.name for path in tmp_path.iterdir()] == ["worker-tmp"]


def test_an_unrelated_directory_beside_an_archive_stays(worker: LocalWorker, tmp_path: Path) -> None:
    """A directory without our marker is the user's."""
    archive = zipped(tmp_path / "a.zip")
    (tmp_path / "a").mkdir()

    worker.run(remove, {"src": str(archive), "remove_unzipped": True})
    assert (tmp_path / "a").is_dir()
    assert not archive.exists()


@pytest.mark.parametrize("path", ["", " ", "/", "//", "/.", "/..", "/tmp/../", ".", "..", "./", "/proc/../usr/.."])
def test_root_nothing_and_here_are_refused(worker: LocalWorker, tmp_path: Path, path: str) -> None:
    """Even with ignoreerrors, and before anything else is removed."""
    (tmp_path / "a").touch()

    with pytest.raises(ValueError, match="refusing to work on"):
        worker.run(remove, {"src": [f"{tmp_path}/a", path], "recursive": True})
    assert (tmp_path / "a").exists()


@pytest.mark.parametrize("below", ["home/me", "home", "home/me/", "home/me/.", "home/me/x/..", "link/me"])
def test_home_and_what_holds_it_are_refused(
    worker: LocalWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    """In every spelling, also through a link; a link to home itself may go, home stays."""
    (tmp_path / "home" / "me" / "x").mkdir(parents=True)
    (tmp_path / "link").symlink_to("home")
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))

    with pytest.raises(ValueError, match="the home directory"):
        worker.run(remove, {"src": f"{tmp_path}/{below}", "recursive": True})
    worker.run(remove, {"src": f"{tmp_path}/link", "recursive": True})
    assert (tmp_path / "home" / "me" / "x").is_dir()


def test_an_extension_cannot_lead_elsewhere(worker: LocalWorker, tmp_path: Path) -> None:
    """A path is no extension."""
    (tmp_path / "d" / "e").mkdir(parents=True)

    with pytest.raises(ValueError, match="extension must be"):
        worker.run(remove, {"src": f"{tmp_path}/d/e", "extension": "/.."})
    assert (tmp_path / "d").is_dir()


@pytest.mark.parametrize("url", ["http://host/x", "ssh://host/x"])
def test_urls_that_cannot_be_removed_are_errors(worker: LocalWorker, url: str) -> None:
    """The file service says why, and with ignoreerrors it is listed."""
    assert len(worker.run(remove, {"src": url})["errors"]) == 1
    with pytest.raises(Exception, match="host"):
        worker.run(remove, {"src": url, "ignoreerrors": False})


def test_objects_are_removed_from_a_real_store(tmp_path: Path, s3_server: S3Server) -> None:
    """One, all below a prefix, the empty bucket; what is missing is listed."""
    routes = Routes.of(Registry.installed(), lambda root: s3_server.config() if root == "S3" else {})
    files = FileService.of({"tempdir": str(tmp_path)}, "here", Transfers(routes))
    (tmp_path / "a").write_text("a")
    for key in ("a #1", "p/b", "p/c/d"):
        files.put(f"{tmp_path}/a", s3_server.url(f"removing/{key}"))
    urls = [s3_server.url(f"removing/{key}") for key in ("a #1", "none", "p/")]

    with LocalWorker({}, files) as worker:
        outputs = worker.run(remove, {"src": urls})
        assert outputs["deleted"] == urls[:1]
        assert ["none" in outputs["errors"][0], "set recursive" in outputs["errors"][1]] == [True, True]
        outputs = worker.run(remove, {"src": [urls[2], s3_server.url("removing")], "recursive": "yes"})
        assert outputs["errors"] == []
    files.remote.transfers.close()


def test_nothing_to_remove_is_an_error_only_when_asked(worker: LocalWorker) -> None:
    """A null src after a failed parent is nothing to clean up."""
    assert worker.run(remove, {"src": None})["deleted"] == []
    with pytest.raises(ValueError, match="src is missing"):
        worker.run(remove, {"src": [None], "ignoreerrors": False})


def test_what_may_not_be_removed_is_listed(worker: LocalWorker, tmp_path: Path) -> None:
    """An error of the system names the path."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").touch()

    outputs = worker.run(remove, {"src": f"{tmp_path}/d/x/y"})
    assert str(tmp_path / "d" / "x" / "y") in outputs["error"]
    assert (tmp_path / "d" / "x").exists()
