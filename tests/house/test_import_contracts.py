"""The rooms of DESIGN.md: the import contracts of pyproject.toml hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_rooms_import_only_what_their_contract_allows() -> None:
    """Every contract in pyproject.toml is kept by every package."""
    lint = Path(sys.executable).with_name("lint-imports")
    judged = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert judged.returncode == 0, judged.stdout
    assert " 0 broken" in judged.stdout
