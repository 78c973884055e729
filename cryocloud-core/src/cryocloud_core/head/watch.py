"""What a running head looks at once a second: waits that last, warnings to pass on, old pebbles to forget.

Laws: nothing here is needed for the run to be right; everything is O(nodes).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from cryocloud_core.engine.exchange import Exchange
from cryocloud_core.engine.gate import Blocked, Gate
from cryocloud_core.errors import StateError
from cryocloud_core.head.contexts import Contexts
from cryocloud_core.head.counters import Counters
from cryocloud_core.head.journal import Journal
from cryocloud_core.head.restraint import Restraint
from cryocloud_core.head.retention import STEP, Retention
from cryocloud_core.head.telling import Telling
from cryocloud_core.head.view import BlockedView
from cryocloud_core.sdk.scheduler import Scheduler
from cryocloud_core.url_secrets import covered

#: a node that nobody can serve for this long is worth a warning
PATIENCE_S = 60.0
#: seconds between two looks for pebbles to forget
RETENTION_S = 60.0
#: seconds without a commit after which the head counts as idle
IDLE_S = 2.0


class Watch:
    """Watches a run; `blocked` says what waits for something other than a free worker."""

    def __init__(
        self,
        scheduler: Scheduler,
        gate: Gate,
        exchange: Exchange,
        counters: Counters,
        telling: Telling,
        *,
        restraint: Restraint | None = None,
    ) -> None:
        self._scheduler = scheduler
        self._gate = gate
        self._exchange = exchange
        self._counters = counters
        self._telling = telling
        self._restraint = restraint
        self._waiting_since: dict[tuple[str, str, str], float] = {}
        self._warned: set[tuple[str, str, str]] = set()
        self._config_warning = ""

    def blocked(self) -> tuple[BlockedView, ...]:
        """Return the nodes whose tasks wait, and for what."""
        waiting = self._gate.blocked()
        circles = self._restraint.circles() if self._restraint is not None and waiting else {}
        views = [BlockedView(b.workflow, b.node, b.count, covered(_with(b, circles))) for b in waiting]
        views += [BlockedView(b.workflow, b.node, b.count, covered(b.why)) for b in self._exchange.blocked()]
        unserved: dict[str, str] = {}
        for counter in self._counters.nodes():
            if counter.pending > 0 and counter.kind:
                if counter.kind not in unserved:
                    unserved[counter.kind] = self._scheduler.unserved(counter.kind)
                if unserved[counter.kind]:
                    views.append(BlockedView(counter.workflow, counter.name, counter.pending, unserved[counter.kind]))
        return tuple(views)

    def look(self) -> None:
        """Warn of nodes that nobody has served for a minute."""
        now = time.monotonic()
        found = {(view.workflow, view.node, view.why): view for view in self.blocked()}
        for key in list(self._waiting_since):
            if key not in found:
                del self._waiting_since[key]
                self._warned.discard(key)
        for key, view in found.items():
            since = self._waiting_since.setdefault(key, now)
            if now - since >= PATIENCE_S and key not in self._warned and not view.why.startswith("max_parallel"):
                self._warned.add(key)
                text = f"{view.count} tasks wait since a minute: {view.why}"
                self._telling.log("WARNING", text, workflow=view.workflow, node=view.node)

    def config(self, contexts: Contexts) -> None:
        """Pass on, once, why the configuration could not be read again."""
        if contexts.warning != self._config_warning:
            self._config_warning = contexts.warning
            if contexts.warning:
                self._telling.log("WARNING", f"{contexts.warning}; the values read before stay in use")


def _with(blocked: Blocked, circles: Mapping[tuple[str, str], str]) -> str:
    """Return why tasks are blocked, and that it will never be otherwise where that is so."""
    circle = circles.get((blocked.workflow, blocked.node), "")
    return f"{blocked.why}; {circle}" if circle and blocked.why.startswith("restriction ") else blocked.why


class Forgetting:
    """Retention while the head is idle."""

    def __init__(self, journal: Journal, retention: Retention, counted_runs: tuple[int, ...]) -> None:
        self._journal = journal
        self._retention = retention
        self._counted_runs = counted_runs
        self._next_at = time.monotonic() + RETENTION_S
        self._task: asyncio.Task[int] | None = None

    def look(self, last_commit_at: float) -> None:
        """Begin a round when it is time for one and nothing else is to be done."""
        now = time.monotonic()
        if now >= self._next_at and now - last_commit_at >= IDLE_S and (self._task is None or self._task.done()):
            self._next_at = now + RETENTION_S
            self._task = asyncio.get_running_loop().create_task(self.round())

    async def round(self) -> int:
        """Forget what is too old, step by step; return how many pebbles."""
        total = 0
        while True:
            try:
                count = await self._journal.run(lambda c: self._retention.step(c, self._counted_runs))
            except StateError:
                # A full disk: the journal's own pause says so, and the next round tries again.
                return total
            total += count
            if count < STEP:
                return total
            await asyncio.sleep(0.05)

    def stop(self) -> None:
        """Begin no further step."""
        if self._task is not None:
            self._task.cancel()
