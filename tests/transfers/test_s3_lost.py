"""S3 servers that are killed or freeze in the middle, senders that are stopped or killed: nothing half is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from cryocloud_core.errors import RemoteFileMissing, TransferError
from cryocloud_core.transfers.s3_parts import PART_BYTES
from tests.services.s3server import KEY, SECRET, S3Server
from tests.transfers.shop import Shop

T = TypeVar("T")

#: more than is read ahead and held by the kernel
LARGE = os.urandom(32 << 20)


class Stopped(Exception):
    """What a task raises that is told to stop."""


def after(count: int, do: Callable[[], None]) -> Callable[[int], None]:
    """Return a `moved` that does something once, when so many bytes were sent."""
    sent = 0
    is_done = False

    def moved(more: int) -> None:
        nonlocal sent, is_done
        sent += more
        if sent >= count and not is_done:
            is_done = True
            do()

    return moved


def stop() -> None:
    """Raise what a task raises that is told to stop."""
    raise Stopped


def patiently(call: Callable[[], T]) -> T:
    """Return what a call returns once the server is itself again: it answers before it can read its own disk."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return call()
        except TransferError as error:
            if not error.repeat or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


@pytest.fixture
def shops(s3_mortal: S3Server, tmp_path: Path) -> Iterator[list[Shop]]:
    """Give a bucket of a server that may be killed, with a large object, reached by each of the data planes."""
    patient = Shop(s3_mortal, tmp_path)
    patiently(lambda: patient.put("large", LARGE * 2))  # more than all buffers on the way can hold
    hasty = {"timeout": 2, "connect_timeout": 2}
    shops = [Shop(s3_mortal, tmp_path, hasty | {"fast": fast}, patient.bucket) for fast in (True, False)]
    yield shops
    for shop in (patient, *shops):
        shop.transfer.close()


@pytest.mark.parametrize(("lose", "restore"), [(S3Server.kill, S3Server.start), (S3Server.freeze, S3Server.thaw)])
def test_a_server_that_is_lost_in_the_middle_is_told_and_met_again(
    shops: list[Shop], tmp_path: Path, lose: Callable[[S3Server], None], restore: Callable[[S3Server], None]
) -> None:
    """Reads and a put are given up in time and may be tried again; then nothing half is there, and all goes on."""
    server, shop, notes = shops[0].server, shops[1], tmp_path / "notes"
    reads = [each.transfer.read(each.url("large")) for each in shops]
    assert all(next(piece for piece in incoming.chunks if piece) for incoming in reads)
    lose(server)
    began = time.monotonic()
    for incoming in reads:
        with incoming, pytest.raises(TransferError, match=r"broke off|sent nothing") as caught:
            list(incoming.chunks)
        assert caught.value.repeat
    assert time.monotonic() - began < 10
    restore(server)

    began = time.monotonic()
    patiently(lambda: shop.get("large", 0, 1000))
    with pytest.raises(TransferError, match=r"broke off|nobody listens|took nothing|sent nothing") as caught:
        shop.put("new", LARGE, moved=after(PART_BYTES, lambda: lose(server)), notes=notes)
    assert caught.value.repeat
    assert time.monotonic() - began < 14
    restore(server)

    assert [patiently(lambda each=each: each.get("large", 0, 1000)) for each in shops] == [LARGE[:1000]] * 2  # type: ignore[misc]
    with pytest.raises(RemoteFileMissing):
        patiently(lambda: shop.stat("new"))
    patiently(lambda: shop.put("new", LARGE, notes=notes))
    assert [patiently(lambda each=each: each.get("new")) for each in shops] == [LARGE] * 2  # type: ignore[misc]
    assert shop.unfinished() == []
    assert list(notes.iterdir()) == []


