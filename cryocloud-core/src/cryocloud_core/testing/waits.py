"""What holds the tasks of a played case back: restrictions, judged by a status board with the play's own counters.

Laws: board, counters and restraint are the real ones; status values change only when the case says so.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from cryocloud_core.engine.gate import Gate
from cryocloud_core.engine.restrictions import Restrictions
from cryocloud_core.head.board import StatusBoard
from cryocloud_core.head.counters import Counters
from cryocloud_core.head.ledger import Held, Ledger
from cryocloud_core.head.publishing import Publisher
from cryocloud_core.head.restraint import Restraint
from cryocloud_core.testing.case import Case
from cryocloud_core.testing.flow import Flow
from cryocloud_core.testing.simulation.machines import Machines


class Waits:
    """The restraint of a play, and the counters that it judges by."""

    def __init__(self, flow: Flow, gate: Gate, case: Case) -> None:
        self.counters = Counters()
        self.counters.add_workflow(flow.workflow)
        self._flow = flow.workflow.name
        self._ledger = Ledger()
        self._board = StatusBoard()
        self._changes = dict(case.changes)
        Publisher(self._board, self.counters, Machines((), random.Random(0))).begin(self._flow, {})  # noqa: S311
        self._put(case.status, flow.at)
        self.restraint = Restraint(Restrictions([flow.workflow], self._board), gate, self._ledger, flow.engine)

    def arrives(self, pebble: int, source: str) -> None:
        """A pebble arrives at an input."""
        self._ledger.add(Held(pebble, self._flow, 1, source, 1))

    def changed(self, label: str, at: float) -> bool:
        """Change the status values that change now; False when none do."""
        values = self._changes.pop(label, {})
        self._put(values, at)
        return bool(values)

    def _put(self, values: Mapping[str, Any], at: float) -> None:
        for name, value in values.items():
            channel, _, parameter = name.partition(":")
            self._board.put(channel.replace(" ", "_"), parameter, value, at)
