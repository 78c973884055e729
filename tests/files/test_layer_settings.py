"""What a worker's configuration says about moving files, and how progress is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.errors import ConfigError
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.moving import Moving, Progress
from cryocloud_core.sdk.url import Url

URL = Url.parse("s3://h/b/k")


def test_nothing_said_means_the_usual() -> None:
    """An empty configuration is a good one."""
    assert LayerSettings.of({}) == LayerSettings()


def test_every_setting_can_be_said() -> None:
    """Each name reaches its field; a host has at least one slot."""
    said: dict[str, Any] = {
        "tempdir": "/scratch",
        "transfer_retries": 1,
        "transfer_retry_wait": 2.5,
        "transfer_retry_wait_max": 3,
        "transfer_idle_timeout": 4,
        "transfer_timeout": 0,
        "transfers_per_host": 0,
        "transfer_streams": 6,
        "transfer_parallel_min_bytes": 7,
        "cache_max_bytes": 8,
        "cache_max_share": 0.5,
        "transfer_trust_local": "yes",
        "cache_sweep_every": 9,
        "cache_keep": 10,
    }

    assert LayerSettings.of(said) == LayerSettings(Path("/scratch"), 1, 2.5, 3, 4, 0, 1, 6, 7, 8, 0.5, True, 9, 10)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("transfer_retries", "many"),
        ("cache_max_share", -1),
        ("transfer_timeout", True),
        ("cache_max_bytes", float("nan")),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: Any) -> None:
    """With its whole name and what it holds."""
    with pytest.raises(ConfigError, match=f"CryoCloud.Worker.{name}: must be a number from 0 up"):
        LayerSettings.of({name: value})
    with pytest.raises(ConfigError, match="transfer_trust_local"):
        LayerSettings.of({"transfer_trust_local": "perhaps"})


def test_progress_is_told_four_times_a_second_and_at_the_end() -> None:
    """A thousand moves in one second are five tellings; the last one is told whenever it comes."""
    told: list[Moving] = []
    at = 0.0
    progress = Progress(told.append, lambda: at, URL, 1000)
    for number in range(1000):
        at = number / 1000
        progress.moved(1)
    assert len(told) == 4
    progress.file_done()

    assert told[-1] == Moving(URL, 1000, 1000, 1, 1)


def test_one_file_of_many_does_not_change_the_size_of_all() -> None:
    """Nor is its end the end."""
    told: list[Moving] = []
    progress = Progress(told.append, lambda: 0.0, URL, 500, 2, is_sized=True)
    progress.sized(3)
    progress.file_done()
    progress.file_done()

    assert [moving.files_done for moving in told] == [1, 2]
    assert told[-1].size_bytes == 500
