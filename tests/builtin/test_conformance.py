"""Every built-in module keeps the contract of its kind, and the package offers exactly what it should."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from cryocloud_core.files.service import FileService
from cryocloud_core.files.unpacked import Unpacking
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.testing.feeds import InputConformance
from cryocloud_core.testing.processors import ProcessorConformance, spec_in
from cryocloud_core.testing.worker import LocalWorker
from cryocloud_modules_builtin import (
    archive,
    cmdline,
    copyfiles,
    dirwatcher,
    git,
    jsonparse,
    move,
    noop,
    plugin,
    read_geojson,
    remove,
    unzip,
    waitforfile,
)


class Conformance(ProcessorConformance):
    """The kit with the worker's real file service."""

    @pytest.fixture
    def worker(self, tmp_path: Path) -> Iterator[LocalWorker]:
        """Give a worker with files."""
        tempdir = tmp_path / "worker-tmp"
        tempdir.mkdir()
        with LocalWorker({"tempdir": str(tempdir)}, FileService(Unpacking(tempdir))) as made:
            yield made

    @pytest.fixture
    def a_file(self, tmp_path: Path) -> str:
        """Give a file."""
        (tmp_path / "a").write_text("{}")
        return str(tmp_path / "a")


class TestNoop(Conformance):
    """Waiting."""

    bad_args = (({"time": "soon"}, "time"), ({"randomize": "perhaps"}, "randomize"))
    long_args: ClassVar = {"time": 10}

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return noop

    @pytest.fixture
    def good_args(self) -> dict[str, Any]:
        """A short wait."""
        return {"time": 0.01, "ignored": 7}


class TestCopyfiles(Conformance):
    """Copying."""

    bad_args = (({"dst": "/x"}, "src"), ({"src": "/a"}, "dst"), ({"src": "/none", "dst": "/tmp"}, "/none"))

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return copyfiles

    @pytest.fixture
    def good_args(self, tmp_path: Path, a_file: str) -> dict[str, Any]:
        """One file."""
        return {"src": a_file, "dst": str(tmp_path / "out")}


class TestMove(Conformance):
    """Moving."""

    bad_args = (({}, "src"), ({"src": "/a"}, "dst"), ({"src": "/none", "dst": "/tmp/"}, "/none"))

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return move

    @pytest.fixture
    def good_args(self, tmp_path: Path, a_file: str) -> dict[str, Any]:
        """One file."""
        return {"src": a_file, "dst": f"{tmp_path}/out/"}


class TestRemove(Conformance):
    """Removing."""

    bad_args = (({"src": "/"}, "'/'"), ({"src": [7]}, "src"), ({"recursive": "perhaps"}, "recursive"))

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return remove

    @pytest.fixture
    def good_args(self, a_file: str) -> dict[str, Any]:
        """One file."""
        return {"src": a_file}


class TestUnzip(Conformance):
    """Unpacking."""

    bad_args = (({}, "src"), ({"src": "/none.zip"}, "/none.zip"))

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return unzip

    @pytest.fixture
    def good_args(self, tmp_path: Path) -> dict[str, Any]:
        """One archive."""
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
            made.writestr("x", "x")
        return {"src": str(tmp_path / "a.zip")}


class TestWaitforfile(Conformance):
    """Waiting for files."""

    bad_args = (({}, "fileList"), ({"fileList": "x"}, "dir"), ({"fileList": "/x", "timeout": "soon"}, "timeout"))
    long_args: ClassVar = {"fileList": "/none/such"}

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return waitforfile

    @pytest.fixture
    def good_args(self, tmp_path: Path, a_file: str) -> dict[str, Any]:
        """A file that is there."""
        return {"dir": str(tmp_path), "fileList": [Path(a_file).name], "stabilize": 0.05}


class TestArchive(Conformance):
    """Archiving."""

    bad_args = (({}, "dst"), ({"dst": "/tmp/x", "maxage": "old"}, "maxage"))

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return archive

    @pytest.fixture
    def good_args(self, tmp_path: Path, a_file: str) -> dict[str, Any]:
        """One file."""
        return {"src": a_file, "dst": str(tmp_path / "archive"), "maxsize": 1}


class TestJsonparse(Conformance):
    """Parsing."""

    bad_args = (({}, "path"), ({"path": "/none.json"}, "/none.json"))

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return jsonparse

    @pytest.fixture
    def good_args(self, a_file: str) -> dict[str, Any]:
        """A JSON file."""
        return {"path": a_file}


class TestReadGeojson(Conformance):
    """Reading features."""

    bad_args = (({}, "src"), ({"src": "/none.json"}, "/none.json"))

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return read_geojson

    @pytest.fixture
    def good_args(self, tmp_path: Path) -> dict[str, Any]:
        """A file with one feature."""
        (tmp_path / "a.json").write_text(json.dumps([{"type": "Feature", "properties": {"name": "a"}}]))
        return {"src": str(tmp_path / "a.json")}


