"""After Ctrl-C `cryocloud stage` and `put` say that something is kept only where the next call goes on with it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.services.httpserver import HttpServer
from tests.services.scriptserver import SILENCE, ScriptServer, answer, script_server  # noqa: F401 - a fixture
from tests.services.sshserver import SshServer

CRYOCLOUD = str(Path(sys.executable).parent / "cryocloud")
PATIENCE_S = 30.0
BEGIN = b"x" * 2_000_000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the current directory; its configuration keeps copies in `tmp`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cryocloud.toml").write_text(f'[CryoCloud.Worker]\ntempdir = "{tmp_path}/tmp"\n')
    return tmp_path


def has_begun(folder: Path) -> bool:
    """Return True when a file has begun to arrive."""
    for part in (folder / "tmp").rglob("*.part"):
        with contextlib.suppress(FileNotFoundError):  # it got its name this moment
            if part.stat().st_size >= len(BEGIN):
                return True
    return False


def interrupted(folder: Path, *words: str, whole: str = "") -> str:
    """Type a command, interrupt it once a file has begun to arrive and `whole` is there, and return what it says."""
    command = subprocess.Popen([CRYOCLOUD, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + PATIENCE_S
    while not (has_begun(folder) and (not whole or any((folder / "tmp").rglob(whole)))):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    command.send_signal(signal.SIGINT)
    out, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == 130
    assert whole or not out
    return told.decode()


@pytest.mark.parametrize(
    ("headers", "is_kept"),
    [
        ({"ETag": '"v"', "Accept_Ranges": "bytes"}, True),
        ({"Last_Modified": "Wed, 25 Nov 2026 19:07:56 GMT", "Accept_Ranges": "bytes"}, True),
        ({"ETag": '"v"'}, False),
        ({"ETag": '"v"', "Accept_Ranges": "none"}, False),
        ({"Accept_Ranges": "bytes"}, False),
        ({}, False),
    ],
)
def test_what_is_kept_is_said_where_it_can_be_used(
    script_server: ScriptServer,  # noqa: F811
    folder: Path,
    headers: dict[str, str],
    is_kept: bool,
) -> None:
    """With parts, and with something by which a version is known again; else it is said that it may begin anew."""
    headers = {**headers, "Content_Length": "4000000"}
    begin = answer("200 OK", BEGIN, **headers)
    script_server.answers = [answer("200 OK", b"", **headers), (begin, SILENCE)]
    said = interrupted(folder, "stage", script_server.url("/big"))
    assert ("what arrived is kept: the same command goes on from there" in said) == is_kept
    assert ("the same command may have to begin anew" in said) == (not is_kept)


def test_of_several_files_those_that_are_whole_are_kept(
    http_server: HttpServer,
    script_server: ScriptServer,  # noqa: F811
    folder: Path,
) -> None:
    """Though another one begins anew."""
    (http_server.files / "whole").write_text("x")
    headers = {"Content_Length": "4000000"}
    script_server.answers = [answer("200 OK", b"", **headers), (answer("200 OK", BEGIN, **headers), SILENCE)]
    said = interrupted(folder, "stage", http_server.url("whole"), script_server.url("/big"), whole="whole")
    assert "what arrived whole is kept; with the rest the same command may have to begin anew" in said


def test_what_is_sent_is_told_as_it_is(ssh_server: SshServer, folder: Path) -> None:
    """A file, named in full, is the old one; of a directory the files that arrived are new, each whole; no half one.

    Programs are told too.
    """
    tables = [
        f'["SSH"."{name}"]\n' + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
        for name, settings in ssh_server.config().items()
    ]
    (folder / "cryocloud.toml").write_text("\n".join(tables))
    (folder / "tree").mkdir()
    with (folder / "tree/big").open("wb") as file:
        file.truncate(300_000_000)
    for source, name, said in (
        ("tree/big", "big", " is what it was before"),
        ("tree", "tree", ": what arrived below it is whole: the same command sends the rest"),
    ):
        there = folder / f"to-{name}"
        there.mkdir()
        command = subprocess.Popen(
            [CRYOCLOUD, "put", "--json", source, ssh_server.url(f"{there}/")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + PATIENCE_S
        while not any(path.stat().st_size for path in there.rglob(".cc-*")):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        command.send_signal(signal.SIGINT)
        out, told = command.communicate(timeout=PATIENCE_S)
        assert command.returncode == 130
        url = ssh_server.url(f"{there}/{name}")
        assert f"{url}{said}" in told.decode()
        assert json.loads(out) == {"url": url, "error": f"{url}: interrupted"}
        assert [path.name for path in there.rglob("*") if path.is_file()] == []
