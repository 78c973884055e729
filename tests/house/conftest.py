"""The sources of the repository, read and parsed once, for the rules in this folder."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cryocloud-core", "cryocloud-modules-builtin", "cryocloud-idl", "cryocloud-ffmpeg")


@dataclass(frozen=True)
class Source:
    """One Python file: its place from the root, its text and its tree."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def is_test(self) -> bool:
        """Tell whether the file belongs to the tests."""
        return self.path.parts[0] == "tests"

    @property
    def is_product(self) -> bool:
        """Tell whether the file is part of one of the four packages."""
        return self.path.parts[0] in PACKAGES


@pytest.fixture(scope="session")
def root() -> Path:
    """Give the root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def files() -> tuple[Path, ...]:
    """Give every file that git keeps or would keep, from the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(Path(line) for line in listed.splitlines() if (ROOT / line).is_file())


@pytest.fixture(scope="session")
def sources(files: tuple[Path, ...]) -> tuple[Source, ...]:
    """Give every Python file with its tree."""
    python = (path for path in files if path.suffix == ".py")
    texts = ((path, (ROOT / path).read_text(encoding="utf-8")) for path in python)
    return tuple(Source(path, text, ast.parse(text)) for path, text in texts)
