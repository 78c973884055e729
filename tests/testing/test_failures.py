"""What authors see when their transfer breaks a promise of the kit: the values, not only that an assert failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BROKEN = """
from cryocloud_core.testing.transfers import FolderPlace, TransferConformance
from cryocloud_core.sdk.transfer import Abilities, TransferConfig
from cryocloud_core.transfers.file import FileTransfer

import pytest


class OneByteShort(FileTransfer):
    abilities = Abilities()

    def read(self, url, start=0, stop=None, validator=None):
        incoming = super().read(url, start, stop, validator)
        incoming.chunks = iter([b"".join(incoming.chunks)[:-1]])
        return incoming


class TestShort(TransferConformance):
    @pytest.fixture
    def place(self, tmp_path):
        return FolderPlace(tmp_path, lambda name: f"file://{tmp_path}/{name}")

    @pytest.fixture
    def transfer(self):
        return OneByteShort(TransferConfig({}))
"""


def run(folder: Path, *command: str) -> str:
    """Return what a command prints that runs in a folder of somebody who only installed the packages."""
    found = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    return found.stdout + found.stderr


def test_a_failure_of_the_kit_shows_both_sides(tmp_path: Path) -> None:
    """Pytest rewrites only asserts of tests by itself, not those of an installed package."""
    (tmp_path / "test_short.py").write_text(BROKEN)
    said = run(tmp_path, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "-q", "test_short.py", "-k", "names")

    assert "AssertionError: 'a b' is another file" in said
    assert "assert b'a ' == b'a b'" in said


def test_the_kit_asks_for_pytest_only_where_it_runs(tmp_path: Path) -> None:
    """Flows can be tested with anything."""
    said = run(tmp_path, "-c", "import sys, cryocloud_core.testing; print('pytest' in sys.modules)")

    assert said == "False\n"
