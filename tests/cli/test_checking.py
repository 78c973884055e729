"""`cryocloud check` tells every problem with its place, and shows the graph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.cli import main as cli

STUB = """
ccmodule = {
    "description": "A stub", "depends": ["Product"], "provides": [],
    "inputs": {"src": "", "configOverride": "", "program": "", "configFile": "", "product": ""},
    "outputs": {"product": ""}, "defaults": {"runOn": "success"},
}


def process_task(worker, task):
    return 100, {}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the current directory, with two stub modules in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("wind", "KSAT_report"):
        (tmp_path / f"{name}.py").write_text(STUB)
    return tmp_path


def write(folder: Path, *nodes: dict[str, Any], **more: Any) -> str:
    """Write a workflow with these nodes below an input and return its name."""
    first = {"module": "cmdline", "name": "In", "downstreamOf": ["entry"], "provides": ["Product"]}
    workflow = {"name": "Flow", "description": "Tests", "nodes": [first, *nodes], **more}
    (folder / "flow.json").write_text(json.dumps({"workflow": workflow}, indent=1))
    return "flow.json"


def test_a_sound_workflow_shows_its_graph(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each node stands below its first parent, with what is special about it; exit 0."""
    file = write(
        folder,
        {"module": "wind", "name": "L", "downstreamOf": ["In"], "args": {"src": "x"}, "max_parallel": 2},
        {"module": "wind", "name": "R", "downstreamOf": ["In"], "runIf": "option:deep"},
        {"module": "noop", "name": "J", "downstreamOf": ["R", "L"], "runOn": "always"},
        {"module": "noop", "name": "Off", "downstreamOf": ["J"], "runOn": "never"},
        {"module": "noop", "name": "Clean", "downstreamOf": ["J"], "deferred": True, "runOn": "success"},
        {"module": "noop", "name": "Mail", "global": True, "runOn": "error"},
        options={"deep": {"type": "bool"}},
    )

    assert cli.invoke(["check", file]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Flow: Tests",
        "  In (cmdline)  [input]",
        "    L (wind)  [at most 2]",
        "    R (wind)  [if option:deep]",
        "      J (noop)  [all of R, L; always]",
        "        Off (noop)  [never]",
        "        Clean (noop)  [deferred]",
        "  Mail (noop)  [global; on error, timeout]",
        "flow.json: no errors",
    ]


def test_every_problem_is_told_with_its_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All findings of a file come at once, each `FILE:LINE:COL: place: code message`; exit 2, no graph."""
    file = write(
        folder,
        {"module": "wind", "name": "W", "downstreamOf": ["Im"], "args": {"srcc": 1}},
        {"module": "wimd", "name": "V", "downstreamOf": ["In"]},
    )

    assert cli.invoke(["check", file]) == 2
    out, err = capsys.readouterr()
    found = [line.split(": ")[1:3] for line in err.splitlines()]
    assert out == ""
    assert [place for place, _ in found] == ['nodes[1] "W"', 'nodes[1] "W"', 'nodes[2] "V"']
    assert [code[:3] for _, code in found] == ["E11", "E17", "E15"]
    assert all(line.startswith("flow.json:") for line in err.splitlines())


def test_strict_makes_errors_of_warnings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt key is a warning, and an error with --strict."""
    file = write(folder, {"module": "wind", "name": "W", "downstreamOf": ["In"], "maxParallel": 1})

    assert cli.invoke(["check", file]) == 0
    out, err = capsys.readouterr()
    assert "W04" in err
    assert out.endswith("flow.json: no errors, 1 warning\n")
    assert cli.invoke(["check", file, "--strict"]) == 2


def test_modules_are_found_where_an_option_or_a_flag_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`workdir` from an option and `--module-paths` both lead to a module."""
    (folder / "deep").mkdir()
    (folder / "deep" / "hidden.py").write_text(STUB)
    by_flag = {"module": "hidden", "name": "H", "downstreamOf": ["In"]}
    by_option = {**by_flag, "workdir": {"option": "dir"}}

    assert cli.invoke(["check", write(folder, by_flag)]) == 2
    assert cli.invoke(["check", write(folder, by_flag), "--module-paths", f"nowhere:{folder / 'deep'}"]) == 0
    assert cli.invoke(["check", write(folder, by_option, options={"dir": {}}), "--dir", "deep"]) == 0
    assert "hidden" in capsys.readouterr().out


def test_a_definition_built_by_code_needs_a_flag(folder: Path) -> None:
    """`--import-modules` allows what cannot be read without running it."""
    (folder / "made.py").write_text(
        "ccmodule = dict(description='made', inputs={})\ndef process_task(w, t): return {}\n"
    )
    file = write(folder, {"module": "made", "name": "M", "downstreamOf": ["In"]})

    assert cli.invoke(["check", file]) == 2
    assert cli.invoke(["check", file, "--import-modules"]) == 0


def test_a_missing_profile_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--profile` names a file that must exist."""
    assert cli.invoke(["check", write(folder), "--profile", "night"]) == 2
    assert "night" in capsys.readouterr().err


def test_debug_shows_where_an_error_comes_from(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --debug an expected error has its traceback too."""
    assert cli.invoke(["check", write(folder), "--profile", "night", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_several_files_are_checked_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file gets its verdict; one bad file makes the exit code 2."""
    good = write(folder, {"module": "wind", "name": "W", "downstreamOf": ["In"]})
    (folder / "bad.json").write_text("{")

    assert cli.invoke(["check", good, "bad.json"]) == 2
    out, err = capsys.readouterr()
    assert "flow.json: no errors" in out
    assert err.startswith("bad.json:1:2: E01")


def test_a_misspelt_setting_of_workers_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """However many files are checked; modules' own settings are not, and nothing is refused."""
    (folder / "cryocloud.toml").write_text('[CryoCloud.Worker]\ntempdri = "/t"\nOcean = 1\n')
    file = write(folder)
    (folder / "other.json").write_text((folder / file).read_text().replace("Flow", "Other"))
    assert cli.invoke(["check", file, "other.json"]) == 0
    told = 'CryoCloud.Worker.tempdri is no setting of CryoCloud (did you mean "tempdir"?)'
    assert capsys.readouterr().err.splitlines() == [told]


def test_wrong_settings_are_errors_of_the_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each once, however many files are checked; what another machine may have is a warning."""
    (folder / "cryocloud.toml").write_text(
        '[HTTP]\nimutable = true\ntoken = {env = "NOT_SET_HERE"}\n[CryoCloud.Worker]\ntransfer_retries = "many"\n'
    )
    file = write(folder)
    (folder / "other.json").write_text((folder / file).read_text().replace("Flow", "Other"))
    assert cli.invoke(["check", file, "other.json"]) == 2
    out, err = capsys.readouterr()
    assert [line.partition(": ")[0] for line in err.splitlines()] == [
        "CryoCloud.Worker.transfer_retries",
        "HTTP.imutable",
        "HTTP.token",
    ]
    assert out.endswith("other.json: no errors in it, 2 in its settings\n")
