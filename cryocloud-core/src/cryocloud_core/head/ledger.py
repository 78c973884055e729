"""What the head itself knows of every open pebble: whose it is, and what earlier starts had begun.

Laws: one small record a pebble, gone when the pebble leaves the engine; numbers that people are shown are
counted here, never found by walking.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from attrs import define

from cryocloud_core.task import Task


@define(eq=False)
class Held:
    """One pebble: its workflow's name, its run, its input, and the number of the context it was born in.

    `earlier` maps a node's scope (`42.1/Wind`) to the start of the head in which its first attempt was
    started, for pebbles that a restart took over. `has_checkpoints`: the journal has some of it.
    """

    pebble: int
    workflow: str
    run: int
    input: str
    birth: int
    earlier: dict[str, int] | None = None
    owing: bool = False
    has_checkpoints: bool = False


class Ledger:
    """All pebbles that the engine holds."""

    def __init__(self) -> None:
        self._held: dict[int, Held] = {}
        self._open: Counter[str] = Counter()

    def __getitem__(self, pebble: int) -> Held:
        """Return the record of a pebble."""
        return self._held[pebble]

    def __contains__(self, pebble: object) -> bool:
        """Return True for a pebble that the engine holds."""
        return pebble in self._held

    def __len__(self) -> int:
        """Return how many pebbles are held, owing ones included."""
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        """Walk over all records; for starts and for people who cancel, not for views."""
        return iter(list(self._held.values()))

    def get(self, pebble: int) -> Held | None:
        """Return the record of a pebble, None when it has left."""
        return self._held.get(pebble)

    @property
    def open(self) -> int:
        """How many pebbles are not closed."""
        return self._open.total()

    def open_of(self, workflow: str) -> int:
        """Return how many pebbles of a workflow are not closed."""
        return self._open[workflow]

    def add(self, held: Held) -> None:
        """Take a pebble in."""
        self._held[held.pebble] = held
        if not held.owing:
            self._open[held.workflow] += 1

    def closed(self, pebble: int) -> None:
        """The pebble is finished; it may still owe a clean-up."""
        held = self._held.get(pebble)
        if held is not None and not held.owing:
            held.owing = True
            self._open[held.workflow] -= 1

    def left(self, pebble: int) -> None:
        """The pebble has left the engine."""
        self.closed(pebble)
        self._held.pop(pebble, None)


def scope_of(task: str) -> str:
    """Return a task id without its attempt: what a module may see twice."""
    return task.rpartition("/")[0]


def attempt_seen(task: Task, held: Held | None, start: int) -> int:
    """Return the attempt a module is told: the engine's, plus starts of the head since its node's first one."""
    if held is None or held.earlier is None:
        return task.attempt
    return task.attempt + start - held.earlier.get(scope_of(task.id), start)
