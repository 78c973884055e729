"""`cryocloud stage` and `cryocloud put`, as a person types them, against real servers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cryocloud_core.cli import main as cli
from tests.services.httpserver import HttpServer
from tests.services.s3server import S3Server
from tests.services.sshserver import SshServer

CRYOCLOUD = str(Path(sys.executable).parent / "cryocloud")
HOSTILE = "a b#%41\næø"
PATIENCE_S = 30.0

Type = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the current directory; its configuration keeps copies in `tmp`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cryocloud.toml").write_text(f'[CryoCloud.Worker]\ntempdir = "{tmp_path}/tmp"\n')
    return tmp_path


@pytest.fixture
def ssh(ssh_server: SshServer, folder: Path) -> SshServer:
    """Give an sshd that the current directory's configuration knows; what it serves is not taken for local."""
    tables = [f'["SSH"."{server}"]\n{lines(settings)}' for server, settings in ssh_server.config().items()]
    own = f'[CryoCloud.Worker]\ntempdir = "{folder}/tmp"\ndatadir = "{folder}/data"\ntrust_local = false\n'
    (folder / "cryocloud.toml").write_text("\n".join([own, *tables]))
    return ssh_server


def lines(settings: dict[str, object]) -> str:
    """Return settings as lines of TOML."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())


def typed(*words: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Type a command and return what it printed."""
    return subprocess.run([CRYOCLOUD, *map(str, words)], capture_output=True, timeout=PATIENCE_S, check=False)


def test_a_file_of_the_web_is_brought_here_once(http_server: HttpServer, folder: Path) -> None:
    """The second time the copy is used; its path is all that stands on stdout."""
    (http_server.files / HOSTILE).write_text("content")
    url = http_server.url(HOSTILE)

    first, second = typed("stage", url), typed("stage", url)
    assert (first.returncode, first.stderr) == (0, b"")
    assert second.stdout == first.stdout
    path = Path(os.fsdecode(first.stdout[:-1]))
    assert path.read_text() == "content"
    assert path.is_relative_to(folder / "tmp")
    gets = [asked for asked in http_server.asked if asked.method == "GET" and asked.path in url]
    assert len(gets) == 1


