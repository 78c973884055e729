"""`cryocloud stage --to DIR`: what becomes of what is there already, and of names that meet there."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from cryocloud_core.cli import main as cli
from tests.services.httpserver import HttpServer
from tests.services.sshserver import SshServer

CRYOCLOUD = str(Path(sys.executable).parent / "cryocloud")
PATIENCE_S = 30.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the current directory; its configuration keeps copies in `tmp`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cryocloud.toml").write_text(f'[CryoCloud.Worker]\ntempdir = "{tmp_path}/tmp"\n')
    return tmp_path


def gets(server: HttpServer, name: str) -> int:
    """Return how often a file was fetched."""
    return sum(asked.method == "GET" and asked.path.endswith(f"/{name}") for asked in server.asked)


def test_what_is_there_and_current_is_not_fetched_again(
    http_server: HttpServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until it changes at its origin, or goes."""
    origin, here = http_server.files / "again", folder / "out" / "again"
    origin.write_text("one")
    words = ["stage", "--to", "out", http_server.url("again")]

    assert [cli.invoke(words), cli.invoke(words)] == [0, 0]
    assert capsys.readouterr() == (f"{here}\n" * 2, "")
    assert gets(http_server, "again") == 1
    origin.write_text("other")
    assert cli.invoke(words) == 0
    assert (here.read_text(), gets(http_server, "again")) == ("other", 2)
    here.unlink()
    assert cli.invoke(words) == 0
    assert (here.read_text(), gets(http_server, "again")) == ("other", 3)


def test_what_was_brought_is_known_after_the_temporary_directory_was_emptied(
    http_server: HttpServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a reboot; where the user has no place for what lasts, it is known as long as that directory is."""
    origin, here = http_server.files / "lasting", folder / "out" / "lasting"
    words = ["stage", "--to", "out", http_server.url("lasting")]
    for content in ("first", "second one", "the third one"):
        origin.write_text(content)
        assert cli.invoke(words) == 0
        assert here.read_text() == content
        shutil.rmtree(folder / "tmp")

    (folder / "no-folder").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "no-folder"))
    here.unlink()
    for content in ("4", "the fifth one"):
        origin.write_text(content)
        assert cli.invoke(words) == 0
        assert here.read_text() == content


def test_what_came_from_elsewhere_is_fetched(http_server: HttpServer, folder: Path) -> None:
    """Another URL is another file, also of the same size."""
    for name in ("of-p", "of-q"):
        (http_server.files / name).mkdir(exist_ok=True)
        (http_server.files / name / "f").write_text(name)
        assert cli.invoke(["stage", "--to", "out", http_server.url(f"{name}/f")]) == 0
    assert (folder / "out/f").read_text() == "of-q"


def test_a_person_is_told_that_it_is_current(http_server: HttpServer, folder: Path) -> None:
    """On a terminal, above the bar; programs only read the path."""
    (http_server.files / "told").write_text("x")
    words = [CRYOCLOUD, "stage", "--to", "out", http_server.url("told")]
    subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE_S)
    ours, theirs = pty.openpty()
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=theirs, timeout=PATIENCE_S, check=True)
    os.close(theirs)
    said = os.read(ours, 1 << 16)
    os.close(ours)
    assert f"{folder}/out/told is current\r\n".encode() in said
    assert done.stdout == os.fsencode(f"{folder}/out/told\n")


def test_an_archive_that_is_there_and_current_is_unpacked_and_stays(
    http_server: HttpServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was brought to be kept."""
    with zipfile.ZipFile(http_server.files / "kept.zip", "w") as archive:
        archive.writestr("one", "1")
    url = http_server.url("kept.zip")
    assert cli.invoke(["stage", "--to", "out", url]) == 0
    assert cli.invoke(["stage", "--unzip", "--to", "out", url]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{folder}/out/kept.zip", f"{folder}/out/kept/one"]
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["kept", "kept.zip"]
    assert gets(http_server, "kept.zip") == 1


def test_a_directory_that_is_there_and_current_is_not_fetched_again(
    ssh_server: SshServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor is it an error any more that it is there."""
    tables = [
        f'["SSH"."{name}"]\n' + "".join(f"{key} = {value!r}\n" for key, value in settings.items())
        for name, settings in ssh_server.config().items()
    ]
    own = f'[CryoCloud.Worker]\ntempdir = "{folder}/tmp"\ntrust_local = false\n'
    (folder / "cryocloud.toml").write_text("\n".join([own, *tables]))
    (folder / "there/tree/deep").mkdir(parents=True)
    (folder / "there/tree/deep/f").write_text("1")
    words = ["stage", "--to", "out", ssh_server.url(f"{folder}/there/tree/")]
    assert cli.invoke(words) == 0
    before = (folder / "out/tree/deep/f").stat()
    assert cli.invoke(words) == 0
    after = (folder / "out/tree/deep/f").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("names", [("a.zip", "a.tgz"), ("a.zip", "a"), ("a.tar.gz", "a.tar")])
def test_archives_that_would_share_a_directory_are_refused(
    http_server: HttpServer, folder: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, str]
) -> None:
    """Before anything is fetched; without --unzip they keep their names and come."""
    for name in names:
        if name.endswith(".zip"):
            with zipfile.ZipFile(http_server.files / name, "w") as archive:
                archive.writestr("one", "1")
        else:
            with tarfile.open(http_server.files / name, "w:gz" if name.endswith("gz") else "w") as tar:
                tar.addfile(tarfile.TarInfo("two"))
    http_server.asked.clear()
    urls = [http_server.url(name) for name in names]

    assert cli.invoke(["stage", "--unzip", "--to", "out", *urls]) == 2
    assert "would both become a; bring them one by one" in capsys.readouterr().err
    assert not http_server.asked
    assert not (folder / "out").exists()
    assert cli.invoke(["stage", "--to", "out", *urls]) == 0


def test_a_misspelt_setting_of_workers_is_told(
    http_server: HttpServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By stage and put, to people; the path stays alone on stdout."""
    (folder / "cryocloud.toml").write_text(f'[CryoCloud.Worker]\ntempdir = "{folder}/tmp"\ntransfer_retrys = 1\n')
    (http_server.files / "spelt").write_text("x")
    told = 'CryoCloud.Worker.transfer_retrys is no setting of CryoCloud (did you mean "transfer_retries"?)\n'
    assert cli.invoke(["stage", "--to", "out", http_server.url("spelt")]) == 0
    assert capsys.readouterr() == (f"{folder}/out/spelt\n", told)
    assert cli.invoke(["put", "out/spelt", f"file://{folder}/sent"]) == 0
    assert capsys.readouterr().err == told
