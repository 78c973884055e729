"""The package that `cryocloud new-module` writes: it is sound, installs, is listed, and passes its own tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from cryocloud_core.cli import main as cli

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., str]


def run(*command: str | Path, cwd: Path, expected: int = 0) -> str:
    """Run a command outside the checkout and return all it said."""
    seen = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    done = subprocess.run(command, cwd=cwd, env=seen, capture_output=True, text=True, check=False)
    assert done.returncode == expected, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the package of a module `sea_ice`, as the command writes it."""
    folder = tmp_path_factory.mktemp("new")
    assert cli.invoke(["new-module", "sea_ice", "--directory", str(folder)]) == 0
    return folder / "cryocloud-sea-ice"


@pytest.fixture(scope="module")
def python(package: Path) -> Path:
    """Give a Python with the package installed; what it needs comes from the present environment."""
    uv = Path(sys.executable).with_name("uv")
    folder = package.parent
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, package, cwd=folder)
    run(uv, "venv", "--quiet", "--offline", "--python", sys.executable, folder / "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    wheels = list(folder.glob("*.whl"))
    run(uv, "pip", "install", "--offline", "--no-deps", "--python", python, *wheels, cwd=folder)
    site = next((folder / "env").glob("lib/python*/site-packages"))
    # Our own packages are editable in the present environment: their .pth files count only where a site is added.
    (site / "present.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return python


def test_every_name_is_put_in(package: Path) -> None:
    """No place of the template is left, in texts and paths."""
    files = sorted(path.relative_to(package) for path in package.rglob("*") if path.is_file())

    assert [str(path) for path in files] == [
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "src/cryocloud_sea_ice/__init__.py",
        "src/cryocloud_sea_ice/plugin.py",
        "src/cryocloud_sea_ice/py.typed",
        "src/cryocloud_sea_ice/sea_ice.py",
        "tests/test_sea_ice.py",
        "workflow.json",
    ]
    assert [path for path in files if "%%" in (package / path).read_text(encoding="utf-8")] == []
    assert json.loads((package / "workflow.json").read_text())["workflow"]["name"] == "Sea ice example"


def test_its_code_keeps_our_own_rules(package: Path) -> None:
    """What authors start from is clean by the linter and the type checker of this project."""
    first_party = "lint.isort.known-first-party = ['cryocloud_sea_ice']"
    settings = ["--config", ROOT / "pyproject.toml", "--config", first_party, "--no-cache", "--ignore", "INP001"]
    run(sys.executable, "-m", "ruff", "check", *settings, package, cwd=package)
    run(sys.executable, "-m", "ruff", "format", "--check", "--config", ROOT / "pyproject.toml", package, cwd=package)
    run(sys.executable, "-m", "mypy", "--strict", "--cache-dir", package.parent / "cache", "src", cwd=package)


def test_it_passes_its_own_tests_where_it_is_installed(python: Path, package: Path) -> None:
    """The conformance kit, its own tests, and its entry point."""
    told = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", package, cwd=package)

    assert "12 passed, 1 skipped" in told


def test_its_workflow_runs(python: Path, package: Path, tmp_path: Path) -> None:
    """The checksum of a file that lies in the watched directory stands in the other one."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "product").write_text("x")
    options = ["--in", tmp_path / "in", "--out", tmp_path / "out", "--once", "--state-dir", tmp_path / "state"]
    run(*cryocloud(python), "run", package / "workflow.json", *options, cwd=tmp_path)

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["product.sha256"]


def cryocloud(python: Path) -> list[str | Path]:
    """Return the beginning of a command of the installed package's environment."""
    return [python, "-c", "import sys; from cryocloud_core.cli.main import main; sys.exit(main())"]


def test_it_is_listed_and_its_workflow_is_sound(python: Path, package: Path, tmp_path: Path) -> None:
    """`modules` shows it with its package, `check` accepts the workflow that comes with it."""
    listed = run(*cryocloud(python), "modules", "sea_ice", cwd=tmp_path)

    assert "cryocloud-sea-ice" in listed
    assert "checksum" in listed
    run(*cryocloud(python), "check", package / "workflow.json", "--in", tmp_path, cwd=tmp_path)
