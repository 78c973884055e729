"""The one resolver of references: from where an argument comes to the value a module is given.

Laws: resolved once, when the task is built; what cannot be resolved is the default, else null with one
warning that names node, argument and reason; never dropped. A literal is delivered untouched.
"""

from __future__ import annotations

import posixpath
from typing import Any

from attrs import define, field

from cryocloud_core.engine.events import Context
from cryocloud_core.engine.pebble import NodeRun, Pebble
from cryocloud_core.engine.states import FAILURES
from cryocloud_core.errors import ResolutionError
from cryocloud_core.graph.refs import PARENT, Argument, ConfigRef, Literal, OptionRef, OutputRef, Source, StatRef
from cryocloud_core.graph.workflow import EVERYWHERE, NodeKind
from cryocloud_core.task import Staging, StagingKind, Stats, Task, Upload

_STATS = {
    "node": "node",
    "worker": "worker",
    "priority": "priority",
    "runtime": "runtime_s",
    "cpu_time": "cpu_time_s",
    "max_memory": "max_memory_bytes",
}


@define
class Reader:
    """Reads values for one run of one pebble in one context; collects warnings."""

    pebble: Pebble
    run: NodeRun
    context: Context
    notes: list[str] = field(factory=list)

    def warn(self, text: str) -> None:
        """Keep one line for the log."""
        self.notes.append(text)

    def value(self, source: Source) -> Any:
        """Return what a source yields now; None for what cannot be resolved."""
        match source:
            case Literal(value):
                return value
            case OptionRef(name):
                return self.pebble.born.options.get(name)
            case ConfigRef(name):
                return self.context.config.get(name)
            case OutputRef(node, key):
                found = self.producer(node, key)
                return None if found is None else found.outputs.get(key)
            case StatRef(node, name):
                return _stat(self.producer(node, None), name)

    def producer(self, node: str, key: str | None) -> NodeRun | None:
        """Return the run that a reference means, None when it did not run."""
        if node != PARENT:
            found = self.run.scope.find(node)
            return found if found is not None and found.ran else self.pebble.lent.get(node)
        if self.run.fired_by is not None:
            return self.run.fired_by
        ran = [parent for parent in self.pebble.parents_of(self.run) if parent.ran]
        if len(ran) <= 1 or key is None:
            return ran[0] if ran else None
        if key == "error":
            ran.sort(key=lambda parent: parent.state not in FAILURES)
        return next((parent for parent in ran if parent.outputs.get(key) is not None), ran[0])

    def argument(self, name: str, argument: Argument) -> Any:
        """Return the value of one argument, its default, or None with a warning."""
        value = self.value(argument.source)
        if value is not None:
            return value
        if not argument.has_default and not isinstance(argument.source, Literal):
            self.warn(f"argument {name!r} is null: {self.why(argument.source)}")
        return argument.default

    def why(self, source: Source) -> str:
        """Return why a source yields nothing."""
        match source:
            case OutputRef(node, key):
                return self._why_output(node, f"{key!r}")
            case StatRef(node, name):
                return self._why_output(node, f"the statistic {name!r}")
            case OptionRef(name):
                return f"option {name!r} was not given"
            case ConfigRef(name):
                return f"configuration {name!r} is not set"
            case Literal():
                return "null was written"

    def _why_output(self, node: str, what: str) -> str:
        name = "its parent" if node == PARENT else f"node {node!r}"
        return f"{name} did not run" if self.producer(node, None) is None else f"{name} did not return {what}"


def _stat(run: NodeRun | None, name: str) -> Any:
    """Return a statistic of a run; an input node has only its machine."""
    if run is None or run.stats is None or (run.node.kind is NodeKind.INPUT and name != "node"):
        return None
    return getattr(run.stats, _STATS[name])


