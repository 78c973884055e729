"""Every code of the catalogue has documents that earn it, and nothing else beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cryocloud_core.graph.problems import CATALOGUE
from cryocloud_core.graph.unsupported import REFUSED

IN = {"module": "dirwatcher", "name": "In"}


def node(name: str, *parents: str, module: str = "work", **keys: Any) -> dict[str, Any]:
    """Return a node object below `In` or the given parents."""
    return {"module": module, "name": name, "downstreamOf": list(parents or ("In",)), **keys}


def doc(*nodes: Any, **root: Any) -> str:
    """Return a document with the input node and these nodes; `...` takes a key away."""
    body = {"name": "W", "description": "d", "nodes": [IN, *nodes], **root}
    return json.dumps({"workflow": {key: value for key, value in body.items() if value is not ...}})


def arg(value: Any, **keys: Any) -> dict[str, Any]:
    """Return a node whose argument `src` is this."""
    return node("A", args={"src": value}, **keys)


def watched(**keys: Any) -> str:
    """Return a document that watches /in, with a node."""
    source = {**IN, "args": {"src": "/in"}}
    return json.dumps({"workflow": {"name": "W", "description": "d", "nodes": [source, node("A", **keys)]}})


SPLIT = node("S", splitOn="f", args={"f": {"output": "In.fullpath"}})
HEAD = {"name": "W", "description": "d"}

#: code, document, codes that come with it (the code itself alone when left out)
ROWS: list[tuple[str, str, list[str] | None]] = [
    ("E01", "{", None),
    ("E01", '{"workflow": NaN}', None),
    ("E01", '{"workflow": 1e999}', None),
    ("E02", "[]", None),
    ("E02", "{}", None),
    ("E02", '{"workflow": []}', None),
    ("E03", doc(modules=[]), None),
    ("E04", doc(name=...), None),
    ("E04", doc(description=...), None),
    ("E05", json.dumps({"workflow": {**HEAD, "nodes": []}}), None),
    ("E05", json.dumps({"workflow": HEAD}), None),
    ("E05", json.dumps({"workflow": {**HEAD, "nodes": [{"module": "work", "global": True}]}}), None),
    ("E06", doc({"name": "A", "downstreamOf": "In"}), None),
    ("E07", doc(node("A"), node("A")), None),
    ("E07", doc(node("A", children=[{"module": "work", "name": "In"}])), None),
    ("E08", doc({"module": "work"}), None),
    ("E08", doc({"module": "work", "downstreamOf": []}), None),
    ("E09", doc(node("A", "entry")), None),
    ("E09", doc(node("A", "entry", "In")), None),
    ("E10", doc({"module": "dirwatcher", "name": "B", "downstreamOf": ["In"]}), None),
    ("E10", doc(node("A", children=[{"module": "cmdline"}])), None),
    ("E11", doc(node("A", "Im")), None),
    ("E11", doc(node("A", "Entry")), None),
    ("E12", doc(node("A", workdir="/a", dir="/b")), None),
    ("E12", doc(node("A", ccnode="a", node="b")), ["E12", "W03"]),
    ("E12", doc(node("A", type="gpu", gpu=False)), None),
    ("E12", doc(arg({"option": "a", "options": "b"}), options={"a": {}, "b": {}}), None),
    ("E14", doc(node("A", "B"), node("B", "A")), None),
    ("E14", doc(node("A", "A")), None),
    ("E14", doc(node("A", "B", args={"src": {"output": "In.fullpath"}}), node("B", "A", "In")), None),
    ("E14", doc(node("A", "In", "B"), node("B", "A", args={"src": {"output": "In.fullpath"}})), None),
    ("E15", doc(node("A", module="nowhere")), None),
    ("E15", doc(node("A", module="unasked")), None),
    ("E16", doc(node("A", module="broken")), None),
    ("E16", doc(node("A", module="spoiled")), None),
    ("E17", doc(node("A", args={"srcc": 1})), None),
    ("E18", doc(arg({"output": "Inn.fullpath"})), None),
    ("E18", doc(arg({"output": "fullpath"})), None),
    ("E18", doc(arg({"output": "In"})), None),
    ("E18", doc(arg({"output": "A.x"})), None),
    ("E18", doc(arg({"output": "B.x"}), node("B")), None),
    ("E18", doc(arg({"output": "B.x"}, deferred=True), node("B", "A")), None),
    ("E18", doc(arg({"stat": "B.node"}), node("B")), None),
    ("E18", doc(node("A", runIf="output:Nix.x")), None),
    ("E18", json.dumps({"workflow": {**HEAD, "nodes": [{**IN, "args": {"src": {"output": "parent.x"}}}]}}), None),
    ("E18", doc(node("A", module="communicate", args={"msgid": 1, "resolveOn": "B"})), None),
    ("E19", doc(arg({"output": "In.dst"})), None),
    ("E19", doc(arg({"output": "parent.dst"})), None),
    ("E19", doc(node("A", runIf="output:In.dst")), None),
    ("E20", doc(node("A", options={"src": "In.fullpath"})), None),
    ("E20", doc(node("A", args={"In.fullpath": "src"})), None),
    ("E20", doc(node("X.y"), node("A", "X.y", args={"X.y.dst": "src"})), None),
    ("E20", doc(node("A", args={"parent.fullpath": "src"})), None),
    ("E21", doc(arg({"option": "o", "output": "In.fullpath"}), options={"o": {}}), None),
    ("E22", doc(arg({"option": "o"})), None),
    ("E22", doc(node("A", runIf="option:o")), None),
    ("E23", doc(arg({"config": "k"})), None),
    ("E23", doc(node("A", runIf="config:k")), None),
    ("E24", doc(arg({"stat": "In.colour"})), None),
    ("E24", doc(node("A", runIf="stat:In.colour")), None),
    ("E25", doc(node("A", depends=["product"])), None),
    (
        "E25",
        json.dumps({"workflow": {**HEAD, "nodes": [{"module": "cmdline", "children": [{"module": "unzip"}]}]}}),
        None,
    ),
    ("E26", doc(SPLIT, node("T", "S", splitOn="f", args={"f": 1})), None),
    ("E26", doc(SPLIT, node("T", "S", splitOn="f", args={"f": 1}, merge=True)), None),
    ("E26", doc(SPLIT, node("T", "S", ccnode="all")), None),
    ("E27", doc(node("A", merge=True)), None),
    ("E27", doc(SPLIT, node("M", "S", merge=True), node("N", "M", merge=True)), None),
    ("E28", doc(SPLIT, node("M", "S", merge=True), node("N", "S", merge=True)), None),
    ("E29", doc(SPLIT, node("M", "S", merge=True), node("X", "S"), node("J", "M", "X")), None),
    ("E29", doc(SPLIT, {**SPLIT, "name": "T"}, node("J", "S", "T")), None),
    ("E30", doc(node("A", splitOn="f")), None),
    ("E30", doc(node("A", loop="ff", args={"f": 1})), None),
    ("E30", doc(node("A", splitOn="f", args={"f": {"value": "/a", "type": "file", "unzip": True}})), None),
    ("E31", doc(node("A", splitOn="f", loop="f", args={"f": 1})), None),
    ("E32", doc(node("A", ccnode="all", splitOn="f", args={"f": 1})), None),
    ("E32", doc(node("A", ccnode="all", loop="f", args={"f": 1})), None),
    ("E33", doc(node("A", runIf="output:In.fullpath = 3")), None),
    ("E33", doc(node("A", runIf="output:In")), None),
    ("E33", doc(node("A", runIf="__import__('os')")), None),
    ("E34", doc(node("A", restrictions={"W.pending": "<3"})), None),
    ("E34", doc(node("A", restrictions={"W:pending": "3"})), None),
    ("E34", doc(node("A", restrictions={"W:pending": 3})), None),
    ("E35", doc(options={"once": {}}), None),
    ("E35", doc(options={"help": {}}), None),
    ("E35", doc(options={"json": {}}), None),
    ("E35", doc(options={"state_dir": {}}), None),
    ("E35", doc(options={"cache": {"type": "bool"}}), None),
    ("E36", doc(node("A", module="remote", serviceURL="http://127.0.0.1:9/")), None),
    ("E37", doc(node("A", post={"output": "dst"})), None),
    ("E37", doc(node("A", post=[{"output": "dsst", "target": "/o/"}])), None),
    ("E37", doc(node("A", docker="i", volumes=[["/a"]])), None),
    ("E37", doc(node("A", docker="i", volumes=[["", "/b"]])), None),
    ("E37", doc(node("A", docker="i", volumes=[["/a", 3]])), None),
    ("E37", doc(node("A", docker="i", volumes=[["/a", {"colour": "red"}]])), None),
    ("E37", doc(node("A", post={"output": "dst", "target": 3})), None),
    ("E37", doc(node("A", post={"output": "dst", "target": ""})), None),
    ("E37", doc(node("A", post=["dst"])), None),
    ("E37", doc(node("A", cache=["src"])), None),
    ("E37", doc(node("A", cache={"args": "src"})), None),
    ("E37", doc(node("A", docker="i", volumes=[["/a", "/b", "rx"]])), None),
    ("E37", doc(node("A", cache={"expires": 3})), None),
    ("E37", doc(node("A", cache={"args": ["srk"]})), None),
    ("E37", doc(node("A", cache={"args": ["src"]}, args={"src": {"type": "tempdir"}})), None),
    ("E37", doc(node("A", cache={"args": ["src"], "files": ["nix"]})), None),
    ("W01", doc().replace('"name": "W"', '"name": "V", "name": "W"'), None),
    ("W02", json.dumps({"options": {"o": {}}, **json.loads(doc())}), None),
    ("W03", doc(node("A", node="seer3")), None),
    ("W04", doc(node("A", maxParallel=3)), None),
    ("W04", doc(arg({"output": "In.fullpath", "Type": "file"})), None),
    ("W05", doc(node("A", fvolumes=[])), None),
    ("W05", doc(colour="red"), None),
    ("W05", doc(arg({"outptu": "In.fullpath"})), None),
    ("W05", doc(node("A", module="odd")), None),
    ("W05", doc(options={"o": {"halp": "x"}}), None),
    ("W06", doc(node("A", ccnode="seer3", image="i")), None),
    ("W07", doc(node("A", runOnHead=True, docker="i")), None),
    ("W07", doc(node("A", replicas=2)), None),
    ("W07", doc(node("A", volumes=[["/a", "/b"]])), None),
    ("W07", doc(arg({"output": "In.fullpath", "unzip": True})), None),
    ("W07", doc(arg({"output": "In.fullpath", "type": "file", "id": "w"})), None),
    ("W07", json.dumps({"workflow": {**HEAD, "nodes": [{**IN, "ccnode": "seer3"}]}}), None),
    ("W09", doc(node("A"), node("B"), node("J", "A", "B", args={"src": {"output": "parent.dst"}})), None),
    ("W09", doc(node("A"), node("B"), node("J", "A", "B", args={"src": {"stat": "parent.node"}})), None),
    ("W10", doc(arg({"output": "B.x", "default": 1}), node("B")), None),
    ("W10", doc(arg({"output": "B.x", "default": 1}), node("B", "A")), None),
    ("W11", doc(node("A", module="silent", args={"any": 1})), None),
    ("W11", doc(node("A", module="mute"), node("B", "A", args={"src": {"output": "A.any"}})), None),
    ("W12", doc(node("A", **{"global": True})), None),
    ("W12", doc(node("A", children=[{"module": "work", "name": "G", "global": True}])), None),
    ("W13", doc(arg({"output": "In.nix", "default": 1})), None),
    ("W13", doc(SPLIT, node("D", deferred=True, args={"src": {"output": "S.dst"}})), None),
    (
        "W14",
        doc(*(node(n, args={"src": {"value": f"/{n}", "type": "tempdir", "id": "w"}}) for n in "AB")),
        None,
    ),
    ("W15", doc(node("A", post={"output": "dst", "target": "s3://s/b", "basename": True})), None),
    ("W16", watched(args={"f": {"value": "/in/out", "type": "dir"}}), None),
    ("W16", watched(post={"output": "dst", "target": "/in/"}), None),
]

FLAGS = ("--once", "state-dir", "--no-cache")

#: what E13 refuses, by the key it names
E13_ROWS: list[tuple[str, str]] = [
    *(("deferred", doc(node("A", deferred=value))) for value in ("maybe", 2, None, 1.5)),
    ("args", doc(node("A", args=[]))),
    ("args.src.type", doc(arg({"output": "In.fullpath", "type": "folder"}))),
    ("args.src.type", doc(arg({"type": "folder", "default": 1}))),
    ("args.src.proto", doc(arg({"output": "In.fullpath", "type": "file", "proto": "ftp"}))),
    ("args.src.unzip", doc(arg({"output": "In.fullpath", "type": "file", "unzip": "perhaps"}))),
    ("args.src.output", doc(arg({"output": 3}))),
    ("ccnode", doc(node("A", ccnode=3))),
    ("ccnode", doc(node("A", ccnode=["a", "all"]))),
    ("ccnode", doc(node("A", ccnode={"colour": "red"}))),
    ("children", doc(node("A", children={}))),
    ("nodes[1].children[0]", doc(node("A", children=[3]))),
    ("config", doc(node("A", config="a b"))),
    ("config", doc(config=3)),
    ("config", doc(arg({"config": "k"}), config="a b")),
    ("config", doc(arg({"config": "k"}, config=3))),
    ("depends", doc(node("A", depends="Product"))),
    ("description", doc(description=3)),
    ("docker", doc(node("A", docker=""))),
    ("downstreamOf", doc({"module": "work", "downstreamOf": [3]})),
    ("downstreamOf", doc({"module": "work", "downstreamOf": {}})),
    ("global", json.dumps({"workflow": {**HEAD, "nodes": [{**IN, "global": True}]}})),
    ("loop", json.dumps({"workflow": {**HEAD, "nodes": [{**IN, "loop": "src", "args": {"src": "/"}}]}})),
    ("max_parallel", doc(node("A", max_parallel=0))),
    ("max_parallel", doc(node("A", max_parallel=True))),
    ("module", doc(node("A", module=3))),
    ("name", doc(name="a:b")),
    ("name", doc(name="")),
    *(("name", doc(node(name))) for name in ("", " ", "_a", "Parent", "ENTRY", "a:b")),
    ("name", doc({"module": "work", "name": 3, "downstreamOf": "In"})),
    ("nodes", doc(nodes={})),
    ("nodes[0]", doc(nodes=[3, IN])),
    ("options", doc(options=[])),
    ("o", doc(options={"o": 3})),
    ("type", doc(options={"o": {"type": "int"}})),
    ("default", doc(options={"o": {"type": "bool", "default": "perhaps"}})),
    ("default", doc(options={"o": {"type": "list", "default": 3}})),
    ("option name", doc(options={"a b": {}})),
    ("outputs", doc(node("A", outputs="dst"))),
    ("post", doc(node("A", post="dst"))),
    ("priority", doc(node("A", priority="soon"))),
    ("priority", doc(node("A", priority=1.5))),
    ("replicas", doc(node("A", image="i", replicas=0))),
    ("restrictions", doc(node("A", restrictions=[]))),
    ("retry", doc(node("A", retry=-1))),
    ("retry", doc(node("A", retry={"delay": 3}))),
    ("retry.jitter", doc(node("A", retry={"times": 1, "jitter": 2}))),
    ("retry.on", doc(node("A", retry={"times": 1, "on": ["success"]}))),
    ("runIf", doc(node("A", runIf=True))),
    ("runOn", doc(node("A", runOn="fail"))),
    ("runOn", doc(node("A", runOn=["always", "error"]))),
    ("runOn", doc(node("A", runOn=[]))),
    ("runOn", doc({"module": "work", "global": True, "runOn": "success"})),
    ("runOn", doc({"module": "work", "global": True, "runOn": ["error", "cancelled"]})),
    ("serviceURL", doc(node("A", serviceURL="ftp://a"))),
    ("splitOn", doc(node("A", splitOn=3))),
    ("timeout", doc(node("A", timeout=0))),
    ("timeout", doc(node("A", timeout="soon"))),
    ("type", doc(node("A", type="fast"))),
    ("volumes", doc(node("A", docker="i", volumes="/a"))),
    ("workdir", doc(node("A", workdir=3))),
    ("workdir", doc(node("A", workdir={"value": 3}))),
    ("workdir", doc(node("A", workdir={"type": "tempdir"}))),
    (
        "downstreamOf",
        doc({"module": "work", "name": "G", "global": True}, node("J", "G", "In")),
    ),
]

E38_ROWS: list[tuple[str, str]] = [
    ("splitOn", doc(SPLIT)),
    ("merge", doc(SPLIT, node("M", "S", merge=True))),
    ("loop", doc(node("A", loop="f", args={"f": 1}))),
    ("communicate", doc(node("A", module="communicate", args={"msgid": 1}))),
    ("restrictions", doc(node("A", restrictions={"W:p": "<3"}))),
    ("cache", doc(node("A", cache={"args": ["src"]}))),
    ("ccnode", doc(node("A", ccnode="seer3"))),
    ("ccnode", doc(node("A", ccnode={"stat": "parent.node"}))),
    ("runOnHead", doc(node("A", runOnHead="yes"))),
    ("docker", doc(node("A", docker="i"))),
    ("image", doc(node("A", image="i"))),
    ("replicas", doc(node("A", image="i", replicas=2))),
    ("volumes", doc(node("A", docker="i", volumes=[["/a", "/b"]]))),
    ("serviceURL", doc(node("A", serviceURL="http://h/"))),
    ("post", doc(node("A", post={"output": "dst", "target": "/o/"}))),
    ("remote files", doc(arg({"value": "s3://s/b/k", "type": "file"}))),
    ("remote files", doc(arg({"output": "In.fullpath", "default": ["ssh://h/a"], "type": "file"}))),
]

#: The same keys saying nothing: not refused.
HARMLESS = [
    *(doc(node("A", ccnode=value)) for value in ("", None, [], {"value": None})),
    doc(node("A", merge="no", runOnHead=0, restrictions={}, post=[])),
    doc(arg({"value": "/local/file", "type": "file"})),
    doc(arg("s3://s/b/k")),
]


@pytest.mark.parametrize(("code", "text", "also"), ROWS, ids=[f"{row[0]}-{i}" for i, row in enumerate(ROWS)])
def test_a_document_earns_its_code_and_no_other(bench: Any, code: str, text: str, also: list[str] | None) -> None:
    """Each row's document has exactly this finding: none is hidden by it and none follows from it."""
    assert bench.codes(text, flags=FLAGS) == (also or [code])


