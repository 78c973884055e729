"""`cryocloud schema` gives editors what is installed; it lets pass what is right and marks what is not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cryocloud_core.cli import main as cli
from cryocloud_core.cli.describing import write_schema
from cryocloud_core.graph.spec import ModuleSpec
from cryocloud_core.sdk.hookspecs import hookimpl
from cryocloud_core.sdk.offers import ModuleOffer
from cryocloud_core.sdk.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("templates", "benchmarks/workflows", "cryocloud-core/src/cryocloud_core/templates")
WORKFLOWS = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.json"))


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> jsonschema.Draft202012Validator:
    """Give a validator of what the command writes."""
    path = tmp_path_factory.mktemp("schema") / "workflow.schema.json"
    assert cli.invoke(["schema", "--output", str(path)]) == 0
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def hello() -> dict[str, Any]:
    """Return the smallest workflow, to be spoiled."""
    document: dict[str, Any] = json.loads((ROOT / "templates/workflows/hello/workflow.json").read_text())
    return document


def test_stdout_gets_the_same_document_as_a_file(
    validator: jsonschema.Draft202012Validator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `-o` it is printed, and nothing else is."""
    capsys.readouterr()

    assert cli.invoke(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == validator.schema


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_workflow_of_the_project_is_valid(validator: jsonschema.Draft202012Validator, path: Path) -> None:
    """No mark where there is nothing wrong."""
    validator.validate(json.loads(path.read_text(encoding="utf-8")))


def spoil(node: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Return the smallest workflow with its second node changed."""
    document = hello()
    node(document["workflow"]["nodes"][1])
    return document


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], list[Any]]] = {
    "a misspelt key": (lambda node: node.update(runsOn="success"), ["nodes", 1]),
    "an argument that the module does not take": (lambda node: node["args"].update(tiem=1), ["nodes", 1, "args"]),
    "a wrong type": (lambda node: node.update(downstreamOf=7), ["nodes", 1, "downstreamOf"]),
    "a word that means nothing": (lambda node: node.update(runOn="failure"), ["nodes", 1, "runOn"]),
    "no module": (lambda node: node.pop("module"), ["nodes", 1]),
    "a negative count": (lambda node: node.update(max_parallel=0), ["nodes", 1, "max_parallel"]),
    "a misspelt modifier": (
        lambda node: node["args"].update(time={"option": "seconds", "defualt": 1}),
        ["nodes", 1, "args", "time"],
    ),
}


@pytest.mark.parametrize(("change", "place"), WRONG.values(), ids=WRONG)
def test_a_slip_is_marked_where_it_is(
    validator: jsonschema.Draft202012Validator, change: Callable[[dict[str, Any]], Any], place: list[Any]
) -> None:
    """Every finding stands at the node, key or argument that is wrong."""
    found = {tuple(error.absolute_path) for error in validator.iter_errors(spoil(change))}

    assert found == {("workflow", *place)}


FINE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a key that is switched off": lambda node: node.update(frunOn="success"),
    "an old spelling": lambda node: node.update(dir="/x"),
    "a map that is data": lambda node: node["args"].update(time={"seconds": 3, "defualt": 1}),
    "a tempdir": lambda node: node["args"].update(time={"type": "tempdir", "id": "w"}),
    "a module that is not installed": lambda node: node.update(module="mine", args={"any": 1}),
    "booleans as texts": lambda node: node.update(merge="yes", gpu=0),
}


@pytest.mark.parametrize("change", FINE.values(), ids=FINE)
def test_what_the_language_allows_is_not_marked(
    validator: jsonschema.Draft202012Validator, change: Callable[[dict[str, Any]], Any]
) -> None:
    """Editors that cry wolf are switched off."""
    validator.validate(spoil(change))


@pytest.mark.parametrize("key", ["nodess", "optoins"])
def test_a_misspelt_key_of_the_workflow_is_marked(validator: jsonschema.Draft202012Validator, key: str) -> None:
    """Also beside the nodes, and in an option."""
    document = hello()
    document["workflow"][key] = {}
    option = copy.deepcopy(hello())
    option["workflow"]["options"]["seconds"]["hlep"] = "x"

    assert not validator.is_valid(document)
    assert not validator.is_valid(option)


class HalfGood:
    """A plugin with a module that says what it is and one whose code is missing."""

    @hookimpl
    def register_processors(self) -> list[ModuleOffer]:
        """Offer two modules."""
        return [ModuleOffer("sound", "no.such.sound", ModuleSpec("sound")), ModuleOffer("gone", "no.such.gone")]


def test_a_module_that_cannot_be_used_is_told_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """The others are in the schema, stderr names the one that is not."""
    assert write_schema(None, Registry.of(HalfGood())) == 0
    out, err = capsys.readouterr()
    assert "left out: gone: no.such.gone" in err
    assert '"const": "sound"' in out
