"""Finds the rows: every file of the folder `table` holds `CASES`, one row a case."""

from __future__ import annotations

import re
import runpy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cryocloud_core.testing.case import Case

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
#: what a test's id should not hold
_UNSAFE = re.compile(r"[^\w.<>=!'()]+")


@cache
def rows(folder: str) -> dict[str, Case]:
    """Return the cases of a folder by id: the file's name and the title."""
    found: dict[str, Case] = {}
    for path in sorted((HERE / folder).glob("*.py")):
        for case in runpy.run_path(str(path))["CASES"]:
            name = f"{path.stem}-{_UNSAFE.sub('-', case.title).strip('-')}"
            assert name not in found, f"two rows are called {name}"
            found[name] = case
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test that takes a `case` one run for every row."""
    if "case" in metafunc.fixturenames:
        found = rows("table")
        metafunc.parametrize("case", found.values(), ids=found)


@pytest.fixture(scope="session")
def cases() -> Mapping[str, Case]:
    """Give all rows at once."""
    return rows("table")


@pytest.fixture(scope="session")
def modules() -> dict[str, Any]:
    """Give the ccmodule dicts that the rows speak of."""
    found: dict[str, Any] = runpy.run_path(str(HERE / "modules.py"))["MODULES"]
    return found