@pytest.mark.parametrize(("key", "text"), E13_ROWS, ids=[f"{row[0]}-{i}" for i, row in enumerate(E13_ROWS)])
def test_a_value_that_does_not_fit_is_told_with_its_key(bench: Any, key: str, text: str) -> None:
    """E13 names the key, what it must be and what stands there."""
    problems = bench.link(text).problems

    assert [problem.code for problem in problems] == ["E13"]
    assert problems[0].message.startswith(f'"{key}" must be ')
    assert ", got " in problems[0].message


@pytest.mark.parametrize(("key", "text"), E38_ROWS, ids=[f"{row[0]}-{i}" for i, row in enumerate(E38_ROWS)])
def test_a_key_links_where_it_is_not_refused(bench: Any, key: str, text: str) -> None:
    """What is refused today is checked in full, so that it links on the day it is executed."""
    assert bench.link(text).workflow is not None, key


@pytest.mark.parametrize(("key", "text"), [row for row in E38_ROWS if row[0] in REFUSED])
def test_a_key_that_nothing_executes_yet_is_refused(bench: Any, key: str, text: str) -> None:
    """E38 names the key, and there is no workflow."""
    refused = bench.link(text, refuse=(key,))

    assert refused.workflow is None
    assert f'"{key}" is not supported yet' in [problem.message for problem in refused.problems]