def test_a_put_that_is_stopped_is_aborted(s3_server: S3Server, tmp_path: Path) -> None:
    """What `moved` raises comes out at once; of a new object there is nothing, of an old one everything."""
    shop = Shop(s3_server, tmp_path)
    shop.put("old", b"as it was")
    notes = tmp_path / "notes"

    for key in ("old", "new"):
        for count in (0, PART_BYTES + 1, len(LARGE)):
            began = time.monotonic()
            with pytest.raises(Stopped):
                shop.put(key, LARGE, moved=after(count, stop), notes=notes)
            assert time.monotonic() - began < 20
    assert shop.unfinished() == []
    assert list(notes.iterdir()) == []
    assert shop.names() == ["old"]
    assert shop.get("old") == b"as it was"
    shop.transfer.close()


SENDER = """
import sys
import time
from pathlib import Path
from cryocloud_core.sdk.transfer import Outgoing, TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.s3 import S3Transfer

url, path, notes, key, secret = sys.argv[1:]
settings = {"aws_access_key_id": key, "aws_secret_access_key": secret, "secure": False}
sent = 0

def moved(count):
    global sent
    sent += count
    if sent:
        print("moving", flush=True)
        time.sleep(60)

size = Path(path).stat().st_size
S3Transfer(TransferConfig(settings)).put(Outgoing(Path(path), size, "0" * 64, moved, Path(notes)), Url.parse(url))
"""


@contextmanager
def sender(shop: Shop, key: str, path: Path, notes: Path) -> Iterator[None]:
    """Put a file from another process, which is in the middle of it on entry and killed on exit."""
    arguments = [str(shop.url(key)), str(path), str(notes), KEY, SECRET]
    process = subprocess.Popen([sys.executable, "-c", SENDER, *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        try:
            assert process.stdout.readline() == b"moving\n"
            yield
        finally:
            process.kill()
            process.wait()


def test_what_a_killed_process_left_is_ended_by_the_next_upload(s3_server: S3Server, tmp_path: Path) -> None:
    """Uploads in parts of dead processes are aborted, to other keys too; those of the living and of others are not."""
    shop = Shop(s3_server, tmp_path)
    shop.put("other")
    notes = tmp_path / "notes"
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    with sender(shop, "killed", path, notes), sender(shop, "killed-too", path, notes):
        assert sorted(shop.unfinished()) == ["killed", "killed-too"]
    somebody_elses = shop.ask("create_multipart_upload", Key="somebody-elses")["UploadId"]
    assert sorted(shop.unfinished()) == ["killed", "killed-too", "somebody-elses"]
    assert shop.names() == ["other"]

    def look() -> None:
        alive.extend(shop.unfinished())

    alive: list[str] = []
    shop.put("killed", LARGE, moved=after(PART_BYTES, look), notes=notes)
    assert sorted(alive) == ["killed", "somebody-elses"]
    assert shop.unfinished() == ["somebody-elses"]
    assert list(notes.iterdir()) == []
    assert shop.get("killed") == LARGE
    shop.ask("abort_multipart_upload", Key="somebody-elses", UploadId=somebody_elses)
    shop.transfer.close()


def test_uploads_of_the_living_are_let_be(s3_server: S3Server, tmp_path: Path) -> None:
    """An upload that another thread of this process has under way is not taken for a dead one."""
    shop = Shop(s3_server, tmp_path)
    notes = tmp_path / "notes"

    def meanwhile() -> None:
        shop.put("inner", LARGE[: PART_BYTES + 1], notes=notes)

    shop.put("outer", LARGE[: 4 * PART_BYTES], moved=after(PART_BYTES, meanwhile), notes=notes)
    assert shop.get("outer") == LARGE[: 4 * PART_BYTES]
    assert shop.get("inner") == LARGE[: PART_BYTES + 1]
    shop.transfer.close()


def test_many_large_files_share_the_room_for_parts(s3_server: S3Server, tmp_path: Path) -> None:
    """More uploads at a time than there is room for wait for each other and all arrive; the room is given back."""
    shop = Shop(s3_server, tmp_path)
    shop.put("other")
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda number: shop.put(f"{number}", LARGE[: PART_BYTES + 1 + number]), range(12)))

    assert [shop.stat(f"{at}").size_bytes for at in range(12)] == [PART_BYTES + 1 + at for at in range(12)]
    assert shop.transfer._room._value == 8
    shop.transfer.close()
