"""Workers and heads that are killed while files move: their tasks are repeated, what comes out is whole and once."""

from __future__ import annotations

import json
import os
import signal
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.services.s3server import S3Server
from tests.services.sshserver import SshServer
from tests.system.transferring import (
    COPY,
    client,
    configure,
    freeze_when,
    is_half_here,
    is_half_there,
    is_noted,
    kill,
    left_over,
    stored,
)

pytestmark = pytest.mark.system

SIZE = 64_000_000


@pytest.fixture
def big(ssh_mortal: SshServer) -> bytes:
    """Give the content of a file `big` on a server that tests may freeze."""
    content = b"".join(number.to_bytes(8, "big") for number in range(SIZE // 8))
    (ssh_mortal.files / "big").write_bytes(content)
    return content


def test_a_worker_killed_in_a_download_costs_nothing_but_time(
    place: Any, s3_server: S3Server, ssh_mortal: SshServer, big: bytes
) -> None:
    """Its task is placed again and goes on with what was here; what comes out is whole."""
    configure(place, S3=s3_server.config(), SSH=ssh_mortal.config())
    place.module("copy", COPY)
    flow = place.workflow(
        {
            "module": "copy",
            "name": "Copy",
            "args": {"src": {"value": ssh_mortal.url(f"{ssh_mortal.files}/big"), "type": "file"}},
            "post": {"output": "dst", "target": s3_server.url("killed-download/"), "basename": True},
        }
    )
    run = place.start(flow)
    freeze_when(ssh_mortal, lambda: is_half_here(place.folder, SIZE), "no download was ever half done")
    kill(run.pid, r"\.cc-[0-9a-f]+\.part$")
    ssh_mortal.thaw()

    result = run.end(60)
    assert result.status == 0, result.out + result.err
    assert stored(s3_server, "killed-download") == {"copy": big}
    # A kill may hit in the middle of a note; a day later it is swept.
    assert all(Path(path).stat().st_size < 65_536 for path in left_over(place.folder))


@pytest.mark.parametrize("victim", ["worker", "head"])
def test_a_kill_in_an_upload_leaves_one_whole_file(place: Any, ssh_mortal: SshServer, big: bytes, victim: str) -> None:
    """The task is repeated, and sent anew; nothing half ever has the name, and no draft stays."""
    configure(place, SSH=ssh_mortal.config())
    place.module("copy", COPY)
    (place.folder / "big").write_bytes(big)
    (ssh_mortal.files / "out").mkdir()
    flow = place.workflow(
        {
            "module": "copy",
            "name": "Copy",
            "args": {"src": f"{place.folder}/big"},
            "post": {"output": "dst", "target": ssh_mortal.url(f"{ssh_mortal.files}/out/"), "basename": True},
        }
    )
    run = place.start(flow)
    freeze_when(ssh_mortal, lambda: is_half_there(ssh_mortal.files / "out", SIZE), "no upload was ever half done")
    assert not (ssh_mortal.files / "out/copy").exists()
    if victim == "head":
        run.signal(signal.SIGKILL)
        run.process.wait()
    else:
        kill(run.pid, r"/copy$")
    ssh_mortal.thaw()
    if victim == "head":
        run = place.start(flow)

    result = run.end(60)
    assert result.status == 0, result.out + result.err
    assert (ssh_mortal.files / "out/copy").read_bytes() == big
    assert [path.name for path in (ssh_mortal.files / "out").iterdir()] == ["copy"]


def test_a_worker_killed_while_it_sends_an_object_leaves_one_whole_object(place: Any, s3_mortal: S3Server) -> None:
    """The parts of the first try are taken away: its name was noted as soon as the server had told it."""
    s3 = client(s3_mortal)
    s3.create_bucket(Bucket="out")
    content = os.urandom(1 << 20) * (SIZE >> 20)
    (place.folder / "big").write_bytes(content)
    configure(place, S3=s3_mortal.config())
    place.module("copy", COPY)
    flow = place.workflow(
        {
            "module": "copy",
            "name": "Copy",
            "args": {"src": f"{place.folder}/big"},
            "post": {"output": "dst", "target": s3_mortal.url("out/"), "basename": True},
        }
    )
    run = place.start(flow)
    freeze_when(s3_mortal, lambda: is_noted(place.folder), "no upload in parts was begun")
    kill(run.pid, r"/copy$")
    s3_mortal.thaw()

    result = run.end(60)
    assert result.status == 0, result.out + result.err
    assert stored(s3_mortal, "out") == {"copy": content}
    assert not s3.list_multipart_uploads(Bucket="out").get("Uploads")


def test_the_status_tells_what_is_moved(place: Any, ssh_mortal: SshServer, big: bytes) -> None:
    """State, name, percent and rate, while it goes on."""
    configure(place, SSH=ssh_mortal.config())
    place.module("copy", COPY)
    flow = place.workflow(
        {
            "module": "copy",
            "name": "Copy",
            "args": {"src": {"value": ssh_mortal.url(f"{ssh_mortal.files}/big"), "type": "file"}},
        }
    )
    run = place.start(flow)
    freeze_when(ssh_mortal, lambda: is_half_here(place.folder, SIZE), "no download was ever half done")

    def told() -> list[dict[str, Any]]:
        shown = place.other("status", "--json").end().out
        workers: dict[str, dict[str, Any]] = defaultdict(dict)
        for value in map(json.loads, shown.splitlines()):
            workers[value["channel"]][value["parameter"]] = value["value"]
        return [each for each in workers.values() if each.get("transfer")]

    place.until(told, "nothing is said of a transfer")
    [seen] = told()
    ssh_mortal.thaw()
    assert run.end(60).status == 0
    assert seen["transfer"] == ssh_mortal.url(f"{ssh_mortal.files}/big")
    assert seen["state"] == "Preparing files"
    assert len(big) == SIZE
