"""Files from anywhere, end to end: real servers, real workers; nothing half, nothing twice, any name."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.services.httpserver import HttpServer
from tests.services.s3server import S3Server
from tests.services.sshserver import SshServer
from tests.system.transferring import client, configure, left_over, stored

pytestmark = pytest.mark.system

HOSTILE = "a b #1?%41\næø"
RAW = b"raw\xff\xfe ".decode("utf-8", "surrogateescape") + HOSTILE

#: reads all it is given, writes down what that was, makes one file and one directory in its scratch directory
MIX = """
import json, os, pathlib

ccmodule = {
    "inputs": {"zipped": "", "tree": "", "web": "", "far": "", "part": "", "name": ""},
    "outputs": {"dst": "a file", "tree": "a directory", "seen": "what was read"},
}

def process_task(worker, task):
    args = task["args"]
    seen = {name: read(value) for name, value in args.items() if name not in ("name", "part")}
    out = worker.scratch / (args.get("name") or "out")
    out.write_text(json.dumps(seen, sort_keys=True))
    tree = worker.scratch / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "file").write_text(str(args.get("part")))
    return 100, {"dst": str(out), "tree": str(tree), "seen": seen}

def read(value):
    if value is None or isinstance(value, list):
        return value and [read(item) for item in value]
    path = pathlib.Path(value)
    if path.is_dir():
        return {str(each.relative_to(path)): each.read_text() for each in sorted(path.rglob("*")) if each.is_file()}
    return path.read_text()
"""


def zipped(members: dict[str, str]) -> bytes:
    """Return a zip archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return made.getvalue()


@pytest.fixture
def flow(place: Any, s3_server: S3Server, ssh_server: SshServer, http_server: HttpServer) -> Path:
    """Give a workflow: four parts with inputs of every kind; one node fetches and sends again what they sent."""
    configure(place, S3=s3_server.config(), SSH=ssh_server.config())
    place.module("mix", MIX)
    inputs = {
        "zipped": {"value": s3_server.url(f"inbox/{HOSTILE}.zip"), "type": "file", "unzip": True},
        "tree": {"value": ssh_server.url(ssh_server.files / RAW), "type": "file"},
        "web": {"value": [http_server.url(RAW), None], "type": "file"},
    }
    mix = {
        "module": "mix",
        "name": "Mix",
        "splitOn": "part",
        "merge": True,
        "args": {**inputs, "part": [0, 1, 2, 3], "name": HOSTILE},
        "post": [
            {"output": "dst", "target": s3_server.url("results/")},
            {"output": "tree", "target": ssh_server.url(f"{ssh_server.files}/out"), "remove": True},
        ],
    }
    last = {
        "module": "mix",
        "name": "All",
        "downstreamOf": ["Mix"],
        "args": {"far": {"output": "Mix.dst", "type": "file"}, "tree": {"output": "Mix.tree", "type": "file"}},
        "post": [{"output": "dst", "target": s3_server.url("final/"), "basename": True}],
    }
    made: Path = place.workflow(mix, last)
    return made


def test_inputs_of_every_kind_come_in_and_results_go_out(
    place: Any, flow: Path, s3_server: S3Server, ssh_server: SshServer, http_server: HttpServer
) -> None:
    """Four parts on two workers share one copy of each input; names of every kind survive the whole way."""
    s3, before = client(s3_server), left_over(ssh_server.files)
    others = len(http_server.asked)
    for bucket in ("inbox", "final"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="inbox", Key=f"{HOSTILE}.zip", Body=zipped({"b/two": "2", "a one": "1"}))
    (ssh_server.files / RAW / "deep").mkdir(parents=True)
    (ssh_server.files / RAW / "deep" / RAW).write_text("over ssh")
    (http_server.files / RAW).write_text("from the web")
    result = place.run(flow, within=90)
    assert result.status == 0, result.out + result.err

    final = json.loads(stored(s3_server, "final")["out"])
    each = {"zipped": ["1", {"two": "2"}], "tree": {f"deep/{RAW}": "over ssh"}, "web": ["from the web", None]}
    assert [json.loads(text) for text in final["far"]] == [each] * 4
    assert final["tree"] == [{"deep/file": str(part)} for part in range(4)]
    results = stored(s3_server, "results")
    assert len(results) == 4
    assert all(key.endswith(f"/{HOSTILE}") for key in results)
    asked = http_server.asked[others:]
    assert sum(each.method == "GET" for each in asked if each.path in http_server.url(RAW)) == 1
    assert left_over(place.folder, ssh_server.files) == before
