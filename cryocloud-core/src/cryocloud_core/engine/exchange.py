"""The exchange: where pebbles wait for each other, by workflow, node and message id.

Laws: pure and not journaled, rebuilt from what the engine owes; a rendezvous is answered for all its pebbles at once
and then forgotten, so that its message id can be used again; exactly one pebble of it goes on.
"""

from __future__ import annotations

from attrs import define, field, frozen

from cryocloud_core.engine.commands import Meet
from cryocloud_core.engine.events import Lent, Met
from cryocloud_core.engine.gate import Blocked
from cryocloud_core.engine.states import State, worst

_Key = tuple[str, str, str]


@frozen
class Meeting:
    """A rendezvous that has not taken place: who waits in it, the first that came first, and who is missing.

    `present` holds the meeting of each pebble that waits; `missing` are the parents that nobody came by.
    """

    present: tuple[Meet, ...]
    missing: tuple[str, ...]


@define(eq=False)
class Exchange:
    """All pebbles that wait for partners."""

    _waiting: dict[_Key, dict[str, Meet]] = field(factory=dict)
    _key_of: dict[str, _Key] = field(factory=dict)

    def __len__(self) -> int:
        """Return how many pebbles wait."""
        return len(self._key_of)

    def join(self, meet: Meet, at: float) -> list[Met]:
        """Let a pebble wait; return the answers to everybody when that completes the rendezvous."""
        if meet.task in self._key_of:
            return []
        key = (meet.workflow, meet.node, meet.message)
        here = self._waiting.setdefault(key, {})
        here[meet.task] = meet
        self._key_of[meet.task] = key
        came = {parent for each in here.values() for parent in each.came}
        if not (came if meet.any_parent else came.issuperset(meet.parents)):
            return []
        self._forget(key)
        return _answers(list(here.values()), at)

    def leave(self, task: str) -> bool:
        """Take a waiting pebble away; False when it does not wait here."""
        key = self._key_of.pop(task, None)
        if key is None:
            return False
        del self._waiting[key][task]
        if not self._waiting[key]:
            del self._waiting[key]
        return True

    def give_up(self, workflow: str, at: float) -> list[Met]:
        """Answer every pebble of a workflow that no partner can come any more."""
        left = [key for key in self._waiting if key[0] == workflow]
        answers = [
            Met(meet.pebble, at, meet.task, error=f"no partner for msgid {meet.message}")
            for key in left
            for meet in self._waiting[key].values()
        ]
        for key in left:
            self._forget(key)
        return answers

    def waits(self, task: str) -> bool:
        """Return True while this meeting has not taken place."""
        return task in self._key_of

    def meeting(self, task: str) -> Meeting | None:
        """Return the rendezvous in which a pebble waits, None when it waits in none."""
        key = self._key_of.get(task)
        if key is None:
            return None
        here = self._waiting[key]
        return Meeting(tuple(sorted(here.values(), key=_by_arrival)), tuple(_missing(here)))

    def blocked(self) -> list[Blocked]:
        """Return the nodes at which pebbles wait, and for which parents."""
        return [
            Blocked(workflow, node, len(here), f"msgid {message} waits for {', '.join(_missing(here))}")
            for (workflow, node, message), here in self._waiting.items()
        ]

    def _forget(self, key: _Key) -> None:
        for task in self._waiting.pop(key):
            del self._key_of[task]


def _by_arrival(meet: Meet) -> tuple[float, int]:
    return meet.since, meet.pebble


def _missing(here: dict[str, Meet]) -> list[str]:
    came = {parent for meet in here.values() for parent in meet.came}
    return [parent for parent in next(iter(here.values())).parents if parent not in came]


def _answers(met: list[Meet], at: float) -> list[Met]:
    """Return the answer to each pebble of a complete rendezvous."""
    met.sort(key=_by_arrival)
    through = [meet for meet in met if meet.resolve_on in meet.came]
    chosen = (through or met)[-1]
    values: dict[str, Lent] = {}
    for meet in met:
        values.update(meet.values)
    values.update(chosen.values)
    result = worst([State(meet.values[parent].state) for meet in met for parent in meet.came])
    return [
        Met(meet.pebble, at, meet.task, True, result.value, values=values)
        if meet is chosen
        else Met(meet.pebble, at, meet.task)
        for meet in met
    ]
