"""Contexts: which configuration a workflow refers to, and when a new row is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from desk import Config, chain, literal, node

from cryocloud_core.errors import ConfigError
from cryocloud_core.graph.condition import And, Compare, Condition, Not, Number, Or, Text, Truth, Value
from cryocloud_core.graph.refs import PARENT, Argument, ConfigRef, OutputRef
from cryocloud_core.graph.workflow import Placement, PostItem, Workflow
from cryocloud_core.head.batch import Batch
from cryocloud_core.head.contexts import Contexts, config_names, keys_the_engine_reads


def conf(name: str) -> Argument:
    """Return an argument from the configuration."""
    return Argument(ConfigRef(name))


@pytest.fixture
def journal() -> Iterator[sqlite3.Connection]:
    """Give a table of contexts."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE contexts (number INTEGER PRIMARY KEY, options, config, directory)")
    yield connection
    connection.close()


def written(batch: Batch, journal: sqlite3.Connection) -> int:
    """Write a batch and return how many contexts it had."""
    for statement, values in batch.others:
        journal.execute(statement, values)
    return len(batch.others)


def test_every_place_that_may_name_configuration_or_outputs_is_looked_into() -> None:
    """Arguments, placement, working directory, uploads, volumes and all of a condition."""
    condition = And(
        (
            Or((Compare(Value(ConfigRef("c1")), "==", Text("x")), Truth(Value(OutputRef("In", "k1"))))),
            Not(Compare(Number(1, "1"), "<", Value(OutputRef(PARENT, "k2")))),
        )
    )
    last = node(
        "N",
        "In",
        args={"a": conf("a1"), "split": Argument(OutputRef("In", "k3")), "no": Argument(OutputRef("In", "other"))},
        run_if=Condition("…", condition),
        placement=Placement(machine=conf("p1"), volumes=((conf("v1"), literal("/x"), "rw"),)),
        workdir=Argument(OutputRef("In", "k4")),
        post=(PostItem("o", conf("t1")),),
        split_on="split",
    )
    flow = Workflow("flow", "", {"In": node("In", args={"i": conf("i1")}), "N": last})

    assert config_names(flow) == {"c1", "a1", "p1", "v1", "t1", "i1"}
    assert keys_the_engine_reads(flow) == {"k1", "k2", "k3", "k4"}


def made(journal: sqlite3.Connection, config: Any, options: dict[str, Any] | None = None) -> Contexts:
    """Return contexts for a chain whose first node reads two values."""
    contexts = Contexts.load(journal, {"flow": config}, "/work")
    contexts.add_workflow(chain(1, args={"a": conf("R.a"), "b": conf("R.b")}), options)
    return contexts


def test_a_row_is_written_once_for_each_content(journal: sqlite3.Connection) -> None:
    """The same options and values have the same number, also after they were others and after a restart."""
    config = Config(**{"R.a": 1})
    contexts = made(journal, config, {"o": 1})
    batch = Batch()
    first = contexts.of_birth("flow", batch)
    assert contexts.of_birth("flow", batch) is first
    assert contexts.of_pebble("flow", first.number, batch) is first
    assert (first.number, first.options, first.config, first.directory) == (
        1,
        {"o": 1},
        {"R.a": 1, "R.b": None},
        "/work",
    )

    config.change("R.a", 2)
    contexts.refresh()
    second = contexts.of_pebble("flow", first.number, batch)
    config.change("R.a", 1)
    contexts.refresh()
    assert contexts.of_birth("flow", batch) is first
    assert (second.number, written(batch, journal)) == (2, 2)

    again = made(journal, config, {"o": 1})
    batch = Batch()
    assert again.of_birth("flow", batch) == first
    assert again.number(2) == second
    assert written(batch, journal) == 0


def test_a_pebble_keeps_its_options_and_sees_new_configuration(journal: sqlite3.Connection) -> None:
    """After a restart with other options the old pebble has its own, a new one has the new."""
    config = Config(**{"R.a": 1})
    batch = Batch()
    old = made(journal, config, {"o": "old"}).of_birth("flow", batch)
    written(batch, journal)
    config.change("R.a", 5)
    contexts = made(journal, config, {"o": "new"})

    batch = Batch()
    seen, born = contexts.of_pebble("flow", old.number, batch), contexts.of_birth("flow", batch)
    assert (seen.options, seen.config["R.a"]) == ({"o": "old"}, 5)
    assert (born.options, born.config["R.a"]) == ({"o": "new"}, 5)
    assert len({old.number, seen.number, born.number}) == 3


class Wrong(Config):
    """A configuration whose file cannot be read at the moment."""

    error: ConfigError | None = None

    def refresh(self) -> bool:
        """Raise while it is wrong."""
        if self.error is not None:
            raise self.error
        return super().refresh()


def test_a_wrong_file_leaves_the_values_and_a_warning(journal: sqlite3.Connection) -> None:
    """What was read last stays in use until the file is right again."""
    config = Wrong(**{"R.a": 1})
    contexts = made(journal, config)
    batch = Batch()
    first = contexts.of_birth("flow", batch)
    config.error = ConfigError("line 3 is wrong")
    contexts.refresh()
    assert contexts.of_birth("flow", batch) is first
    assert "line 3" in contexts.warning

    config.error = None
    contexts.refresh()
    assert contexts.warning == ""
