"""A machine called `near` and servers that are folders, for the tests of staging."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from tests.files.folder_transfer import forget, routes_to


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Path]:
    """Give the folder in which each server has one."""
    forget()
    made = tmp_path / "servers"
    made.mkdir()
    yield made
    forget()


@pytest.fixture
def machine(servers: Path, tmp_path: Path) -> Callable[..., FileService]:
    """Give the file service of a task on a machine called `near`; `far` is reached at `10.9.9.9`."""

    def make(check: Callable[[], None] = lambda: None, **config: Any) -> FileService:
        routes = routes_to(servers, "s3", "ssh", "http", hosts={"far": "10.9.9.9"})
        given = {"tempdir": str(tmp_path / "tmp"), "datadir": str(tmp_path / "data"), **config}
        return FileService.of(given, "near", Transfers(routes), check)

    return make
