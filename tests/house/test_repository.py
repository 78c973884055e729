"""What holds for the repository as a whole: one version, entry points that resolve, texts that speak of it alone."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

PACKAGES = ("cryocloud-core", "cryocloud-modules-builtin", "cryocloud-idl", "cryocloud-ffmpeg")
TEXTS = frozenset({"", ".cfg", ".json", ".lock", ".md", ".py", ".sh", ".tmpl", ".toml", ".txt", ".yaml", ".yml"})
#: Registry hosts and machine paths; one letter of each stands in brackets, so that this file does not find itself.
FOREIGN = re.compile(
    r"pyp[i]\.org|pythonhoste[d]\.org|registry\.npmj[s]|deb\.debia[n]\.org|(?<![\w.*}])/wor[k]/|/tmp/brie[f]|/roo[t]/\."
)
#: A document that is named in full is in the repository.
PAGES = re.compile(r"(?<![\w/.<*-])([A-Z][A-Z_-]+\.md)\b")
LINKS = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
TASK = re.compile(r"python3 tasks\.py (\w+)")


def read_pyproject(root: Path, package: str) -> dict[str, Any]:
    """Return the [project] table of a package."""
    table: dict[str, Any] = tomllib.loads((root / package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def find_foreign(text: str) -> list[str]:
    """Return each registry host and each path of somebody's machine in a text."""
    return FOREIGN.findall(text)


def read_tasks(root: Path) -> set[str]:
    """Return the names of the invoke tasks."""
    tree = ast.parse((root / "tasks.py").read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return {node.name for node in functions if any("task" in ast.unparse(d) for d in node.decorator_list)}


@pytest.mark.parametrize("package", PACKAGES)
def test_all_packages_have_one_version(package: str, root: Path) -> None:
    """Each package states the version of core, in its project file and in its code, and pins its siblings to it."""
    version = read_pyproject(root, "cryocloud-core")["version"]
    project = read_pyproject(root, package)
    siblings = [need for need in project["dependencies"] if need.startswith("cryocloud-")]

    assert project["version"] == version
    assert importlib.import_module(package.replace("-", "_")).__version__ == version
    assert siblings
    assert all(need.endswith(f"=={version}") for need in siblings)


@pytest.mark.parametrize("package", PACKAGES)
def test_entry_points_resolve(package: str, root: Path) -> None:
    """The installed entry points are those of the project file, and each plugin can be imported."""
    declared = read_pyproject(root, package)["entry-points"]["cryocloud"]
    installed = importlib.metadata.distribution(package).entry_points.select(group="cryocloud")

    assert {point.name: point.value for point in installed} == declared
    assert [point.load().__name__ for point in installed] == list(declared.values())


def test_console_commands_resolve(root: Path) -> None:
    """Every command that core installs is a function that exists."""
    commands = importlib.metadata.distribution("cryocloud-core").entry_points.select(group="console_scripts")

    assert {point.name for point in commands} == set(read_pyproject(root, "cryocloud-core")["scripts"])
    assert all(callable(point.load()) for point in commands)


@pytest.mark.parametrize("half", [("py", "pi.org"), ("/wo", "rk/main/x"), ("/tmp/", "brief/x")])
def test_foreign_words_are_found(half: tuple[str, str]) -> None:
    """The rule finds a registry's host and a machine's path, and lets ordinary folders be."""
    assert len(find_foreign("see " + "".join(half))) == 1
    assert find_foreign("templates/workflows/x, /workdir/x, net/work/x") == []


def test_texts_name_no_registry_and_no_machine(root: Path, files: tuple[Path, ...]) -> None:
    """No file names a package registry's host or a path of the machine it was written on."""
    texts = {path: (root / path).read_text(encoding="utf-8") for path in files if path.suffix in TEXTS}

    assert {str(path): words for path, text in texts.items() if (words := find_foreign(text))} == {}


def test_named_documents_and_links_exist(root: Path, files: tuple[Path, ...]) -> None:
    """A page that is named in capitals, and every relative link of a page, is in the repository."""
    names = {path.name for path in files}
    texts = {path: (root / path).read_text(encoding="utf-8") for path in files if path.suffix in {".md", ".py"}}
    lost = [(str(path), name) for path, text in texts.items() for name in PAGES.findall(text) if name not in names]
    pages = {path: text for path, text in texts.items() if path.suffix == ".md"}
    links = [(path, link) for path, text in pages.items() for link in LINKS.findall(text)]

    assert lost == []
    assert [(str(path), link) for path, link in links if not (root / path.parent / link).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "DESIGN.md", ".ci/run"])
def test_commands_that_pages_name_are_tasks(page: str, root: Path) -> None:
    """Every `python3 tasks.py NAME` in a page is a task."""
    named = set(TASK.findall((root / page).read_text(encoding="utf-8")))

    assert named
    assert named <= read_tasks(root)


def test_ci_runs_the_test_command_of_the_readme(root: Path) -> None:
    """CI calls what the README tells a person to call, and the README tells of both commands."""
    readme = (root / "README.md").read_text(encoding="utf-8").splitlines()
    last = (root / ".ci" / "run").read_text(encoding="utf-8").rstrip().splitlines()[-1]

    assert last in readme
    assert "python3 tasks.py demo" in readme
