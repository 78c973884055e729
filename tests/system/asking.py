"""Runs to ask about, and the commands that ask: what tests of a run's operation share."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryocloud_core.cli.main import invoke

if TYPE_CHECKING:
    from tests.system.conftest import Place

#: an input that makes `n` pebbles, with names that want to harm, and stays if it is told to
FEED = """
ccmodule = {"inputs": {"n": "pebbles", "stay": "for ever"}, "outputs": {"path": "a name"}, "input_type": "singlerun"}

def start(handler, args, stop_event):
    pebbles = [handler.onAdd({"path": f"/data/\\x1b[31m\\u202e{number}.nc"}) for number in range(args["n"])]
    handler.accepted(pebbles[-1])
    if args.get("stay"):
        stop_event.wait()
"""
#: a module that always fails
BAD = """
ccmodule = {"inputs": {}, "outputs": {}}

def process_task(worker, task, cancel_event):
    raise RuntimeError("no \\x1b]0;owned\\x07 such band\\nsecond line")
"""
FINE = """
ccmodule = {"inputs": {}, "outputs": {}}

def process_task(worker, task, cancel_event):
    return 100, {}
"""
#: makes a file
MADE = """
import os

ccmodule = {"inputs": {"src": "any"}, "outputs": {"dst": "a file"}}

def process_task(worker, task, cancel_event):
    path = os.path.join(os.path.dirname(__file__), f"made-{task['args']['src']}")
    open(path, "w").close()
    return 100, {"dst": path}
"""


def feed(pebbles: int, *, stay: bool = False) -> dict[str, Any]:
    """Return the input node."""
    return {"module": "feed", "name": "In", "downstreamOf": ["entry"], "args": {"n": pebbles, "stay": stay}}


def step(name: str, parent: str = "In", **more: Any) -> dict[str, Any]:
    """Return a node that waits for its file if its arguments say so."""
    return {"module": "step", "name": name, "downstreamOf": [parent], **more}


def workflow(place: Place, *nodes: dict[str, Any], name: str = "flow") -> Path:
    """Write a workflow of these nodes alone."""
    place.module("feed", FEED)
    place.module("bad", BAD)
    path = place.folder / f"{name}.json"
    path.write_text(json.dumps({"workflow": {"name": name, "description": "A test.", "nodes": nodes}}))
    return path


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


def cc(place: Place, *words: object, state: Path | None = None) -> Said:
    """Run another command on the run of this place, in this process: it is started often."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = invoke([*map(str, words), "--state-dir", str(state or place.state)])
    return Said(status, out.getvalue(), err.getvalue())


def section(text: str, node: str) -> str:
    """Return what `explain` says of one node."""
    found = [part for part in text.split("\n\n") if re.match(rf"{re.escape(node)}( \(|:)", part)]
    assert len(found) == 1, text
    return found[0]


def explained(place: Place, pebble: int, node: str, state: Path | None = None) -> str:
    """Return what `explain` says of a node of a pebble."""
    result = cc(place, "explain", pebble, state=state)
    assert result.status == 0, result.err
    return section(result.out, node)
