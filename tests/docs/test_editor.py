"""The how-to on editors: what it tells editors to do fits what the command prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cryocloud_core.cli import main as cli

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "howto" / "editor.md").read_text(encoding="utf-8")


def test_the_settings_of_the_page_are_json() -> None:
    """They can be pasted; the schema's file is the one that the page has written."""
    settings, tasks = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
    [written] = re.findall(r"cryocloud schema --output (\S+)", PAGE)

    assert settings["json.schemas"][0]["url"] == f"./{written}"
    assert tasks["tasks"][0]["command"].startswith("cryocloud check ")


def test_the_pattern_of_the_page_finds_the_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """File, line, column and message are taken from what `check` prints of a wrong workflow."""
    monkeypatch.chdir(tmp_path)
    nodes = [{"module": "cmdline"}, {"module": "noop", "args": {"tiem": 1}}]
    Path("flow.json").write_text(json.dumps({"workflow": {"name": "F", "description": "d", "nodes": nodes}}, indent=1))
    pattern = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])["tasks"][0]["problemMatcher"]["pattern"]

    assert cli.invoke(["check", "flow.json"]) == 2
    found = [re.fullmatch(pattern["regexp"], line) for line in capsys.readouterr().err.splitlines()]
    assert len(found) == 2
    assert [each and each[pattern["file"]] for each in found] == ["flow.json"] * 2
    assert all(each and each[pattern["line"]].isdigit() and "nodes[1]" in each[pattern["message"]] for each in found)