class TestGit(Conformance):
    """Cloning."""

    bad_args = (({}, "dst"), ({"dst": "/tmp/x"}, "src"), ({"dst": "/tmp/x", "list": [1]}, "list"))

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return git

    @pytest.fixture
    def good_args(self, tmp_path: Path) -> dict[str, Any]:
        """A repository with one commit."""
        identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "init", "-q", "-b", "master", tmp_path / "repo"], check=True)
        commit = ["git", *identity, "commit", "-q", "--allow-empty", "-m", "one"]
        subprocess.run(commit, cwd=tmp_path / "repo", check=True)
        return {"src": str(tmp_path / "repo"), "dst": str(tmp_path / "code")}


class Folder:
    """Files that arrive in a watched folder."""

    def __init__(self, path: Path, **more: Any) -> None:
        self.path = path
        self.args: dict[str, Any] = {"src": str(path), "stabilize": 0.1, **more}

    def arrive(self, name: str) -> None:
        """A file is moved in."""
        (self.path.parent / f"outside-{name}").write_text(name)
        (self.path.parent / f"outside-{name}").rename(self.path / name)

    def vanish(self, name: str) -> None:
        """A file is deleted."""
        (self.path / name).unlink()


class TestDirwatcher(InputConformance):
    """Watching a directory."""

    bad_args = (({}, "src"), ({"src": "/none"}, "/none"), ({"src": "/tmp", "stabilize": "soon"}, "stabilize"))

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return dirwatcher

    @pytest.fixture(params=["flat", "recursive", "closed"])
    def feed(self, tmp_path: Path, request: pytest.FixtureRequest) -> Folder:
        """A folder, watched in each way."""
        (tmp_path / "in").mkdir()
        return Folder(tmp_path / "in", recursive=request.param == "recursive", closed=request.param == "closed")


class Start:
    """What arrives at cmdline: its own start, once."""

    args: ClassVar[dict[str, Any]] = {}

    def arrive(self, name: str) -> None:
        """Nothing needs to be done."""

    def vanish(self, name: str) -> None:
        """A start cannot be taken back."""


class TestCmdline(InputConformance):
    """The command line."""

    has_keys = False

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return cmdline

    @pytest.fixture
    def feed(self) -> Start:
        """The start itself."""
        return Start()


#: What users may count on: priority, runOn, type, depends, provides, input type.
PROMISED = {
    "archive": (10, "success", "admin", (), (), None),
    "cmdline": (0, None, None, (), (), "singlerun"),
    "communicate": (None, "always", None, (), (), None),
    "copyfiles": (10, "success", None, (), (), None),
    "dirwatcher": (None, None, None, (), ("Input", "Product"), "permanent"),
    "git": (1000, None, "admin", (), (), None),
    "jsonparse": (0, "always", None, (), (), None),
    "move": (10, "always", None, (), (), None),
    "noop": (10, "always", None, (), (), None),
    "read_geojson": (50, "success", None, (), (), None),
    "remove": (0, "always", "admin", (), (), None),
    "unzip": (10, "success", None, ("Product",), ("Product",), None),
    "waitforfile": (0, "success", None, (), (), None),
}


def test_the_package_offers_exactly_these_modules() -> None:
    """Through the hooks that every plugin uses, each with code behind its reference."""
    registry = Registry.of(plugin)
    registry.check()
    offered = registry.modules()

    assert sorted(offered) == sorted(PROMISED)
    for name, offer in offered.items():
        module = import_module(offer.offer.reference)
        assert hasattr(module, "start" if name in registry.inputs() else "process_task")


@pytest.mark.parametrize("name", PROMISED)
def test_its_definition_promises_what_it_should(name: str) -> None:
    """Priority, runOn, type, depends and provides."""
    spec = spec_in(import_module(f"cryocloud_modules_builtin.{name}"))
    defaults = (spec.defaults.get("priority"), spec.defaults.get("runOn"), spec.defaults.get("type"))
    plain = tuple(getattr(value, "value", value) for value in defaults)

    assert (*plain, spec.depends, spec.provides, spec.input_type) == PROMISED[name]


def test_listing_the_modules_imports_none_of_them() -> None:
    """A head that lists modules pays for none of them."""
    code = (
        "import sys; from cryocloud_core.sdk.registry import Registry; from cryocloud_modules_builtin import plugin;"
        "Registry.of(plugin).modules();"
        "print([m for m in sys.modules if m.startswith(('cryocloud_modules_builtin.', 'watchdog'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "['cryocloud_modules_builtin.plugin']"
