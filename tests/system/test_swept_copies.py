"""Copies that make room between two nodes of one pebble: a real run, a real server, a disk that is too small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomlkit

from tests.services.httpserver import HttpServer

pytestmark = pytest.mark.system

#: reads its input, hands its path on, and tells whether the path it was told of is there
HAND_ON = """
import pathlib
ccmodule = {
    "inputs": {"src": "a file", "told": "a path that another node was given"},
    "outputs": {"dst": "the same file", "text": "what is in it", "there": "whether the other is there"},
    "defaults": {"told": None},
}

def process_task(worker, task):
    src, told = (task["args"].get(name) for name in ("src", "told"))
    there = told is not None and pathlib.Path(told).exists()
    return 100, {"dst": src, "text": pathlib.Path(src).read_text(), "there": there}
"""
CHECK = """
ccmodule = {"inputs": {"first": "", "again": "", "there": "", "target": "a file"}, "outputs": {}}

def process_task(worker, task):
    args = task["args"]
    with open(args["target"], "w") as file:
        file.write(f"{args['first']} {args['again']} {args['there']}")
    return 100, {}
"""


def test_a_node_reads_what_was_swept_after_another_was_given_it(place: Any, http_server: HttpServer) -> None:
    """One fetches a file, Two another for which it makes room, Three is handed the path of the first."""
    worker = {
        "tempdir": str(place.folder / "tmp"),
        "cache_max_bytes": 1,
        "cache_keep": 0,
        "cache_sweep_every": 0,
    }
    (place.folder / "cryocloud.toml").write_text(tomlkit.dumps({"CryoCloud": {"Worker": worker}}))
    for name in ("one", "two", "three"):
        (http_server.files / name).write_text(f"content of {name}")
    place.module("hand_on", HAND_ON)
    place.module("write", CHECK)

    def node(name: str, src: Any, *after: str, **more: Any) -> dict[str, Any]:
        args = {"src": src, **more}
        return {"module": "hand_on", "name": name, "args": args, **({"downstreamOf": list(after)} if after else {})}

    target = place.folder / "target"
    told = {"output": "One.dst"}
    nodes = [
        node("One", {"value": http_server.url("one"), "type": "file"}),
        node("Two", {"value": http_server.url("two"), "type": "file"}, "One"),
        node("Look", {"value": http_server.url("three"), "type": "file"}, "Two", told=told),
        node("Three", {**told, "type": "file"}, "Look"),
        {
            "module": "write",
            "name": "Write",
            "downstreamOf": ["Three"],
            "args": {
                "first": {"output": "One.dst"},
                "again": {"output": "Three.dst"},
                "there": {"output": "Look.there"},
                "target": str(target),
            },
        },
    ]
    result = place.run(place.workflow(*nodes), within=60)
    assert result.status == 0, result.out + result.err

    first, again, there = target.read_text().split()
    assert (first, there) == (again, "False")
    assert Path(first).name == "one"
    gets = [asked.path for asked in http_server.asked if asked.method == "GET"]
    assert sum(path in http_server.url("one") for path in gets) == 2
