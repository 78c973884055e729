"""Why a node ran, was skipped or blocked, and where its arguments came from, in words.

Laws: pure; nothing is decided here: the engine's own judges are asked again, with what they saw; words name nodes as
they are, whoever prints them makes them plain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from cryocloud_core.engine.arguments import Reader
from cryocloud_core.engine.events import Context
from cryocloud_core.engine.joins import judge
from cryocloud_core.engine.pebble import NodeRun, Pebble
from cryocloud_core.engine.states import State, Trigger, worst
from cryocloud_core.graph.condition import holds, references
from cryocloud_core.graph.refs import PARENT, Argument, ConfigRef, Literal, OptionRef, OutputRef, Source, StatRef
from cryocloud_core.graph.workflow import NodeKind
from cryocloud_core.task import StagingKind, Task

#: parents that are named one by one
_NAMED = 6
_RESULTS = ("success", "error", "timeout", "cancelled")


@frozen
class ArgumentTold:
    """One argument: its value as the module was given it (JSON data, before staging), and where that came from.

    `known` is False while nobody has asked for the value yet.
    """

    name: str
    source: str
    value: Any = None
    known: bool = True


@frozen
class Reasons:
    """Says why one run is in the state it is in; `show` writes the values that conditions saw."""

    pebble: Pebble
    run: NodeRun
    context: Context
    show: Callable[[Any], str] = str

    def why(self, source: str) -> str:
        """Return the reason, empty for a run that still waits; `source` is the pebble's input."""
        run = self.run
        if run.node.kind is NodeKind.INPUT:
            return "the pebble arrived here" if run.state is State.SUCCESS else f"the pebble came in through {source}"
        if run.state is State.WAITING:
            return ""
        if run.region is not None and run is not run.region.outer:
            collected = ", which a merge does not collect" if run.state is State.SKIPPED else ""
            return f"runs in each part of {run.region.outer.node.name}{collected}"
        region = run.scope.region
        if region is not None and run.scope.part is not None and run.node.name == region.plan.split:
            if region.outer.node.split_on is None:
                return f"on machine {region.items[run.scope.part]}"
            return f"item {run.scope.part} of the list"
        if run.fired_by is not None:
            return f"{_came(run.fired_by)}, the first that runOn {self._run_on()} accepts{self._held()}"
        if run.state is State.BLOCKED:
            return self._why_blocked()
        if run.state is State.SKIPPED:
            return self._why_skipped()
        return f"{self._parents()}; runOn {self._run_on()}{self._held()}"

    def _why_blocked(self) -> str:
        if self.pebble.given_up and self.run.cause is State.CANCELLED:
            return f"the pebble was {self.pebble.given_up}"
        parents = self.pebble.parents_of(self.run)
        settled = all(parent.is_final for parent in parents)
        if not settled or judge(self.run, parents, self._reader()).trigger is not Trigger.BLOCK:
            return "another part failed"
        if not any(parent.ran for parent in parents):
            return f"none of its parents ran: {self._parents()}"
        return f"{self._parents()}; runOn {self._run_on()}"

    def _why_skipped(self) -> str:
        parents = self.pebble.parents_of(self.run)
        results = [parent.state for parent in parents if parent.ran]
        if not results:
            return f"none of its parents ran: {self._parents()}" if parents else "it has no parents"
        if not self.run.node.run_on:
            return "runOn never"
        result = worst(results + [p.cause for p in parents if p.state is State.BLOCKED and p.cause is not None]).value
        if result not in self.run.node.run_on:
            return f"{self._parents()}; runOn {self._run_on()} does not accept {result}"
        return f"{self._parents()}{self._held()}"

    def _reader(self) -> Reader:
        return Reader(self.pebble, self.run, self.context)

    def _run_on(self) -> str:
        accepted = [result for result in _RESULTS if result in self.run.node.run_on]
        return "always" if len(accepted) == len(_RESULTS) else " or ".join(accepted) or "never"

    def _parents(self) -> str:
        parents = self.pebble.parents_of(self.run)
        more = f" and {len(parents) - _NAMED} more" if len(parents) > _NAMED else ""
        return ", ".join(map(_came, parents[:_NAMED])) + more

    def _held(self) -> str:
        """Return what became of `runIf`, with every value it refers to."""
        condition = self.run.node.run_if
        if condition is None:
            return ""
        reader = self._reader()
        verdict = "holds" if holds(condition, reader.value).holds else "does not hold"
        seen = [
            f"{source_text(source, reader)} = {self.show(reader.value(source))}" for source in references(condition)
        ]
        return f"; runIf {condition.text} {verdict}{': ' if seen else ''}{', '.join(seen)}"