def build_task(reader: Reader) -> Task:
    """Return the task of the reader's run; warnings go to the reader's notes. Raises ResolutionError."""
    pebble, run = reader.pebble, reader.run
    node = run.node
    args = {name: reader.argument(name, argument) for name, argument in node.args.items()}
    staging = tuple(
        _staging(reader, name, argument, args[name])
        for name, argument in node.args.items()
        if argument.preparation is not None
    )
    return Task(
        id=pebble.task_id(run),
        pebble=pebble.id,
        node=node.name,
        module=node.module,
        workflow=pebble.plan.workflow.name,
        code=node.code,
        nonce=pebble.nonce,
        args=args,
        attempt=run.attempt,
        priority=node.priority,
        kind=node.placement.worker_class,
        on_head=node.placement.on_head,
        machines=_machines(reader),
        timeout_s=node.timeout_s,
        workdir=_workdir(reader),
        staging=staging,
        uploads=_uploads(reader),
        loop=node.loop,
        outputs=tuple(node.outputs),
    )


def _machines(reader: Reader) -> tuple[str, ...]:
    """Return the names of the machines a task may run on, `all` alone for every one; empty for any."""
    placement = reader.run.node.placement
    if placement.machine is None or placement.on_head:
        return ()
    value = reader.argument("ccnode", placement.machine)
    names = [value] if value is None or isinstance(value, str) else value
    if not isinstance(names, list) or not all(name is None or isinstance(name, str) for name in names):
        raise ResolutionError(f"must be the name of a machine or a list of names, got {value!r}", subject="ccnode")
    found = tuple(dict.fromkeys(name for name in names if name))
    if EVERYWHERE in found and found != (EVERYWHERE,):
        raise ResolutionError(f'"{EVERYWHERE}" stands alone, got {value!r}', subject="ccnode")
    return found


def _staging(reader: Reader, name: str, argument: Argument, value: Any) -> Staging:
    """Return how the worker prepares an argument, and on which machine its paths lie."""
    assert argument.preparation is not None
    if argument.preparation.kind is StagingKind.TEMPDIR and not isinstance(value, str | None):
        raise ResolutionError(
            f"the base of a tempdir must be a path, got {type(value).__name__}", subject=f"argument {name!r}"
        )
    return Staging(name, argument.preparation, _origins(reader, argument.source))


def _origins(reader: Reader, source: Source) -> tuple[str, ...]:
    """Return where the paths of a value lie: one machine, or one for each item of a merged list."""
    head = reader.pebble.machine
    if isinstance(source, OutputRef):
        maker = reader.producer(source.node, source.key)
        if maker is not None and maker.stats is not None and maker.outputs.get(source.key) is not None:
            made_on = maker.stats.node
            return (made_on,) if isinstance(made_on, str) else tuple(machine or head for machine in made_on)
    return (head,)


def _uploads(reader: Reader) -> tuple[Upload, ...]:
    """Return what the worker uploads after success; a target that cannot be one is told before anything runs."""
    return tuple(
        Upload(item.output, _target(reader, item.target, item.output), item.basename, item.remove)
        for item in reader.run.node.post
    )


def _target(reader: Reader, argument: Argument, output: str) -> str:
    subject = f"post of {output!r}"
    value = reader.value(argument.source)
    value = argument.default if value is None else value
    if value is None:
        raise ResolutionError(f"the target is null: {reader.why(argument.source)}", subject=subject)
    if not isinstance(value, str) or not value:
        raise ResolutionError(f"the target must be a path or URL, got {value!r:.80}", subject=subject)
    return value


def _workdir(reader: Reader) -> str | None:
    """Return the absolute working directory; a relative one is read from where the head was started."""
    argument = reader.run.node.workdir
    value = None if argument is None else reader.argument("workdir", argument)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ResolutionError(f"must be a path, got {type(value).__name__}", subject="workdir")
    return posixpath.normpath(posixpath.join(reader.pebble.born.directory, value))


def input_stats(machine: str) -> Stats:
    """Return the statistics of an input node: only the machine that made the pebble is known."""
    return Stats(node=machine, worker="")
