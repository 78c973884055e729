"""Secrets of URLs are not on the screen: in a pebble's story, in status rows, in errors, in the bar of a transfer."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cryocloud_core.cli import main as cli
from cryocloud_core.cli.explain_showing import Live, lines_of
from cryocloud_core.cli.status_showing import shown
from cryocloud_core.cli.transfer_bar import bar
from cryocloud_core.engine.explain import PebbleTold, RunTold
from cryocloud_core.engine.reasons import ArgumentTold
from cryocloud_core.files.moving import Moving
from cryocloud_core.head.retelling import Story
from cryocloud_core.sdk.url import Url
from tests.services.httpserver import HttpServer

CRYOCLOUD = str(Path(sys.executable).parent / "cryocloud")
URL = "https://web/a.zip?id=42&token=Zq123"
SHOWN = "https://web/a.zip?id=42&token=•••"


class Screen(io.StringIO):
    """A terminal of a hundred columns."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


def test_a_story_tells_no_secret_of_a_url() -> None:
    """Of an argument, an output, the place where post left a file, the value that a condition saw."""
    value = ArgumentTold("src", "In.url", value=URL)
    ran = RunTold("W", "W", "", "success", f"{URL} == 1", args=(value,), outputs={"dst": [URL]}, posted=("dst",))
    told = PebbleTold(42, "Flow", "In", URL, 1e9, "main", "", "In", "success", None, (ran,))
    lines = "\n".join(lines_of(Story(told, "finished"), Live()))
    assert lines.count(SHOWN) == 4
    assert "Zq123" not in lines


def test_status_rows_tell_no_secret_of_a_url() -> None:
    """Also inside other values."""
    assert shown(URL) == SHOWN
    assert shown([URL]) == f'["{SHOWN}"]'


def test_the_bar_tells_no_secret_of_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the file, with what tells it from others."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    with bar(screen) as show:
        show(Moving(Url.parse(URL), 1, 2))
        show(Moving(Url.parse("s3://store/bucket/folder/"), 1, 2))
    assert "a.zip?id=42&token=•••" in screen.getvalue()
    assert "folder" in screen.getvalue()
    assert "Zq123" not in screen.getvalue()


