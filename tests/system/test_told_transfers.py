"""What a run tells of the files that it moved, when it is over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.files.folder_transfer import zipped
from tests.services.httpserver import HttpServer
from tests.services.s3server import S3Server
from tests.system.transferring import client, configure

pytestmark = pytest.mark.system

READ = """
ccmodule = {"description": "Joins", "depends": [], "provides": [], "inputs": {"src": ""}, "outputs": {"dst": ""}}


def process_task(worker, task):
    out = worker.scratch / "a.nc"
    out.write_text("".join(open(each).read() for each in task["args"]["src"]))
    return 100, {"dst": str(out)}
"""


def test_a_log_tells_what_its_tasks_fetched_and_sent(place: Any, http_server: HttpServer, s3_server: S3Server) -> None:
    """One line a task and direction; what is on this machine is not told of."""
    configure(place, S3=s3_server.config())
    client(s3_server).create_bucket(Bucket="tally")
    for number in range(5):
        (http_server.files / f"tally{number}").write_text("small" * 10)
    local = Path(place.folder) / "here"
    local.write_text("here")
    (http_server.files / "tally.zip").write_bytes(zipped(one="1"))
    archive, size = http_server.url("tally.zip"), (http_server.files / "tally.zip").stat().st_size
    urls = [http_server.url(f"tally{number}") for number in range(5)]
    place.module("join", READ)
    post = {"output": "dst", "target": s3_server.url("tally/"), "basename": True}
    nodes = [
        {"name": "Few", "args": {"src": {"value": urls[:2], "type": "file"}}},
        {"name": "All", "args": {"src": {"value": urls, "type": "file"}}, "post": post},
        {"name": "Here", "args": {"src": {"value": [str(local)], "type": "file"}}},
        {"name": "Held", "args": {"src": {"value": archive, "type": "file", "unzip": True}}},
        {"name": "Again", "args": {"src": {"value": archive, "type": "file", "unzip": True}}},
    ]
    parents = ["In", "Few", "All", "Here", "Held"]
    flow = place.workflow(
        *({"module": "join", "downstreamOf": [parent], **node} for parent, node in zip(parents, nodes, strict=True))
    )
    assert place.run(flow).status == 0
    log = place.other("log", "--json").end().out
    lines = [line for line in log.splitlines() if "fetched " in line or "sent " in line]
    said = [line.partition("fetched ")[2] or line.partition("sent ")[2] for line in lines]
    web = http_server.url("").partition("/files")[0]
    assert [each.partition(" (")[0] for each in said] == [
        f"2 files, 100 B, from {web}",
        f"5 files, 250 B, 3 of them anew, from {web}",
        f"a.nc, 250 B, to {s3_server.url('tally/a.nc')}",
        f"tally.zip, {size} B, from {web}",
        f"tally.zip, {size} B, not anew, from {web}",
    ]
