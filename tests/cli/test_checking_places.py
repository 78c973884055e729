"""`cryocloud check` tells files and places that can never work, also those that its command line gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.cli import main as cli


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a workflow whose places are all fine, in the current directory; its target is `--out`."""
    monkeypatch.chdir(tmp_path)
    src = {"value": ["/a", "s3://store/bucket/key"], "type": "file"}
    post = [{"output": "dst", "target": {"option": "out"}}, {"output": "dst", "target": "ssh://h/out/"}]
    node = {"module": "copyfiles", "name": "Copy", "downstreamOf": ["In"], "args": {"src": src, "dst": "/b"}}
    first = {"module": "cmdline", "name": "In", "downstreamOf": ["entry"]}
    options = {"out": {"help": "where to"}}
    workflow = {"name": "Flow", "description": "Tests", "options": options, "nodes": [first, {**node, "post": post}]}
    file = tmp_path / "flow.json"
    file.write_text(json.dumps({"workflow": workflow}, indent=1))
    return file


def told(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """Return what the line in question holds, and the finding, for each that was printed."""
    lines = Path("flow.json").read_text().splitlines()
    found = [line.split(":", 3) for line in capsys.readouterr().err.splitlines()]
    return [(lines[int(line) - 1].strip(), rest) for _, line, _, rest in found]


def test_places_that_may_work_are_left_alone(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is asked for them."""
    assert cli.invoke(["check", flow.name]) == 0
    assert cli.invoke(["check", flow.name, "--out", "/out/"]) == 0
    assert told(capsys) == []


@pytest.mark.parametrize(
    ("change", "code", "finding"),
    [
        (("s3://store/bucket/key", "small/rel.dat"), 0, "W17 argument \"src\" can never work: 'small/rel.dat': need"),
        (("s3://store/bucket/key", "s3://store"), 0, "s3://store: names no bucket; write s3://store/bucket/key"),
        (
            ("ssh://h/out/", "http://h/out/"),
            2,
            'E37 bad post item: "target" can never work: http://h/out/: http:// cannot',
        ),
        (("ssh://h/out/", "rel/out/"), 2, "'rel/out/': need absolute path; write it whole"),
    ],
)
def test_a_literal_is_told_where_it_stands(
    flow: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], code: int, finding: str
) -> None:
    """A target stops a start, an argument does not."""
    flow.write_text(flow.read_text().replace(*change))

    assert cli.invoke(["check", flow.name]) == code
    ((line, found),) = told(capsys)
    assert change[1] in line
    assert finding in found


def test_a_value_on_the_command_line_is_judged_like_a_literal(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a warning, at the place that takes it, and nothing of a password is shown."""
    answers: list[Any] = []
    for out in ("http://h/out/", "ssh://u:hush@h/x/"):
        assert cli.invoke(["check", flow.name, "--out", out]) == 0
        answers += told(capsys)

    assert [line for line, _ in answers] == ['"target": {'] * 2
    assert 'W17 post "target" (option --out) can never work: http://h/out/: http:// cannot put' in answers[0][1]
    assert "holds a password" in answers[1][1]
    assert "hush" not in answers[1][1]