def test_archives_are_unpacked_to_where_they_are_wanted(
    http_server: HttpServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their entries are printed; the archive that was fetched does not stay, one that was here does."""
    with zipfile.ZipFile(http_server.files / "a.zip", "w") as archive:
        archive.writestr("one", "1")
        archive.writestr("d/two", "2")
    (folder / "b.zip").write_bytes((http_server.files / "a.zip").read_bytes())
    (folder / "plain").write_text("plain")
    words = [http_server.url("a.zip"), f"{folder}/b.zip", f"{folder}/plain"]

    assert cli.invoke(["stage", "--unzip", "--to", "out", *words]) == 0
    out = folder / "out"
    entries = [out / "a/d", out / "a/one", out / "b/d", out / "b/one", out / "plain"]
    assert capsys.readouterr().out.splitlines() == list(map(str, entries))
    assert sorted(path.name for path in out.iterdir()) == ["a", "b", "plain"]
    assert (out / "a/d/two").read_text() == "2"
    assert (folder / "b.zip").exists()


def test_an_archive_never_takes_the_place_of_a_file_that_is_there(http_server: HttpServer, folder: Path) -> None:
    """Nor does what is no archive."""
    with zipfile.ZipFile(http_server.files / "a.zip", "w") as archive:
        archive.writestr("one", "1")
    (http_server.files / "plain").write_text("theirs")
    out = folder / "out"
    out.mkdir()
    for name in ("a.zip", "plain"):
        (out / name).write_text("mine")

    assert cli.invoke(["stage", "--unzip", "--to", "out", http_server.url("a.zip")]) == 0
    assert cli.invoke(["stage", "--unzip", "--to", "out", http_server.url("plain")]) == 1
    assert sorted(path.name for path in out.iterdir()) == ["a", "a.zip", "plain"]
    assert [(out / name).read_text() for name in ("a.zip", "plain")] == ["mine", "mine"]


def test_files_of_one_name_are_not_brought_into_one_directory(
    http_server: HttpServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second would replace the first; nothing is begun."""
    for name in ("x", "y"):
        (http_server.files / name).mkdir()
        (http_server.files / name / "f").write_text(name)

    assert cli.invoke(["stage", "--to", "out", http_server.url("x/f"), http_server.url("y/f")]) == 2
    assert "would both become f" in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_what_is_taken_is_no_copy_that_a_sweep_may_remove(
    http_server: HttpServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the user's own from now on."""
    (http_server.files / "mine").write_text("mine")
    (folder / "cryocloud.toml").write_text(
        f'[CryoCloud.Worker]\ntempdir = "{folder}/tmp"\ncache_max_bytes = 1\ncache_keep = 0\n'
    )

    assert cli.invoke(["stage", "--to", "kept", http_server.url("mine")]) == 0
    assert cli.invoke(["stage", http_server.url("mine")]) == 0
    capsys.readouterr()
    assert (folder / "kept/mine").read_text() == "mine"
    assert not list((folder / "tmp/cc/meta").glob("*kept*"))


def test_files_go_to_another_machine_and_come_back(
    ssh: SshServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under names with every kind of character; a URL that ends in a slash keeps the name."""
    (folder / HOSTILE).write_text("content")
    (folder / "d/deep").mkdir(parents=True)
    (folder / "d/deep/er").write_text("deep")

    assert cli.invoke(["put", HOSTILE, ssh.url(f"{ssh.files}/out/")]) == 0
    assert cli.invoke(["put", "--json", "d", ssh.url(f"{ssh.files}/out/tree")]) == 0
    plain, tree = capsys.readouterr().out.rsplit("\n", 2)[:2]
    assert plain == ssh.url(f"{ssh.files}/out/{HOSTILE}")
    assert json.loads(tree) == {"url": ssh.url(f"{ssh.files}/out/tree")}
    assert (ssh.files / "out" / HOSTILE).read_text() == "content"
    assert cli.invoke(["stage", "--json", plain, json.loads(tree)["url"]]) == 0
    file, directory = (Path(*json.loads(line)["paths"]) for line in capsys.readouterr().out.splitlines())
    assert file.read_text() == "content"
    assert (directory / "deep/er").read_text() == "deep"
    assert file == Path(f"{folder}/data{ssh.files}/out/{HOSTILE}")


def test_a_directory_is_sent_over_another_file_by_file(ssh: SshServer, s3_server: S3Server, folder: Path) -> None:
    """Files that are only there stay, wherever it is; a file is replaced."""
    tables = [f'["S3"."{server}"]\n{lines(settings)}' for server, settings in s3_server.config().items()]
    with (folder / "cryocloud.toml").open("a") as file:
        file.write("\n".join(["", *tables]))
    for target in (ssh.url(f"{folder}/over/"), s3_server.url("over/"), f"file://{folder}/beside/"):
        content = "1"
        for name in ("old", "new"):
            (folder / "d").mkdir()
            (folder / "d/both").write_text(content)
            (folder / "d" / name).write_text(name)
            assert cli.invoke(["put", "d", target]) == 0
            shutil.rmtree(folder / "d")
            content = "22"
        came = folder / "came" / target.partition(":")[0]
        assert cli.invoke(["stage", "--to", str(came), f"{target}d/"]) == 0
        found = {path.name: path.read_text() for path in (came / "d").iterdir()}
        assert found == {"both": "22", "old": "old", "new": "new"}


def test_objects_go_to_a_store_and_come_back(
    s3_server: S3Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bucket alone keeps the name and is made; a directory ends in a slash and comes back whole."""
    own = f'[CryoCloud.Worker]\ntempdir = "{folder}/tmp"\n'
    tables = [f'["S3"."{server}"]\n{lines(settings)}' for server, settings in s3_server.config().items()]
    (folder / "cryocloud.toml").write_text("\n".join([own, *tables]))
    (folder / HOSTILE).write_text("content")
    (folder / "d/deep").mkdir(parents=True)
    (folder / "d/deep/er").write_text("deep")

    assert cli.invoke(["put", HOSTILE, s3_server.url("typed")]) == 0
    assert cli.invoke(["put", "--json", "d", s3_server.url("typed/out/")]) == 0
    shown = capsys.readouterr().out
    url, tree = shown[: shown.rindex("{") - 1], json.loads(shown[shown.rindex("{") :])["url"]
    assert (url, tree) == (s3_server.url(f"typed/{HOSTILE}"), s3_server.url("typed/out/d/"))
    assert cli.invoke(["stage", "--json", url, tree]) == 0
    file, directory = (Path(*json.loads(line)["paths"]) for line in capsys.readouterr().out.splitlines())
    assert file.read_text() == "content"
    assert (directory / "deep/er").read_text() == "deep"


def test_bytes_that_are_no_text_are_printed_as_they_are(ssh: SshServer) -> None:
    """A script can open what it reads."""
    name = b"raw\xff\xfe".decode("utf-8", "surrogateescape")
    (ssh.files / name).write_text("raw")

    done = typed("stage", ssh.url(f"{ssh.files}/{name}"))
    assert done.stderr == b""
    assert Path(os.fsdecode(done.stdout[:-1])).read_text() == "raw"
    assert done.stdout.endswith(b"raw\xff\xfe\n")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["stage", "gopher://h/a"], 2, "unsupported scheme gopher://"),
        (["stage", "rel/a"], 2, "need absolute path"),
        (["stage", "/no/such"], 1, "/no/such: does not exist"),
        (["stage", "http://127.0.0.1:1/a"], 1, "127.0.0.1:1"),
        (["put", "none", "ssh://h/a"], 1, "none: does not exist"),
        (["put", "cryocloud.toml", "http://127.0.0.1:1/a"], 1, "http:// cannot put"),
        (["put", "cryocloud.toml", "gopher://h/a"], 2, "unsupported scheme"),
        (["put", "cryocloud.toml", "s3://h:1/"], 2, "s3://h:1/: names no bucket; write s3://h:1/BUCKET/"),
        (["put", "cryocloud.toml", "s3://h:1"], 2, "s3://h:1: names no bucket"),
        (["put", "cryocloud.toml", "s3://"], 2, "s3://: names no bucket; write s3://SERVER/BUCKET/"),
        (["stage", "s3://h:1/"], 1, "s3://h:1/: names no bucket"),
        (["stage"], 2, "missing argument"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_one_line_and_an_exit_code(
    words: list[str], code: int, says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 for what can never work, 1 for what may work later."""
    (folder / "cryocloud.toml").write_text(f'[CryoCloud.Worker]\ntempdir = "{folder}/tmp"\ntransfer_retries = 0\n')

    assert cli.invoke(words) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert says in told.err
    assert len(told.err.splitlines()) == 1


def test_a_variable_that_is_not_set_is_told_with_its_setting(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its full name, as it stands in the file."""
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    lines = ["[S3.127_0_0_1]", 'aws_access_key_id = "cryo"', 'aws_secret_access_key = {env = "NO_SUCH_SECRET"}']
    (folder / "cryocloud.toml").write_text("\n".join(lines))

    assert cli.invoke(["stage", "s3://127.0.0.1:1/bucket/key"]) == 2
    said = "S3.127_0_0_1.aws_secret_access_key: environment variable NO_SUCH_SECRET: is not set"
    assert said in capsys.readouterr().err


def test_a_directory_that_was_made_for_nothing_does_not_stay(
    http_server: HttpServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With those above it; one that was there, or into which something came, does."""
    (folder / "old").mkdir()
    (http_server.files / "here").write_text("content")
    missing = http_server.url("missing")

    assert cli.invoke(["stage", "--to", "new/deep", missing]) == 1
    assert cli.invoke(["stage", "--to", "old/deep", "/no/such"]) == 1
    assert cli.invoke(["stage", "--to", "old", missing]) == 1
    assert not (folder / "new").exists()
    assert list((folder / "old").iterdir()) == []
    assert cli.invoke(["stage", "--to", "new", http_server.url("here")]) == 0
    assert cli.invoke(["stage", "--to", "new", missing]) == 1
    assert (folder / "new/here").read_text() == "content"
    assert "missing" in capsys.readouterr().err


@pytest.mark.system
def test_an_interrupt_keeps_what_arrived_and_the_next_call_goes_on(http_mortal: HttpServer, folder: Path) -> None:
    """Ctrl-C in mid-transfer: exit 130, no half file, and the bytes that are here are not sent again."""
    size = 400_000_000
    with (http_mortal.files / "big").open("wb") as file:
        file.truncate(size)
    url = http_mortal.url("big")
    command = subprocess.Popen([CRYOCLOUD, "stage", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + PATIENCE_S
    while not any(part.stat().st_blocks for part in (folder / "tmp").rglob("*.part")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    command.send_signal(signal.SIGINT)
    out, told = command.communicate(timeout=PATIENCE_S)

    assert (command.returncode, out) == (130, b"")
    assert b"interrupted; what arrived is kept" in told
    assert not [path for path in (folder / "tmp/cc/http").rglob("big") if path.is_file()]
    done = typed("stage", url)
    assert Path(os.fsdecode(done.stdout[:-1])).stat().st_size == size
    assert any("range" in asked.headers for asked in http_mortal.asked)
