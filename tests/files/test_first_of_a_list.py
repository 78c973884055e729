"""Lists of which several files cannot be had: the first in the list is told, and how many others; and soon."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from cryocloud_core.errors import ConfigError, RemoteFileMissing, StagingError, TransferError
from cryocloud_core.files.service import FileService
from cryocloud_core.files.together import Together
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from tests.files.folder_transfer import staged
from tests.services.httpserver import HttpServer

PATIENCE_S = 20.0


class StopRequested(Exception):
    """The task is to stop."""


def missing(number: int) -> RemoteFileMissing:
    """Return the error of a file that is not there."""
    return RemoteFileMissing("there is no such file", subject=f"http://h/{number}")


def test_the_first_of_the_list_is_told_whoever_fails_first() -> None:
    """With the other one's name."""
    second = threading.Event()

    def work(number: int) -> None:
        if number == 1:
            assert second.wait(PATIENCE_S)
        elif number == 3:
            second.set()
        if number in (1, 3):
            raise missing(number)

    with pytest.raises(RemoteFileMissing) as told:
        Together().each(work, range(5), linger_s=PATIENCE_S)
    assert str(told.value) == "http://h/1: there is no such file, and 1 other failed: http://h/3"


def test_of_many_that_are_missing_some_are_named_and_all_are_counted() -> None:
    """Those too whose turn had not come."""

    def work(number: int) -> None:
        raise missing(number)

    with pytest.raises(RemoteFileMissing) as told:
        Together(width=2).each(work, range(30), linger_s=PATIENCE_S)
    assert str(told.value).endswith("file, and 29 others failed: http://h/1, http://h/2, http://h/3, …")
    assert str(told.value).startswith("http://h/0: ")


def test_what_is_wrong_for_each_alike_is_told_once() -> None:
    """It is about no file: a disk is full."""
    both = threading.Barrier(2)

    def work(_: int) -> None:
        both.wait(PATIENCE_S)
        raise StagingError("is full", subject="/disk")

    with pytest.raises(StagingError) as told:
        Together().each(work, range(2), linger_s=PATIENCE_S)
    assert str(told.value) == "/disk: is full"


def test_a_setting_that_is_wrong_for_all_is_told_once() -> None:
    """With the first file that needs it: the others need no more than that."""
    both = threading.Barrier(2)

    def work(number: int) -> None:
        both.wait(PATIENCE_S)
        raise ConfigError("is not set", subject="environment variable X", place=f"http://h/{number}: HTTP.token")

    with pytest.raises(ConfigError) as told:
        Together().each(work, range(2), linger_s=PATIENCE_S)
    assert str(told.value) == "http://h/0: HTTP.token: environment variable X: is not set"


def test_a_server_that_is_away_is_not_asked_for_all() -> None:
    """What was not begun is never begun then."""
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        raise TransferError("cannot be reached", subject=f"http://h/{number}")

    with pytest.raises(TransferError, match=r"^http://h/0: cannot be reached$"):
        Together(width=1).each(work, range(1000), linger_s=PATIENCE_S)
    assert begun == [0]


def test_what_goes_on_for_ever_is_ended_a_moment_after_a_failure() -> None:
    """Though it does not fail."""
    together = Together(width=2)
    is_under_way = threading.Event()

    def work(number: int) -> None:
        if number == 1:
            assert is_under_way.wait(PATIENCE_S)
            raise missing(number)
        while True:
            is_under_way.set()
            together.check()
            time.sleep(0.005)

    with pytest.raises(RemoteFileMissing, match=r"^http://h/1: there is no such file$"):
        together.each(work, range(2), linger_s=0.1)
    together.check()


def test_a_stop_waits_for_no_other_failure() -> None:
    """It is told, and not what failed before."""
    stop = threading.Event()

    def outer() -> None:
        if stop.is_set():
            raise StopRequested

    together = Together(outer, width=2)

    def work(number: int) -> None:
        if number == 0:
            stop.set()
            raise missing(number)
        while True:
            together.check()
            time.sleep(0.005)

    began = time.monotonic()
    with pytest.raises(StopRequested):
        together.each(work, range(2), linger_s=10 * PATIENCE_S)
    assert time.monotonic() - began < PATIENCE_S


def test_an_argument_tells_the_first_file_that_it_lacks(http_server: HttpServer, tmp_path: Path) -> None:
    """Of a server and of this machine; the others come, and are asked for as ever."""
    for number in range(12):
        (http_server.files / f"there{number}").write_text(str(number))
    transfers = Transfers(Routes.of(Registry.installed(), lambda _: {}))
    files = FileService.of({"tempdir": str(tmp_path / "tmp"), "transfer_retries": 0}, "near", transfers)
    urls = [http_server.url(f"there{number}") for number in range(12)]
    urls[4], urls[7] = map(http_server.url, ("none-a", "none-b"))
    own = [str(tmp_path / name) for name in ("no-a", "no-b")]
    try:
        with pytest.raises(RemoteFileMissing) as told:
            staged(files, urls)
        assert str(told.value).startswith(f"argument 'a': {urls[4]}: ")
        assert f", and 1 other failed: {urls[7]}" in str(told.value)
        with pytest.raises(StagingError) as told_here:
            staged(files, [urls[0], *own])
        assert str(told_here.value) == f"argument 'a': {own[0]}: does not exist, and 1 other failed: {own[1]}"
    finally:
        files.remote.release()
        transfers.close()
