"""Putting a head together: lock, journal, replay, what becomes of unfinished pebbles, then the first commit.

Laws: everything that can refuse a start refuses here, before a worker or an input was started; what is
found wrong later is not a matter of starting.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any

from attrs import define

from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import Event, PebbleCancelled
from cryocloud_core.engine.gate import Gate
from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.head import checkpoints
from cryocloud_core.head.batch import Batch
from cryocloud_core.head.contexts import Contexts, keys_the_engine_reads
from cryocloud_core.head.counters import Counters
from cryocloud_core.head.hiding import hide
from cryocloud_core.head.journal import Journal
from cryocloud_core.head.ledger import Ledger
from cryocloud_core.head.recovery import Recovered, replay, stored_workflows
from cryocloud_core.head.results import Results
from cryocloud_core.head.resume import Given, check_names, decide
from cryocloud_core.head.runs import Run
from cryocloud_core.head.settings import ConfigSource, RunSettings
from cryocloud_core.head.wheel import Graph, quarantine


@define(eq=False)
class Parts:
    """What a start found and made, before anything runs."""

    journal: Journal
    engine: Engine
    gate: Gate
    contexts: Contexts
    ledger: Ledger
    counters: Counters
    results: Results
    recovered: Recovered
    runs: dict[str, Run]
    graphs: dict[str, Graph]
    #: what is to become of unfinished pebbles
    decided: list[Event]


def assemble(
    journal: Journal,
    given: Mapping[str, Given],
    settings: RunSettings,
    configs: Mapping[str, ConfigSource],
    options: Mapping[str, Mapping[str, Any]],
) -> Parts:
    """Replay, decide and commit the start. Raises StateError, ResumeRefused."""
    connection = journal.reader
    check_names(connection, given.values())
    engine, ledger = Engine(), Ledger()
    contexts = Contexts.load(connection, configs, str(settings.directory))
    graphs, old = _add_workflows(journal, engine, contexts, given, options)
    recovered = replay(connection, engine, contexts, ledger, given)
    decided = decide(engine, ledger, given, settings, old)
    batch = Batch()
    runs = _runs(journal, ledger, given, decided, batch)
    counters, results = _numbers(journal, runs, given, settings, batch)
    for each in given.values():
        each.note(batch)
    for aside in recovered.set_aside:
        quarantine(batch, aside.held, aside.story, 0.0)
    for kept in recovered.checkpoints:
        checkpoints.keep(batch, kept, ledger[kept.pebble])
    if settings.force_inputs:
        for name in given:
            batch.also("DELETE FROM arrivals WHERE workflow = ? AND run = 0", name)
    journal.begin(batch, settings.machine, _version())
    gate = _gate(given)
    return Parts(journal, engine, gate, contexts, ledger, counters, results, recovered, runs, graphs, decided)


def _add_workflows(
    journal: Journal,
    engine: Engine,
    contexts: Contexts,
    given: Mapping[str, Given],
    options: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, Graph], dict[str, Workflow]]:
    """Make all graphs known; return what the wheel must know of the given ones, and the stored ones by digest."""
    old = dict(stored_workflows(journal.reader, given))
    kept: dict[str, set[str]] = {}
    for digest, workflow in [*((each.digest, each.workflow) for each in given.values()), *old.items()]:
        # A stored graph comes last and wins: it is the one that pebbles were started in.
        engine.add_workflow(digest, workflow)
        contexts.add_workflow(workflow)
        kept.setdefault(workflow.name, set()).update(keys_the_engine_reads(workflow))
    for name, each in given.items():
        contexts.add_workflow(each.workflow, hide(each.workflow, options.get(name, {}), journal.path.parent))
    return {name: Graph(each.digest, frozenset(kept[name])) for name, each in given.items()}, old


def _runs(
    journal: Journal, ledger: Ledger, given: Mapping[str, Given], decided: list[Event], batch: Batch
) -> dict[str, Run]:
    """Return the run of each workflow: that of pebbles which go on, else a new one."""
    given_up = {event.pebble for event in decided if isinstance(event, PebbleCancelled)}
    going_on: dict[str, int] = {}
    for held in ledger:
        if not held.owing and held.pebble not in given_up:
            going_on[held.workflow] = max(held.run, going_on.get(held.workflow, 0))
    runs: dict[str, Run] = {}
    taken = 0
    for name in given:
        if name in going_on:
            runs[name] = Run.go_on(journal.reader, going_on[name])
        else:
            runs[name] = Run.begin(journal.reader, name, batch, taken=taken)
            taken += 1
    return runs


def _numbers(
    journal: Journal, runs: Mapping[str, Run], given: Mapping[str, Given], settings: RunSettings, batch: Batch
) -> tuple[Counters, Results]:
    """Return counters and results that go on from what the runs came to before."""
    counters, results = Counters(), Results()
    results.load(journal.reader, runs.values())
    for name, run in runs.items():
        counters.add_workflow(given[name].workflow)
        if settings.reset_counters:
            batch.also("DELETE FROM counters WHERE run IN (SELECT run FROM runs WHERE workflow = ?)", name)
            continue
        query = "SELECT node, completed, failed, skipped FROM counters WHERE run = ?"
        for node, *ends in journal.reader.execute(query, (run.number,)):
            counters.seed(name, node, ends)
    return counters, results


def _gate(given: Mapping[str, Given]) -> Gate:
    gate = Gate()
    for name, each in given.items():
        for node in each.workflow.nodes.values():
            if node.max_parallel is not None:
                gate.limit(name, node.name, node.max_parallel)
    return gate


def _version() -> str:
    try:
        return importlib.metadata.version("cryocloud-core")
    except importlib.metadata.PackageNotFoundError:
        return ""
