"""Which nodes are short, so that their tasks may wait at a worker instead of in the head.

Laws: a node is short when the median of its last 32 tasks is under 20 ms, tiny when it is under 1 ms, and neither
before it has had 32; what waits at one worker is a third of a second of work, as far as one can know.
"""

from __future__ import annotations

from collections import deque

from attrs import define, field

#: tasks of a node that are remembered
SAMPLES = 32
#: a median below is short, seconds
SHORT_S = 0.020
#: a median below is tiny, seconds
TINY_S = 0.001
#: short tasks that may wait at one worker
PREFETCH = 16
#: tiny ones: a worker is through with sixteen of them before the head has looked at their ends, so that each is alone
#: with the cost of a turn of the loop, a commit and two writes that many could share
PREFETCH_TINY = 64


@define(eq=False)
class Pace:
    """The recent runtimes of one node, kept as which limits each was under: the median needs no more."""

    _recent: deque[tuple[bool, bool]] = field(factory=deque)
    _short: int = 0
    _tiny: int = 0

    def note(self, runtime_s: float) -> None:
        """Remember one task."""
        short, tiny = runtime_s < SHORT_S, runtime_s < TINY_S
        self._recent.append((short, tiny))
        self._short += short
        self._tiny += tiny
        if len(self._recent) > SAMPLES:
            short, tiny = self._recent.popleft()
            self._short -= short
            self._tiny -= tiny

    @property
    def queue(self) -> int:
        """How many tasks may wait at a worker for one of this node to join them; 0 when it must not wait there."""
        if len(self._recent) < SAMPLES or 2 * self._short <= SAMPLES:
            return 0
        return PREFETCH_TINY if 2 * self._tiny > SAMPLES else PREFETCH


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
