"""The module communicate in a real run: pairs meet, what is left over fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cryocloud_core import RunSettings, run
from cryocloud_core.testing.worker import LocalWorker
from cryocloud_modules_builtin.communicate import process_task

WORKFLOW = {
    "name": "Meet",
    "description": "Two inputs see the same products",
    "nodes": [
        {"name": "A", "module": "feed", "downstreamOf": ["entry"], "args": {"ids": ["p", "q", "lonely"]}},
        {"name": "B", "module": "feed", "downstreamOf": ["entry"], "args": {"ids": ["q", "p"]}},
        {"name": "WA", "module": "work", "downstreamOf": ["A"], "args": {"id": {"output": "A.id"}}},
        {"name": "WB", "module": "work", "downstreamOf": ["B"], "args": {"id": {"output": "B.id"}}},
        {
            "name": "Sync",
            "module": "communicate",
            "downstreamOf": ["WA", "WB"],
            "args": {"msgid": {"output": "parent.id"}, "resolveOn": "WB"},
        },
        {
            "name": "Z",
            "module": "note",
            "downstreamOf": ["Sync"],
            "args": {"a": {"output": "WA.big"}, "b": {"output": "B.id"}, "dir": {"option": "dir"}},
        },
    ],
    "options": {"dir": {"help": "where Z writes"}},
}
MODULES = {
    "feed": """
ccmodule = {"description": "feed", "inputs": {"ids": ""}, "outputs": {"id": ""}, "input_type": "singlerun"}
def start(handler, args, stop_event):
    for each in args["ids"]:
        handler.onAdd({"id": each})
""",
    "work": """
ccmodule = {"description": "work", "inputs": {"id": ""}, "outputs": {"id": "", "big": ""}}
def process_task(worker, task):
    return 100, {"id": task["args"]["id"], "big": "x" * 70000}
""",
    "note": """
ccmodule = {"description": "note", "inputs": {"a": "", "b": "", "dir": ""}, "outputs": {}}
def process_task(worker, task):
    args = task["args"]
    with open(args["dir"] + "/" + args["b"], "x") as out:
        out.write(str(len(args["a"])))
    return 100, {}
""",
}


def test_pairs_meet_once_with_the_values_of_both_and_the_one_left_over_fails(tmp_path: Path) -> None:
    """Z runs once a pair; the pebble without a partner ends the run with 1."""
    (tmp_path / "flow.json").write_text(json.dumps({"workflow": WORKFLOW}))
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    settings = RunSettings(state_dir=tmp_path / "state", workers=2)

    code = run([tmp_path / "flow.json"], settings=settings, options={"dir": str(tmp_path)})

    assert code == 1
    assert (tmp_path / "p").read_text() == (tmp_path / "q").read_text() == "70000"
    assert not (tmp_path / "lonely").exists()


def test_alone_it_says_that_it_needs_a_run() -> None:
    """For `run-module`."""
    with pytest.raises(RuntimeError, match="alone here"):
        process_task(LocalWorker(), {"id": "1/Sync/1", "args": {}})
