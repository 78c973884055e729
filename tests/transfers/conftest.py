"""What the tests of transfers share: transfers that are closed again, and files to be put."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.sdk.transfer import Outgoing, Transfer, TransferConfig
from cryocloud_core.testing.transfers import outgoing
from tests.services.scriptserver import script_server  # noqa: F401 - a fixture of this folder's tests
from tests.transfers.odd_s3 import to, transfers  # noqa: F401 - fixtures

Make = Callable[[type[Transfer], Mapping[str, Any]], Transfer]


@pytest.fixture
def make() -> Iterator[Make]:
    """Give ``make(SshTransfer, settings)``: a transfer that is closed at the end."""
    with ExitStack() as stack:

        def made(kind: type[Transfer], settings: Mapping[str, Any]) -> Transfer:
            transfer = kind(TransferConfig(settings))
            stack.callback(transfer.close)
            return transfer

        yield made


@pytest.fixture(params=[True, False], ids=["curl", "aiohttp"])
def fast(request: pytest.FixtureRequest) -> bool:
    """Say whether small files of web servers are read with libcurl: a test that takes it runs with and without."""
    return bool(request.param)


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Outgoing]:
    """Give ``source(b"content", moved)``: a file of ours to be put."""
    return lambda content, *moved: outgoing(tmp_path, content, *moved)
