"""`cryocloud stage` of many files of one server: read side by side as a workflow's are, told as if one by one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cryocloud_core.cli import main as cli
from cryocloud_core.files.small_reading import BATCH_FILES
from cryocloud_core.sdk.transfer import SMALL_BYTES
from tests.services.httpserver import HttpServer
from tests.services.scriptserver import SILENCE, Answer, Request, ScriptServer, answer

CRYOCLOUD = str(Path(sys.executable).parent / "cryocloud")
PATIENCE_S = 30.0
#: of the files that a server sends, the one with which it stays silent: the first ones have their names by then
SILENT = 2 * BATCH_FILES + 10


class SilentServer(ScriptServer):
    """Tells every file its own name, but for one."""

    def _next(self, request: Request) -> Answer:
        self.asked.append(request)
        return (SILENCE,) if request.target == f"/{SILENT}" else answer("200 OK", request.target.encode())


@pytest.fixture
def silent_server() -> Iterator[SilentServer]:
    """Give the server."""
    server = SilentServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the current directory; its configuration keeps copies in `tmp`, and says that files do not change."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cryocloud.toml").write_text(
        f'[CryoCloud.Worker]\ntempdir = "{tmp_path}/tmp"\n[HTTP]\nimmutable = true\n'
    )
    return tmp_path


def methods(server: HttpServer, name: str) -> Counter[str]:
    """Return how a file was asked for."""
    return Counter(asked.method for asked in server.asked if asked.path.endswith(f"/{name}"))


@pytest.mark.parametrize("to", [[], ["--to", "out"]])
def test_small_files_are_asked_for_once(
    http_mortal: HttpServer, folder: Path, capsys: pytest.CaptureFixture[str], to: list[str]
) -> None:
    """With one request each; what is large, missing or on this machine comes or fails as ever; all in their order."""
    names = [f"file{number}" for number in range(20)]
    for name in names:
        (http_mortal.files / name).write_text(name)
    (http_mortal.files / "large").write_bytes(b"x" * (SMALL_BYTES + 1))
    (folder / "own").write_text("own")
    urls = [*map(http_mortal.url, [*names[:10], "missing", "large", *names[10:]]), f"{folder}/own"]

    assert cli.invoke(["stage", *to, *urls, urls[0]]) == 1
    told = capsys.readouterr()
    found = [Path(path) for path in told.out.splitlines()]
    assert [path.name for path in found] == [*names[:10], "large", *names[10:], "own", names[0]]
    assert all(path.read_text() == path.name for path in found if path.name != "large")
    assert (told.err.count("\n"), told.err.partition(": ")[0]) == (1, http_mortal.url("missing"))
    assert {name: methods(http_mortal, name) for name in names} == {name: Counter(GET=1) for name in names}
    if to:
        assert {path.parent for path in found} == {folder / "out"}
        assert {path.name for path in Path("out").iterdir()} == {*names, "large", "own"}


def test_what_is_brought_for_good_side_by_side_is_ours_to_replace(
    http_mortal: HttpServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is current the next time, brought again when it changed, but not where somebody changed it here."""
    (folder / "cryocloud.toml").write_text(f'[CryoCloud.Worker]\ntempdir = "{folder}/tmp"\n')
    names = ["same", "newer", "touched", "taken"]
    for name in names:
        (http_mortal.files / name).write_text(name)
    (folder / "out").mkdir()
    (folder / "out/taken").write_text("mine")
    words = ["stage", "--to", "out", *map(http_mortal.url, names)]

    assert cli.invoke(words) == 1
    assert capsys.readouterr().err.startswith(
        f"{http_mortal.url('taken')}: {folder}/out/taken: exists, and is not known"
    )
    (http_mortal.files / "newer").write_text("newer one")
    (folder / "out/touched").write_text("by hand")
    (http_mortal.files / "touched").write_text("touched again")
    http_mortal.asked.clear()
    assert cli.invoke(words) == 1
    assert "was changed since it was brought here" in capsys.readouterr().err
    texts = {path.name: path.read_text() for path in (folder / "out").iterdir()}
    assert texts == {"same": "same", "newer": "newer one", "touched": "by hand", "taken": "mine"}
    assert methods(http_mortal, "same")["GET"] == 0


