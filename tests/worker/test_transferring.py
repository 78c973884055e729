"""What the status says of files on their way: name, percent, rate; nothing when nothing is."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.errors import TransferError
from cryocloud_core.files.moving import Moving, Step
from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.sdk.url import Url
from cryocloud_core.task import Preparation, StagingKind
from cryocloud_core.worker.transferring import Transferring
from tests.services.httpserver import HttpServer


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


def step(url: str, step: Step, why: str = "") -> Moving:
    """Return what is told of a URL without figures."""
    return Moving(Url.parse(url), step=step, why=why)


def complete(url: str, size: int, files: int = 1) -> Moving:
    """Return a transfer that has ended."""
    return Moving(Url.parse(url), size, size, files, files)


def test_what_is_here_already_is_not_named(status: Transferring, said: dict[str, Any]) -> None:
    """Its bytes count for the percent; when nothing else is under way, nothing is told."""
    status.told(moving("http://web/big", 0, 300))
    status.told(complete("http://web/small", 100))
    assert said["transfer"] == "http://web/big"
    assert said["transfer.percent"] == 25.0
    status.told(complete("http://web/big", 300))
    assert said == {"transfer": None, "transfer.percent": None, "transfer.rate": None}


def test_a_url_that_is_asked_again_is_named_with_the_reason(status: Transferring, said: dict[str, Any]) -> None:
    """Until it has answered; its size is not known, so there is no percent."""
    status.told(complete("http://web/f00", 100))
    status.told(step("http://gone/nix", Step.ASKED))
    assert (said["transfer"], said["transfer.percent"]) == ("http://gone/nix", None)
    status.told(step("http://gone/nix", Step.AGAIN, "again in 3.5 s: refused"))
    assert (said["transfer"], said["transfer.percent"]) == ("http://gone/nix (again in 3.5 s: refused)", None)
    status.told(step("http://gone/nix", Step.AGAIN))
    assert said["transfer"] == "http://gone/nix"
    status.told(step("http://gone/nix", Step.OVER))
    assert said["transfer"] is None


def test_figures_of_a_transfer_stay_while_it_is_repeated(status: Transferring, said: dict[str, Any]) -> None:
    """Also those of a tree one file of which is asked again."""
    status.told(moving("s3://store/b/tree/", 50, 100))
    status.told(step("s3://store/b/tree/f", Step.AGAIN, "again in 1.0 s: busy"))
    assert said["transfer"] == "s3://store/b/tree/f (again in 1.0 s: busy) and 1 more"
    assert said["transfer.percent"] == 50.0
    status.told(step("s3://store/b/tree/f", Step.AGAIN))
    status.told(step("s3://store/b/tree/", Step.AGAIN, "again in 1.0 s: busy"))
    assert said["transfer"] == "s3://store/b/tree/ (again in 1.0 s: busy)"
    status.told(moving("s3://store/b/tree/", 75, 100))
    assert (said["transfer"], said["transfer.percent"]) == ("s3://store/b/tree/", 75.0)


def test_of_a_batch_that_is_named_which_is_waited_for(status: Transferring, said: dict[str, Any]) -> None:
    """With how many others have not come."""
    at = Url.parse("http://web/f20")
    status.told(Moving(Url.parse("http://web/f00"), 20, None, 0, 50, is_batch=True, at=at, came=20))
    assert (said["transfer"], said["transfer.percent"]) == ("http://web/f20 and 29 more", 40.0)
    status.told(Moving(Url.parse("http://web/f00"), 30, None, 20, 50, is_batch=True, at=at, came=50))
    assert (said["transfer"], said["transfer.percent"]) == ("http://web/f20", 100.0)
    status.told(moving("s3://store/b/one", 30, 100))
    assert said["transfer.percent"] is None, "of the others' bytes nobody knows how many there are"


def test_what_is_told_too_soon_is_said_a_little_later() -> None:
    """At most four times a second, and the last state always."""
    names: list[Any] = []
    is_said = threading.Event()

    def publish(name: str, value: Any) -> None:
        if name == "transfer":
            names.append(value)
            if value == "http://web/999":
                is_said.set()

    status = Transferring(publish, lambda: 1.0)
    for number in range(1000):
        status.told(step(f"http://web/{number}", Step.ASKED))
        if number < 999:
            status.told(step(f"http://web/{number}", Step.OVER))
    assert is_said.wait(30)
    status.over()
    assert (names[0], *names[-2:]) == ("http://web/0", "http://web/999", None)
    assert len(names) < 1000


def test_a_list_tells_of_the_file_that_is_repeated(http_server: HttpServer, tmp_path: Path) -> None:
    """Small files that came by the batch are not named any more, and there is no percent of a size nobody knows."""
    said: list[dict[str, Any]] = []
    seconds = iter(range(10_000))
    values: dict[str, Any] = {}

    def publish(name: str, value: Any) -> None:
        values[name] = value
        if name == "transfer.rate":
            said.append(dict(values))

    status = Transferring(publish, lambda: float(next(seconds)))
    for number in range(20):
        (http_server.files / f"f{number:02}").write_text("small")
    config = {"tempdir": str(tmp_path / "tmp"), "transfer_retries": 2, "transfer_retry_wait": 0.01}
    transfers = Transfers(Routes.of(Registry.installed(), lambda _: {}))
    files = FileService.of(config, "here", transfers, told=status.told)
    gone = "http://127.0.0.1:1/nix"
    urls = [Url.parse(url) for url in (*(http_server.url(f"f{number:02}") for number in range(20)), gone)]
    try:
        with pytest.raises(TransferError):
            files.brought(urls, Preparation(StagingKind.FILE))
    finally:
        files.remote.release(sweep=False)
        transfers.close()
    repeats = [each for each in said if (each["transfer"] or "").startswith(f"{gone} (again")]
    assert len(repeats) == 4
    assert repeats[0]["transfer"].startswith(f"{gone} (again in 0.0 s: ")
    after = said[said.index(repeats[0]) :]
    assert {(each["transfer"] or gone).partition(" ")[0] for each in after} == {gone}
    assert {each["transfer.percent"] for each in after} == {None}
