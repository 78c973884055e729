"""The how-to on modules: its examples are found, keep the contract and pass their own tests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cryocloud_core.graph.draft import Found
from cryocloud_core.modules.find import Finder
from cryocloud_core.modules.load import ModuleLoader
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.task import Code
from cryocloud_core.testing.feeds import Feed, InputConformance

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "write-a-module.md"


def blocks(language: str) -> list[str]:
    """Return the examples of the page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def example(containing: str) -> str:
    """Return the one Python example that contains a text."""
    [code] = [code for code in blocks("python") if containing in code]
    return code


def found(tmp_path: Path, name: str, code: str) -> Found:
    """Write an example beside a workflow and look it up."""
    (tmp_path / f"{name}.py").write_text(code)
    return Finder(tmp_path, Registry.of(), environ={}).find(name)


def test_the_processor_of_the_page_passes_the_tests_of_the_page(tmp_path: Path) -> None:
    """Its module and its tests, as they stand there, in a folder of their own."""
    assert found(tmp_path, "line_stats", example("Counts the lines")).spec.provides == ("Statistics",)
    (tmp_path / "test_line_stats.py").write_text(example("ProcessorConformance"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout
    assert re.search(r"1\d passed, 1 skipped", ran.stdout)


def test_the_node_of_the_page_is_json() -> None:
    """The node names the module and an argument that it declares."""
    [node] = [json.loads(block) for block in blocks("json")]

    assert (node["module"], list(node["args"])) == ("line_stats", ["src"])


def test_the_child_program_of_the_page_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example calls the program, and raises with its words when it fails."""
    program = tmp_path / "gdalinfo"
    program.write_text("#!/bin/sh\necho no such file >&2\nexit 4\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    module = ModuleType("example")
    exec(example("gdalinfo"), module.__dict__)

    class Worker:
        """A worker that is only asked for its log."""

        class log:  # noqa: N801 -- the contract's name
            """Throws lines away."""

            debug = staticmethod(lambda line: None)

    with pytest.raises(RuntimeError, match="gdalinfo ended with exit code 4: no such file"):
        module.process_task(Worker, {"args": {"src": "x"}}, threading.Event())


class Names:
    """Names that are added to a list."""

    def __init__(self, root: Path) -> None:
        self.path = root / "list"
        self.args: dict[str, Any] = {"list": str(self.path)}

    def arrive(self, name: str) -> None:
        """Add a line."""
        with self.path.open("a") as lines:
            lines.write(f"{name}\n")

    def vanish(self, name: str) -> None:
        """Do nothing: a list only grows."""


class TestTheInputOfThePage(InputConformance):
    """The input keeps what every input keeps."""

    bad_args = (({}, "list"), ({"list": "/nowhere"}, "list"))
    things_vanish = False

    @pytest.fixture
    def module(self, tmp_path: Path) -> ModuleType:
        """Give the example, found and loaded as a head does."""
        there = found(tmp_path, "names", example("One pebble for each name"))
        assert there.spec.input_type == "singlerun"
        return ModuleLoader(Registry.of()).load(Code(path=there.code.path))

    @pytest.fixture
    def feed(self, tmp_path: Path) -> Feed:
        """Give a list."""
        return Names(tmp_path)