@pytest.mark.parametrize("to", [[], ["--to", "out"]])
@pytest.mark.parametrize("is_json", [False, True])
def test_what_came_before_an_interrupt_is_printed(
    silent_server: SilentServer, folder: Path, to: list[str], *, is_json: bool
) -> None:
    """However many arrive together; two interrupts of one moment are one, and are told as one."""
    urls = [silent_server.url(f"/{number}") for number in range(SILENT + 1)]
    words = [CRYOCLOUD, "stage", *to, *(["--json"] if is_json else []), *urls]
    command = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + PATIENCE_S
    while not any(asked.target == f"/{SILENT}" for asked in silent_server.asked):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    command.send_signal(signal.SIGSTOP)  # so that both are there at once, however slow this machine is
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGCONT):
        command.send_signal(number)
    out, told = command.communicate(timeout=PATIENCE_S)

    assert command.returncode == 130
    assert told.startswith("interrupted; what arrived ")
    paths = out.splitlines()
    if is_json:
        objects = [json.loads(line) for line in paths]
        assert [each["url"] for each in objects] == urls
        assert all(("error" in each) == (not each["paths"]) for each in objects)
        paths = [path for each in objects for path in each["paths"]]
    assert len(paths) >= BATCH_FILES
    assert [Path(path).read_text() for path in paths] == [f"/{Path(path).name}" for path in paths]
    if to:
        assert {Path(path).parent for path in paths} == {folder / "out"}


@pytest.mark.parametrize(("pause", "code", "out"), [("0", 0, "still there\n"), ("MOMENT_S * 1.1", -signal.SIGINT, "")])
def test_interrupts_of_one_moment_are_one(pause: str, code: int, out: str) -> None:
    """A second one neither raises nor ends anything, nor does one after the work; a later one ends the process."""
    program = (
        "import signal, time\n"
        "from cryocloud_core.cli.ear import Ear, Interrupted\n"
        "from cryocloud_core.interrupts import MOMENT_S, Strokes\n"
        f"at = iter((1.0, 1.0 + {pause}, 1.0 + {pause}))\n"
        "ear = Ear(strokes=Strokes(lambda: next(at)))\n"
        "with ear.open():\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    try:\n"
        "        ear.check()\n"
        "    except Interrupted:\n"
        "        print('still there')\n"
        "signal.raise_signal(signal.SIGINT)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, out, "")


def test_one_mistake_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With how many sources it is about, where there are several; programs have it for each."""
    (folder / "cryocloud.toml").write_text('[HTTP]\nimutable = "yes"\n')
    urls = [f"http://127.0.0.1:9/{number}" for number in range(30)]
    assert cli.invoke(["stage", "--json", *urls, "gopher://h/a"]) == 2
    told = capsys.readouterr()
    first, second = told.err.splitlines()
    assert "HTTP.imutable: is no setting" in first
    assert first.endswith(f" (30 sources, the first is {urls[0]})")
    assert second.startswith("gopher://h/a: ")
    objects = [json.loads(line) for line in told.out.splitlines()]
    assert [each["url"] for each in objects] == [*urls, "gopher://h/a"]
    assert all("HTTP.imutable: is no setting" in each["error"] for each in objects[:-1])


def test_a_single_mistake_is_told_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names its source; so does each of several that are about their sources."""
    (folder / "cryocloud.toml").write_text('[HTTP]\nimutable = "yes"\n')
    assert cli.invoke(["stage", "--json", "http://127.0.0.1:9/0", "/no/such", "/no/other"]) == 1
    told = capsys.readouterr()
    assert told.err.splitlines() == [json.loads(line)["error"] for line in told.out.splitlines()]
    assert "sources" not in told.err