@pytest.mark.parametrize("text", HARMLESS)
def test_a_key_that_says_nothing_is_not_refused(bench: Any, text: str) -> None:
    """A switched-off or empty key asks for nothing that is missing."""
    assert bench.codes(text, refuse=tuple(REFUSED)) == []


def test_a_module_that_hides_an_installed_one_is_told(bench: Any) -> None:
    """W08 names both."""
    lines = bench.lines(doc(), shadows="package cryocloud-modules-builtin")

    assert [line.split(": ")[-1] for line in lines] == [
        'W08 module "dirwatcher" found here shadows package cryocloud-modules-builtin'
    ]


def test_no_code_of_the_catalogue_lacks_a_document() -> None:
    """Every code, and every row of the refusals, stands in one of the tables above, or has tests of its own."""
    covered = {row[0] for row in ROWS} | {"E13", "E38", "W08", "W17"}  # W17 needs a foresight: test_foretold

    assert covered == set(CATALOGUE)
    assert {key for key, _ in E38_ROWS} >= set(REFUSED)


def test_strict_turns_the_warnings_about_spelling_into_errors(bench: Any) -> None:
    """W01 to W05 stop a strict check, other warnings do not."""
    for code, text, _ in ROWS:
        if code.startswith("W"):
            found = {problem.code: problem.is_error for problem in bench.link(text, strict=True).problems}
            assert found[code] is (code in ("W01", "W02", "W03", "W04", "W05")), code
