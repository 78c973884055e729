"""What the status says of files on their way: name, percent, rate; nothing when nothing is."""

from __future__ import annotations

from typing import Any

import pytest

from cryocloud_core.files.moving import Moving
from cryocloud_core.sdk.url import Url
from cryocloud_core.worker.transferring import Transferring


@pytest.fixture
def said() -> dict[str, Any]:
    """Give the status values as they are now."""
    return {}


@pytest.fixture
def status(said: dict[str, Any]) -> Transferring:
    """Give the status of a task whose clock moves by a second with every telling."""
    seconds = iter(range(1000))
    return Transferring(said.__setitem__, lambda: float(next(seconds)))


def moving(url: str, done: int, size: int | None = None) -> Moving:
    """Return how far a transfer is."""
    return Moving(Url.parse(url), done, size)


def test_figures_are_over_all_that_is_under_way(status: Transferring, said: dict[str, Any]) -> None:
    """What was here before counts for the percent and not for the rate."""
    status.told(moving("s3://store/b/one", 0, 100))
    assert said == {"transfer": "s3://store/b/one", "transfer.percent": 0.0, "transfer.rate": None}
    status.told(moving("s3://store/b/two", 60, 100))
    assert said == {"transfer": "s3://store/b/two and 1 more", "transfer.percent": 30.0, "transfer.rate": 0}
    status.told(moving("s3://store/b/two", 100, 100))
    assert said["transfer.percent"] == 50.0
    assert said["transfer.rate"] == 20


def test_an_unknown_size_is_no_percent(status: Transferring, said: dict[str, Any]) -> None:
    """The rate is known all the same."""
    status.told(moving("http://web/a", 0))
    status.told(moving("http://web/a", 500))

    assert said == {"transfer": "http://web/a", "transfer.percent": None, "transfer.rate": 500}


def test_secrets_of_a_url_are_not_told(status: Transferring, said: dict[str, Any]) -> None:
    """What else is asked for names the file; in a key of S3 it is a part of the name."""
    status.told(moving("https://web:8443/a?id=42&token=secret", 0))
    assert said["transfer"] == "https://web:8443/a?id=42&token=•••"
    status.over()
    status.told(moving("s3://store/b/a?b", 0))
    assert said["transfer"] == "s3://store/b/a?b"


def test_nothing_is_told_when_nothing_moves(status: Transferring, said: dict[str, Any]) -> None:
    """Null after a transfer; not a word without one."""
    status.over()
    assert said == {}
    status.told(moving("s3://store/b/one", 0, 100))
    status.over()
    assert said == {"transfer": None, "transfer.percent": None, "transfer.rate": None}
