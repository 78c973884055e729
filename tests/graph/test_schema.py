"""The schema for editors: complete, sound, and helpful about installed modules."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from cryocloud_core.graph.arguments import MODIFIERS, SOURCES
from cryocloud_core.graph.options import OPTION_KEYS
from cryocloud_core.graph.schema import KEYS, language_schema
from cryocloud_core.graph.settings import GRAPH_KEYS, SETTINGS


def test_every_key_of_the_tables_has_its_line() -> None:
    """Nodes, arguments and options."""
    definitions = language_schema()["$defs"]

    assert set(KEYS) == {*GRAPH_KEYS, *SETTINGS}
    assert set(definitions["source"]["properties"]) == {*SOURCES, *MODIFIERS, "options"}
    assert set(definitions["option"]["properties"]) == set(OPTION_KEYS)


def validator(bench: Any) -> jsonschema.Draft202012Validator:
    """Return a validator of the schema with the stub modules."""
    schema = language_schema(bench.specs)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_a_sound_document_is_valid(bench: Any, work: Any) -> None:
    """Also with modules that the schema does not know."""
    rich = work("A", retry=2, ccnode=None, runOn=["error"], args={"src": {"output": "In.fullpath", "unzip": "true"}})
    stranger = {"module": "stranger", "args": {"any": 1}, "workdir": {"option": "o"}}

    validator(bench).validate(json.loads(bench.document(rich, stranger, options={"o": {"type": "bool"}})))


@pytest.mark.parametrize(
    "node", [{}, {"module": "work", "args": {"srcc": 1}}, {"module": "work", "runOn": "fail"}, {"module": 3}]
)
def test_a_slip_is_marked(bench: Any, node: dict[str, Any]) -> None:
    """A missing module, an argument its module does not take, a word that does not exist."""
    assert not validator(bench).is_valid(json.loads(bench.document(node)))
