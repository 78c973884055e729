"""A bench for documents: stub modules, documents from their nodes, and what checking them tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cryocloud_core.graph.draft import Found, Linked, Missing
from cryocloud_core.graph.load import link, parse
from cryocloud_core.graph.spec import ModuleSpec, spec_of
from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.task import Code

_OUT = {"fullpath": "", "relpath": ""}
_WORK_IN = dict.fromkeys(("src", "f", "level", "time"), "")
_WORK_OUT = dict.fromkeys(("n", "files", "dst", "x"), "")

CCMODULES: dict[str, dict[str, Any]] = {
    "cmdline": {"inputs": {}, "outputs": {}, "input_type": "singlerun"},
    "dirwatcher": {
        "inputs": dict.fromkeys(("src", "recursive", "pattern"), ""),
        "outputs": _OUT,
        "provides": ["Product"],
        "input_type": "permanent",
    },
    "work": {"inputs": _WORK_IN, "outputs": _WORK_OUT},
    "other": {"inputs": _WORK_IN, "outputs": {"dst": ""}},
    "unzip": {"depends": ["Product"], "provides": ["Product"], "inputs": {"src": ""}, "outputs": {"fileList": ""}},
    "admin": {"inputs": {}, "outputs": {}, "defaults": {"type": "admin", "run": "always", "priority": 0}},
    "gpu": {"inputs": {}, "outputs": {}, "defaults": {"type": "gpu"}},
    "device": {"inputs": {}, "outputs": {}, "defaults": {"gpu": True, "max_parallel": 2, "retry": 1}},
    "eager": {"inputs": {}, "outputs": {}, "defaults": {"retry": 1}, "input_type": "singlerun"},
    "pushy": {"inputs": {}, "outputs": {}, "defaults": {"splitOn": "f"}},
    "odd": {"inputs": {}, "outputs": {}, "defaults": {"colour": "red"}},
    "silent": {"outputs": {"dst": ""}},
    "mute": {"inputs": {"src": ""}},
    "communicate": {"inputs": {"msgid": "", "resolveOn": ""}, "outputs": {}},
}

MISSING = {
    "nowhere": Missing("E15", "looked in /a, /b"),
    "broken": Missing("E16", "it calls a function"),
    "remote": Missing("E36", "nobody answers"),
}


class Bench:
    """Checks documents against the stub modules."""

    IN: Mapping[str, Any] = {"module": "dirwatcher", "name": "In"}

    def __init__(self) -> None:
        self.specs: dict[str, ModuleSpec] = {name: spec_of(name, made) for name, made in CCMODULES.items()}
        # A definition made in Python may hold what spec_of would have refused.
        self.specs["spoiled"] = ModuleSpec("spoiled", inputs={}, outputs={}, defaults={"runOn": "whenever"})

    def document(self, *nodes: Mapping[str, Any], **root: Any) -> str:
        """Return the text of a workflow with an input node `In` and these nodes."""
        body = {"name": "W", "description": "d", "nodes": [dict(self.IN), *nodes], **root}
        return json.dumps({"workflow": {key: value for key, value in body.items() if value is not ...}}, indent=1)

    def link(self, text: str | bytes, *, strict: bool = False, flags: tuple[str, ...] = (), **how: Any) -> Linked:
        """Parse and link a text; every key is executed unless `refuse` says otherwise."""
        draft = parse(text, strict=strict, flags=flags)
        found = {
            wanted: MISSING.get(wanted.module)
            or Found(self.specs[wanted.module], Code(path=f"/m/{wanted.module}.py"), how.get("shadows"))
            for wanted in draft.wanted()
            if wanted.module in MISSING or wanted.module in self.specs
        }
        given = {key: value for key, value in how.items() if key != "shadows"}
        return link(draft, found, **{"refuse": (), **given})

    def codes(self, text: str | bytes, **how: Any) -> list[str]:
        """Return the codes of all findings, in document order."""
        return [problem.code for problem in self.link(text, **how).problems]

    def lines(self, text: str | bytes, **how: Any) -> list[str]:
        """Return all findings as printed."""
        return [problem.text("f.json") for problem in self.link(text, **how).problems]

    def workflow(self, *nodes: Mapping[str, Any], root: Mapping[str, Any] | None = None, **how: Any) -> Workflow:
        """Return the workflow of these nodes below `In`; fails on any error."""
        linked = self.link(self.document(*nodes, **(root or {})), **how)
        assert linked.workflow is not None, [problem.text() for problem in linked.problems]
        return linked.workflow


@pytest.fixture(scope="session")
def bench() -> Bench:
    """Give a bench."""
    return Bench()


@pytest.fixture(scope="session")
def work() -> Callable[..., dict[str, Any]]:
    """Give ``work("A", ...)``: a node of module `work` below `In`."""

    def node(name: str, *parents: str, **keys: Any) -> dict[str, Any]:
        return {"module": "work", "name": name, "downstreamOf": list(parents or ("In",)), **keys}

    return node
