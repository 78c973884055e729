"""The first example anyone tries: a watched directory, a wind field from each product, a report, a clean-up."""

from __future__ import annotations

import json
from typing import Any

from cryocloud_core.graph.draft import Found
from cryocloud_core.graph.load import link, parse
from cryocloud_core.graph.refs import PARENT, Argument, ConfigRef, Literal, OutputRef
from cryocloud_core.graph.spec import spec_of
from cryocloud_core.graph.unsupported import REFUSED
from cryocloud_core.task import Code, Preparation, StagingKind

WIND = {
    "description": "Create SAR Wind based on a product from L1 GRD",
    "depends": ["Product"],
    "provides": ["SarWind"],
    "inputs": dict.fromkeys(("src", "configOverride", "program", "configFile"), "x"),
    "outputs": dict.fromkeys(("product", "datafile", "result", "dst"), "x"),
    "defaults": {"priority": 50, "runOn": "success"},
    "status": {"progress": "Progress 0-100%", "state": "Current state of processing"},
}
REMOVE = {"inputs": {"src": ""}, "outputs": {}, "defaults": {"priority": 0, "runOn": "always", "type": "admin"}}
MODULES: dict[str, dict[str, Any]] = {
    "dirwatcher": {
        "inputs": {"src": ""},
        "outputs": {"fullpath": ""},
        "provides": ["Input", "Product"],
        "input_type": "permanent",
    },
    "wind": WIND,
    "KSAT_report": {"inputs": {"product": ""}, "outputs": {}},
    "remove": REMOVE,
}
EXAMPLE = {
    "workflow": {
        "name": "Simple test",
        "description": "This is a simple test workflow",
        "nodes": [
            {"module": "dirwatcher", "name": "Input", "downstreamOf": ["entry"], "args": {"src": "/tmp/inputdir"}},
            {
                "module": "wind",
                "name": "Wind",
                "config": "CryoniteOcean.Wave",
                "args": {
                    "src": {"output": "parent.fullpath", "type": "file", "unzip": "true"},
                    "configOverride": "",
                    "program": "wind.sav",
                    "configFile": {"config": "ConfigFile"},
                },
                "downstreamOf": ["Input"],
            },
            {
                "module": "KSAT_report",
                "runOn": "success",
                "downstreamOf": ["Wind"],
                "args": {"product": {"output": "parent.product"}},
            },
            {
                "module": "remove",
                "runOn": "always",
                "downstreamOf": ["Wind"],
                "args": {"src": {"output": "Input.fullpath"}},
            },
        ],
    }
}


def test_the_first_example_links_without_a_word() -> None:
    """With all refusals on, no error and no warning; every node means what it says."""
    draft = parse(json.dumps(EXAMPLE), strict=True)
    specs = {name: spec_of(name, made) for name, made in MODULES.items()}
    linked = link(draft, {w: Found(specs[w.module], Code(path=w.module)) for w in draft.wanted()}, refuse=REFUSED)

    assert linked.problems == ()
    assert linked.workflow is not None
    nodes = linked.workflow.nodes
    assert {name: node.parents for name, node in nodes.items()} == {
        "Input": (),
        "Wind": ("Input",),
        "KSAT_report": ("Wind",),
        "remove": ("Wind",),
    }
    assert nodes["Wind"].args == {
        "src": Argument(OutputRef(PARENT, "fullpath"), preparation=Preparation(StagingKind.FILE, unzip=True)),
        "configOverride": Argument(Literal("")),
        "program": Argument(Literal("wind.sav")),
        "configFile": Argument(ConfigRef("CryoniteOcean.Wave.ConfigFile")),
    }
