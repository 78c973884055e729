"""The tables leave nothing of the language out: every code, every key, every word of a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryocloud_core.graph.arguments import MODIFIERS, SOURCES
from cryocloud_core.graph.load import parse
from cryocloud_core.graph.problems import CATALOGUE
from cryocloud_core.graph.refs import STAT_NAMES
from cryocloud_core.graph.settings import NODE_KEYS, RESULTS
from cryocloud_core.graph.unsupported import REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cryocloud_core.testing.case import Case


def _node_keys(case: Case) -> Iterator[tuple[str, Any]]:
    """Yield every node key of a case under its one name, with its value."""
    for node in parse(case.text).nodes:
        for name, entry in node.entries.items():
            yield name, entry.tree.data


def _arguments(cases: Mapping[str, Case]) -> Iterator[dict[str, Any]]:
    """Yield every argument that is a map."""
    values = (value for case in cases.values() for name, value in _node_keys(case) if name == "args")
    yield from (argument for value in values if isinstance(value, dict) for argument in _maps(value))


def _maps(arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (argument for argument in arguments.values() if isinstance(argument, dict))


def test_every_code_is_expected_by_some_row(cases: Mapping[str, Case]) -> None:
    """Each error and each warning of the catalogue; what is refused for now counts as E38."""
    expected = {code for case in cases.values() for code in case.problems}
    expected |= {"E38"} if any(case.refused for case in cases.values()) else set()

    assert sorted(CATALOGUE.keys() - expected) == []


def test_every_node_key_stands_in_some_row(cases: Mapping[str, Case]) -> None:
    """Each key that a node may have."""
    used = {name for case in cases.values() for name, _ in _node_keys(case)}

    assert sorted(set(NODE_KEYS.names) - used) == []


def test_every_source_modifier_and_statistic_stands_in_some_row(cases: Mapping[str, Case]) -> None:
    """Each key of an argument, and each name behind a `stat`."""
    used = {key for argument in _arguments(cases) for key in argument}
    statistics = {str(argument.get("stat")).rpartition(".")[2] for argument in _arguments(cases)}

    assert sorted({*SOURCES, *MODIFIERS} - used) == []
    assert sorted(set(STAT_NAMES) - statistics) == []


def test_every_word_of_run_on_stands_in_some_row(cases: Mapping[str, Case]) -> None:
    """Results, always and never, alone; results in lists."""
    values = [value for case in cases.values() for name, value in _node_keys(case) if name == "runOn"]
    in_lists = {word for value in values if isinstance(value, list) for word in value}

    assert {*RESULTS, "always", "never"} <= {value for value in values if isinstance(value, str)}
    assert set(RESULTS) <= in_lists


def test_every_refused_key_is_awaited_by_some_row(cases: Mapping[str, Case]) -> None:
    """So that rows of it are played as soon as it is executed."""
    awaited = {key for case in cases.values() for key in case.awaits}

    assert sorted(REFUSED.keys() - awaited) == []
