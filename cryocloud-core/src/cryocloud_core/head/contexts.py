"""What pebbles may read of options and configuration, as numbered rows that are only ever added.

Laws: a pebble keeps the options and the directory it was born with; a changed configuration makes a new
context, written in the same commit as the first event that is applied in it; only configuration that the
workflow refers to is kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import define

from cryocloud_core.engine.events import Context
from cryocloud_core.errors import CryoCloudError
from cryocloud_core.graph.condition import And, Clause, Compare, Not, Operand, Or, Truth, Value
from cryocloud_core.graph.refs import Argument, ConfigRef, OutputRef, Source
from cryocloud_core.graph.workflow import Node, Workflow
from cryocloud_core.head.batch import Batch
from cryocloud_core.head.settings import ConfigSource


def condition_sources(clause: Clause) -> Iterable[Source]:
    """Yield every reference of a condition."""
    match clause:
        case And(parts) | Or(parts):
            for part in parts:
                yield from condition_sources(part)
        case Not(inner):
            yield from condition_sources(inner)
        case Truth(operand):
            yield from _operand_sources(operand)
        case Compare(left, _, right):
            yield from _operand_sources(left)
            yield from _operand_sources(right)


def _operand_sources(operand: Operand) -> Iterable[Source]:
    if isinstance(operand, Value):
        yield operand.source


def node_settings(node: Node) -> list[Argument]:
    """Return the references of a node beside its arguments: where it runs, where it works, where it uploads."""
    place = node.placement
    settings = [place.machine, node.workdir, *(item.target for item in node.post)]
    settings += [argument for host, inside, _ in place.volumes for argument in (host, inside)]
    return [argument for argument in settings if argument is not None]


def config_names(workflow: Workflow) -> set[str]:
    """Return the full dotted names of all configuration values a workflow refers to."""
    sources: list[Source] = []
    for node in workflow.nodes.values():
        sources += [argument.source for argument in (*node.args.values(), *node_settings(node))]
        if node.run_if is not None:
            sources += condition_sources(node.run_if.tree)
    return {source.name for source in sources if isinstance(source, ConfigRef)}


def keys_the_engine_reads(workflow: Workflow) -> set[str]:
    """Return the output keys that are looked into while a pebble runs, so that they must stay with the pebble."""
    sources: list[Source] = []
    for node in workflow.nodes.values():
        sources += [argument.source for argument in node_settings(node)]
        if node.split_on is not None and node.split_on in node.args:
            sources.append(node.args[node.split_on].source)
        if node.run_if is not None:
            sources += condition_sources(node.run_if.tree)
    return {source.key for source in sources if isinstance(source, OutputRef)}


@define(eq=False)
class _Known:
    """What is known of one workflow name: where its configuration is, names in it, the options of pebbles born now."""

    config: ConfigSource
    names: set[str]
    options: dict[str, Any]


class Contexts:
    """All contexts in use; `refresh` before each turn, then ask for the context of a birth or a pebble."""

    def __init__(self, configs: Mapping[str, ConfigSource], directory: str, next_number: int) -> None:
        """Make contexts; `configs` maps each workflow's name to its configuration, which several may share."""
        self.warning = ""
        self._configs = configs
        self._directory = directory
        self._next = next_number
        self._workflows: dict[str, _Known] = {}
        self._by_number: dict[int, Context] = {}
        self._by_content: dict[str, Context] = {}
        self._current: dict[tuple[str, int], Context] = {}

    @classmethod
    def load(cls, connection: sqlite3.Connection, configs: Mapping[str, ConfigSource], directory: str) -> Contexts:
        """Return the contexts of a journal."""
        rows = connection.execute("SELECT number, options, config, directory FROM contexts").fetchall()
        contexts = cls(configs, directory, max((row[0] for row in rows), default=0) + 1)
        for number, options, values, folder in rows:
            contexts._keep(Context(number, json.loads(options), json.loads(values), json.loads(folder)))
        return contexts

    def add_workflow(self, workflow: Workflow, options: Mapping[str, Any] | None = None) -> None:
        """Know a workflow's references; `options` are those of pebbles born from now on."""
        name = workflow.name
        known = self._workflows.setdefault(name, _Known(self._configs[name], set(), {}))
        known.names |= config_names(workflow)
        if options is not None:
            known.options = dict(options)

    def refresh(self) -> None:
        """Read changed configuration; a file that is wrong leaves the last good values and a `warning`."""
        warnings: list[str] = []
        for config in {id(each): each for each in self._configs.values()}.values():
            try:
                changed = config.refresh()
            except CryoCloudError as error:
                warnings.append(str(error))
            else:
                if changed:
                    self._current.clear()
        self.warning = "; ".join(dict.fromkeys(warnings))

    def number(self, number: int) -> Context:
        """Return a context by its number, as a replay needs it."""
        return self._by_number[number]

    def __iter__(self) -> Iterator[Context]:
        """Yield every context."""
        return iter(list(self._by_number.values()))

    def of_birth(self, workflow: str, batch: Batch) -> Context:
        """Return the context for pebbles born now; a new one is added to the batch."""
        found = self._current.get((workflow, 0))
        if found is None:
            found = self._make(workflow, self._workflows[workflow].options, self._directory, batch)
            self._current[workflow, 0] = found
        return found

    def of_pebble(self, workflow: str, birth: int, batch: Batch) -> Context:
        """Return the context for what happens now to a pebble born in context `birth`."""
        found = self._current.get((workflow, birth))
        if found is None:
            born = self._by_number[birth]
            found = self._current[workflow, birth] = self._make(workflow, born.options, born.directory, batch)
        return found

    def _make(self, workflow: str, options: dict[str, Any], directory: str, batch: Batch) -> Context:
        known_as = self._workflows[workflow]
        values = {name: known_as.config.get(name) for name in sorted(known_as.names)}
        context = Context(self._next, options, values, directory)
        known = self._by_content.get(_content(context))
        if known is not None:
            return known
        self._next += 1
        self._keep(context)
        batch.also("INSERT INTO contexts VALUES (?, ?, ?, ?)", context.number, *_columns(context))
        return context

    def _keep(self, context: Context) -> None:
        self._by_number[context.number] = context
        self._by_content[_content(context)] = context


def _columns(context: Context) -> tuple[str, str, str]:
    return tuple(json.dumps(part, sort_keys=True) for part in (context.options, context.config, context.directory))  # type: ignore[return-value]


def _content(context: Context) -> str:
    return "\n".join(_columns(context))
