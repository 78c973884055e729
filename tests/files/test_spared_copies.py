"""Copies that stay what a task was given, while the original changes, modules write into them and sweeps go on."""

from __future__ import annotations

import contextlib
import itertools
import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cryocloud_core.errors import TransferError
from cryocloud_core.files.service import FileService
from tests.files.folder_transfer import put, staged

PLACES = ["s3://store/in/a.nc", "ssh://10.9.9.9/d/a.nc", "http://web/in/a.nc"]


@pytest.mark.parametrize("url", PLACES)
def test_a_file_that_changed_there_comes_beside_one_that_a_task_uses(
    url: str, servers: Path, machine: Callable[..., FileService]
) -> None:
    """Who opens its path a second time reads what it read before, a next node too; used by nobody, it is replaced."""
    there = put(servers, url.partition("://")[2], "first")
    first = machine()
    old = Path(staged(first, url))
    there.write_text("second, longer")

    new = [Path(staged(machine(), url)) for _ in range(2)]
    assert new[0] == new[1] != old
    assert (old.read_text(), new[0].read_text()) == ("first", "second, longer")
    first.remote.release()
    assert Path(staged(machine(), url)) == new[0]
    assert old.read_text() == "first"
    assert Path(staged(machine(cache_keep=0), url)) == old
    assert old.read_text() == "second, longer"


def test_a_task_that_asks_again_has_its_own_copy_renewed(servers: Path, machine: Callable[..., FileService]) -> None:
    """However often it looks, there is one copy; another task that has it is spared all the same."""
    there = put(servers, "store/in/a.nc", "first")
    files, other, old = machine(), machine(), ""
    for content in ("first", "second, longer", "third, longest of all"):
        there.write_text(content)
        [old] = files.fetch("s3://store/in/a.nc")
        assert Path(old).read_text() == content
    assert staged(other, "s3://store/in/a.nc") == old
    there.write_text("4")

    [new] = files.fetch("s3://store/in/a.nc")
    assert (Path(old).read_text(), Path(new).read_text()) == ("third, longest of all", "4")


def test_every_version_in_use_has_a_place(servers: Path, machine: Callable[..., FileService]) -> None:
    """However many tasks began while the original changed."""
    users, found = [], []
    for number in range(24):
        put(servers, "store/in/a.nc", f"{number}" * (number + 1))
        users.append(machine())
        found.append(staged(users[-1], "s3://store/in/a.nc"))

    assert [Path(path).read_text() for path in found] == [f"{number}" * (number + 1) for number in range(24)]


def test_what_a_task_was_given_never_changes_whatever_others_do(
    servers: Path, machine: Callable[..., FileService]
) -> None:
    """Tasks come and go while the original changes and a disk that is too small is swept; each reads what it has."""
    there, rounds = put(servers, "store/in/a.nc", "0" * 1000), 20
    given: queue.Queue[str] = queue.Queue()
    seen: list[tuple[str, str]] = []

    def change() -> None:
        for number in itertools.count(1):
            if not given.get():
                return
            put(servers, "next", f"{number}" * 1000).replace(there)
            machine(cache_max_bytes=1, cache_sweep_every=0, cache_keep=0).remote.layer.sweep()

    def task() -> None:
        for _ in range(rounds):
            files = machine(transfer_retry_wait=0.001)
            with contextlib.suppress(TransferError):  # it may change too often while we fetch it
                path = Path(staged(files, "s3://store/in/a.nc"))
                before = path.read_text()
                given.put(before)
                time.sleep(0.01)
                seen.append((before, path.read_text()))
            files.remote.release(sweep=False)

    with ThreadPoolExecutor(5) as pool:
        changing = pool.submit(change)
        tasks = [pool.submit(task) for _ in range(4)]
        try:
            for each in tasks:
                each.result()
        finally:
            given.put("")
        changing.result()
    assert seen
    assert all(before == after == before[: len(before) // 1000] * 1000 for before, after in seen)


@pytest.mark.parametrize("url", PLACES)
def test_a_copy_that_a_module_changed_in_place_is_its_result(
    url: str, servers: Path, machine: Callable[..., FileService]
) -> None:
    """It is never fetched over, neither at the first place nor at the next ones."""
    put(servers, url.partition("://")[2], "original")
    found = []
    for number in range(4):
        files = machine()
        found.append(Path(staged(files, url)))
        assert found[-1].read_text() == "original"
        found[-1].write_text(f"result {number}")
        files.remote.release()

    assert [path.read_text() for path in found] == [f"result {number}" for number in range(4)]
