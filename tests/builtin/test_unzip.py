"""unzip: where it unpacks to, several archives, and what a failure leaves."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from cryocloud_core import CryoCloudError
from cryocloud_core.testing.worker import LocalWorker
from cryocloud_modules_builtin import unzip


def zipped(path: Path, *names: str) -> str:
    """Make a zip archive with these members."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, f"content of {name}")
    return str(path)


def tarred(path: Path, *names: str) -> str:
    """Make a tar.gz archive with these members."""
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"tar"))
    return str(path)


def test_a_fresh_directory_is_made_where_temporary_files_go(worker: LocalWorker, tmp_path: Path) -> None:
    """Without dst; the entries are listed sorted, and the archive stays."""
    archive = zipped(tmp_path / "a.zip", "b.txt", "sub/c.txt", "a.txt")

    outputs = worker.run(unzip, {"src": archive, "dst": "None"})
    made = Path(outputs["destDir"])
    assert made.parent == tmp_path / "worker-tmp"
    assert outputs == {
        "destDir": str(made),
        "fileList": [f"{made}/a.txt", f"{made}/b.txt", f"{made}/sub"],
        "error": None,
    }
    assert (made / "sub" / "c.txt").read_text() == "content of sub/c.txt"
    assert Path(archive).exists()


def test_temp_dir_says_where(worker: LocalWorker, tmp_path: Path) -> None:
    """It is made when it is missing."""
    outputs = worker.run(unzip, {"src": zipped(tmp_path / "a.zip", "x"), "tempDir": f"{tmp_path}/my/tmp"})

    assert Path(outputs["destDir"]).parent == tmp_path / "my" / "tmp"


def test_several_archives_share_one_directory(worker: LocalWorker, tmp_path: Path) -> None:
    """Zip and tar alike, in order; what was there stays."""
    dst = tmp_path / "out"
    dst.mkdir()
    (dst / "mine").write_text("mine")
    sources = [zipped(tmp_path / "b.zip", "z", "both"), None, tarred(tmp_path / "a.tgz", "t", "both")]

    outputs = worker.run(unzip, {"src": sources, "dst": str(dst)})
    assert outputs["fileList"] == [f"{dst}/both", f"{dst}/z", f"{dst}/t"]
    assert (dst / "both").read_text() == "tar"
    assert (dst / "mine").read_text() == "mine"


def test_any_name_is_unpacked(worker: LocalWorker, tmp_path: Path, hostile: str) -> None:
    """The archive's and the directory's name may hold anything."""
    dst = tmp_path / hostile
    dst.mkdir()

    outputs = worker.run(unzip, {"src": zipped(tmp_path / f"{hostile}.zip", "x"), "dst": str(dst)})
    assert outputs["fileList"] == [f"{dst}/x"]


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("keep", [True, False])
def test_a_failure_leaves_only_what_was_there(worker: LocalWorker, tmp_path: Path, *, given: bool, keep: bool) -> None:
    """The second archive is broken: what came of the first goes again unless `keep`; a given dst and its files stay."""
    dst = tmp_path / "out"
    dst.mkdir()
    (dst / "mine").touch()
    (tmp_path / "broken.zip").write_bytes(Path(zipped(tmp_path / "b.zip", "x")).read_bytes()[:-30])
    sources = [zipped(tmp_path / "a.zip", "first"), f"{tmp_path}/broken.zip"]

    with pytest.raises(CryoCloudError, match=r"broken\.zip"):
        worker.run(unzip, {"src": sources, "keep": keep, **({"dst": str(dst)} if given else {})})
    assert sorted(path.name for path in dst.iterdir()) == (["first", "mine"] if given and keep else ["mine"])
    made = list((tmp_path / "worker-tmp").iterdir())
    assert [path.name for each in made for path in each.iterdir()] == ([] if given or not keep else ["first"])
    assert len(made) == (keep and not given)


def test_an_archive_that_would_escape_is_refused(worker: LocalWorker, tmp_path: Path) -> None:
    """Nothing outside the directory is written, nothing inside is left."""
    with pytest.raises(CryoCloudError, match="evil"):
        worker.run(unzip, {"src": tarred(tmp_path / "evil.tgz", "ok", "../escaped")})
    assert not list(tmp_path.rglob("escaped"))
    assert list((tmp_path / "worker-tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"src": None}, "src is missing"),
        ({"src": "/none/such.zip"}, "such.zip' does not exist"),
        ({"dst": "/none/such"}, "not an existing directory"),
        ({"keep": "perhaps"}, "keep must be"),
    ],
)
def test_wrong_arguments_are_refused(worker: LocalWorker, tmp_path: Path, args: dict[str, object], said: str) -> None:
    """The error says which argument and what it got; no directory is made for nothing."""
    with pytest.raises((ValueError, OSError), match=said):
        worker.run(unzip, {"src": zipped(tmp_path / "a.zip", "x"), **args})
    assert list((tmp_path / "worker-tmp").iterdir()) == []
