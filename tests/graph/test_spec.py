"""Module definitions: old spellings, lists for maps, and all faults at once."""

from __future__ import annotations

from typing import Any

import pytest

from cryocloud_core.errors import SpecError
from cryocloud_core.graph.spec import ModuleSpec, spec_of


def test_capitalised_and_old_keys_mean_the_modern_ones() -> None:
    """`Depends`, `job_type` and the default `run` are understood; keys nobody knows are skipped."""
    spec = spec_of(
        "m",
        {
            "Description": "d",
            "Depends": "Product",
            "Provides": ["A", ""],
            "Inputs": ["src", "dst"],
            "outputs": {"x": "text", "y": None},
            "defaults": {"run": "always", "Priority": "high", "resolve_on_any": "true", "colour": "red"},
            "job_type": "permanent",
            "author": "nobody",
            "pip": "numpy",
        },
    )

    assert spec == ModuleSpec(
        "m",
        description="d",
        depends=("Product",),
        provides=("A",),
        inputs={"src": "", "dst": ""},
        outputs={"x": "text", "y": ""},
        defaults={"runOn": "always", "priority": "high", "resolveOnAny": "true", "colour": "red"},
        input_type="permanent",
        pip="numpy",
    )


def test_what_a_module_does_not_declare_stays_unknown() -> None:
    """No inputs is not the same as an empty map of inputs."""
    assert spec_of("m", {}) == ModuleSpec("m")
    assert spec_of("m", {"inputs": {}, "outputs": None}) == ModuleSpec("m", inputs={})


def test_a_start_function_makes_an_input_module() -> None:
    """A definition that says which kind keeps its word."""
    assert spec_of("m", {}, is_input=True).input_type == "singlerun"
    assert spec_of("m", {"input_type": "permanent"}, is_input=True).input_type == "permanent"


def test_all_faults_of_a_definition_are_told_at_once() -> None:
    """Each names its key, what fits and what stands there."""
    bad: dict[str, Any] = {
        "depends": 3,
        "inputs": "src",
        "input_type": "sometimes",
        "description": ["d"],
        "defaults": {"priority": "soon", "runOn": "fail", "retry": {"times": "x"}},
    }
    with pytest.raises(SpecError) as told:
        spec_of("m", bad)

    text = str(told.value)
    assert text.startswith('module "m": ')
    for part in (
        "depends: must be a list of texts, got 3",
        'inputs: must be a map of names to descriptions, got "src"',
        'input_type: must be one of permanent, singlerun, got "sometimes"',
        "description: must be a text",
        '"priority" must be a whole number',
        '"runOn" must be one of',
        '"retry.times" must be a whole number',
    ):
        assert part in text


@pytest.mark.parametrize("mapping", [None, [], "text"])
def test_a_definition_must_be_a_map(mapping: Any) -> None:
    """Anything else is refused with what it is."""
    with pytest.raises(SpecError, match="ccmodule must be a map"):
        spec_of("m", mapping)
