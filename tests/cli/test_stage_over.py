"""`cryocloud stage --to DIR` over what is there: what it brought itself is renewed, all else is a person's own."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cryocloud_core.cli import main as cli
from tests.services.httpserver import HttpServer
from tests.services.s3server import S3Server
from tests.services.scriptserver import Answer, Request, ScriptServer, answer
from tests.services.sshserver import SshServer

#: stages with these flags to `out`, and returns the exit code, what was printed, and what was said
Stage = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the current directory; its configuration keeps copies in `tmp`."""
    monkeypatch.chdir(tmp_path)
    configured(tmp_path, {})
    return tmp_path


@pytest.fixture
def stage(folder: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    """Give the command."""

    def run(*words: str) -> tuple[int, list[str], str]:
        code = cli.invoke(["stage", "--to", "out", *words])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err

    return run


def configured(folder: Path, sections: Mapping[str, Mapping[str, Mapping[str, object]]]) -> None:
    """Write the configuration: where copies lie, and how servers are reached."""
    lines = [f'[CryoCloud.Worker]\ntempdir = "{folder}/tmp"\ntrust_local = false']
    for scheme, servers in sections.items():
        for server, settings in servers.items():
            lines.append(f'["{scheme}"."{server}"]')
            lines.extend(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    (folder / "cryocloud.toml").write_text("\n".join(lines) + "\n")


def packed(server: HttpServer, name: str, **members: str) -> str:
    """Put an archive onto a server, and return its URL."""
    with zipfile.ZipFile(server.files / name, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return server.url(name)


def lies_in(folder: Path) -> dict[str, str]:
    """Return the content of every file below a directory, the marker of unpacked copies left out."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".cc_unpacked"]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_a_directory_that_changed_at_its_origin_is_renewed(ssh_server: SshServer, folder: Path, stage: Stage) -> None:
    """Whole: what is there no more goes here too."""
    configured(folder, {"SSH": ssh_server.config()})
    origin = folder / "there/tree"
    (origin / "deep").mkdir(parents=True)
    for name in ("deep/f", "gone"):
        (origin / name).write_text("1")
    url = ssh_server.url(f"{origin}")

    assert [stage(url), stage(url)] == [(0, [f"{folder}/out/tree"], "")] * 2
    (origin / "new").write_text("2")
    (origin / "gone").unlink()
    assert stage(url)[0] == 0
    assert lies_in(folder / "out") == {"tree/deep/f": "1", "tree/new": "2"}
    assert [path.name for path in (folder / "out").iterdir()] == ["tree"]


def test_a_prefix_that_changed_at_its_origin_is_renewed(s3_server: S3Server, folder: Path, stage: Stage) -> None:
    """As a directory is."""
    configured(folder, {"S3": s3_server.config()})
    (folder / "tree").mkdir()
    (folder / "tree/f").write_text("1")
    assert cli.invoke(["put", "tree", s3_server.url("renewed/")]) == 0
    assert stage(s3_server.url("renewed/tree/"))[0] == 0
    (folder / "tree/g").write_text("2")
    assert cli.invoke(["put", "tree", s3_server.url("renewed/")]) == 0
    assert stage(s3_server.url("renewed/tree/"))[0] == 0
    assert lies_in(folder / "out") == {"tree/f": "1", "tree/g": "2"}


@pytest.mark.parametrize("change", ["edit", "add"])
def test_a_directory_in_which_a_person_wrote_is_refused(
    ssh_server: SshServer, folder: Path, stage: Stage, change: str
) -> None:
    """Nothing of it is touched."""
    configured(folder, {"SSH": ssh_server.config()})
    origin = folder / "there/tree"
    origin.mkdir(parents=True)
    (origin / "f").write_text("1")
    url = ssh_server.url(f"{origin}")
    assert stage(url)[0] == 0
    (folder / "out/tree" / ("f" if change == "edit" else "mine")).write_text("mine!")
    (origin / "f").write_text("other")
    before = lies_in(folder / "out")

    code, paths, said = stage(url)
    assert (code, paths) == (1, [])
    assert f"{folder}/out/tree: was changed since it was brought here; move it away" in said
    assert lies_in(folder / "out") == before


def test_a_file_of_a_person_is_refused(http_server: HttpServer, folder: Path, stage: Stage) -> None:
    """One that was not brought, and one that was changed since; a link too. The error names both ends."""
    url = http_server.url("own")
    (http_server.files / "own").write_text("theirs")
    (folder / "out").mkdir()
    own = folder / "out/own"
    own.write_text("notes")
    remedy = "move it away, or bring this into another directory"
    refused = f"{url}: {own}: exists, and is not known to have been brought here; {remedy}\n"
    assert stage(url) == (1, [], refused)
    assert own.read_text() == "notes"
    own.unlink()
    assert stage(url)[0] == 0
    own.write_text("mine")
    assert stage(url)[0] == 1
    assert own.read_text() == "mine"
    own.unlink()
    own.symlink_to(folder / "cryocloud.toml")
    assert stage(url)[0] == 1
    assert own.is_symlink()
    assert lies_in(folder / "out").keys() == {"own"}


def test_what_is_refused_is_not_fetched_before(http_server: HttpServer, folder: Path, stage: Stage) -> None:
    """Not a byte of it."""
    (http_server.files / "unread").write_text("theirs")
    (folder / "out").mkdir()
    (folder / "out/unread").write_text("mine")
    assert stage(http_server.url("unread"))[0] == 1
    assert not [asked for asked in http_server.asked if asked.method == "GET" and "unread" in asked.path]


def test_files_of_this_machine_replace_only_what_was_brought(folder: Path, stage: Stage) -> None:
    """A file and a directory; what lies in that very directory is left as it is."""
    source = folder / "from"
    (source / "d").mkdir(parents=True)
    (source / "f").write_text("1")
    (source / "d/g").write_text("1")
    words = [f"{source}/f", f"{source}/d"]
    assert stage(*words)[0] == 0
    (source / "f").write_text("2")
    (source / "d/g").rename(source / "d/h")
    assert stage(*words)[0] == 0
    assert lies_in(folder / "out") == {"f": "2", "d/h": "1"}
    (folder / "out/f").write_text("mine")
    (folder / "out/d/h").write_text("mine")
    for word in words:
        assert stage(word)[0] == 1
    assert lies_in(folder / "out") == {"f": "mine", "d/h": "mine"}
    assert stage(f"{folder}/out/f") == (0, [f"{folder}/out/f"], "")


def test_an_archive_is_not_unpacked_into_a_directory_of_a_person(
    http_server: HttpServer, folder: Path, stage: Stage
) -> None:
    """From elsewhere or from this machine; nothing of it stays, nor does an empty directory."""
    url = packed(http_server, "b.zip", f="theirs")
    (folder / "out/b").mkdir(parents=True)
    (folder / "out/b/f").write_text("mine")
    (folder / "b.zip").write_bytes((http_server.files / "b.zip").read_bytes())
    for source in (url, f"{folder}/b.zip"):
        code, paths, said = stage("--unzip", source)
        assert (code, paths) == (1, [])
        assert (
            said == f"{source}: {folder}/out/b exists and is not an unpacked copy; move it away, or unpack elsewhere\n"
        )
    assert [path.name for path in (folder / "out").iterdir()] == ["b"]
    assert lies_in(folder / "out") == {"b/f": "mine"}


def test_of_an_archive_that_is_refused_nothing_stays(http_server: HttpServer, folder: Path, stage: Stage) -> None:
    """Neither it, nor a directory for it; it is named as it was asked for, also where its copy is only cached."""
    url = packed(http_server, "evil.zip", **{"../evil": "1"})
    code, paths, said = stage("--unzip", url)
    assert (code, paths) == (1, [])
    assert said.startswith(f"{url}: member '../evil'")
    assert not (folder / "out").exists()
    (folder / "out").mkdir()
    assert stage("--unzip", url)[2] == said
    assert list((folder / "out").iterdir()) == []
    assert cli.invoke(["stage", "--unzip", url]) == 1


def test_what_a_newer_archive_does_not_hold_goes(http_server: HttpServer, folder: Path, stage: Stage) -> None:
    """From elsewhere or from this machine; the one that is there and current is not fetched again."""
    url = packed(http_server, "n.zip", one="1", two="1")
    assert stage("--unzip", url) == stage("--unzip", url) == (0, [f"{folder}/out/n/one", f"{folder}/out/n/two"], "")
    assert sum(asked.method == "GET" and asked.path.endswith("/n.zip") for asked in http_server.asked) == 1
    packed(http_server, "n.zip", two="22", three="3")
    assert stage("--unzip", url)[1] == [f"{folder}/out/n/three", f"{folder}/out/n/two"]
    assert lies_in(folder / "out") == {"n/two": "22", "n/three": "3"}
    (folder / "n.zip").write_bytes((http_server.files / "n.zip").read_bytes())
    (folder / "out/n/two").unlink()
    assert stage("--unzip", f"{folder}/n.zip")[1] == [f"{folder}/out/n/three", f"{folder}/out/n/two"]


def test_a_member_that_went_is_brought_again(http_server: HttpServer, folder: Path, stage: Stage) -> None:
    """Whether the archive comes from elsewhere or lies here."""
    url = packed(http_server, "w.zip", one="1", two="1")
    (folder / "w.zip").write_bytes((http_server.files / "w.zip").read_bytes())
    for source in (url, f"{folder}/w.zip"):
        assert stage("--unzip", source)[0] == 0
        (folder / "out/w/one").unlink()
        assert stage("--unzip", source)[1] == [f"{folder}/out/w/one", f"{folder}/out/w/two"]


@pytest.mark.parametrize("is_newer", [True, False])
def test_a_member_that_was_edited_is_never_overwritten(
    http_server: HttpServer, folder: Path, stage: Stage, is_newer: bool
) -> None:
    """It is named, and where the archive comes from."""
    url = packed(http_server, "e.zip", one="1", two="1")
    assert stage("--unzip", url)[0] == 0
    (folder / "out/e/one").write_text("mine")
    if is_newer:
        packed(http_server, "e.zip", one="22")
    code, paths, said = stage("--unzip", url)
    assert (code, paths) == (1, [])
    assert said.startswith(f"{url}: ")
    assert "others put or changed there: one; move that away" in said
    assert lies_in(folder / "out") == {"e/one": "mine", "e/two": "1"}


def test_archives_of_one_name_and_several_places_keep_apart(
    http_server: HttpServer, folder: Path, stage: Stage
) -> None:
    """The second replaces the first, as a file would, and the first is not taken for current then."""
    urls = []
    for place in ("p", "q"):
        (http_server.files / f"of-{place}").mkdir(exist_ok=True)
        urls.append(packed(http_server, f"of-{place}/s.zip", **{place: place}))
    for number in (0, 1, 0):
        assert stage("--unzip", urls[number])[1] == [f"{folder}/out/s/{'pq'[number]}"]
        assert lies_in(folder / "out") == {f"s/{'pq'[number]}": "pq"[number]}


class Breaking(ScriptServer):
    """Serves ranges of zeros; the first answer breaks off."""

    size, arrives = 3_000_000, 2_000_000

    def _next(self, request: Request) -> Answer:
        self.asked.append(request)
        headers = {"ETag": '"v"', "Accept_Ranges": "bytes", "Content_Length": f"{self.size}"}
        if request.method == "HEAD" or "range" not in request.headers:
            return answer("200 OK", bytes(self.arrives) if request.method == "GET" else b"", **headers)
        start = int(request.headers["range"].removeprefix("bytes=").partition("-")[0])
        headers |= {"Content_Length": "", "Content_Range": f"bytes {start}-{self.size - 1}/{self.size}"}
        return answer("206 Partial Content", bytes(self.size - start), **headers)


def test_what_arrived_before_a_failure_is_gone_on_with(folder: Path, stage: Stage) -> None:
    """Beside its place, under a name of ours, which is gone when the file is whole."""
    (folder / "cryocloud.toml").write_text(f'[CryoCloud.Worker]\ntempdir = "{folder}/tmp"\ntransfer_retries = 0\n')
    server = Breaking()
    server.start()
    try:
        assert stage(server.url("/big"))[0] == 1
        assert not (folder / "out/big").exists()
        assert len(list((folder / "out").rglob("*.part"))) == 1
        assert stage(server.url("/big"))[0] == 0
    finally:
        server.stop()
    assert (folder / "out/big").read_bytes() == bytes(server.size)
    assert [path.name for path in (folder / "out").iterdir()] == ["big"]
    assert any("range" in asked.headers for asked in server.asked)


def test_a_crash_between_the_two_names_leaves_what_can_be_renewed(
    http_server: HttpServer, folder: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file has its name, and the book tells of the old one still."""
    url = http_server.url("crash")
    (http_server.files / "crash").write_text("1")
    assert stage(url)[0] == 0
    (http_server.files / "crash").write_text("22")
    real, crashed = os.replace, []

    def replace(source: Path, target: Path) -> None:
        real(source, target)
        if target == folder / "out/crash":
            crashed.append(target)
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", replace)
    assert stage(url)[0] == 130
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert crashed
    assert stage(url)[0] == 0
    assert lies_in(folder / "out") == {"crash": "22"}
