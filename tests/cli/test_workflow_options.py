"""A workflow's options are flags of `run` and `check`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.cli import main as cli

OPTIONS = {
    "lang": {"help": "The language", "default": "en"},
    "force": {"help": "Do it again", "type": "bool", "default": "true"},
    "bands": {"type": "list", "default": ["a", "b"]},
    "shape": {"type": "json", "default": {"x": 1}},
    "token": {"help": "The key to the store", "default": "hunter2", "secret": True},
    "bare": {},
}


def write(path: Path, options: dict[str, Any] = OPTIONS, name: str = "Flow") -> str:
    """Write a workflow with these options and return its path."""
    nodes = [{"module": "cmdline", "name": "In", "downstreamOf": ["entry"]}]
    workflow = {"name": name, "description": "Does [red]this[/red]\u001b[31m", "options": options, "nodes": nodes}
    path.write_text(json.dumps({"workflow": workflow}), encoding="utf-8")
    return str(path)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Give a workflow file with an option of each type."""
    return write(tmp_path / "flow.json")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Give the calls of what `run` would start, without starting it."""
    calls: list[dict[str, Any]] = []

    def note(flags: dict[str, Any]) -> int:
        calls.append({**flags, "typed": dict(flags["ctx"].meta["cryocloud.typed"])})
        return 0

    monkeypatch.setattr("cryocloud_core.cli.running.start", note)
    return calls


def test_help_shows_the_workflow_and_its_options(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Description, help and default are there; a secret's default and what would colour the terminal are not."""
    assert cli.invoke(["run", file, "--help"]) == 0
    out = capsys.readouterr().out

    assert r"Flow: Does [red]this[/red]\x1b[31m" in out
    assert "--lang TEXT" in out
    assert "The language  [default: en]" in out
    assert "--force / --no-force" in out
    assert "[default: true]" in out
    assert "--bands A,B,…" in out
    assert "[default: a,b]" in out
    assert "--shape FILE|JSON" in out
    assert '[default: {"x": 1}]' in out
    assert "The key to the store  [default: •••]" in out
    assert "hunter2" not in out
    assert "--once" in out


def test_options_are_read_wherever_they_stand(file: str, started: list[dict[str, Any]]) -> None:
    """FILE may be anywhere among the flags; an option before it is written with `=`."""
    after = [file, "--lang", "no", "--no-force", "--bands", "x, y", "--workers", "3"]
    before = ["--workers", "3", "--lang=no", "--no-force", "--bands=x, y", file]

    assert cli.invoke(["run", *after]) == 0
    assert cli.invoke(["run", *before]) == 0
    assert [call["typed"] for call in started] == [{"lang": "no", "force": False, "bands": "x, y"}] * 2
    assert [(call["workers"], [str(path) for path in call["files"]]) for call in started] == [(3, [file])] * 2


def test_a_value_may_look_like_a_file_or_a_flag(file: str, started: list[dict[str, Any]]) -> None:
    """The value of an option is never taken for a workflow file, and `=` allows any text."""
    assert cli.invoke(["run", file, "--lang", file, "--bare=--force"]) == 0
    assert started[0]["typed"] == {"lang": file, "bare": "--force"}
    assert len(started[0]["files"]) == 1


def test_options_of_several_files_come_together(tmp_path: Path, started: list[dict[str, Any]]) -> None:
    """Each file adds its options; a name that two declare is one flag for both."""
    one = write(tmp_path / "a.json", {"lang": {}, "level": {}}, "A")
    two = write(tmp_path / "b.json", {"lang": {}, "depth": {}}, "B")

    assert cli.invoke(["run", one, two, "--lang", "no", "--level", "1", "--depth", "2"]) == 0
    assert started[0]["typed"] == {"lang": "no", "level": "1", "depth": "2"}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--langg", "x"], "no such option: --langg; did you mean --lang?"),
        (["--lang"], "option '--lang' requires an argument"),
        (["--force=yes"], "option '--force' does not take a value"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_mistakes_name_the_nearest_option(
    command: str, args: list[str], said: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt option, a missing value: one line, exit 2."""
    assert cli.invoke([command, file, *args]) == 2
    assert said in capsys.readouterr().err


def test_a_hostile_option_cannot_take_part_in_help(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Escape codes in names, help and defaults are written out."""
    file = write(tmp_path / "f.json", {"a\u001b[2J": {"help": "\u001b]0;x\u0007", "default": "\u202e"}})

    cli.invoke(["run", file, "--help"])
    out = capsys.readouterr().out
    assert "\u001b" not in out
    assert "\u202e" not in out


def test_completion_offers_the_options_of_the_workflow(file: str) -> None:
    """What the shell asks for while a command line is typed knows the workflow's flags, and the command's own."""
    asking = {"_CRYOCLOUD_COMPLETE": "complete_bash", "COMP_WORDS": f"cryocloud run {file} --", "COMP_CWORD": "3"}
    program = Path(sys.executable).parent / "cryocloud"
    shown = subprocess.run([program], env={**os.environ, **asking}, capture_output=True, text=True, check=False)

    assert {"--lang", "--no-force", "--fresh"} <= set(shown.stdout.split())
    assert shown.stderr == ""


def test_help_lists_a_workflow_option_once(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The workflow's flags stand in their own section only."""
    cli.invoke(["run", file, "--help"])

    assert capsys.readouterr().out.count("--lang") == 1


@pytest.mark.parametrize("name", ["a/b", "a;b", "", "x y", "-x", "a=b", "help", "fresh", "--fresh", "no-json"])
def test_a_name_that_cannot_be_a_flag_breaks_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Help still works, and the problem is told as one of the file."""
    file = write(tmp_path / "f.json", {name: {"type": "bool"}, "fine": {}})

    assert cli.invoke(["run", file, "--help"]) == 0
    assert "--fine TEXT" in capsys.readouterr().out
    assert cli.invoke(["check", file]) == (0 if name == "no-json" else 2)
