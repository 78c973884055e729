"""Bringing back what was not finished: replay of the unfinished pebbles' events, nothing else.

Laws: a replay meets the workflows and contexts it met before, and must start the same tasks; a pebble whose
replay differs is set aside with its story and the others go on; finished pebbles cost nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Any

from attrs import define, field, frozen

from cryocloud_core.engine.commands import StartTask
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import Event
from cryocloud_core.errors import ReplayDiffers, StateError
from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.head.contexts import Contexts
from cryocloud_core.head.ledger import Held, Ledger, scope_of
from cryocloud_core.head.wheel import tell
from cryocloud_core.wire import from_data, from_json

_EVENTS = """
    SELECT e.pebble, e.start, e.context, e.body, e.started FROM pebbles AS p JOIN events AS e ON e.pebble = p.pebble
    WHERE p.state IN ('open', 'owing') ORDER BY p.pebble, e.seq
"""
_PEBBLES = "SELECT pebble, workflow, run, input, state FROM pebbles WHERE state IN ('open', 'owing')"


@frozen
class SetAside:
    """A pebble that could not be replayed: its record and its story."""

    held: Held
    story: str
    error: Exception


@define(eq=False)
class Recovered:
    """What a replay found beside the pebbles that are in the engine again.

    `elsewhere` counts unfinished pebbles of workflows that are not part of this run.
    """

    set_aside: list[SetAside] = field(factory=list)
    elsewhere: dict[str, int] = field(factory=dict)


def stored_workflows(connection: sqlite3.Connection, names: Collection[str]) -> Iterator[tuple[str, Workflow]]:
    """Yield digest and graph of every version of these workflows that the journal holds."""
    for digest, name, body in connection.execute("SELECT digest, name, body FROM workflows"):
        if name in names:
            yield digest, from_json(body, Workflow)


def next_pebble(connection: sqlite3.Connection) -> int:
    """Return the first pebble id that was never given."""
    # Retention never forgets the newest pebble.
    return 1 + (connection.execute("SELECT max(pebble) FROM pebbles").fetchone()[0] or 0)


def next_seq(connection: sqlite3.Connection) -> int:
    """Return the number of the next event."""
    return 1 + (connection.execute("SELECT max(seq) FROM events").fetchone()[0] or 0)


def replay(
    connection: sqlite3.Connection, engine: Engine, contexts: Contexts, ledger: Ledger, names: Collection[str]
) -> Recovered:
    """Put every unfinished pebble of these workflows back into the engine and the ledger. Raises StateError."""
    recovered = Recovered()
    pebbles = {}
    for pebble, workflow, run, name, state in connection.execute(_PEBBLES):
        if workflow in names:
            pebbles[pebble] = Held(pebble, workflow, run, name, 0, {}, state == "owing")
        elif state == "open":
            recovered.elsewhere[workflow] = recovered.elsewhere.get(workflow, 0) + 1
    meets = _Replay(engine, contexts)
    rows = connection.execute(_EVENTS)
    for pebble, events in groupby(rows, key=lambda row: row[0]):
        held = pebbles.pop(pebble, None)
        if held is None:
            continue
        try:
            meets.pebble(held, events)
        except Exception as error:  # noqa: BLE001 - what one pebble meets must not stop the others
            recovered.set_aside.append(SetAside(held, tell(error, meets.told(pebble)), error))
            engine.forget(pebble)
        else:
            ledger.add(held)
    if pebbles:
        raise StateError(f"the journal has no events of pebbles {sorted(pebbles)[:5]}: it is damaged")
    return recovered


@frozen(eq=False)
class _Replay:
    """Applies stored events to an engine and compares what they start."""

    engine: Engine
    contexts: Contexts

    def pebble(self, held: Held, events: Iterable[Any]) -> None:
        """Replay one pebble's events. Raises ReplayDiffers, or whatever the engine raises."""
        earlier: dict[str, int] = {}
        held.earlier = earlier
        for _, start, context, body, started in events:
            if held.birth == 0:
                held.birth = context
            event: Event = from_data(json.loads(body), Event)  # type: ignore[arg-type]
            commands = self.engine.apply(event, self.contexts.number(context))
            tasks = [command.task.id for command in commands if isinstance(command, StartTask)]
            self._compare(event, tasks, started)
            for task in tasks:
                earlier.setdefault(scope_of(task), start)

    def told(self, pebble: int) -> str:
        """Return the story of a pebble that may not have come far."""
        known = self.engine.pebbles.get(pebble)
        return known.told() if known is not None else "it is not open"

    def _compare(self, event: Event, tasks: list[str], started: str | None) -> None:
        if tasks != (json.loads(started) if started else []):
            raise ReplayDiffers(
                f"pebble {event.pebble}: {type(event).__name__} at {event.at:.3f} started {tasks} in the replay, "
                f"but {started or '[]'} before; its story: {self.told(event.pebble)}"
            )
