"""What every test can ask for: the foreign programs that some need, and files in a folder of their own."""

from __future__ import annotations

import atexit
import os
import pathlib
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

# As on a user's machine: the variable also makes C's stdout unbuffered and so hides in what order output arrives.
os.environ.pop("PYTHONUNBUFFERED", None)

# What lasts longer than a temporary directory is not to be found by the next test run, nor by whoever runs the tests.
_STATE = tempfile.TemporaryDirectory(prefix="state-")
atexit.register(_STATE.cleanup)
os.environ["XDG_STATE_HOME"] = _STATE.name

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

pytest_plugins = (
    "tests.services.s3server",
    "tests.services.sshserver",
    "tests.services.httpserver",
    "tests.services.oddserver",
)

#: What a requirement's name stands for: all of these programs must be found. sshd is called by its absolute path, so
#: that its folder may be missing from PATH; weed comes with a Python package and is beside our Python.
PROGRAMS = {
    "docker": ("docker",),
    "ffmpeg": ("ffmpeg", "ffprobe"),
    "graphviz": ("dot",),
    "zip": ("zip",),
    "idl": ("gdl", "stdbuf"),
    "podman": ("podman",),
    "s3": ("weed",),
    "ssh": ("sshd", "ssh-keygen"),
    "tmux": ("tmux",),
}
BESIDE_PYTHON = str(pathlib.Path(sys.executable).parent)
SEARCH_PATH = os.pathsep.join((BESIDE_PYTHON, os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))


def demanded() -> frozenset[str]:
    """Return the names in CRYOCLOUD_REQUIRE, whose absence is a failure."""
    names = frozenset(filter(None, os.environ.get("CRYOCLOUD_REQUIRE", "").split(",")))
    unknown = names - PROGRAMS.keys()
    if unknown:
        msg = f"CRYOCLOUD_REQUIRE names {sorted(unknown)}; known are {sorted(PROGRAMS)}"
        raise pytest.UsageError(msg)
    return names


def find_program(name: str) -> str:
    """Return the path of a requirement's first program; skip the test, or fail it where CI demands the program."""
    found = [shutil.which(program, path=SEARCH_PATH) for program in PROGRAMS[name]]
    missing = [program for program, path in zip(PROGRAMS[name], found, strict=True) if path is None]
    if missing:
        reason = f"{name}: not installed: {', '.join(missing)}"
        if name in demanded():
            pytest.fail(f"{reason} (CRYOCLOUD_REQUIRE demands it)")
        pytest.skip(reason)
    return str(found[0])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what no UTF-8 can hold in what a test logged: a name of such bytes would end the whole parallel run."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Give ``program("tmux")``: the program's absolute path, or a skip (a failure with CRYOCLOUD_REQUIRE=tmux)."""
    return find_program


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Give ``install("cc-wind", {"cc_wind/plugin.py": text}, "cc_wind.plugin")``: a distribution with an entry point.

    It is real: a folder on `sys.path` with files and a dist-info. What it brought into `sys.modules` goes with it.
    """
    before = set(sys.modules)

    def make(name: str, files: Mapping[str, str], *plugins: str, version: str = "1.0") -> Path:
        site = tmp_path / f"site-{name}"
        for path, text in files.items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(text)
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        points = "".join(f"point{at} = {plugin}\n" for at, plugin in enumerate(plugins))
        (info / "entry_points.txt").write_text(f"[cryocloud]\n{points}")
        monkeypatch.syspath_prepend(str(site))
        return site

    yield make
    for name in set(sys.modules) - before:
        del sys.modules[name]
