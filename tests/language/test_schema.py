"""The schema for editors and the loader agree: what loads without a finding is not marked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema

from cryocloud_core.graph.schema import language_schema
from cryocloud_core.graph.spec import spec_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryocloud_core.testing.case import Case


def test_no_row_without_findings_is_marked(cases: Mapping[str, Case], modules: Mapping[str, Any]) -> None:
    """Every such workflow of the tables is valid, also with its modules in the schema."""
    sound = {name: case for name, case in cases.items() if not case.problems and not case.modules}
    schema = language_schema({name: spec_of(name, made) for name, made in modules.items()})
    validator = jsonschema.Draft202012Validator(schema)
    marked: dict[str, list[str]] = {}
    for name, case in sound.items():
        text = case.text if isinstance(case.text, str) else case.text.decode("utf-8-sig")
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(json.loads(text))]
        marked |= {name: errors} if errors else {}

    assert marked == {}
    assert len(sound) > 200
