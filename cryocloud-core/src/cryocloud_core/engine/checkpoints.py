"""What stands for a folded region in a replay: the events that are not walked again, and what they came to.

Laws: pure data; made when a region is folded and none of its parts lives; a replay that takes it comes to the state
that walking comes to, and every event outside the region is still walked. A region is walked, without a checkpoint,
where its events reached beyond it: a part fired a global handler or met other pebbles, deferred nodes outlive the
merge, the pebble was given up or went on in a newer graph meanwhile, or an event from outside folded or ended it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import define, field, frozen

from cryocloud_core.errors import WireError
from cryocloud_core.task import TaskId
from cryocloud_core.wire import from_data, to_data

#: grows when the meaning of a checkpoint changes; one of another format is passed over and its events are walked
FORMAT: Final = 1


@define(eq=False)
class Numbers:
    """Growing numbers of events, kept as ranges: start, end, start, end, …"""

    ranges: array[int] = field(factory=lambda: array("q"))

    def add(self, number: int) -> None:
        """Add the next number."""
        if self.ranges and self.ranges[-1] == number:
            self.ranges[-1] = number + 1
        else:
            self.ranges.extend((number, number + 1))

    def ends_with(self, number: int) -> bool:
        """Return True when this number is the last one."""
        return bool(self.ranges) and self.ranges[-1] == number + 1


@frozen
class Checkpoint:
    """One folded region. Events are numbered within their pebble, from 0 for its arrival.

    `own` are the ranges of events that are the region's alone; of them `folds_at` folded it and after `closes_at`
    nothing of it was left: these two are applied again. `columns` hold what each collected node came to, as
    `Column.kept` gives it; `pebble_result`, `pebble_error` and `tempdirs` what the pebble had when the region closed.
    """

    split: str
    firing: int | None
    nodes: tuple[str, ...]
    opened_at: int
    folds_at: int
    closes_at: int
    own: tuple[int, ...]
    opened: int
    stopping: bool
    result: str
    error: str
    pebble_result: str
    pebble_error: str
    columns: dict[str, Any]
    tempdirs: dict[str, Any]

    @property
    def key(self) -> tuple[int, str, int | None]:
        """What names the region: the event that opened it, its split node, and the firing it lies in."""
        return self.opened_at, self.split, self.firing

    @property
    def spared(self) -> int:
        """How many events a replay does not walk because of it."""
        return sum(stop - start for start, stop in self.gaps())

    def holds(self, task: str) -> bool:
        """Return True for the id of a task of one of the region's nodes; while it is open these are its parts'."""
        name = TaskId.parse(task)
        return name.firing == self.firing and name.node in self.nodes

    def gaps(self) -> Iterator[tuple[int, int]]:
        """Yield the ranges of events that are not walked."""
        for start, stop in zip(self.own[::2], self.own[1::2], strict=True):
            first = start
            for applied in (self.folds_at, self.closes_at):
                if first <= applied < stop:
                    if first < applied:
                        yield first, applied
                    first = applied + 1
            if first < stop:
                yield first, stop


def walked(checkpoints: Iterable[Checkpoint], count: int) -> Iterator[range]:
    """Yield the numbers of the events that are applied again, of the `count` events a pebble has, in order."""
    first = 0
    for start, stop in sorted(gap for checkpoint in checkpoints for gap in checkpoint.gaps()):
        if first < start:
            yield range(first, min(start, count))
        first = stop
    if first < count:
        yield range(first, count)


def without_parts(started: list[str], number: int, checkpoints: Iterable[Checkpoint]) -> list[str]:
    """Return the tasks that the event with this number starts in a replay which takes these checkpoints."""
    hidden = [each for each in checkpoints if each.opened_at <= number <= each.closes_at]
    return [task for task in started if not any(each.holds(task) for each in hidden)]


#: lists of a column that hold few different names
_NAMES: Final = ("machines", "workers")


def packed(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a checkpoint as JSON data in which a column tells each name once."""
    columns = checkpoint.columns.items()
    return {
        **to_data(checkpoint),
        "columns": {node: {**column, **{key: _coded(column[key]) for key in _NAMES}} for node, column in columns},
    }


def unpacked(data: Any) -> Checkpoint:
    """Return the checkpoint that `packed` made data of. Raises WireError."""
    try:
        columns = data["columns"].items()
        plain = {node: {**column, **{key: _decoded(column[key]) for key in _NAMES}} for node, column in columns}
        return from_data({**data, "columns": plain}, Checkpoint)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise WireError(f"no checkpoint: {type(error).__name__} {error}") from error


def _coded(names: list[str | None]) -> dict[str, list[Any]]:
    places: dict[str | None, int] = {}
    of = [places.setdefault(name, len(places)) for name in names]
    return {"names": list(places), "of": of}


def _decoded(coded: dict[str, list[Any]]) -> list[str | None]:
    names = coded["names"]
    return [names[place] for place in coded["of"]]
