"""The last touch on a task before it is offered: what the journal does not say, because it is this start's.

Laws: the task that waits stays as the engine made it; what is added here is found anew by every start; a
secret is revealed only in an argument that comes from an option or the configuration: no output can ask
for one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import evolve

from cryocloud_core.graph.refs import ConfigRef, OptionRef
from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.head.blobs import Blobs
from cryocloud_core.head.ledger import Ledger, attempt_seen
from cryocloud_core.head.settings import RunSettings
from cryocloud_core.head.veil import Veil
from cryocloud_core.secrets import reveal
from cryocloud_core.task import Task


class Dispatch:
    """Gives tasks their big values, the attempt a module sees, and the run's limits."""

    def __init__(
        self,
        blobs: Blobs,
        ledger: Ledger,
        workflows: Iterable[Workflow],
        settings: RunSettings,
        start: int,
        *,
        veil: Veil | None = None,
    ) -> None:
        self._blobs = blobs
        self._ledger = ledger
        self._start = start
        self._outside = {
            (workflow.name, node.name): tuple(
                name for name, argument in node.args.items() if isinstance(argument.source, ConfigRef | OptionRef)
            )
            for workflow in workflows
            for node in workflow.nodes.values()
        }
        self._timeout_s = settings.max_task_time_s
        self._machines = () if settings.node is None else (settings.node,)
        self._log_level = settings.log_level
        self.veil = veil or Veil()

    def ready(self, task: Task) -> Task:
        """Return the task as a worker will see it. Raises ResolutionError (too large), ConfigError."""
        changes: dict[str, Any] = {}
        outside = self._outside.get((task.workflow, task.node))
        if outside and any(isinstance(task.args.get(name), dict | list) for name in outside):
            changes["args"] = {**task.args, **{name: self._reveal(task.args.get(name)) for name in outside}}
        held = self._ledger.get(task.pebble)
        if held is not None and held.earlier is not None:
            changes["attempt"] = attempt_seen(task, held, self._start)
        if self._timeout_s is not None and task.timeout_s is None:
            changes["timeout_s"] = self._timeout_s
        if self._machines and not task.machines and not task.on_head:
            changes["machines"] = self._machines
        if self._log_level != task.log_level:
            changes["log_level"] = self._log_level
        return self._blobs.put_back(evolve(task, **changes) if changes else task)

    def _reveal(self, value: Any) -> Any:
        """Return a value with its secrets, which must not be told from now on."""
        revealed = reveal(value)
        if isinstance(value, dict | list):
            self.veil.know_revealed(value, revealed)
        return revealed
