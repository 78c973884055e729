"""After Ctrl-C `cryocloud stage` prints what came whole before, as it does when some of several files fail."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cryocloud_core.files.together import WIDTH
from tests.files.folder_transfer import zipped
from tests.services.httpserver import HttpServer
from tests.services.scriptserver import SILENCE, Answer, Request, ScriptServer, answer

CRYOCLOUD = str(Path(sys.executable).parent / "cryocloud")
PATIENCE_S = 30.0


def command_of(*words: str) -> subprocess.Popen[str]:
    """Begin to stage something."""
    return subprocess.Popen([CRYOCLOUD, "stage", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(command: subprocess.Popen[str], until: Callable[[], bool]) -> tuple[str, str]:
    """Interrupt a command at the right moment, and return what it wrote to stdout and stderr."""
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    command.send_signal(signal.SIGINT)
    said = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == 130
    return said


class SilentServer(ScriptServer):
    """Tells of every file how long it is, and sends its begin; when it `is_mute` it says nothing at all."""

    is_mute = False

    def _next(self, request: Request) -> Answer:
        self.asked.append(request)
        if self.is_mute:
            return (SILENCE,)
        begin = answer("200 OK", b"" if request.method == "HEAD" else b"x", Content_Length="4000000")
        return begin if request.method == "HEAD" else (begin, SILENCE)


@pytest.fixture
def silent_server() -> Iterator[SilentServer]:
    """Give the server."""
    server = SilentServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the current directory; its configuration keeps copies in `tmp`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cryocloud.toml").write_text(f'[CryoCloud.Worker]\ntempdir = "{tmp_path}/tmp"\n')
    return tmp_path


def interrupted(server: SilentServer, *words: str) -> tuple[str, str]:
    """Stage with so many sources of a silent server that all others are done when each is brought alone; interrupt it.

    What was written to stdout and stderr is returned.
    """
    silent = [f"/silent{number}" for number in range(WIDTH)]

    def is_brought(target: str) -> bool:
        methods = "".join(f"{asked.method} " for asked in server.asked if asked.target == target)
        return ("HEAD " if server.is_mute else "HEAD GET ") in methods

    return ended(command_of(*words, *map(server.url, silent)), lambda: all(map(is_brought, silent)))


@pytest.mark.parametrize(("unzip", "to"), [(False, False), (True, True)])
@pytest.mark.parametrize("is_json", [False, True])
def test_what_came_before_is_printed(
    http_server: HttpServer,
    silent_server: SilentServer,
    folder: Path,
    *,
    to: bool,
    unzip: bool,
    is_json: bool,
) -> None:
    """What did not come is told to programs with why; people are told what failed, and once that it was interrupted."""
    (http_server.files / "whole.zip").write_bytes(zipped(one="1", two="2"))
    switches = [*(["--unzip"] if unzip else []), *(["--to", "out"] if to else []), *(["--json"] if is_json else [])]
    whole, none = http_server.url("whole.zip"), http_server.url("none")
    out, told = interrupted(silent_server, *switches, whole, none)

    lines = out.splitlines()
    if is_json:
        first, second, *others = map(json.loads, lines)
        paths = first.pop("paths")
        assert first == {"url": whole}
        assert (second["url"], second["paths"], second["error"].partition(": ")[0]) == (none, [], none)
        urls = [silent_server.url(f"/silent{number}") for number in range(WIDTH)]
        assert others == [{"url": url, "paths": [], "error": f"{url}: interrupted"} for url in urls]
    else:
        paths = lines
    assert [Path(path).name for path in paths] == (["one", "two"] if unzip else ["whole.zip"])
    assert all(Path(path).is_file() for path in paths)
    assert to == all(folder / "out" in Path(path).parents for path in paths)
    failed, stopped = told.splitlines()
    assert failed.startswith(f"{none}: ")
    assert stopped.startswith("interrupted; what arrived ")


@pytest.mark.parametrize("is_json", [False, True])
def test_one_file_that_did_not_come_is_told_to_programs(
    silent_server: SilentServer,
    folder: Path,
    *,
    is_json: bool,
) -> None:
    """As the only one."""
    url = silent_server.url("/silent")
    command = command_of(*(["--json"] if is_json else []), url)
    out, told = ended(command, lambda: any(asked.method == "GET" for asked in silent_server.asked))
    assert (told.count("\n"), told.partition("; ")[0]) == (1, "interrupted")
    found = [json.loads(line) for line in out.splitlines()]
    assert found == ([{"url": url, "paths": [], "error": f"{url}: interrupted"}] if is_json else [])


def test_what_was_here_is_not_said_to_be_missing(silent_server: SilentServer, folder: Path) -> None:
    """Nothing of it was on its way, and what was unpacked of it is whole."""
    silent_server.is_mute = True
    (folder / "small.zip").write_bytes(zipped(one="1"))
    out, told = interrupted(silent_server, "--unzip", str(folder / "small.zip"))
    assert out == f"{folder}/small/one\n"
    assert told == "interrupted; what is printed is whole; nothing of the rest had arrived\n"
