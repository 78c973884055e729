"""The packages on their own: they say what they need, build, install and work in an environment of their own."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.house.conftest import Source

PACKAGES = ("cryocloud-core", "cryocloud-modules-builtin", "cryocloud-idl", "cryocloud-ffmpeg")


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command, blind to PYTHONPATH, and return what it printed; a failure shows all it said."""
    seen = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=seen, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the top names of every module that a file imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def declared(root: Path, package: str) -> set[str]:
    """Return the distributions a package may import: its own, its dependencies and those of its extras."""
    project = tomllib.loads((root / package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    needs = [*project["dependencies"], *(need for extra in extras for need in extra), package]
    return {re.split(r"[^\w.-]", need)[0].lower() for need in needs}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_declares_what_it_imports(package: str, root: Path, sources: tuple[Source, ...]) -> None:
    """Each import of a package is the standard library or belongs to a distribution that its project file names."""
    owners = importlib.metadata.packages_distributions()
    own = (source for source in sources if source.path.parts[0] == package)
    names = {name for source in own for name in imported(source.tree)} - sys.stdlib_module_names
    # An editable package and a library that is not installed (an extra) are looked for under their own names.
    needed = {name: {owner.lower() for owner in owners.get(name, [name.replace("_", "-")])} for name in names}

    assert {name: who for name, who in needed.items() if not who & declared(root, package)} == {}


@pytest.fixture(scope="module")
def wheels(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Build each package from a copy of its folder, through its source archive, with the tools that are installed."""
    folder = tmp_path_factory.mktemp("wheels")
    for package in PACKAGES:
        copy = folder / "source" / package
        shutil.copytree(root / package, copy, ignore=shutil.ignore_patterns("__pycache__", "dist"))
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, copy, cwd=folder)
    return tuple(sorted(folder.glob("*.whl")))


@pytest.fixture(scope="module")
def clean(wheels: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheels into a new environment; what they need comes from the present one, through a .pth file.

    A folder that a .pth file adds is not searched for .pth files itself, so that the editable installs stay unseen.
    """
    folder = tmp_path_factory.mktemp("clean") / "env"
    uv = Path(sys.executable).with_name("uv")
    run(uv, "venv", "--quiet", "--offline", "--python", sys.executable, folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    run(uv, "pip", "install", "--offline", "--no-deps", "--python", python, *wheels, cwd=folder.parent)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder


def test_wheels_hold_the_package_its_types_and_its_licence(wheels: tuple[Path, ...]) -> None:
    """Each wheel ships py.typed and the licence, and of tests only those that a new package begins with."""
    assert len(wheels) == len(PACKAGES)
    for wheel in wheels:
        names = zipfile.ZipFile(wheel).namelist()
        package = wheel.name.split("-")[0]
        assert f"{package}/py.typed" in names
        assert any(name.endswith("/LICENSE") for name in names)
        assert [name for name in names if "tests/" in name and "/templates/" not in name] == []


def test_installed_wheels_register_their_plugins(clean: Path) -> None:
    """Outside the checkout the packages are found in the new environment and every plugin can be imported."""
    code = (
        "import importlib.metadata as m, cryocloud_core; print(cryocloud_core.__file__);"
        "print(*sorted(p.load().__name__ for p in m.entry_points(group='cryocloud')))"
    )
    place, plugins = run(clean / "bin" / "python", "-c", code, cwd=clean).splitlines()

    assert Path(place).is_relative_to(clean)
    assert plugins.split() == sorted(f"{package.replace('-', '_')}.plugin" for package in PACKAGES)


def test_the_command_works_outside_the_checkout(clean: Path) -> None:
    """`cryocloud --help` runs from the wheels, and `cryocloud modules` lists what the built-in package brings."""
    assert "run" in run(clean / "bin" / "cryocloud", "--help", cwd=clean)
    assert "dirwatcher" in run(clean / "bin" / "cryocloud", "modules", cwd=clean)


def test_the_wheel_brings_the_template_of_new_packages(clean: Path, tmp_path: Path) -> None:
    """`cryocloud new-module` works where there is no checkout."""
    run(clean / "bin" / "cryocloud", "new-module", "wind", "--directory", tmp_path, cwd=clean)

    assert "process_task" in (tmp_path / "cryocloud-wind/src/cryocloud_wind/wind.py").read_text(encoding="utf-8")
