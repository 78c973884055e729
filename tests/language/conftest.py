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
    for stem, table in tables(folder).items():
        for case in table["CASES"]:
            name = f"{stem}-{_UNSAFE.sub('-', case.title).strip('-')}"
            assert name not in found, f"two rows are called {name}"
            found[name] = case
    return found


def tables(folder: str) -> dict[str, dict[str, Any]]:
    """Return what each file of a folder defines, by the file's name."""
    return {path.stem: runpy.run_path(str(path)) for path in sorted((HERE / folder).glob("*.py"))}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test that takes a `case` one run for every row."""
    if "case" in metafunc.fixturenames:
        found = rows("table")
        metafunc.parametrize("case", found.values(), ids=found)
    if "table" in metafunc.fixturenames:
        metafunc.parametrize("table", tables("live").values(), ids=tables("live"))


@pytest.fixture(scope="session")
def cases() -> Mapping[str, Case]:
    """Give all rows at once."""
    return rows("table")


@pytest.fixture(scope="session")
def modules() -> dict[str, Any]:
    """Give the ccmodule dicts that the rows speak of."""
    found: dict[str, Any] = runpy.run_path(str(HERE / "modules.py"))["MODULES"]
    return found
