"""The transfers of the cases are closed when the last one was played."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.cases import close_transfers


@pytest.fixture(scope="session", autouse=True)
def _closed_at_the_end() -> Iterator[None]:
    yield
    close_transfers()
