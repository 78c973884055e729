"""What tests of the built-in modules share: a worker with the real file service, and names that break careless code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cryocloud_core.files.service import FileService
from cryocloud_core.files.unpacked import Unpacking
from cryocloud_core.testing.inputs import RecordingHandler
from cryocloud_core.testing.worker import LocalWorker

HOSTILE = (
    "with space",
    "#hash?%41&",
    "line\nbreak",
    "æøå-日本",
    "'\"$(x)`;",
    "-rf",
    "~",
    "*",
    b"raw\xff\xfe".decode("utf-8", "surrogateescape"),
)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[LocalWorker]:
    """Give a worker whose tempdir is the test's own."""
    tempdir = tmp_path / "worker-tmp"
    tempdir.mkdir()
    with LocalWorker({"tempdir": str(tempdir)}, FileService(Unpacking(tempdir))) as made:
        yield made


@pytest.fixture(params=HOSTILE, ids=ascii)
def hostile(request: pytest.FixtureRequest) -> str:
    """Give file names with spaces, line breaks, shell and URL characters, and bytes that are no UTF-8."""
    return str(request.param)


@pytest.fixture
def src(tmp_path: Path) -> Path:
    """Give an empty directory to watch."""
    made = tmp_path / "in"
    made.mkdir()
    return made


@pytest.fixture
def handler() -> RecordingHandler:
    """Give a handler whose arrivals are committed at once."""
    return RecordingHandler()