def _came(run: NodeRun) -> str:
    """Return what a run came to, as its children saw it."""
    cause = f" by {run.cause.value}" if run.state is State.BLOCKED and run.cause is not None else ""
    return f"{run.node.name}{run.scope.name} was {run.state.value}{cause}"


def source_text(source: Source, reader: Reader | None = None) -> str:
    """Return where a value comes from; with a reader, the parent that is meant by name."""
    match source:
        case Literal():
            return "written in the workflow"
        case OptionRef(name):
            return f"option {name}"
        case ConfigRef(name):
            return f"config {name}"
        case OutputRef(node, key):
            return f"{_maker(node, key, reader)}.{key}"
        case StatRef(node, name):
            return f"{name} of {_maker(node, None, reader)}"


def _maker(node: str, key: str | None, reader: Reader | None) -> str:
    if node != PARENT:
        return node
    found = None if reader is None else reader.producer(node, key)
    return "parent" if found is None else found.node.name


def arguments(pebble: Pebble, run: NodeRun, context: Context, task: Task | None) -> tuple[ArgumentTold, ...]:
    """Return the arguments of a run: as its task has them, else only where each is to come from."""
    reader = Reader(pebble, run, context)
    told = run.node.args.items()
    if run.node.kind is NodeKind.INPUT:
        # One that the pebble did not come through has nothing to do with it.
        return tuple(_given(n, a, reader) for n, a in told) if run.ran else ()
    if task is None:
        return tuple(
            ArgumentTold(n, _written(a), a.source.value, True)
            if isinstance(a.source, Literal)
            else ArgumentTold(n, source_text(a.source, None), known=False)
            for n, a in told
        )
    return tuple(ArgumentTold(n, _came_from(n, a, task.args.get(n), reader), task.args.get(n)) for n, a in told)


def _given(name: str, argument: Argument, reader: Reader) -> ArgumentTold:
    """Return an input's argument; what its start read from the configuration is kept nowhere."""
    if isinstance(argument.source, ConfigRef):
        return ArgumentTold(name, source_text(argument.source), known=False)
    value = Reader(reader.pebble, reader.run, reader.context).argument(name, argument)
    return ArgumentTold(name, _came_from(name, argument, value, reader), value)


def _written(argument: Argument) -> str:
    """Return where a literal came from; one that is null may be a directory that the worker makes."""
    if isinstance(argument.source, Literal) and argument.source.value is None:
        preparation = argument.preparation
        if preparation is not None and preparation.kind is StagingKind.TEMPDIR:
            return "a tempdir, made by the worker"
    return source_text(argument.source)


def _came_from(name: str, argument: Argument, value: Any, reader: Reader) -> str:
    """Return where a delivered value came from."""
    run = reader.run
    text = source_text(argument.source, reader)
    if run.scope.region is not None and run.node.split_on == name:
        return f"{text}[{run.scope.part}]"
    if isinstance(argument.source, Literal):
        return _written(argument)
    if reader.value(argument.source) is not None:
        return text
    return f"default, {text} gave nothing" if argument.has_default and value == argument.default else text
