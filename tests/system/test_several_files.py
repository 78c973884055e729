"""Several workflow files in one run: each has its own configuration and reads the options as it declares them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asking import FEED, cc, feed, step

if TYPE_CHECKING:
    from tests.system.conftest import Place

pytestmark = pytest.mark.system


def file_of(place: Place, name: str, kind: str, settings: str) -> Path:
    """Write a workflow into a directory of its own, with its configuration; its node takes all there is."""
    folder = place.folder / name
    folder.mkdir(exist_ok=True)
    shutil.copy(place.folder / "step.py", folder)
    (folder / "feed.py").write_text(FEED)
    (folder / "cryocloud.toml").write_text(settings)
    args = {"before": {"option": "bands"}, "tmp": {"config": "File"}, "wait": {"option": "fast"}}
    options: dict[str, Any] = {"bands": {"type": kind, "default": None}, "fast": {"type": "bool"}}
    if kind == "text":
        del options["bands"]["type"]
    flow = {"name": name, "description": "d", "options": options, "config": "Ocean"}
    path = folder / "flow.json"
    path.write_text(json.dumps({"workflow": {**flow, "nodes": [feed(1), step("A", args=args)]}}))
    return path


def values(place: Place) -> dict[str, list[Any]]:
    """Return what the node of each workflow was given."""
    stories = [json.loads(cc(place, "explain", pebble, "--json").out)["told"] for pebble in (1, 2)]
    return {story["workflow"]: [arg.get("value") for arg in story["nodes"][1]["args"]] for story in stories}


def test_each_file_has_its_own_configuration_and_types(place: Place) -> None:
    """One flag for both, read as a list here and as a text there; each reads the settings beside it."""
    one = file_of(place, "one", "list", '[Ocean]\nFile = "of one"\n')
    two = file_of(place, "two", "text", '[Ocean]\nFile = "of two"\n')

    assert place.run(one, two, "--bands", "a,b").status == 0
    assert values(place) == {"one": [["a", "b"], "of one", False], "two": ["a,b", "of two", False]}


def test_what_the_files_share_must_be_the_same(place: Place) -> None:
    """A flag with a value here and without one there, and settings of the workers: refused, naming both files."""
    one = file_of(place, "one", "bool", "[CryoCloud.Worker]\ntrust_local = true\n")
    two = file_of(place, "two", "json", "[CryoCloud.Worker]\ntrust_local = false\n")

    refused = place.run(one, two, "--bands")
    assert refused.status == 2
    said = f"--bands: it comes from option 'bands' (bool) of {one} and from option 'bands' (json) of {two}; give one"
    assert refused.err.startswith(said)
    assert "configured differently for workers" in place.run(one, two).err
    three = file_of(place, "three", "bool", "")
    for first, second in ((one, three), (three, one)):
        refused = place.run(first, second)
        assert refused.status == 2
        assert f"{first} and {second} are configured differently for workers" in refused.err
    assert not place.state.exists()
