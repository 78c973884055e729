"""Which nodes are short, so that their tasks may wait at a worker instead of in the head.

Laws: a node is short when the median of its last 32 tasks is under 20 ms, and not before it has had 32.
"""

from __future__ import annotations

from collections import deque

from attrs import define, field

#: tasks of a node that are remembered
SAMPLES = 32
#: a median below is short, seconds
SHORT_S = 0.020


@define(eq=False)
class Pace:
    """The recent runtimes of one node, kept as whether each was short: the median needs no more."""

    _recent: deque[bool] = field(factory=deque)
    _short: int = 0

    def note(self, runtime_s: float) -> None:
        """Remember one task."""
        short = runtime_s < SHORT_S
        self._recent.append(short)
        self._short += short
        if len(self._recent) > SAMPLES:
            self._short -= self._recent.popleft()

    @property
    def is_short(self) -> bool:
        """True when the median of the last 32 is under the limit."""
        return len(self._recent) == SAMPLES and 2 * self._short > SAMPLES


@define(eq=False)
class Paces:
    """The pace of every node, by workflow and name."""

    _nodes: dict[tuple[str, str], Pace] = field(factory=dict)

    def of(self, workflow: str, node: str) -> Pace:
        """Return the pace of a node, made on first use."""
        pace = self._nodes.get((workflow, node))
        if pace is None:
            pace = self._nodes[workflow, node] = Pace()
        return pace
