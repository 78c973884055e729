"""Bringing back what was not finished: replay of the unfinished pebbles' events, nothing else.

Laws: a replay meets the workflows and contexts it met before, and must start the same tasks; a pebble whose
replay differs is set aside with its story and the others go on; finished pebbles cost nothing, and folded regions no
more than their checkpoint; one that does not fit is passed over and the pebble is walked.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence

from attrs import define, field, frozen

from cryocloud_core.engine.checkpoints import Checkpoint, without_parts
from cryocloud_core.engine.commands import KeepCheckpoint, StartTask
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import Event
from cryocloud_core.errors import ReplayDiffers, StateError
from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.head import checkpoints
from cryocloud_core.head.contexts import Contexts
from cryocloud_core.head.event_text import read_event
from cryocloud_core.head.ledger import Held, Ledger, scope_of
from cryocloud_core.head.wheel import tell
from cryocloud_core.wire import from_json

_PEBBLES = "SELECT pebble, workflow, run, input, state FROM pebbles WHERE state IN ('open', 'owing') ORDER BY pebble"


@frozen
class SetAside:
    """A pebble that could not be replayed: its record and its story."""

    held: Held
    story: str
    error: Exception


@define(eq=False)
class Recovered:
    """What a replay found beside the pebbles that are in the engine again.

    `elsewhere` counts unfinished pebbles of workflows that are not part of this run; `checkpoints` are those of regions
    that were walked; `misfits` tell by pebble why checkpoints were passed over.
    """

    set_aside: list[SetAside] = field(factory=list)
    elsewhere: dict[str, int] = field(factory=dict)
    checkpoints: list[KeepCheckpoint] = field(factory=list)
    misfits: dict[int, str] = field(factory=dict)


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
    meets = _Replay(connection, engine, contexts, recovered)
    marked = checkpoints.pebbles_with(connection)
    for pebble, workflow, run, name, state in connection.execute(_PEBBLES).fetchall():
        if workflow in names:
            held = Held(pebble, workflow, run, name, 0, {}, state == "owing", pebble in marked)
            if meets.pebble(held):
                ledger.add(held)
        elif state == "open":
            recovered.elsewhere[workflow] = recovered.elsewhere.get(workflow, 0) + 1
    return recovered


@frozen(eq=False)
class _Replay:
    """Applies stored events to an engine and compares what they start."""

    connection: sqlite3.Connection
    engine: Engine
    contexts: Contexts
    recovered: Recovered

    def pebble(self, held: Held) -> bool:
        """Replay one pebble; False when it had to be set aside. Raises StateError for one without events."""
        taken = checkpoints.read(self.connection, held.pebble) if held.has_checkpoints else []
        failed = self._try(held, taken)
        if failed is not None and taken:
            self.recovered.misfits[held.pebble] = failed.story
            failed = self._try(held, [])
        if failed is not None:
            self.recovered.set_aside.append(failed)
        elif held.birth == 0:
            raise StateError(f"the journal has no events of pebble {held.pebble}: it is damaged")
        return failed is None

    def _try(self, held: Held, taken: Sequence[Checkpoint]) -> SetAside | None:
        """Replay one pebble with these checkpoints; return what went wrong, the pebble is then not in the engine."""
        try:
            kept = self._pebble(held, taken)
        except Exception as error:  # noqa: BLE001 - what one pebble meets must not stop the others
            failed = SetAside(held, tell(error, self._told(held.pebble)), error)
            self.engine.drop(held.pebble)
            return failed
        self.recovered.checkpoints.extend(kept)
        return None

    def _pebble(self, held: Held, taken: Sequence[Checkpoint]) -> list[KeepCheckpoint]:
        """Return the checkpoints of regions that were walked. Raises ReplayDiffers, or whatever the engine raises."""
        engine, pebble = self.engine, held.pebble
        begun = _Begun(engine, pebble)
        kept: list[KeepCheckpoint] = []
        due = 0
        engine.recall(pebble, taken)
        for number, start, context, body, started in checkpoints.rows(self.connection, pebble, taken):
            if number == 0:
                held.birth = context
            elif number != due:
                engine.pass_over(pebble, number)
            due = number + 1
            event = read_event(body)
            tasks: list[str] = []
            for command in engine.apply(event, self.contexts.number(context)):
                if isinstance(command, StartTask):
                    tasks.append(command.task.id)
                    begun.note(command.task.id, start)
                elif isinstance(command, KeepCheckpoint):
                    kept.append(command)
            if tasks or started:
                before = json.loads(started or "[]")
                self._compare(event, tasks, without_parts(before, number, taken) if taken else before)
        held.earlier = begun.open()
        return kept

    def _told(self, pebble: int) -> str:
        """Return the story of a pebble that may not have come far."""
        known = self.engine.pebbles.get(pebble)
        return known.told() if known is not None else "it is not open"

    def _compare(self, event: Event, tasks: list[str], before: list[str]) -> None:
        if tasks != before:
            raise ReplayDiffers(
                f"pebble {event.pebble}: {type(event).__name__} at {event.at:.3f} started {tasks} in the replay, "
                f"but {before} before; its story: {self._told(event.pebble)}"
            )


#: notes of tasks that were started before those of settled nodes are dropped
_MANY = 10_000


@define
class _Begun:
    """Which start of the head began what a module may see again; what has settled is dropped as it grows."""

    engine: Engine
    pebble: int
    starts: dict[str, int] = field(factory=dict)
    most: int = field(factory=lambda: _MANY)

    def note(self, task: str, start: int) -> None:
        """Note a task that was started; the first attempt at a node counts."""
        self.starts.setdefault(scope_of(task), start)
        if len(self.starts) >= self.most:
            self.starts = self.open()
            self.most = max(self.most, 2 * len(self.starts))

    def open(self) -> dict[str, int]:
        """Return those of nodes that have not settled."""
        pebble = self.engine.pebbles.get(self.pebble)
        if pebble is None:
            return {}
        runs = (run for scope in pebble.scopes() for run in scope.runs.values())
        names = [scope_of(pebble.task_id(run)) for run in runs if run.attempt and not run.is_final]
        return {name: self.starts[name] for name in names if name in self.starts}
