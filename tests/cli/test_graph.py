"""`cryocloud graph` writes a workflow's graph where it is wanted, in the format that is wanted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from cryocloud_core.cli import main as cli

NODES = [
    {"module": "cmdline", "name": "In", "downstreamOf": ["entry"]},
    {"module": "noop", "name": 'A "]', "downstreamOf": ["In"], "runOn": "success"},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the current directory, with a workflow in it."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    return tmp_path


def write(folder: Path, **more: Any) -> None:
    """Write the workflow."""
    (folder / "flow.json").write_text(
        json.dumps({"workflow": {"name": "Flow", "description": "d", "nodes": NODES} | more})
    )


def test_text_is_what_is_shown_without_a_word(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Indented lines on stdout."""
    assert cli.invoke(["graph", "flow.json"]) == 0
    assert capsys.readouterr().out == 'Flow: d\n  In (cmdline)  [input]\n    A "] (noop)\n'


@pytest.mark.parametrize(("form", "begin"), [("mermaid", "flowchart TD\n"), ("dot", "digraph workflow {\n")])
def test_a_format_goes_to_a_file(folder: Path, form: str, begin: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--output`, or `-o`, names it, and stdout stays empty."""
    assert cli.invoke(["graph", "flow.json", "--format", form, "--output", "a"]) == 0
    assert cli.invoke(["graph", "-o", "b", "--format", form, "flow.json"]) == 0
    assert capsys.readouterr().out == ""
    assert (folder / "a").read_text().startswith(begin)
    assert (folder / "a").read_text() == (folder / "b").read_text()


def test_svg_is_drawn_by_graphviz(folder: Path, program: Callable[[str], str]) -> None:
    """It is a drawing that holds the names."""
    program("graphviz")

    assert cli.invoke(["graph", "flow.json", "--format", "svg", "--output", "flow.svg"]) == 0
    drawing = ET.fromstring((folder / "flow.svg").read_text())

    assert drawing.tag.endswith("}svg")
    assert 'A "] (noop)' in "".join(drawing.itertext()).replace("\xa0", " ")


def test_svg_without_graphviz_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the package and the other ways; exit 2."""
    monkeypatch.setenv("PATH", str(folder))

    assert cli.invoke(["graph", "flow.json", "--format", "svg"]) == 2
    assert "install the package graphviz, or take --format dot" in capsys.readouterr().err


def test_graphviz_that_fails_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its exit code and its words; exit 1."""
    (folder / "dot").write_text("#!/bin/sh\necho no memory >&2\nexit 4\n")
    (folder / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))

    assert cli.invoke(["graph", "flow.json", "--format", "svg"]) == 1
    assert "ended with exit code 4: no memory" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with the path; exit 2."""
    assert cli.invoke(["graph", "flow.json", "--output", "nowhere/flow.dot"]) == 2
    assert capsys.readouterr().err == "nowhere/flow.dot: cannot be written: No such file or directory\n"


def test_a_workflow_with_errors_is_not_drawn(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its problems are told instead; exit 2."""
    write(folder, nodes=[*NODES, {"module": "noop", "name": "B"}])

    assert cli.invoke(["graph", "flow.json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert 'nodes[2] "B": E08' in err


def test_a_workflow_may_have_an_option_that_the_command_has_too(folder: Path) -> None:
    """The flag is the command's; the workflow's other options may still be given."""
    write(folder, options={"output": {}, "format": {"type": "bool"}, "deep": {"type": "bool"}})

    assert cli.invoke(["graph", "--output", "a", "flow.json", "--deep", "--format", "dot"]) == 0
    assert (folder / "a").read_text().startswith("digraph")
