"""`cryocloud run-module` runs one module once, on a real worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.cli import main as cli

MODULE = """
import sys
ccmodule = {"description": "Echo", "inputs": {"src": "", "n": "", "fail": "", "list": ""}, "outputs": {"got": ""}}


def process_task(worker, task):
    worker.log.info("hello from %s", task["module"])
    print("printed")
    worker.status["progress"] = 40
    if task["args"].get("fail"):
        raise ValueError("as asked \\x1b[31m")
    return 100, {"got": task["args"]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the current directory, with a module in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "echo.py").write_text(MODULE)
    (tmp_path / "task.json").write_text('{"args": {"src": "file", "n": 1}, "taskid": 7}')
    return tmp_path


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Give the tasks that would be run, without a worker."""
    made: list[Any] = []

    async def note(_registry: Any, task: Any) -> int:
        made.append(task)
        return 0

    monkeypatch.setattr("cryocloud_core.cli.single._drive", note)
    return made


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], {}),
        (["-f", "task.json"], {"src": "file", "n": 1}),
        (["--file", "task.json"], {"src": "file", "n": 1}),
        (["-t", '{"args": {"n": 2}}'], {"n": 2}),
        (["--task", "{}"], {}),
        (["--args", '{"n": null}'], {"n": None}),
        (["n=3", "src=a=b", "fail=", "list=[1]"], {"n": 3, "src": "a=b", "fail": "", "list": [1]}),
        (["-f", "task.json", "--args", '{"n": 5}', "src=x"], {"src": "x", "n": 5}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_arguments_come_from_each_source(
    args: list[str], expected: dict[str, Any], folder: Path, tasks: list[Any]
) -> None:
    """File, text, `--args` and ARG=VALUE are laid over each other in this order; a JSON value is read as such."""
    assert cli.invoke(["run-module", "echo", *args]) == 0
    assert tasks[0].args == expected
    assert tasks[0].code.path == str(folder / "echo.py")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-f", "no.json"], "--file no.json: cannot be read"),
        (["-t", "{"], "--task: is not JSON"),
        (["-t", "[1]"], "--task: must be a JSON object, got list"),
        (["-t", '{"args": 1}'], '"args" must be a JSON object'),
        (["--args", "1"], "--args: must be a JSON object, got int"),
        (["noequals"], "must be written ARG=VALUE"),
        (["scr=file"], "module 'echo': has no argument 'scr' (knows: src, n, fail, list) (did you mean \"src\"?)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_unreadable_arguments_are_usage_errors(
    args: list[str], said: str, folder: Path, tasks: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be read is told in one line with exit 2, and nothing runs."""
    assert cli.invoke(["run-module", "echo", *args]) == 2
    assert said in capsys.readouterr().err
    assert tasks == []


def test_modules_are_found_by_name_path_and_flag(folder: Path, tasks: list[Any], tmp_path: Path) -> None:
    """A name, the path of a file, and a directory given with --module-paths all lead to a module."""
    (folder / "deep").mkdir()
    (folder / "deep" / "other.py").write_text(MODULE)

    assert cli.invoke(["run-module", "noop"]) == 0
    assert cli.invoke(["run-module", "./echo.py"]) == 0
    assert cli.invoke(["run-module", "other", "--module-paths", "deep"]) == 0
    assert [task.module for task in tasks] == ["noop", "echo", "other"]


@pytest.mark.parametrize(
    ("module", "code", "said"),
    [
        ("ecko", 1, 'did you mean "echo"'),
        ("./gone.py", 1, "module './gone.py': is no file"),
        ("cmdline", 2, "is an input module"),
    ],
)
def test_what_cannot_be_run_is_refused(
    module: str, code: int, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown module, a missing file and an input module: one line each."""
    assert cli.invoke(["run-module", module]) == code
    assert said in capsys.readouterr().err


def test_debug_keeps_debug_records(folder: Path, tasks: list[Any]) -> None:
    """With --debug the task asks for DEBUG records."""
    cli.invoke(["run-module", "echo", "--debug"])
    cli.invoke(["run-module", "echo"])

    assert [task.log_level for task in tasks] == ["DEBUG", "INFO"]


def test_a_module_runs_on_a_real_worker(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its return value is on stdout, its log, status and output on stderr; exit 0, and 1 when it fails."""
    assert cli.invoke(["run-module", "echo", "n=3"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out) == {"got": {"n": 3}}
    assert "INFO hello from echo" in err
    assert "printed" in err
    assert "[progress] 40" in err

    assert cli.invoke(["run-module", "echo", "fail=true"]) == 1
    out, err = capfd.readouterr()
    assert r"failed: as asked \x1b[31m" in err


def test_help_lists_the_arguments_of_the_module(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever its name stands, installed or a file; what cannot be found is told and is no failure."""
    elsewhere = folder / "more"
    elsewhere.mkdir()
    entry = "def process_task(worker, task):\n    return {}\n"
    (elsewhere / "wide.py").write_text('ccmodule = {"description": "d", "outputs": {}}\n' + entry)
    (elsewhere / "bare.py").write_text('ccmodule = {"inputs": {}, "outputs": {}}\n' + entry)
    cases = {
        ("noop", "--help"): ["Arguments of noop:", "time", "Seconds", "--module-paths DIR"],
        ("--debug", "--args", "{}", "noop", "-h"): ["Arguments of noop:"],
        ("--module-paths", str(elsewhere), "wide", "-h"): ["Arguments of wide:", "not declared: any is taken"],
        (f"--module-paths={elsewhere}", "bare", "-h"): ["Arguments of bare:", "none"],
        (str(elsewhere / "bare.py"), "-h"): ["Arguments of bare:"],
        ("nosuch", "-h"): ['module "nosuch": not found', "--args JSON"],
        ("--help",): ["Usage: cryocloud run-module", "--args JSON"],
    }

    for words, said in cases.items():
        assert cli.invoke(["run-module", *words]) == 0
        out = capsys.readouterr().out
        assert [part for part in said if part not in out] == []
        assert ("Arguments of" in out) == ("Arguments of" in said[0])