def test_errors_of_stage_tell_no_secret(
    http_server: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a file that is not there, and of two that would take each other's place."""
    monkeypatch.chdir(tmp_path)
    gone = http_server.url("gone")
    assert cli.invoke(["stage", f"{gone}?token=Zq123"]) == 1
    assert cli.invoke(["stage", f"{gone}?token=Zq123", f"{gone}?token=Zq456", "--to", "out"]) == 2
    said = capsys.readouterr().err
    assert said.count("/gone?token=•••") == 3
    assert "Zq" not in said


FLOW = {
    "name": "Flow",
    "description": "Fetches",
    "options": {"src": {"default": ""}},
    "nodes": [
        {"module": "cmdline", "name": "In", "downstreamOf": ["entry"]},
        {
            "module": "look",
            "name": "Look",
            "downstreamOf": ["In"],
            "runIf": "option:src != 3",
            "args": {"src": {"option": "src", "type": "file"}, "more": {"option": "src"}},
        },
    ],
}
LOOK = """
ccmodule = {"description": "Looks", "depends": [], "provides": [], "inputs": {"src": "", "more": ""}, "outputs": {}}


def process_task(worker, task):
    worker.files.fetch(task["args"]["more"].replace("here", "gone"))
"""


@pytest.mark.system
@pytest.mark.parametrize("name", ["here", "gone"])
def test_a_run_tells_no_secret_of_a_url(http_server: HttpServer, tmp_path: Path, name: str) -> None:
    """Neither while it runs nor to who asks later, whether staging fails or a module with what it fetches itself."""
    (http_server.files / "here").write_text("x")
    (tmp_path / "look.py").write_text(LOOK)
    (tmp_path / "flow.json").write_text(json.dumps({"workflow": FLOW}))
    (tmp_path / "cryocloud.toml").write_text(f'[CryoCloud.Worker]\ntempdir = "{tmp_path}/tmp"\n')
    url = f"{http_server.url(name)}?id=42&token=Zq123"
    said = {}
    for command in (f"run flow.json --src {url} --json", "log", "status", "explain 1", "pebbles"):
        words = [CRYOCLOUD, *command.split(), "--state-dir", "state"]
        done = subprocess.run(words, capture_output=True, timeout=60, check=False, cwd=tmp_path)
        said[command.split()[0]] = done.stdout.decode() + done.stderr.decode()
    shown = f"{http_server.url('gone')}?id=42&token=•••"
    assert [command for command, text in said.items() if "Zq123" in text] == []
    assert shown in said["explain"]
    assert shown in said["log"] + said["run"] + said["pebbles"]


TALK = """
import sys

ccmodule = {"description": "Talks", "depends": [], "provides": [], "inputs": {"src": ""}, "outputs": {"src": ""}}


def process_task(worker, task):
    url = task["args"]["src"]
    worker.log.warning("logs %s", url)
    print("prints", url)
    print("complains of", url, file=sys.stderr)
    worker.status["now"] = url
    if url.endswith("id=3"):
        raise ValueError(f"raises {url}, {url.partition('/a')[2]}")
    return 100, {"src": url}
"""
TALKED = ("logs", "prints", "complains of")
TALKS = "http://web/a?token=Zq123&id="


def typed(folder: Path, command: str) -> str:
    """Run a command in a folder and return all that it said."""
    done = subprocess.run(
        [CRYOCLOUD, *command.split()], capture_output=True, timeout=60, check=False, cwd=folder, text=True
    )
    return done.stdout + done.stderr


@pytest.mark.system
def test_words_of_a_module_have_no_secret_of_a_url(tmp_path: Path) -> None:
    """Logged, printed or raised: not while it runs, nor to who asks later."""
    flow = {
        "name": "Flow",
        "description": "Talks",
        "options": {"src": {"default": ""}},
        "nodes": [
            {"module": "cmdline", "name": "In", "downstreamOf": ["entry"]},
            {"module": "talk", "name": "Talk", "downstreamOf": ["In"], "args": {"src": {"option": "src"}}},
        ],
    }
    (tmp_path / "talk.py").write_text(TALK)
    (tmp_path / "flow.json").write_text(json.dumps({"workflow": flow}))
    commands = (f"run flow.json --src {TALKS}3 --json", f"run flow.json --src {TALKS}3", "log", "explain 1", "pebbles")
    said = {command: typed(tmp_path, f"{command} --state-dir state") for command in commands}
    said["run-module"] = typed(tmp_path, f"run-module talk src={TALKS}3")
    assert [command for command, text in said.items() if "Zq123" in text] == []
    for each in TALKED:
        assert f"{each} http://web/a?token=•••&id=3" in said["log"]
    for command in ("log", "explain 1", "pebbles", "run-module"):
        assert "raises http://web/a?token=•••&id=3, ?token=•••&id=3" in said[command]


@pytest.mark.system
def test_outputs_keep_the_secrets_of_urls(tmp_path: Path) -> None:
    """They are data: who has them asks with them."""
    (tmp_path / "talk.py").write_text(TALK)
    done = subprocess.run(
        [CRYOCLOUD, "run-module", "talk", f"src={TALKS}4"], capture_output=True, timeout=60, check=True, cwd=tmp_path
    )
    assert json.loads(done.stdout) == {"src": f"{TALKS}4"}
    assert b"Zq123" not in done.stderr


FEED = """
ccmodule = {"description": "Feeds", "inputs": {"src": ""}, "outputs": {}, "provides": [], "input_type": "singlerun"}


def start(handler, args, stop_event):
    handler.log.warning("logs %s", args["src"])
    raise ValueError(f"raises {args['src']}")
"""


@pytest.mark.system
def test_words_of_an_input_module_have_no_secret_of_a_url(tmp_path: Path) -> None:
    """They are spoken in the head, and covered there."""
    node = {"module": "feed", "name": "In", "downstreamOf": ["entry"], "args": {"src": f"{TALKS}3"}}
    (tmp_path / "feed.py").write_text(FEED)
    flow = {"name": "Flow", "description": "Feeds", "nodes": [node]}
    (tmp_path / "flow.json").write_text(json.dumps({"workflow": flow}))
    said = {command: typed(tmp_path, f"{command} --state-dir state") for command in ("run flow.json", "log")}
    assert "Zq123" not in "".join(said.values())
    for text in said.values():
        assert "raises http://web/a?token=•••&id=3" in text
    assert "logs http://web/a?token=•••&id=3" in said["log"]


def test_a_list_of_settings_tells_no_secret_of_a_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who asks for the one setting gets it whole."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cryocloud.toml").write_text('[HTTP]\nproxy = "http://me:Zq123@proxy:3128"\n')
    assert cli.invoke(["config", "list", "HTTP.proxy"]) == 0
    assert '"http://•••@proxy:3128"' in capsys.readouterr().out
    assert cli.invoke(["config", "get", "HTTP.proxy"]) == 0
    assert capsys.readouterr().out == "http://me:Zq123@proxy:3128\n"
