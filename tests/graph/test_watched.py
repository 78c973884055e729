"""Results that would arrive again: which targets inside a watched directory are told, and which are not."""

from __future__ import annotations

import json
from typing import Any

import pytest


def told(bench: Any, watch: dict[str, Any], **keys: Any) -> list[str]:
    """Return the warnings about a node below an input that watches."""
    source = {"module": "dirwatcher", "name": "In", "args": {"src": "/in", **watch}}
    work = {"module": "writer", "name": "A", "downstreamOf": ["In"], **keys}
    options = {"o": {}, "p": {}}
    document = {"workflow": {"name": "W", "description": "d", "options": options, "nodes": [source, work]}}
    linked = bench.link(json.dumps(document))
    return [problem.message for problem in linked.problems if problem.code == "W16"]


@pytest.fixture
def writer(bench: Any) -> Any:
    """Give a bench with a module that writes."""
    from cryocloud_core.graph.spec import spec_of

    inputs = dict.fromkeys(("src", "dst", "outDir", "level", "dir"), "")
    bench.specs["writer"] = spec_of("writer", {"inputs": inputs, "outputs": {"dst": ""}})
    return bench


@pytest.mark.parametrize(
    ("watch", "keys"),
    [
        ({}, {"args": {"dst": "/in"}}),
        ({}, {"args": {"dst": "/in/./x/"}}),
        ({}, {"args": {"outDir": "/in/deep/er"}}),
        ({"recursive": "yes"}, {"args": {"outDir": "/in/deep/er"}}),
        ({}, {"args": {"level": {"value": "/in/x", "type": "dir"}}}),
        ({}, {"args": {"level": {"value": "/in", "type": "tempdir"}}}),
        ({}, {"post": [{"output": "dst", "target": "/in/"}]}),
        ({"pattern": None}, {"args": {"dst": "/in"}}),
        ({"pattern": "*.nc"}, {"args": {"dst": "/in/x.nc"}}),
        ({"pattern": ["*.zip", "o*"]}, {"args": {"dst": "/in/out/x.nc"}}),
        ({"pattern": "a/*.nc", "recursive": True}, {"args": {"dst": "/in/a/x.nc"}}),
        ({"src": {"option": "o"}}, {"args": {"dst": {"option": "o"}}}),
        ({"src": "in"}, {"args": {"dst": "in/out"}}),
    ],
    ids=str,
)
def test_a_target_in_the_watched_directory_is_told(writer: Any, watch: dict[str, Any], keys: dict[str, Any]) -> None:
    """Once, naming the target and the input."""
    (message,) = told(writer, watch, **keys)
    assert 'is in the directory that "In" watches' in message


@pytest.mark.parametrize(
    ("watch", "keys"),
    [
        ({}, {"args": {"dst": "/inn/x"}}),
        ({}, {"args": {"dst": "/"}}),
        ({}, {"args": {"dst": "/in/../x"}}),
        ({}, {"args": {"dst": "/in/.work/x"}}),
        ({}, {"args": {"dst": "in/x"}}),
        ({}, {"args": {"dst": "s3://in/x"}}),
        ({}, {"args": {"dst": None}}),
        ({}, {"args": {"src": "/in/aux.dat", "dir": "/in", "level": 3}}),
        ({}, {"args": {"dst": {"value": "/in/x", "type": "file"}}}),
        ({"pattern": "*.zip"}, {"args": {"dst": "/in"}}),
        ({"pattern": "*.zip"}, {"args": {"dst": "/in/x.nc"}}),
        ({"pattern": "*.zip", "recursive": True}, {"args": {"dst": "/in/x.zip/y.nc"}}),
        ({"pattern": {"option": "p"}}, {"args": {"dst": "/in/x"}}),
        ({"src": {"option": "o"}}, {"args": {"dst": {"option": "p"}}}),
        ({"src": {"option": "o"}}, {"args": {"dst": "/in"}}),
    ],
    ids=str,
)
def test_what_lies_elsewhere_or_is_left_out_by_the_pattern_is_not(
    writer: Any, watch: dict[str, Any], keys: dict[str, Any]
) -> None:
    """Nor what is only read, nor what nobody can know before the run."""
    assert told(writer, watch, **keys) == []


def test_only_a_watcher_upstream_makes_a_circle(writer: Any) -> None:
    """A node below another input may hand its results to a watched directory: that is a chain."""
    nodes = [
        {"module": "dirwatcher", "name": "One", "args": {"src": "/one"}},
        {"module": "dirwatcher", "name": "Two", "args": {"src": "/two"}},
        {"module": "writer", "name": "A", "downstreamOf": ["One"], "args": {"dst": "/two/x"}},
        {"module": "writer", "name": "B", "downstreamOf": ["Two"], "args": {"dst": "/three"}},
        {"module": "writer", "name": "C", "downstreamOf": ["B"], "args": {"dst": "/two"}},
    ]
    document = json.dumps({"workflow": {"name": "W", "description": "d", "nodes": nodes}})
    found = [problem for problem in writer.link(document).problems if problem.code == "W16"]

    assert [problem.place for problem in found] == ['nodes[4] "C"']
    assert not found[0].is_error
