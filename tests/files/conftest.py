"""A machine called `near` and servers that are folders, for the tests of staging."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.files.layer import Layer
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


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a directory of archives that our user may only read; root may write anywhere, so access is told here."""
    made, real = tmp_path / "closed", os.access
    made.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != made and real(path, mode))
    return made


@pytest.fixture
def sweep_later(machine: Callable[..., FileService]) -> Callable[..., None]:
    """Give what another task does at its end, on a disk that is too full, long after the last use of every copy."""

    def run(ahead_s: float = 0, **config: Any) -> None:
        given = {"cache_max_bytes": 1, "cache_sweep_every": 0, "cache_keep": 0, **config}
        layer = machine(**given).remote.layer
        Layer(layer.transfers, layer.settings, clock=type(layer.clock)(wall=lambda: time.time() + ahead_s)).sweep()

    return run
