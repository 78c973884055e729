"""The journal of a simulated head: events as text, with their contexts, what they started, and checkpoints.

Laws: what is kept is text, as in a real journal; a replay that starts other tasks than before is a Violation, and so is
one that takes checkpoints and comes to another state than one that walks every event.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from attrs import define, field

from cryocloud_core.engine.checkpoints import Checkpoint, walked, without_parts
from cryocloud_core.engine.commands import Command, KeepCheckpoint, StartTask
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import Context, Event
from cryocloud_core.testing.depicting import depict
from cryocloud_core.testing.replaying import as_stored
from cryocloud_core.testing.simulation.facts import Violation
from cryocloud_core.wire import from_json, to_data


@define(eq=False)
class _Pages:
    """One open pebble: its events, each with the number of its context and the tasks it started, and checkpoints."""

    events: list[tuple[str, int, list[str]]] = field(factory=list)
    checkpoints: list[Checkpoint] = field(factory=list)


@define(eq=False)
class Diary:
    """Everything that is durable; `texts` are all events in order."""

    texts: list[str] = field(factory=list)
    _open: dict[int, _Pages] = field(factory=dict)

    def write(self, event: Event, context: int, commands: list[Command], *, is_open: bool) -> None:
        """Keep an event; a pebble that is not open any more is not replayed."""
        text = json.dumps(to_data(event, Event), separators=(",", ":"))
        self.texts.append(text)
        pages = self._open.setdefault(event.pebble, _Pages())
        pages.events.append((text, context, _started(commands)))
        pages.checkpoints += [as_stored(each.checkpoint) for each in commands if isinstance(each, KeepCheckpoint)]
        if not is_open:
            self._open.pop(event.pebble, None)

    def replay(self, engine: Engine, contexts: Sequence[Context]) -> None:
        """Bring every open pebble back. Raises Violation."""
        for pebble, pages in sorted(self._open.items()):
            _replay(engine, pebble, pages, pages.checkpoints, contexts)

    def check(self, engine: Engine, other: Engine, contexts: Sequence[Context]) -> None:
        """Walk every event in another engine; it must come to what the first has come to. Raises Violation."""
        for pebble, pages in sorted(self._open.items()):
            _replay(other, pebble, pages, [], contexts)
        if depict(engine) != depict(other):
            raise Violation("a replay with checkpoints comes to another state than one that walks every event")

    @property
    def has_checkpoints(self) -> bool:
        """True when a replay takes a checkpoint."""
        return any(pages.checkpoints for pages in self._open.values())


def _started(commands: list[Command]) -> list[str]:
    return [command.task.id for command in commands if isinstance(command, StartTask)]


def _replay(
    engine: Engine, pebble: int, pages: _Pages, checkpoints: list[Checkpoint], contexts: Sequence[Context]
) -> None:
    engine.recall(pebble, checkpoints)
    for numbers in walked(checkpoints, len(pages.events)):
        engine.pass_over(pebble, numbers.start)
        for number in numbers:
            text, context, before = pages.events[number]
            started = _started(engine.apply(from_json(text, Event), contexts[context]))  # type: ignore[arg-type]
            wanted = without_parts(before, number, checkpoints)
            if started != wanted:
                raise Violation(f"pebble {pebble}: event {number} started {started} in the replay, {wanted} before")
