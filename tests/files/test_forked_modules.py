"""A module forks and its child fetches too: nothing of the threads and connections of its parent is there."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.url import Url
from cryocloud_core.task import Preparation, StagingKind
from tests.files.test_layer_services import KINDS, Place, http_place, s3_place, ssh_place

PATIENCE_S = 30.0


@pytest.fixture(params=["s3", "ssh", "http"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Give a place of each kind with the files `a` to `i` in it."""
    makers: dict[str, Callable[[Any], Place]] = {"s3": s3_place, "ssh": ssh_place, "http": http_place}
    made = makers[request.param](request.getfixturevalue(f"{request.param}_server"))
    for name in "abcdefghi":
        (tmp_path / name).write_text(name)
        if made.folder is not None:
            (made.folder / name).write_text(name)
        else:
            made.layer(tmp_path / "putting").put(tmp_path / name, made.url(name))
    made.close()
    return made


def _fetches(files: FileService, place: Place, alone: str, together: str) -> None:
    """Fetch one alone, and several side by side."""
    way = Preparation(StagingKind.FILE)
    for names in (alone, together):
        urls = [Url.parse(str(place.url(name))) for name in names]
        for (copy,), name in zip(files.brought(urls, way), names, strict=True):
            assert Path(copy).read_text() == name
            assert place.folder is None or place.folder not in Path(copy).parents


@pytest.mark.system
def test_a_forked_child_fetches_files(place: Place, tmp_path: Path) -> None:
    """With threads and connections of its own, and nothing that it does disturbs its parent."""
    route = Route(place.scheme, f"cryocloud_core.transfers.{KINDS[place.scheme]}", place.scheme.upper())
    transfers = Transfers(Routes({place.scheme: route}, {place.scheme.upper(): place.config}))
    folders = {"tempdir": str(tmp_path / "temp"), "datadir": str(tmp_path / "data")}
    files = FileService.of({**folders, "trust_local": False, "transfer_idle_timeout": 1.0}, "near", transfers)
    _fetches(files, place, "a", "bc")
    child = multiprocessing.get_context("fork").Process(target=_fetches, args=(files, place, "d", "ef"))
    child.start()
    child.join(PATIENCE_S)
    try:
        assert child.exitcode == 0
    finally:
        child.kill()
        child.join()
    _fetches(files, place, "g", "hi")
    files.remote.release()
    transfers.close()
